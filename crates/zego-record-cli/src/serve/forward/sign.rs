//! Signatures as Standard Webhooks define them: HMAC-SHA256 over `id.timestamp.body`, in base64.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secrets::read_secret;

const PREFIX: &str = "whsec_";
/// As the specification demands, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
pub(crate) const VARIABLE: &str = "ZEGO_RECORD_FORWARD_SECRET";

/// The keys that forwarded callbacks are signed with: one, or several while one is being replaced.
#[derive(Clone)]
pub(crate) struct Signer(Vec<Zeroizing<Vec<u8>>>);

impl Signer {
    /// Reads the secrets from a file or, without one, from the environment.
    pub(crate) fn load(file: Option<&PathBuf>) -> Result<Self, Error> {
        let (name, text) = read_secret(file, VARIABLE)?;
        Self::parse(&name, &text)
    }

    /// Secrets with commas or white space between them.
    fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for secret in text
            .split([',', ' ', '\n', '\r', '\t'])
            .filter(|part| !part.is_empty())
        {
            let key = secret
                .strip_prefix(PREFIX)
                .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok())
                .map(Zeroizing::new);
            let key = key.filter(|key| LENGTHS.contains(&key.len())).ok_or_else(|| {
                Error::new(format!(
                    "{name} holds a forward secret that cannot be used: it is {PREFIX} and 24 to 64 random bytes in base64; make one with: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\""
                ))
            })?;
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(Error::new(format!("{name} holds no forward secret")));
        }
        Ok(Self(keys))
    }

    /// The value of `webhook-signature`: one signature for each key.
    pub(crate) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let signatures = self.0.iter().filter_map(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
            Some(format!("v1,{signature}"))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// Without the keys.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn signs_as_the_published_example() {
        let signer = Signer::parse("x", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = signer.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn signs_with_every_secret_while_one_is_replaced() {
        let (old, new) = (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        );
        let both = Signer::parse("x", &format!("{new},\n{old}\n")).unwrap();
        let expected: Vec<_> = [new, old]
            .map(|secret| Signer::parse("x", secret).unwrap().sign("a", "1", b"b"))
            .into();
        assert_eq!(both.sign("a", "1", b"b"), expected.join(" "));
    }

    #[test]
    fn an_unusable_secret_is_rejected_and_not_repeated() {
        for secret in [
            "",
            "hunter2",
            "whsec_aGk=",
            "whsec_???",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            let error = Signer::parse("the file", secret).unwrap_err().to_string();
            assert!(error.starts_with("the file holds"), "{error}");
            assert!(secret.is_empty() || !error.contains(secret), "{error}");
        }
        let signer = Signer::parse("x", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert!(!format!("{signer:?}").contains("MfKQ"));
    }
}

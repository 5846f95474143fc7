//! Cookies and form tokens: nothing is kept on the server, and neither is the token itself.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zego_record_core::ConfigError;
use zeroize::Zeroizing;

use crate::token::{self, Token};

/// How long a session lasts.
const LIFETIME: Duration = Duration::from_secs(12 * 3_600);

/// Makes and checks what a browser sends back.
pub(crate) struct Sessions {
    key: Zeroizing<[u8; 64]>,
    cookie: String,
    attributes: String,
}

impl Sessions {
    /// With a key from the token, so that a session holds in every process with the same one, and
    /// ends when it is replaced; without a token, with a random one.
    pub(crate) fn new(
        token: Option<&Token>,
        path: &str,
        secure: bool,
    ) -> Result<Self, ConfigError> {
        let mut key = Zeroizing::new([0; 64]);
        match token {
            Some(token) => key[..32].copy_from_slice(&token.digest()),
            None => token::fill(&mut *key)?,
        }
        let mut sessions = Self {
            key,
            cookie: String::new(),
            attributes: format!(
                "Path={path}; HttpOnly; SameSite=Strict{}",
                if secure { "; Secure" } else { "" }
            ),
        };
        // Browsers keep cookies by host whatever the port is: two consoles on one host must not
        // sign each other out.
        let name = sessions.sign("cookie", &[]);
        sessions.cookie = format!("zego_record_{}", &name[..8]);
        Ok(sessions)
    }

    /// The cookie of a new session.
    pub(crate) fn start(&self, now: SystemTime) -> Result<String, ConfigError> {
        let mut random = [0; 16];
        token::fill(&mut random)?;
        let expires = seconds(now).saturating_add(LIFETIME.as_secs()).to_string();
        let random = hex::encode(random);
        let signature = self.sign("session", &[&expires, &random]);
        let (name, attributes, age) = (&self.cookie, &self.attributes, LIFETIME.as_secs());
        Ok(format!(
            "{name}={expires}.{random}.{signature}; {attributes}; Max-Age={age}"
        ))
    }

    /// The cookie that ends a session in the browser.
    pub(crate) fn end(&self) -> String {
        format!("{}=; {}; Max-Age=0", self.cookie, self.attributes)
    }

    /// What identifies the session of a request, if it has one.
    pub(crate) fn find(&self, headers: &HeaderMap, now: SystemTime) -> Option<String> {
        let lines = headers.get_all(header::COOKIE).iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';'));
        cookies.find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == self.cookie && self.is_valid(value, now)).then(|| value.to_owned())
        })
    }

    /// What a form of this session carries.
    pub(crate) fn form_token(&self, session: &str) -> String {
        self.sign("form", &[session])
    }

    /// Whether a form belongs to this session.
    pub(crate) fn is_form_token(&self, session: &str, given: &str) -> bool {
        self.verify("form", &[session], given)
    }

    fn is_valid(&self, value: &str, now: SystemTime) -> bool {
        let mut parts = value.split('.');
        let (Some(expires), Some(random), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        self.verify("session", &[expires, random], signature)
            && expires.parse().is_ok_and(|end: u64| seconds(now) < end)
    }

    fn sign(&self, purpose: &str, parts: &[&str]) -> String {
        hex::encode(self.mac(purpose, parts).finalize().into_bytes())
    }

    fn verify(&self, purpose: &str, parts: &[&str], given: &str) -> bool {
        let Ok(given) = hex::decode(given) else {
            return false;
        };
        self.mac(purpose, parts).verify_slice(&given).is_ok()
    }

    /// No part holds a NUL: they come out of headers, or were signed before they are looked at.
    fn mac(&self, purpose: &str, parts: &[&str]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new((&*self.key).into());
        mac.update(b"zego-record-console 1\0");
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(b"\0");
            mac.update(part.as_bytes());
        }
        mac
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("cookie", &self.cookie)
            .finish_non_exhaustive()
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(token: &str) -> Sessions {
        Sessions::new(Some(&Token::new(token).unwrap()), "/console", false).unwrap()
    }

    fn request(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, format!("a=b; {pair}").parse().unwrap())])
    }

    #[test]
    fn a_session_ends() {
        let sessions = sessions("0123456789abcdef0123");
        let cookie = request(&sessions.start(UNIX_EPOCH).unwrap());
        let at = |seconds| sessions.find(&cookie, UNIX_EPOCH + Duration::from_secs(seconds));
        assert!(at(0).is_some());
        assert!(at(LIFETIME.as_secs() - 1).is_some());
        assert!(at(LIFETIME.as_secs()).is_none());
    }

    #[test]
    fn a_changed_session_is_none() {
        let sessions = sessions("0123456789abcdef0123");
        let cookie = sessions.start(UNIX_EPOCH).unwrap();
        let pair = cookie.split(';').next().unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        assert!(sessions.find(&request(pair), UNIX_EPOCH).is_some());
        let longer = value.replacen("43200", "99999", 1);
        assert_ne!(longer, value);
        for other in [&longer, "", ".", "..", "...", &format!("{value}.")] {
            let request = request(&format!("{name}={other}"));
            assert!(sessions.find(&request, UNIX_EPOCH).is_none(), "{other}");
        }
    }

    #[test]
    fn a_session_is_of_its_token_and_holds_in_every_process() {
        let (token, other) = ("0123456789abcdef0123", "0123456789abcdef0124");
        let cookie = sessions(token).start(UNIX_EPOCH).unwrap();
        assert!(
            sessions(token)
                .find(&request(&cookie), UNIX_EPOCH)
                .is_some()
        );
        let value = cookie.split_once('=').unwrap().1;
        let renamed = request(&format!("{}={value}", sessions(other).cookie));
        assert!(sessions(other).find(&renamed, UNIX_EPOCH).is_none());
        assert!(!cookie.contains(token));
    }

    #[test]
    fn a_form_token_is_of_its_session() {
        let sessions = sessions("0123456789abcdef0123");
        let form = sessions.form_token("one");
        assert!(sessions.is_form_token("one", &form));
        assert!(!sessions.is_form_token("two", &form));
        assert!(!sessions.is_form_token("one", ""));
        assert!(!sessions.is_form_token("one", &form[..32]));
    }
}

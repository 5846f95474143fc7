//! The fixed world in which every input is judged: two secrets, one clock.

use std::sync::LazyLock;

use zego_record_core::{
    CallbackSecret, RecordCallback, ReplayUrlPolicy, UnixSeconds, Verified, Verifier, sign,
};

use crate::write::percent_encode;

/// The secret of every AppID but one.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The secret of one AppID alone.
pub(crate) const BOUND_SECRET: &str = "fedcba9876543210fedcba9876543210";
pub(crate) const BOUND_APPID: &str = "42";

pub(crate) const NOW: i64 = 1_760_001_900;
pub(crate) const TOLERANCE: i64 = 300;
pub(crate) const TIMESTAMP: &str = "1760001893";
pub(crate) const NONCE: &str = "456789";

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    Verifier::builder()
        .secret(secret(SECRET))
        .secret_for(BOUND_APPID, secret(BOUND_SECRET))
        .build()
        .expect("the verifier is well configured")
});

static POLICY: LazyLock<ReplayUrlPolicy> = LazyLock::new(|| {
    ReplayUrlPolicy::hosts(["vod.example.com", "*.cdn.example.net"])
        .expect("the policy is well configured")
});

/// Allows `vod.example.com` and all below `cdn.example.net`. No verdict here depends on it.
pub(crate) fn policy() -> &'static ReplayUrlPolicy {
    &POLICY
}

pub(crate) fn verifier() -> &'static Verifier {
    &VERIFIER
}

pub(crate) fn secret(text: &str) -> CallbackSecret {
    CallbackSecret::new(text).expect("the secret is a legal one")
}

/// The three fields that prove the origin.
pub(crate) fn signed_fields(secret_text: &str) -> [(String, String); 3] {
    let signature = sign(&secret(secret_text), TIMESTAMP, NONCE).to_string();
    [
        ("timestamp".to_owned(), TIMESTAMP.to_owned()),
        ("nonce".to_owned(), NONCE.to_owned()),
        ("signature".to_owned(), signature),
    ]
}

/// The same body with a right signature written in at its beginning, in whichever form it is. No
/// fuzzer finds a signature by chance, so without this nothing behind it would be reached.
pub(crate) fn with_signature(body: &[u8], secret_text: &str) -> Vec<u8> {
    let fields = signed_fields(secret_text);
    let members: Vec<String> = fields
        .iter()
        .map(|(name, text)| format!("\"{name}\":\"{text}\""))
        .collect();
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, text)| format!("{name}={text}"))
        .collect();
    let start = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let start = start.trim_ascii_start();
    let (prefix, start) = body.split_at(body.len() - start.len());
    let is_encoded = start
        .get(..3)
        .is_some_and(|s| s.eq_ignore_ascii_case(b"%7b"));
    let (envelope, rest) = if let Some(rest) = start.strip_prefix(b"{") {
        let is_empty = rest.trim_ascii_start().starts_with(b"}");
        let comma = if is_empty { "" } else { "," };
        (format!("{{{}{comma}", members.join(",")), rest)
    } else if is_encoded {
        let rest = &start[3..];
        let is_empty = rest
            .get(..3)
            .is_some_and(|s| s.eq_ignore_ascii_case(b"%7d"));
        let comma = if is_empty { "" } else { "," };
        let document = format!("{{{}{comma}", members.join(","));
        (percent_encode(&document), rest)
    } else {
        (format!("{}&", pairs.join("&")), start)
    };
    [prefix, envelope.as_bytes(), rest].concat()
}

/// The `record` callback in a body, if it is accepted.
pub(crate) fn accepted(body: &[u8]) -> Option<RecordCallback> {
    match verifier().verify(body, UnixSeconds::new(NOW)) {
        Ok(Verified::Record(callback)) => Some(callback),
        _ => None,
    }
}

/// FNV-1a, for choices that must follow from the input alone.
pub(crate) fn hash(input: &[u8]) -> usize {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(hash >> 33).expect("31 bits fit")
}

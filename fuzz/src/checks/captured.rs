//! What a receiver can read can be sent again by the command line, signed anew and otherwise the same.

use zego_record_core::{UnixSeconds, Unverified, Verdict, Verified};
use zego_record_testkit::RequestBuilder;

use crate::captured::Captured;
use crate::reference::json::Json;
use crate::reference::verdict::members;
use crate::world::{BOUND_APPID, BOUND_SECRET, NONCE, NOW, SECRET, verifier, with_signature};

/// What the three signed fields and the braces take, in the longest form.
const ENVELOPE: usize = 256;

/// Takes a body as it was captured, and again with a signature in it that has to be replaced.
pub fn check(body: &[u8]) {
    send_again(body);
    send_again(&with_signature(body, SECRET));
}

fn send_again(body: &[u8]) {
    let unverified = Unverified::read(body);
    let captured = Captured::parse(body);
    assert_eq!(captured.is_ok(), unverified.is_ok(), "{captured:?}");
    let (Ok(captured), Ok(unverified)) = (captured, unverified) else {
        return;
    };
    let secret = match unverified.appid() {
        Some(BOUND_APPID) => BOUND_SECRET,
        _ => SECRET,
    };
    let again = signed_anew(&captured, secret);

    // Every byte may become three, as in %22.
    assert!(again.len() <= 3 * body.len() + ENVELOPE, "{}", again.len());
    let form = Unverified::read(&again).map(|again| again.wire_form());
    assert_eq!(form.ok(), Some(unverified.wire_form()));
    assert_eq!(content(&again), content(body));
    let verdict = match verifier().verify(&again, UnixSeconds::new(NOW)) {
        Ok(Verified::Record(_)) => Verdict::Handled,
        Ok(_) => Verdict::Ignored,
        Err(rejection) => rejection.verdict(),
    };
    let is_decimal = |appid: &str| {
        appid.bytes().all(|byte| byte.is_ascii_digit()) && (appid == "0" || !appid.starts_with('0'))
    };
    // One secret is bound to an appid, so no appid may be spelled in another way.
    if unverified.appid().is_none_or(is_decimal) {
        let signed = [Verdict::Handled, Verdict::Ignored, Verdict::Invalid];
        assert!(signed.contains(&verdict), "{verdict}");
    } else {
        assert_eq!(verdict, Verdict::BadSignature);
    }

    let captured = Captured::parse(&again).expect("a receiver can read it");
    assert_eq!(signed_anew(&captured, secret), again);
}

fn signed_anew(captured: &Captured, secret: &str) -> Vec<u8> {
    let builder = RequestBuilder::new(secret, UnixSeconds::new(NOW)).nonce(NONCE);
    captured.fill(builder).build().body().to_vec()
}

/// All fields but the signed ones, in their order, as the second implementation reads them.
fn content(body: &[u8]) -> Vec<(String, String)> {
    let members = members(body).expect("a receiver can read it");
    let members = members
        .into_iter()
        .filter(|member| !["timestamp", "nonce", "signature"].contains(&member.name.as_str()));
    members
        .map(|member| match member.value {
            Json::Text(text) => (member.name, format!("text {text}")),
            _ => (member.name, format!("JSON {}", member.source)),
        })
        .collect()
}

//! The weaknesses of ZEGOCLOUD's signature, each as the attack that it allows.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use zego_record_core::{
    CallbackSecret, RecordCallback, Rejection, ReplayUrlPolicy, UnixSeconds, Verdict, Verified,
    Verifier, sign,
};

fn secret(text: &str) -> CallbackSecret {
    CallbackSecret::new(text).unwrap()
}

fn verifier(text: &str) -> Verifier {
    Verifier::builder().secret(secret(text)).build().unwrap()
}

fn body(timestamp: &str, nonce: &str, signature: &str) -> String {
    format!(
        "event=record&appid=1&stream_alias=a&replay_url=u&begin_time=1&end_time=2&timestamp={timestamp}&nonce={nonce}&signature={signature}"
    )
}

fn verify(verifier: &Verifier, body: &str, now: i64) -> Result<RecordCallback, Rejection> {
    match verifier.verify(body.as_bytes(), UnixSeconds::new(now))? {
        Verified::Record(callback) => Ok(callback),
        other => panic!("another event: {other:?}"),
    }
}

#[test]
fn the_body_is_not_covered_so_two_bodies_share_a_signature_but_no_key() {
    let verifier = verifier("secret");
    let signature = sign(&secret("secret"), "1760001893", "456789").to_string();
    let genuine = body("1760001893", "456789", &signature);
    let forged = genuine.replace("replay_url=u", "replay_url=evil");
    let genuine = verify(&verifier, &genuine, 1_760_001_900).unwrap();
    let forged = verify(&verifier, &forged, 1_760_001_900).unwrap();
    assert_eq!(genuine.signature(), forged.signature());
    assert_ne!(genuine.delivery_key(), forged.delivery_key());
}

#[test]
fn a_callback_in_a_log_does_not_show_what_any_body_could_be_sent_under() {
    let signature = sign(&secret("secret"), "1760001893", "456789");
    let genuine = body("1760001893", "456789", &signature.to_string());
    let callback = verify(&verifier("secret"), &genuine, 1_760_001_900).unwrap();
    assert!(!format!("{callback:?}").contains(&signature.to_string()));
    assert_eq!(format!("{signature:?}"), "Signature(..)");
}

#[test]
fn digits_moved_from_the_nonce_to_the_timestamp_do_not_make_it_fresh() {
    let verifier = verifier("secret");
    let signature = "fab71daaa170b57c9f72f90f4f38d59f4c02bac7";
    let original = body("1760001893", "456789", signature);
    assert!(verify(&verifier, &original, 1_760_001_893).is_ok());
    // Both splits of ten digits are legal and carry one signature: the guard goes by its bytes.
    let moved = body("1893456789", "176000", signature);
    let moved = verify(&verifier, &moved, 1_893_456_789).unwrap();
    assert_eq!(moved.signature().unwrap().to_string(), signature);
    for (timestamp, nonce) in [
        ("176000189", "3456789"),
        ("17600018934", "56789"),
        ("456789", "1760001893"),
    ] {
        let rejection =
            verify(&verifier, &body(timestamp, nonce, signature), 1_760_001_893).unwrap_err();
        assert_eq!(
            rejection.verdict(),
            Verdict::Malformed,
            "{timestamp} {nonce}"
        );
    }
}

#[test]
fn a_timestamp_and_a_nonce_that_change_places_share_a_signature() {
    let verifier = verifier("secret");
    let (first, second) = ("1760001893", "1760001950");
    let signature = sign(&secret("secret"), first, second).to_string();
    let signatures = [(first, second), (second, first)].map(|(timestamp, nonce)| {
        let body = body(timestamp, nonce, &signature);
        verify(&verifier, &body, 1_760_001_900).unwrap().signature()
    });
    // Both are fresh, so nothing but these bytes tells that it is one signed request.
    assert_eq!(signatures[0], signatures[1]);
}

#[test]
fn a_length_extension_is_rejected_before_anything_is_hashed() {
    let verifier = verifier("0123456789abcdef0123456789abcdef");
    let captured = body(
        "1760001893",
        "456789",
        "346ed2d1981bf436ba3314e95e3e4d0cdd98c95a",
    );
    assert!(verify(&verifier, &captured, 1_760_001_900).is_ok());

    // The padding of the first message becomes a part of the nonce, the fresh timestamp its tail.
    let length_in_bits = (32 + 16) * 8_u64;
    let mut padded = b"1760001893456789\x80".to_vec();
    padded.extend([0; 64 - 48 - 1 - 8]);
    padded.extend(length_in_bits.to_be_bytes());
    let nonce: String = padded.iter().map(|byte| format!("%{byte:02x}")).collect();
    let extended = body(
        "1787000000",
        &nonce,
        "26c3f37327146e7069336629629c766da3f9f08f",
    );
    let rejection = verify(&verifier, &extended, 1_787_000_000).unwrap_err();
    assert_eq!(rejection.verdict(), Verdict::Malformed);
}

#[test]
fn a_rejection_tells_neither_the_secret_nor_the_signature_that_would_be_right() {
    let verifier = verifier("0123456789abcdef0123456789abcdef");
    let expected = sign(
        &secret("0123456789abcdef0123456789abcdef"),
        "1760001893",
        "456789",
    )
    .to_string();
    let rejection = verify(
        &verifier,
        &body("1760001893", "456789", &"0".repeat(40)),
        1_760_001_893,
    )
    .unwrap_err();
    for text in [
        rejection.to_string(),
        format!("{rejection:?}"),
        format!("{verifier:?}"),
    ] {
        assert!(
            !text.contains("0123456789abcdef") && !text.contains(&expected),
            "{text}"
        );
    }
    assert!(
        rejection.to_string().contains("ServerSecret"),
        "{rejection}"
    );
}

/// How long a comparison takes is `subtle`'s business; this is what could be read without a watch.
#[test]
fn a_rejection_does_not_reveal_how_much_of_a_guess_was_right() {
    let verifier = verifier("secret");
    let right = sign(&secret("secret"), "1760001893", "456789").to_string();
    let mut told = BTreeSet::new();
    for at in 0..right.len() {
        let digit = if &right[at..=at] == "0" { "1" } else { "0" };
        let guess = format!("{}{digit}{}", &right[..at], &right[at + 1..]);
        let body = body("1760001893", "456789", &guess);
        let rejection = verify(&verifier, &body, 1_760_001_893).unwrap_err();
        told.insert(format!("{rejection} {rejection:?}"));
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn an_empty_secret_or_one_with_a_pasted_newline_signs_nothing() {
    for text in ["", " ", "\n", "0123456789abcdef\n", "0123456789abcdef\r\n"] {
        assert!(CallbackSecret::new(text).is_err(), "{text:?}");
    }
    assert!(Verifier::builder().build().is_err(), "no secret at all");
}

#[test]
fn a_playback_url_into_the_own_network_is_rejected() {
    let policy = ReplayUrlPolicy::hosts(["vod.example.com"]).unwrap();
    let verifier = Verifier::builder()
        .secret(secret("secret"))
        .replay_urls(policy)
        .build()
        .unwrap();
    let signature = sign(&secret("secret"), "1760001893", "1").to_string();
    let genuine = body("1760001893", "1", &signature);
    let verdict = |url: &str| {
        let body = genuine.replace("replay_url=u", &format!("replay_url={url}"));
        verify(&verifier, &body, 1_760_001_893)
            .map(|callback| callback.replay_url().to_owned())
            .map_err(|rejection| rejection.verdict())
    };
    let good = "https://vod.example.com/a.mp4";
    assert_eq!(verdict(good), Ok(good.to_owned()));
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/a.mp4",
        "http://localhost/a.mp4",
        "http://db.internal/a.mp4",
        "file:///etc/passwd",
        "https://vod.example.com@10.0.0.1/a.mp4",
        "https%253A%252F%252F10.0.0.1/a.mp4",
    ] {
        assert_eq!(verdict(url), Err(Verdict::ReplayUrlRefused), "{url}");
    }
}

#[test]
fn the_tolerance_is_inclusive_and_extreme_clocks_do_not_overflow() {
    let verifier = verifier("secret");
    let signature = sign(&secret("secret"), "1760001893", "1").to_string();
    let body = body("1760001893", "1", &signature);
    for (now, expected) in [
        (1_760_001_893 + 300, None),
        (1_760_001_893 + 301, Some((Verdict::Stale, -301))),
        (1_760_001_893 - 300, None),
        (1_760_001_893 - 301, Some((Verdict::Future, 301))),
        (i64::MAX, Some((Verdict::Stale, 1_760_001_893 - i64::MAX))),
        (i64::MIN, Some((Verdict::Future, i64::MAX))),
    ] {
        let rejection = verify(&verifier, &body, now).err();
        assert_eq!(
            rejection.map(|r| (r.verdict(), r.clock_offset().unwrap())),
            expected,
            "{now}"
        );
    }
}

#[test]
fn a_secret_bound_to_an_appid_speaks_for_no_other() {
    let verifier = Verifier::builder()
        .secret(secret("shared"))
        .secret_for("1", secret("one"))
        .secret_for("2", secret("two"))
        .secret_for("2", secret("two-new"))
        .build()
        .unwrap();
    let attempt = |appid: &str, key: &str| {
        let signature = sign(&secret(key), "1760001893", "1").to_string();
        let body =
            body("1760001893", "1", &signature).replace("appid=1", &format!("appid={appid}"));
        verify(&verifier, &body, 1_760_001_893)
            .map(|c| c.secret_index())
            .map_err(|r| r.verdict())
    };
    assert_eq!(attempt("1", "one"), Ok(1));
    assert_eq!(attempt("2", "two"), Ok(2));
    assert_eq!(attempt("2", "two-new"), Ok(3));
    assert_eq!(attempt("3", "shared"), Ok(0));
    for (appid, key) in [
        ("1", "shared"),
        ("1", "two"),
        ("2", "one"),
        ("3", "one"),
        ("", "one"),
    ] {
        assert_eq!(
            attempt(appid, key),
            Err(Verdict::BadSignature),
            "{appid} {key}"
        );
    }
}

#[test]
fn another_spelling_of_an_appid_chooses_no_other_secret() {
    let verifier = Verifier::builder()
        .secret_for("1", secret("secret-of-1"))
        .secret(secret("secret-of-all-others"))
        .build()
        .unwrap();
    let signed = |appid: &str| {
        let signature = sign(&secret("secret-of-all-others"), "1760001893", "456789");
        let body = format!(
            r#"{{"event":"record","appid":{appid},"stream_alias":"a","replay_url":"u","begin_time":1,"end_time":2,
            "timestamp":"1760001893","nonce":"456789","signature":"{signature}"}}"#
        );
        verify(&verifier, &body, 1_760_001_900)
    };
    for appid in [
        r#""01""#,
        r#""+1""#,
        "1.0",
        "1e0",
        r#"" 1""#,
        r#""1 ""#,
        r#""001""#,
        "1.0e0",
        "10e-1",
        "-1",
        r#""-1""#,
        r#""0x1""#,
        r#""1_""#,
        r#""\u0661""#,
        r#""\uff11""#,
        r#""00""#,
        r#""one""#,
        r#""1.""#,
    ] {
        let rejection = signed(appid).unwrap_err();
        assert_eq!(rejection.verdict(), Verdict::BadSignature, "{appid}");
        assert!(
            rejection.to_string().contains("plain decimal"),
            "{appid}: {rejection}"
        );
    }
    // An escape is no other spelling, but another way to write the same one.
    assert_eq!(
        signed(r#""\u0031""#).unwrap_err().verdict(),
        Verdict::BadSignature
    );
    for appid in ["0", "2", r#""10""#, "4294967295", r#""\u0032""#] {
        assert!(signed(appid).is_ok(), "{appid}");
    }
    for appid in ["null", r#""""#] {
        assert_eq!(
            signed(appid).unwrap_err().verdict(),
            Verdict::Invalid,
            "{appid}"
        );
    }
}

#[test]
fn without_bound_secrets_an_appid_may_be_spelled_in_any_way() {
    let signature = sign(&secret("secret"), "1760001893", "456789").to_string();
    let body = body("1760001893", "456789", &signature).replace("appid=1", "appid=01");
    assert!(body.contains("appid=01"), "{body}");
    assert_eq!(
        verify(&verifier("secret"), &body, 1_760_001_900)
            .unwrap()
            .appid(),
        "01"
    );
}

//! What a built request promises, checked by core.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use zego_record_core::{
    CallbackSecret, RecordCallback, Rejection, UnixSeconds, Unverified, Vendor, Verdict, Verified,
    Verifier, WireForm,
};
use zego_record_testkit::{RequestBuilder, SignedRequest, Signing};

const NOW: UnixSeconds = UnixSeconds::new(1_760_001_900);
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const FORMS: [WireForm; 3] = [WireForm::Json, WireForm::Form, WireForm::EncodedJson];
const VENDORS: [Option<Vendor>; 4] = [
    Some(Vendor::Tencent),
    Some(Vendor::Wangsu),
    Some(Vendor::Huawei),
    None,
];

fn builder() -> RequestBuilder {
    RequestBuilder::new(SECRET, NOW)
}

fn verify(request: &SignedRequest) -> Result<RecordCallback, Rejection> {
    let secret = CallbackSecret::new(SECRET).unwrap();
    let verifier = Verifier::builder().secret(secret).build().unwrap();
    match verifier.verify(request.body(), NOW)? {
        Verified::Record(callback) => Ok(callback),
        other => panic!("another event: {other:?}"),
    }
}

fn rejected(request: &RequestBuilder) -> Verdict {
    verify(&request.build()).unwrap_err().verdict()
}

#[test]
fn what_is_signed_right_verifies_in_every_form_of_every_vendor() {
    for vendor in VENDORS {
        for form in FORMS {
            let request = builder().vendor(vendor).wire_form(form).build();
            let callback = verify(&request).unwrap();
            assert_eq!(callback.extra_params().vendor(), vendor, "{form:?}");
            assert_eq!(callback.nonce(), request.nonce());
            assert_eq!(callback.timestamp(), NOW);
            assert_eq!(
                callback
                    .signature()
                    .map(|signature| signature.to_string())
                    .as_deref(),
                request.signature()
            );
            assert_eq!(Unverified::read(request.body()).unwrap().wire_form(), form);
        }
    }
}

#[test]
fn one_content_has_one_delivery_key_however_it_is_written() {
    for vendor in VENDORS {
        let base = builder()
            .vendor(vendor)
            .field("stream_alias", "a+b %2F é")
            .field("new", "x&y=z");
        let key = verify(&base.build()).unwrap().delivery_key();
        for form in FORMS {
            let base = base.clone().wire_form(form);
            for request in [
                base.clone().build(),
                base.clone().numbers().build(),
                base.clone().extra_params_as_object().build(),
                base.clone().age(100).build().resigned(NOW),
            ] {
                assert_eq!(
                    verify(&request).unwrap().delivery_key(),
                    key,
                    "{vendor:?} {form:?}"
                );
            }
        }
        assert_ne!(
            verify(&base.field("new", "x").build())
                .unwrap()
                .delivery_key(),
            key
        );
    }
}

#[test]
fn each_wrong_signature_is_rejected() {
    for signing in Signing::ALL {
        for form in FORMS {
            let verdict = verify(&builder().wire_form(form).signing(signing).build());
            let expected = match signing {
                Signing::Right | Signing::UpperCase => None,
                Signing::Unsigned => Some(Verdict::Unsigned),
                _ => Some(Verdict::BadSignature),
            };
            assert_eq!(
                verdict.err().map(|rejection| rejection.verdict()),
                expected,
                "{signing:?}"
            );
        }
    }
}

#[test]
fn time_goes_by_age_and_text() {
    assert!(verify(&builder().age(300).build()).is_ok());
    assert_eq!(rejected(&builder().age(301)), Verdict::Stale);
    assert!(verify(&builder().age(-300).build()).is_ok());
    assert_eq!(rejected(&builder().age(-301)), Verdict::Future);
    assert_eq!(
        rejected(&builder().timestamp("1760001900000")),
        Verdict::Malformed
    );
    assert_eq!(rejected(&builder().nonce("1 2")), Verdict::Malformed);
}

#[test]
fn fields_can_be_changed_and_contradict_what_was_signed() {
    assert_eq!(rejected(&builder().without("replay_url")), Verdict::Invalid);
    assert_eq!(
        rejected(&builder().field("replay_url", "")),
        Verdict::Invalid
    );
    assert_eq!(rejected(&builder().without("nonce")), Verdict::Unsigned);
    assert_eq!(
        rejected(&builder().field_json("nonce", "null")),
        Verdict::Unsigned
    );
    assert_eq!(
        rejected(&builder().field("nonce", "1")),
        Verdict::BadSignature
    );
    assert_eq!(
        rejected(&builder().add_field("appid", "1")),
        Verdict::Malformed
    );
    assert_eq!(
        rejected(&builder().field_json("appid", "[1]")),
        Verdict::Malformed
    );
    let callback = verify(
        &builder()
            .field_json("nonce2", "12")
            .add_field("x", "y")
            .add_field_json("x", "[1]")
            .build(),
    )
    .unwrap();
    assert_eq!(
        callback.other_fields().collect::<Vec<_>>(),
        [("nonce2", "12"), ("x", "y"), ("x", "[1]")]
    );
}

#[test]
fn a_resigned_request_differs_in_the_triple_alone() {
    let first = builder().age(299).nonce("1").build();
    let second = first.resigned(UnixSeconds::new(NOW.get() + 2));
    assert_eq!(second.timestamp(), "1760001902");
    assert_ne!(first.nonce(), second.nonce());
    assert_ne!(first.signature(), second.signature());
    let (first, second) = (verify(&first).unwrap(), verify(&second).unwrap());
    assert_eq!(first.delivery_key(), second.delivery_key());
}

#[test]
fn a_tampered_request_differs_in_the_content_alone() {
    let genuine = builder().build();
    let tampered = genuine.tampered(|request| request.field("replay_url", "https://evil.example/"));
    assert_eq!(genuine.signature(), tampered.signature());
    assert_eq!(
        (genuine.nonce(), genuine.timestamp()),
        (tampered.nonce(), tampered.timestamp())
    );
    let (genuine, tampered) = (verify(&genuine).unwrap(), verify(&tampered).unwrap());
    assert_eq!(tampered.replay_url(), "https://evil.example/");
    assert_eq!(genuine.signature(), tampered.signature());
    assert_ne!(genuine.delivery_key(), tampered.delivery_key());
}

#[test]
fn nonces_never_repeat_and_a_seed_repeats_them_all() {
    let draw = |builder: RequestBuilder| -> Vec<String> {
        (0..1000)
            .map(|_| builder.clone().build().nonce().to_owned())
            .collect()
    };
    let nonces = draw(builder());
    assert!(nonces.iter().all(|nonce| nonce.len() == 19));
    assert_eq!(nonces.iter().collect::<HashSet<_>>().len(), 1000);
    assert_eq!(draw(builder().seed(3)), draw(builder().seed(3)));
    assert_ne!(draw(builder().seed(3)), draw(builder().seed(4)));
}

#[test]
fn the_http_request_is_what_zegocloud_sends() {
    for (request, content_type) in [
        (builder(), Some("application/json")),
        (
            builder().wire_form(WireForm::EncodedJson),
            Some("application/json"),
        ),
        (
            builder().wire_form(WireForm::Form),
            Some("application/x-www-form-urlencoded"),
        ),
        (builder().content_type("text/plain"), Some("text/plain")),
        (builder().content_type(None), None),
    ] {
        let request = request.build();
        assert_eq!(request.content_type(), content_type);
        let http = request.clone().into_http();
        assert_eq!(http.method(), http::Method::POST);
        assert_eq!(http.body(), request.body());
        let header = http
            .headers()
            .get("content-type")
            .map(|value| value.to_str().unwrap());
        assert_eq!(header, content_type);
    }
}

#[test]
fn a_request_goes_to_the_path_that_was_set() {
    let path = |request: RequestBuilder| request.build().into_http().uri().to_string();
    assert_eq!(path(builder()), "/");
    assert_eq!(path(builder().path("/zego/record")), "/zego/record");
}

#[test]
fn the_secret_is_not_printed() {
    let text = format!("{:?} {:?}", builder(), builder().build());
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
#[should_panic(expected = "NoSort gives the right signature for the nonce \"9\"")]
fn a_wrong_order_that_gives_the_right_signature_panics() {
    let _ = builder().nonce("9").signing(Signing::NoSort).build();
}

#[test]
#[should_panic(expected = "the test secret is unusable: the callback secret is empty")]
fn an_empty_secret_panics() {
    let _ = RequestBuilder::new("", NOW).build();
}

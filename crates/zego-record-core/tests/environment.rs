//! Secrets from the environment: one rule for every function that reads a variable.

#![allow(clippy::unwrap_used)]

use std::env;
use std::process::Command;

use zego_record_core::{CallbackSecret, ConfigErrorKind, UnixSeconds, Verified, Verifier, sign};

const VARIABLE: &str = "ZEGO_RECORD_TEST_SECRETS";

/// A variable is set for a process of its own: setting one in this process is not safe while other threads
/// read the environment.
fn run_with(test: &str, value: &str) {
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--quiet"])
        .env(VARIABLE, value)
        .status();
    assert!(status.unwrap().success(), "{test} with {value:?}");
}

#[test]
fn readers_of_a_single_secret_reject_a_list() {
    run_with("child_with_two_secrets", "new-secret,old-secret");
}

#[test]
#[ignore = "run by the test above, with a variable set"]
fn child_with_two_secrets() {
    let error = CallbackSecret::from_env(VARIABLE).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Secret);
    let text = error.to_string();
    assert!(
        text.contains(VARIABLE) && text.contains("list_from_env"),
        "{text}"
    );
    assert!(
        !text.contains("new-secret") && !text.contains("old-secret"),
        "{text}"
    );

    assert_eq!(CallbackSecret::list_from_env(VARIABLE).unwrap().len(), 2);
    let builder = Verifier::builder().secrets_from_env(VARIABLE).unwrap();
    let verifier = builder.build().unwrap();
    for (index, text) in ["new-secret", "old-secret"].into_iter().enumerate() {
        let signature = sign(&CallbackSecret::new(text).unwrap(), "1760001893", "456789");
        let body = format!(
            "event=record&appid=1&stream_alias=a&replay_url=u&begin_time=1&end_time=2\
             &timestamp=1760001893&nonce=456789&signature={signature}"
        );
        match verifier.verify(body.as_bytes(), UnixSeconds::new(1_760_001_900)) {
            Ok(Verified::Record(callback)) => assert_eq!(callback.secret_index(), index),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn every_reader_accepts_a_variable_with_one_secret() {
    run_with("child_with_one_secret", "one-secret");
}

#[test]
#[ignore = "run by the test above, with a variable set"]
fn child_with_one_secret() {
    assert!(CallbackSecret::from_env(VARIABLE).is_ok());
    assert_eq!(CallbackSecret::list_from_env(VARIABLE).unwrap().len(), 1);
    assert!(Verifier::builder().secrets_from_env(VARIABLE).is_ok());
}

#[test]
fn every_reader_rejects_a_list_with_an_empty_secret() {
    for value in [
        "",
        ",",
        "one-secret,",
        ",one-secret",
        "one-secret,,other",
        "one-secret, other",
    ] {
        run_with("child_with_a_defect", value);
    }
}

#[test]
#[ignore = "run by the test above, with a variable set"]
fn child_with_a_defect() {
    let errors = [
        CallbackSecret::from_env(VARIABLE).err(),
        CallbackSecret::list_from_env(VARIABLE).err(),
        Verifier::builder().secrets_from_env(VARIABLE).err(),
    ];
    for error in errors {
        let error = error.unwrap();
        assert_eq!(error.kind(), ConfigErrorKind::Secret);
        assert!(error.to_string().contains(VARIABLE), "{error}");
        assert!(!format!("{error:?}").contains("one-secret"), "{error:?}");
    }
}

//! TLS, a login by SCRAM over it, and what is rejected.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::error::Error as _;
use std::fs;
use std::path::PathBuf;

use common::claim;
use zego_record_postgres::PostgresStore;
use zego_record_receiver::{ClaimOutcome, DeliveryStore, StoreError, StoreErrorKind};
use zego_record_test_servers::{Certificates, Postgres};

/// A file that is removed again.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("zego-record-{name}-{}.pem", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    /// As a URL has it, with a character that is encoded.
    fn name(&self) -> String {
        self.0.display().to_string().replace(".pem", "%2Epem")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn the_modes_of_libpq_reject_what_they_promise_to_reject() {
    let certificates = Certificates::new("localhost");
    let Some(server) = Postgres::with_tls(&certificates) else {
        return;
    };
    let known = File::new("known", &certificates.authority);
    let unknown = File::new("unknown", &Certificates::new("localhost").authority);
    let (known, unknown) = (&*known.name(), &*unknown.name());
    let by_name = server.url().replace("127.0.0.1", "localhost");
    let by_address = server.url();
    for (url, mode, roots, is_accepted) in [
        (&by_name, "verify-full", Some(known), true),
        (&by_name, "require", Some(known), true),
        (&by_name, "verify-ca", Some(known), true),
        (&by_address, "verify-full", Some(known), false),
        (&by_address, "require", Some(known), false),
        (&by_address, "verify-ca", Some(known), true),
        (&by_name, "verify-full", Some(unknown), false),
        (&by_name, "require", Some(unknown), false),
        (&by_name, "verify-ca", Some(unknown), false),
        (&by_address, "verify-ca", Some(unknown), false),
    ] {
        let row = format!("{mode}, {roots:?}, {url}");
        let roots = roots.map(|file| format!("&sslrootcert={file}"));
        let url = format!("{url}?connect_timeout=5&sslmode={mode}{}", roots.unwrap());
        let opened = PostgresStore::connect(&url).await;
        assert_eq!(opened.is_ok(), is_accepted, "{row}: {opened:?}");
        match opened {
            Ok(store) => {
                let claimed = store.claim(&claim(fastrand::u64(..))).await.unwrap();
                assert!(matches!(claimed, ClaimOutcome::Run(_)), "{row}");
            }
            Err(error) => assert_says(&error, "the name that the certificate bears"),
        }
    }
    let wrong = server
        .url_with_password("hunter2")
        .replace("127.0.0.1", "localhost");
    let wrong = format!("{wrong}?sslmode=verify-full&sslrootcert={known}");
    let error = PostgresStore::connect(&wrong).await.unwrap_err();
    assert_says(&error, "check user, password");
    // The system does not know the authority, or knows none at all.
    let required = format!("{} sslmode=require", pairs(&server));
    let error = PostgresStore::connect(&required).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    let told = format!("{error:?}");
    let of_roots = ["UnknownIssuer", "the system has no certificates"];
    assert!(
        of_roots.iter().any(|reason| told.contains(reason)),
        "{told}"
    );
    // The server has no other door.
    for url in [
        &by_name,
        &format!("{by_name}?sslmode=disable"),
        &pairs(&server),
    ] {
        let url = url.as_str();
        let error = PostgresStore::connect(url).await.unwrap_err();
        assert_says(&error, "the login was rejected");
    }
}

#[tokio::test]
async fn nothing_falls_back_to_a_connection_that_is_not_encrypted() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let authority = File::new("authority", &Certificates::new("localhost").authority);
    let no_certificate = File::new("empty", "nothing");
    let (authority, empty) = (authority.name(), no_certificate.name());
    for (parameters, advice) in [
        (
            format!("sslmode=verify-full&sslrootcert={authority}"),
            "check ssl in postgresql.conf",
        ),
        (
            format!("sslmode=verify-ca&sslrootcert={authority}"),
            "check ssl in postgresql.conf",
        ),
        (
            format!("sslmode=require&sslrootcert={authority}"),
            "check ssl in postgresql.conf",
        ),
        (
            format!("sslmode=verify-full&sslrootcert={empty}"),
            "holds no certificate",
        ),
        (
            "sslmode=verify-full&sslrootcert=/does/not/exist".into(),
            "cannot be read",
        ),
        (
            format!("sslrootcert={authority}"),
            "sslrootcert needs sslmode=verify-full",
        ),
        (
            format!("sslmode=prefer&sslrootcert={authority}"),
            "sslrootcert needs sslmode=verify-full",
        ),
        ("sslmode=verify_full".into(), "sslmode must be"),
        ("sslmode=".into(), "sslmode must be"),
        (
            "sslmode=disable&sslmode=verify-all".into(),
            "sslmode must be",
        ),
        ("sslmode=%ff".into(), "the URL is not understood"),
        (
            "sslmode=require&sslcert=a".into(),
            "the URL is not understood",
        ),
    ] {
        let url = format!("{}?{parameters}", server.url());
        let error = PostgresStore::connect(&url).await.expect_err(&parameters);
        assert_says(&error, advice);
    }
}

/// The words of `libpq` instead of a URL.
fn pairs(server: &Postgres) -> String {
    let url = server.url();
    let port = url.rsplit(['/', ':']).nth(1).unwrap();
    format!("host=localhost port={port} user=tester password=only-for-tests dbname=postgres")
}

fn assert_says(error: &StoreError, advice: &str) {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    assert_eq!(error.kind(), StoreErrorKind::Config, "{source}");
    assert!(source.contains(advice), "{advice:?} is not in {source:?}");
    assert!(!format!("{error:?} {source}").contains("hunter2"));
}

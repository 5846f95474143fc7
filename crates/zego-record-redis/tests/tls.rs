//! TLS, and what is rejected.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use common::{assert_says, builder, claim, is_run};
use zego_record_receiver::{ClaimOutcome, DeliveryStore, StoreErrorKind};
use zego_record_redis::RedisStore;
use zego_record_redis::redis::{Client, TlsCertificates};
use zego_record_test_servers::{Certificates, Redis};

#[tokio::test]
async fn a_certificate_must_be_trusted_and_bear_the_servers_name() {
    let certificates = Certificates::new("localhost");
    let Some((server, port)) = Redis::with_tls(&certificates) else {
        return;
    };
    let url = |host: &str| {
        let plain = format!("redis://:only-for-tests@{host}:{port}");
        plain.replace("redis:", "rediss:")
    };
    // The system's roots do not know the authority.
    let error = RedisStore::connect(&url("localhost")).await.unwrap_err();
    assert_says(
        &error,
        StoreErrorKind::Config,
        "the server's certificate was rejected",
    );
    let trusting = |url: String, authority: &Certificates| {
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(authority.authority.clone().into_bytes()),
        };
        builder("a").from_client(Client::build_with_tls(url, certificates).unwrap())
    };
    let store = trusting(url("localhost"), &certificates).await.unwrap();
    assert!(is_run(&store.claim(&claim(1)).await.unwrap()));
    let plain = common::open(&server, "a").await;
    assert_eq!(plain.claim(&claim(1)).await.unwrap(), ClaimOutcome::Busy);

    let other_name = trusting(url("127.0.0.1"), &certificates).await.unwrap_err();
    let other_authority = Certificates::new("localhost");
    let other_authority = trusting(url("localhost"), &other_authority)
        .await
        .unwrap_err();
    for error in [other_name, other_authority] {
        assert_says(
            &error,
            StoreErrorKind::Config,
            "the server's certificate was rejected",
        );
    }
}

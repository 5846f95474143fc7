//! `send`, `check` and `listen --forward-to` over TLS, with certificates that are made for the test.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, mpsc};
use std::thread;

use common::listening::Listening;
use common::{Said, TempDir, run, zego_record};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// An authority, with what it has certified for these names.
struct Authority {
    pem: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    fn new(own_name: &str, names: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        let own = &mut params.distinguished_name;
        own.push(DnType::CommonName, own_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            );
        Self {
            pem: pem(issuer.der()),
            config: Arc::new(config.unwrap()),
        }
    }

    /// A receiver that accepts everything, on `127.0.0.1`.
    fn receiver(&self) -> String {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let (sender, address) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        // A client that does not trust this certificate hangs up.
                        let stream = acceptor.accept(stream).await?;
                        let connection = http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service_fn(accept));
                        let _ = connection.await;
                        Ok::<_, std::io::Error>(())
                    });
                }
            });
        });
        format!("https://{}/zego/record", address.recv().unwrap())
    }
}

async fn accept(request: http::Request<Incoming>) -> hyper::Result<http::Response<Full<Bytes>>> {
    request.into_body().collect().await?;
    Ok(http::Response::new(Full::from("1")))
}

fn pem(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in der.chunks(48) {
        for chunk in line.chunks(3) {
            let bytes = [0, 1, 2].map(|index| chunk.get(index).copied().unwrap_or(0));
            let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
            for position in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * position)) as usize & 63];
                let is_padding = position > chunk.len();
                text.push(if is_padding { '=' } else { digit.into() });
            }
        }
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

/// `send` on a system that trusts the certificates in one file and no others.
fn send(url: &str, system: &str, args: &[&str]) -> Said {
    let args = [&["send", url, "--speed", "1000"], args].concat();
    let mut command = zego_record(&args);
    command
        .env("SSL_CERT_FILE", system)
        .env_remove("SSL_CERT_DIR");
    command.output().unwrap().into()
}

#[test]
fn a_certificate_is_trusted_on_request_and_only_then() {
    let dir = TempDir::new("tls");
    let (ours, others) = (
        Authority::new("ours", &["127.0.0.1"]),
        Authority::new("others", &["127.0.0.1"]),
    );
    let (ca, system) = (dir.path("ca.pem"), dir.path("system.pem"));
    std::fs::write(&ca, &ours.pem).unwrap();
    std::fs::write(&system, &others.pem).unwrap();
    let url = ours.receiver();

    let said = send(&url, &system, &["--ca", &ca]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(!said.err.contains("warning"), "{said:?}");

    // What the system trusts is trusted as well.
    let said = send(&url, &ca, &[]);
    assert_eq!(said.status, Some(0), "{said:?}");

    let said = send(&url, &system, &["--insecure"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let warning = "warning: --insecure: the certificate is not checked";
    assert!(said.err.contains(warning), "{said:?}");

    for args in [&[][..], &["--ca", &system]] {
        let said = send(&url, &system, args);
        assert_eq!(said.status, Some(1), "{said:?}");
        let out = said.out.replace("\n    ", " ");
        let sentence = "nobody who is trusted has issued the receiver's certificate: name its authority with --ca, or see --insecure";
        assert!(out.contains(sentence), "{said:?}");
    }

    let said = run(&["check", &url, "--ca", &ca, "--patience", "0", "--json"]);
    assert_eq!(said.json()["promises"][0]["outcome"], "passed", "{said:?}");

    let listening = Listening::start(&["--forward-to", &url, "--ca", &ca]);
    let sent = listening.send(&[]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let said = listening.stop("-INT");
    assert!(said.out.contains("the app answered 200 1"), "{said:?}");
}

#[test]
fn a_certificate_for_another_host_is_named_as_such() {
    let dir = TempDir::new("tls-name");
    let other = Authority::new("other", &["elsewhere.example"]);
    let ca = dir.path("ca.pem");
    std::fs::write(&ca, &other.pem).unwrap();
    let said = send(&other.receiver(), &ca, &[]);
    assert_eq!(said.status, Some(1), "{said:?}");
    let out = said.out.replace("\n    ", " ");
    assert!(out.contains("is for another host"), "{said:?}");
}

#[test]
fn a_file_without_certificates_is_wrong_usage() {
    let dir = TempDir::new("tls-none");
    std::fs::write(dir.path("none.pem"), "nothing").unwrap();
    for (file, word) in [
        ("none.pem", "-----BEGIN CERTIFICATE-----"),
        ("absent.pem", "cannot read the certificates in"),
    ] {
        let path = dir.path(file);
        let said = run(&["send", "https://127.0.0.1:1/", "--ca", &path]);
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.err.contains(word), "{said:?}");
    }
}

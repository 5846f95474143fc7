//! A public port: slow clients, too many of them, and TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};

use crate::app::App;
use crate::process::{Place, wait_until};
use crate::zegocloud::{callback, post};

const CLIENTS: usize = 2_000;

/// From another address of loopback than the genuine sender.
fn connect_from(source: [u8; 4], address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect_timeout(&address.into(), Duration::from_secs(5))?;
    Ok(socket.into())
}

#[test]
fn two_thousand_slow_clients_keep_no_callback_out_and_are_gone_within_a_minute() {
    let place = Place::new();
    let serve = place.serve(&["--listen", "0.0.0.0:0", "--log", "error"]);
    let address = SocketAddr::from(([127, 0, 0, 1], serve.address.port()));
    let mut slow: Vec<_> = (0..CLIENTS)
        .filter_map(|_| connect_from([127, 0, 0, 2], address).ok())
        .collect();
    let start = Instant::now();
    let line = b"POST /zego/record HTTP/1.1\r\nx-filler: ";
    for round in 0.. {
        // A byte a second of each that is still open.
        let byte = [line.get(round).copied().unwrap_or(b'x')];
        slow.retain_mut(|client| is_open(client) && client.write_all(&byte).is_ok());
        let answer = post(address, &callback(&format!("stream-{round}"))).unwrap();
        assert_eq!(
            answer,
            (200, "1".to_owned()),
            "with {} slow clients",
            slow.len()
        );
        if slow.is_empty() {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{} are left",
            slow.len()
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn is_open(client: &mut TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    let open = match client.read(&mut [0; 64]) {
        Ok(0) => false,
        // Such as the answer 408 before the end.
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    };
    client.set_nonblocking(false).unwrap();
    open
}

/// A key and a certificate of its own for localhost, in PEM.
fn certificate() -> (String, String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (
        made.cert.pem(),
        made.signing_key.serialize_pem(),
        made.cert.der().clone(),
    )
}

fn post_tls(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    stream: &str,
) -> Option<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut tls = rustls::Stream::new(&mut session, &mut socket);
    let request = callback(stream);
    let head = format!(
        "POST /zego/record HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        request.body().len()
    );
    tls.write_all(head.as_bytes()).ok()?;
    tls.write_all(request.body()).ok()?;
    let mut answer = Vec::new();
    // The end without a close_notify is an error that says nothing about the answer.
    let _ = tls.read_to_end(&mut answer);
    Some(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn serves_tls_and_takes_a_new_certificate_while_it_runs() {
    let place = Place::new();
    let (chain, key, first) = certificate();
    let (chain, key) = (place.file("chain.pem", &chain), place.file("key.pem", &key));
    let serve = place.serve(&["--tls-cert", &chain, "--tls-key", &key]);
    assert!(serve.log().contains("listening on https://"));
    let answer = post_tls(serve.address, &first, "a").unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n1"),
        "{answer}"
    );

    let (new_chain, new_key, second) = certificate();
    assert!(
        post_tls(serve.address, &second, "b").is_none(),
        "not trusted yet"
    );
    place.file("chain.pem", &new_chain);
    place.file("key.pem", &new_key);
    wait_until("the new certificate is used", || {
        post_tls(serve.address, &second, "b").is_some_and(|answer| answer.ends_with("\r\n1"))
    });
    // Half a change is no change.
    place.file("key.pem", "broken");
    wait_until("the mistake is logged", || {
        serve.log().contains("old certificate stays")
    });
    assert!(post_tls(serve.address, &second, "c").is_some());
}

#[test]
fn a_long_answer_of_the_app_is_cut_and_a_slow_one_ends() {
    let place = Place::new();
    let app = App::start(|number, _| match number {
        1 => format!("500 Oops\r\nx-long: {}", "x".repeat(10_000)),
        2 => {
            std::thread::sleep(Duration::from_secs(2));
            "200 OK".to_owned()
        }
        _ => "200 OK".to_owned(),
    });
    let args = [
        "--forward",
        &app.url(),
        "--retry",
        "20ms,20ms,20ms",
        "--timeout",
        "500ms",
    ];
    let serve = place.serve(&args);
    post(serve.address, &callback("a")).unwrap();
    app.wait_for_count(3);
    wait_until("it is done", || place.inbox_json(&["stats"])["done"] == 1);
    let key = place.inbox_json(&["list"])["key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        place
            .inbox(&["show", &key])
            .contains("no answer within 500ms")
    );
}

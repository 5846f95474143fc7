//! The console behind a real socket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zego_record_inbox::InboxStore;

use crate::site::{Site, TOKEN};

/// Sends one request, and returns the answer until the server closes the connection.
async fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn signs_in_and_pauses_over_http() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let site = Site::signed_out(|builder| {
        builder
            .read_only(false)
            .on_action(move |report| log.lock().unwrap().push(report.who.to_owned()))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = site
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move { serve(listener, service).await });

    let get = |path: &str, cookie: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        )
    };
    let link = site
        .console
        .login_url(&format!("http://{address}"))
        .unwrap();
    let path = link.strip_prefix(&format!("http://{address}")).unwrap();
    let answer = send(address, &get(path, "")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, cookie) = answer.split_once("set-cookie: ").unwrap();
    let cookie = cookie.split(';').next().unwrap();

    let foreign = get("/console/", cookie).replace(&address.to_string(), "evil.example");
    let answer = send(address, &foreign).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(
        answer.contains("content-security-policy: default-src 'none';"),
        "{answer}"
    );
    let answer = send(address, &get("/console/", "")).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("www-authenticate: Bearer"), "{answer}");

    let question = send(address, &get("/console/pause", cookie)).await;
    let (_, token) = question.split_once("name=\"form_token\" value=\"").unwrap();
    let form = format!("form_token={}", &token[..64]);
    let post = format!(
        "POST /console/pause HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    );
    let answer = send(
        address,
        &post.replace("Origin: http://", "Origin: http://evil."),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(!site.inbox.stats().await.unwrap().paused);
    let answer = send(address, &post).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(site.inbox.stats().await.unwrap().paused);
    // Who it was is the address of the connection.
    assert!(seen.lock().unwrap()[0].starts_with("127.0.0.1:"));

    // A head without a body.
    let head = get("/console/nothing", cookie).replacen("GET", "HEAD", 1);
    let answer = send(address, &head).await;
    assert!(
        answer.starts_with("HTTP/1.1 404 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    assert!(!answer.contains(TOKEN));
    server.abort();
}

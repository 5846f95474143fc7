//! What an app, an operator's slip or a bad moment can do to it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::app::App;
use crate::process::{Place, wait_until};
use crate::zegocloud::{SECRET, callback, callback_by, post};

#[test]
fn a_2xx_is_done_though_its_body_never_ends() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (count, kept) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let (counted, open) = (Arc::clone(&count), Arc::clone(&kept));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 64 * 1024]);
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n";
            let _ = stream.write_all(head.as_bytes());
            open.lock().unwrap().push(stream);
        }
    });
    let serve = place.serve(&["--forward", &url, "--timeout", "1s", "--retry", "20ms,20ms"]);
    post(serve.address, &callback("a")).unwrap();
    wait_until("it is over", || {
        let stats = place.inbox_json(&["stats"]);
        stats["done"] == 1 || stats["dead"] == 1
    });
    assert_eq!(place.inbox_json(&["stats"])["done"], 1);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    drop(kept);
}

#[test]
fn no_attempt_comes_earlier_than_scheduled_because_the_app_asks_for_it() {
    let place = Place::new();
    let app = App::start(|_, request| match request.stream().as_str() {
        "a" => "503 Service Unavailable\r\nretry-after: 0".to_owned(),
        _ => "500 Oops\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(),
    });
    let serve = place.serve(&["--forward", &app.url(), "--retry", "1h,1h"]);
    for stream in ["a", "b"] {
        post(serve.address, &callback(stream)).unwrap();
    }
    app.wait_for_count(2);
    wait_until("both wait", || {
        let stats = place.inbox_json(&["stats"]);
        stats["running"] == 0
    });
    thread::sleep(Duration::from_secs(2));
    assert_eq!(place.inbox_json(&["stats"])["waiting"], 2);
    assert_eq!(app.requests().len(), 2);
}

#[test]
fn a_port_in_use_is_named_by_its_option() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (listen, admin, word) in [
        (&*taken, "127.0.0.1:0", "--listen"),
        ("127.0.0.1:0", &*taken, "--admin"),
    ] {
        let output = place.run(&["serve", "--listen", listen, "--admin", admin]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(word) && error.contains(&taken), "{error}");
    }
}

#[test]
fn a_sighup_during_the_start_does_not_end_it() {
    let place = Place::new();
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://{}/z", database.local_addr().unwrap());
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--database", &url]);
    let mut starting = command.args(["--admin", "127.0.0.1:0"]).spawn().unwrap();
    let connection = database.accept().unwrap();
    let id = starting.id().to_string();
    let sent = Command::new("kill").args(["-HUP", &id]).status().unwrap();
    assert!(sent.success());
    drop((connection, database));
    let status = starting.wait().unwrap();
    assert_eq!(
        status.code(),
        Some(2),
        "the database was not reached: {status}"
    );
}

#[test]
fn secrets_that_are_replaced_during_the_start_are_read_again() {
    let place = Place::new();
    let (first, second) = (place.file("first", SECRET), place.path().join("second"));
    let made = Command::new("mkfifo").arg(&second).status().unwrap();
    assert!(made.success());
    let (new, pipe) = ("another-secret-of-32-characters.", second.clone());
    let path = first.clone();
    thread::spawn(move || {
        // It opens once the first file was read.
        let mut other = File::options().write(true).open(&pipe).unwrap();
        std::fs::write(path, new).unwrap();
        other
            .write_all(b"a-third-secret-of-32-characters.")
            .unwrap();
        // Whoever reads the pipe keeps it to its end; when both are read again, it is a file.
        std::fs::remove_file(&pipe).unwrap();
        std::fs::write(&pipe, "a-third-secret-of-32-characters.").unwrap();
        drop(other);
    });
    let second = second.to_str().unwrap();
    let serve = place.serve(&["--secret-file", &first, "--secret-file", second]);
    wait_until("the new secret is known", || {
        post(serve.address, &callback_by(new, "a")).unwrap().0 == 200
    });
}

#[test]
fn a_database_may_have_a_name_that_means_something_to_sqlite() {
    for name in ["file:z.db", ":memory:"] {
        let place = Place::new();
        let serve = place.serve(&["--database", name]);
        assert_eq!(post(serve.address, &callback("a")).unwrap().0, 200);
        serve.kill();
        let stats = place.inbox_json(&["stats", "--database", name]);
        assert_eq!(stats["waiting"], 1);
    }
}

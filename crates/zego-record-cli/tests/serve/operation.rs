//! Health, figures, a graceful end.

use crate::app::App;
use crate::process::{Place, wait_until};
use crate::zegocloud::{callback, callback_by, get, post, send};

#[test]
fn the_admin_address_tells_health_and_figures() {
    let (place, app) = (Place::new(), App::content());
    let serve = place.serve(&["--forward", &app.url()]);
    let genuine = callback("a");
    for _ in 0..2 {
        assert_eq!(
            post(serve.address, &genuine).unwrap(),
            (200, "1".to_owned())
        );
    }
    assert_eq!(
        post(serve.address, &callback_by("another", "b")).unwrap().0,
        401
    );
    app.wait_for_count(1);
    assert_eq!(
        get(serve.admin, "/healthz").unwrap(),
        (200, "ok\n".to_owned())
    );
    assert_eq!(
        get(serve.admin, "/readyz").unwrap(),
        (200, "ready\n".to_owned())
    );
    let foreign = [("host", "anything.example")];
    assert_eq!(
        send(serve.admin, "GET", "/healthz", &foreign, b"")
            .unwrap()
            .0,
        200
    );
    wait_until("it is done", || place.inbox_json(&["stats"])["done"] == 1);
    let (_, figures) = get(serve.admin, "/metrics").unwrap();
    for line in [
        "zego_record_answers_total{verdict=\"accepted\"} 1",
        "zego_record_answers_total{verdict=\"duplicate\"} 1",
        "zego_record_answers_total{verdict=\"bad_signature\"} 1",
        "zego_record_inbox_attempts_total{outcome=\"done\"} 1",
        "zego_record_inbox_callbacks{state=\"done\"} 1",
        "zego_record_database_up 1",
        "zego_record_destination_down 0",
    ] {
        assert!(
            figures.lines().any(|found| found == line),
            "{line}: {figures}"
        );
    }
    let names = figures
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<_> = names.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 15);
    for line in figures.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(names.contains(&name), "{line}");
    }
}

#[test]
fn the_public_port_has_nothing_but_the_one_path() {
    let place = Place::new();
    let serve = place.serve(&["--path", "/callbacks/zego"]);
    let body = callback("a");
    let answer = |method, path| send(serve.address, method, path, &[], body.body()).unwrap();
    assert_eq!(answer("POST", "/callbacks/zego"), (200, "1".to_owned()));
    assert_eq!(answer("GET", "/callbacks/zego").0, 405);
    for path in [
        "/",
        "/zego/record",
        "/metrics",
        "/healthz",
        "/callbacks/zego/x",
    ] {
        assert_eq!(answer("POST", path).0, 404, "{path}");
    }
}

#[test]
fn sigterm_ends_it_with_0_and_gives_back_what_is_not_finished() {
    let place = Place::new();
    let app = App::start(|number, _| {
        if number == 1 {
            std::thread::park();
        }
        "200 OK".to_owned()
    });
    let serve = place.serve(&["--forward", &app.url()]);
    post(serve.address, &callback("a")).unwrap();
    app.wait_for_count(1);
    assert_eq!(serve.stop().code(), Some(0));
    let stats = place.inbox_json(&["stats"]);
    assert_eq!(
        (&stats["waiting"], &stats["running"]),
        (&1.into(), &0.into())
    );
    let serve = place.serve(&["--forward", &app.url()]);
    let requests = app.wait_for_count(2);
    assert_eq!(
        requests[0].header("webhook-id"),
        requests[1].header("webhook-id")
    );
    wait_until("it is done", || place.inbox_json(&["stats"])["done"] == 1);
    assert_eq!(serve.stop().code(), Some(0));
}

#[test]
fn without_a_destination_callbacks_wait() {
    let place = Place::new();
    let serve = place.serve(&[]);
    assert_eq!(post(serve.address, &callback("a")).unwrap().0, 200);
    assert_eq!(serve.stop().code(), Some(0));
    let app = App::content();
    let _serve = place.serve(&["--forward", &app.url()]);
    assert_eq!(app.wait_for_count(1)[0].stream(), "a");
}

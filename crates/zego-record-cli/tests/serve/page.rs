//! The operator's page on the admin address.

use crate::app::App;
use crate::process::{Place, Serve, wait_until};
use crate::zegocloud::{callback, callback_by, get, post, send};

fn page(serve: &Serve, token: &str, path: &str) -> (u16, String) {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", &*authorization)];
    send(serve.admin, "GET", path, &headers, b"").unwrap()
}

#[test]
fn the_login_link_leads_to_what_was_received_and_rejected() {
    let (place, app) = (Place::new(), App::content());
    let serve = place.serve(&["--forward", &app.url()]);
    post(serve.address, &callback("lesson")).unwrap();
    post(serve.address, &callback_by("another", "b")).unwrap();
    app.wait_for_count(1);
    wait_until("it is done", || place.inbox_json(&["stats"])["done"] == 1);

    let log = serve.log();
    let start = format!("operator page on http://{}/login?token=", serve.admin);
    let (_, token) = log.split_once(&start).unwrap_or_else(|| panic!("{log}"));
    let token = token.lines().next().unwrap();
    let link = format!("/login?token={token}");
    assert_eq!(get(serve.admin, &link).unwrap().0, 200);
    assert_eq!(get(serve.admin, "/").unwrap().0, 401);
    let foreign = [("host", "evil.example")];
    assert_eq!(
        send(serve.admin, "GET", &link, &foreign, b"").unwrap().0,
        403
    );

    let (status, overview) = page(&serve, token, "/");
    assert_eq!(status, 200);
    assert!(
        overview.contains("<dt>Destination</dt><dd>up"),
        "{overview}"
    );
    assert!(
        page(&serve, token, "/callbacks?state=done")
            .1
            .contains("lesson")
    );
    assert!(
        page(&serve, token, "/rejections")
            .1
            .contains("bad_signature")
    );
    // Read-only unless it is allowed.
    assert_eq!(page(&serve, token, "/pause").0, 403);
}

#[test]
fn actions_are_allowed_by_an_option_and_a_chosen_token_is_not_shown() {
    let token = "chosen-by-the-operator-0123456789";
    let place = Place::new();
    let file = place.file("token", &format!("{token}\n"));
    let host = ["--admin-host", "ops.example.com"];
    let serve = place.serve(&[
        "--admin-token-file",
        &file,
        "--admin-actions",
        host[0],
        host[1],
    ]);
    post(serve.address, &callback("lesson")).unwrap();
    assert!(!serve.log().contains(token));

    let (status, question) = page(&serve, token, "/discard?state=waiting");
    assert_eq!(status, 200, "{question}");
    let (_, form_token) = question.split_once("name=\"form_token\" value=\"").unwrap();
    let form_token = form_token.split('"').next().unwrap();
    let form = format!("form_token={form_token}&state=waiting&count=1&reason=a+rehearsal");
    let authorization = format!("Bearer {token}");
    let headers = [
        ("host", "ops.example.com"),
        ("origin", "https://ops.example.com"),
        ("authorization", &authorization),
    ];
    let answer = send(serve.admin, "POST", "/discard", &headers, form.as_bytes()).unwrap();
    assert_eq!(answer.0, 200, "{}", answer.1);
    assert_eq!(place.inbox_json(&["stats"])["discarded"], 1);
    wait_until("it is logged", || {
        serve.log().contains("action=\"discard\"")
    });
    assert!(!serve.log().contains(token));
}

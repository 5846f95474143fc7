//! Who is let in, and from where.

use crate::site::{HOST, Site, TOKEN};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use zego_record_console::Console;
use zego_record_inbox::{InboxStore, MemoryInbox};

const PAGES: [&str; 9] = [
    "/console",
    "/console/",
    "/console/callbacks",
    "/console/rejections",
    "/console/redeliver?state=dead",
    "/console/discard?state=dead",
    "/console/pause",
    "/console/export",
    "/console/logout",
];

#[tokio::test]
async fn the_link_signs_in() {
    let site = Site::signed_out(|builder| builder);
    let url = site.console.login_url("http://localhost:3001/").unwrap();
    assert_eq!(
        url,
        format!("http://localhost:3001/console/login?token={TOKEN}")
    );
    let path = url.strip_prefix("http://localhost:3001").unwrap();
    let answer = site.get(path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.has_link("/console/"));
    assert!(!answer.body.contains(TOKEN));

    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("; Path=/console; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    assert!(
        !cookie.contains(TOKEN) && !cookie.contains("Secure"),
        "{cookie}"
    );
}

#[tokio::test]
async fn the_form_signs_in_and_out() {
    let mut site = Site::signed_out(|builder| builder.secure_cookie(true));
    let form = site.get("/console/login").await;
    assert_eq!(form.status, StatusCode::OK);
    let answer = site.post("/console/login", &format!("token={TOKEN}")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.headers[header::LOCATION], "/console/");
    assert!(
        answer.headers[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("; Secure")
    );
    site.cookie = Some(answer.cookie());
    assert_eq!(site.get("/console/").await.status, StatusCode::OK);

    let answer = site.confirm("/console/logout", "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("=; Path=/console; ") && cookie.ends_with("; Max-Age=0"),
        "{cookie}"
    );
}

#[tokio::test]
async fn nobody_is_let_in_without_a_session() {
    let mut site = Site::signed_out(|builder| builder.read_only(false));
    let right = {
        site.sign_in().await;
        site.cookie.take().unwrap()
    };
    let (name, value) = right.split_once('=').unwrap();
    let cookies = [
        None,
        Some(format!("{name}={TOKEN}")),
        Some(format!("other={value}")),
        Some(format!("{name}={}", value.replace('.', "x"))),
        Some(format!("{name}={}0", &value[..value.len() - 1])),
    ];
    for cookie in cookies {
        // The last digit may be a 0 already.
        if cookie.as_ref() == Some(&right) {
            continue;
        }
        site.cookie = cookie;
        for page in PAGES {
            let answer = site.get(page).await;
            assert_eq!(
                answer.status,
                StatusCode::UNAUTHORIZED,
                "{page} {:?}",
                site.cookie
            );
            assert!(answer.body.contains("<label for=\"token\">"), "{page}");
            assert!(!answer.headers.contains_key(header::SET_COOKIE));
        }
    }
    site.cookie = Some(format!("a=b; {right}"));
    assert_eq!(site.get("/console/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn rejects_a_wrong_token() {
    let site = Site::signed_out(|builder| builder);
    for token in [
        "x",
        "0123456789abcdef0123456789abcdeF",
        "%00",
        &"x".repeat(200),
    ] {
        let by_link = site.get(&format!("/console/login?token={token}")).await;
        let by_form = site.post("/console/login", &format!("token={token}")).await;
        for answer in [by_link, by_form] {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert!(answer.body.contains("This is not the token."));
            assert!(!answer.headers.contains_key(header::SET_COOKIE));
        }
    }
}

#[tokio::test]
async fn scripts_send_the_token_as_a_header() {
    let site = Site::signed_out(|builder| builder);
    for (value, expected) in [
        (format!("Bearer {TOKEN}"), StatusCode::OK),
        (format!("bearer {TOKEN}"), StatusCode::OK),
        (format!("Basic {TOKEN}"), StatusCode::UNAUTHORIZED),
        ("Bearer x".to_owned(), StatusCode::UNAUTHORIZED),
        ("Bearer".to_owned(), StatusCode::UNAUTHORIZED),
    ] {
        let request = site.request(Method::GET, "/console/export");
        let request = request.header(header::AUTHORIZATION, &value);
        let answer = site.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, expected, "{value}");
    }
}

#[tokio::test]
async fn rejects_foreign_hosts() {
    let mut site = Site::new().await;
    let session = site.cookie.take();
    let paths = [
        "/console/",
        "/console/style.css",
        "/console/login",
        "/console/nothing",
    ];
    for path in paths {
        for host in [
            "evil.example",
            "localhost.evil.example:3001",
            "10.0.0.1",
            "",
        ] {
            let request = axum::http::Request::get(path)
                .header(header::HOST, host)
                .header(header::COOKIE, session.as_ref().unwrap());
            let answer = site.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{host} {path}");
        }
    }
    let site = Site::signed_out(|builder| builder.allowed_hosts(["ops.example.com"]));
    let request =
        axum::http::Request::get("/console/login").header(header::HOST, "ops.example.com");
    let answer = site.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn rejects_forms_of_other_sites() {
    let site = Site::new().await;
    let fields = site.get("/console/pause").await.hidden_fields();
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:3002"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
    ] {
        for path in ["/console/pause", "/console/login", "/console/logout"] {
            let mut request = site.form_request(path);
            request
                .headers_mut()
                .unwrap()
                .insert(name, value.parse().unwrap());
            let answer = site
                .send(request.body(Body::from(fields.clone())).unwrap())
                .await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{name}: {value} {path}"
            );
        }
    }
    assert!(!site.inbox.stats().await.unwrap().paused);
    // The same form from the page itself.
    assert_eq!(
        site.post("/console/pause", &fields).await.status,
        StatusCode::OK
    );
    assert!(site.inbox.stats().await.unwrap().paused);
}

#[tokio::test]
async fn rejects_a_form_without_its_token() {
    let site = Site::new().await;
    let mut other = Site::signed_out(|builder| builder);
    other.sign_in().await;
    let of_another_session = other.get("/console/logout").await.hidden_fields();
    for form in [
        "",
        "form_token=",
        "form_token=00",
        &format!("form_token={TOKEN}"),
        &of_another_session,
    ] {
        for path in [
            "/console/pause",
            "/console/resume",
            "/console/redeliver",
            "/console/discard",
            "/console/logout",
        ] {
            let form = format!("{form}&state=dead&count=1&reason=x");
            let answer = site.post(path, &form).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form} {path}");
        }
    }
    assert!(!site.inbox.stats().await.unwrap().paused);
}

#[tokio::test]
async fn a_form_without_a_session_is_rejected_first() {
    let mut site = Site::new().await;
    let fields = site.get("/console/pause").await.hidden_fields();
    site.cookie = None;
    assert_eq!(
        site.post("/console/pause", &fields).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert!(!site.inbox.stats().await.unwrap().paused);
}

#[derive(Clone)]
struct User(&'static str);

#[tokio::test]
async fn a_login_of_ones_own() {
    let mut site = Site::signed_out(|builder| builder);
    let inbox = MemoryInbox::new();
    let who = |request: &Parts| Some(request.extensions.get::<User>()?.0.to_owned());
    let console = Console::builder(inbox)
        .authenticate(who)
        .read_only(false)
        .build()
        .unwrap();
    assert_eq!(console.login_url("http://localhost"), None);
    site.router = console.router();
    site.console = console;

    let stranger = site.get("/console/").await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert!(!stranger.body.contains("<label for=\"token\">"));
    // Without a token, no token is right.
    assert_eq!(
        site.get("/console/login?token=").await.status,
        StatusCode::OK
    );
    assert_eq!(
        site.get(&format!("/console/login?token={TOKEN}"))
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );

    let page = |user| {
        let request = site
            .request(Method::GET, "/console/pause")
            .extension(User(user));
        site.send(request.body(Body::empty()).unwrap())
    };
    let fields = page("ada").await.hidden_fields();
    for (user, expected) in [("eve", StatusCode::FORBIDDEN), ("ada", StatusCode::OK)] {
        let request = site.form_request("/console/pause").extension(User(user));
        let answer = site
            .send(request.body(Body::from(fields.clone())).unwrap())
            .await;
        assert_eq!(answer.status, expected, "{user}");
    }
}

#[tokio::test]
async fn rejects_what_is_too_long() {
    let site = Site::new().await;
    let long = "x".repeat(5_000);
    let answer = site.get(&format!("/console/callbacks?text={long}")).await;
    assert_eq!(answer.status, StatusCode::URI_TOO_LONG);
    let answer = site
        .get(&format!("/console/callbacks?text={}", &long[..600]))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = site
        .post("/console/pause", &"x".repeat(16 * 1_024 + 1))
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        site.post("/console/pause", "a=%ff").await.status,
        StatusCode::FORBIDDEN
    );
    let request = site
        .form_request("/console/pause")
        .body(Body::from(vec![0xff]));
    assert_eq!(
        site.send(request.unwrap()).await.status,
        StatusCode::BAD_REQUEST
    );
}

/// A body of which nothing comes.
struct Silent;

impl futures_core::Stream for Silent {
    type Item = Result<&'static str, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_that_does_not_come_is_not_waited_for() {
    let site = Site::new().await;
    for path in ["/console/pause", "/console/login"] {
        let request = site.form_request(path).body(Body::from_stream(Silent));
        let answer = site.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{path}");
    }
}

#[tokio::test]
async fn errors_are_pages() {
    let site = Site::new().await;
    for (method, path, expected) in [
        (Method::GET, "/console/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/console/a/b/c", StatusCode::NOT_FOUND),
        (Method::POST, "/console/", StatusCode::METHOD_NOT_ALLOWED),
        (
            Method::DELETE,
            "/console/callbacks",
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (Method::GET, "/console/rejections", StatusCode::NOT_FOUND),
        (
            Method::GET,
            "/console/callbacks/%ff",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let request = site.request(method.clone(), path);
        let answer = site.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, expected, "{method} {path}");
        assert!(answer.body.contains("role=\"alert\""), "{method} {path}");
        let is_405 = expected == StatusCode::METHOD_NOT_ALLOWED;
        assert_eq!(answer.headers.contains_key(header::ALLOW), is_405);
    }
    for asset in ["/console/style.css", "/console/icon.svg"] {
        assert_eq!(site.get(asset).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn paths_are_where_they_are_configured() {
    for (path, overview, login) in [
        ("/", "/", "/login"),
        ("/ops/zego/", "/ops/zego", "/ops/zego/login"),
    ] {
        let mut site = Site::signed_out(|builder| builder.path(path));
        let answer = site.get(&format!("{login}?token={TOKEN}")).await;
        let cookie_path = format!("; Path={overview}; ");
        assert!(
            answer.headers[header::SET_COOKIE]
                .to_str()
                .unwrap()
                .contains(&cookie_path)
        );
        site.cookie = Some(answer.cookie());
        let page = site.get(overview).await;
        assert_eq!(page.status, StatusCode::OK);
        let base = overview.trim_end_matches('/');
        assert!(
            page.has_link(&format!("{base}/callbacks"))
                && page.has_link(&format!("{base}/style.css"))
        );
    }
}

#[test]
fn rejects_an_impossible_configuration() {
    let builder = || Console::builder(MemoryInbox::new());
    let open = builder().build().unwrap_err().to_string();
    assert!(open.contains("neither a token nor a login"), "{open}");
    let closed = || builder().token(zego_record_console::Token::new(TOKEN).unwrap());
    assert!(closed().allowed_hosts(["https://x"]).build().is_err());
    for path in ["console", "//", "/a//b", "/{x}", "/a b", "/ä", "/a;b"] {
        assert_eq!(closed().path(path).build().is_err(), path != "//", "{path}");
    }
    let debug = format!("{:?} {:?}", closed(), closed().build().unwrap());
    assert!(!debug.contains(TOKEN), "{debug}");
    assert!(!HOST.is_empty());
}

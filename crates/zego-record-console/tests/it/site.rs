//! A console over an inbox in memory, and what every one of its answers must have.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;
use zego_record_console::{Console, ConsoleBuilder, Token};
use zego_record_core::{DeliveryKey, RecordCallback};
use zego_record_inbox::{ClaimDue, InboxStore, MemoryInbox, Next, Note, RunEnded};
use zego_record_receiver::{Accept, NewCallback, Owner};
use zego_record_testkit::CallbackBuilder;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const HOST: &str = "localhost:3001";

/// A console, and the cookie of whoever is signed in.
pub(crate) struct Site {
    pub(crate) inbox: Arc<MemoryInbox>,
    pub(crate) console: Console,
    pub(crate) router: Router,
    pub(crate) cookie: Option<String>,
}

/// An answer, with its body read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Site {
    /// A console that may change things, with an operator who is signed in.
    pub(crate) async fn new() -> Self {
        let mut site = Self::signed_out(|builder| builder.read_only(false));
        site.sign_in().await;
        site
    }

    pub(crate) fn signed_out(configure: impl FnOnce(ConsoleBuilder) -> ConsoleBuilder) -> Self {
        let inbox = Arc::new(MemoryInbox::new());
        let builder = Console::builder(inbox.clone()).token(Token::new(TOKEN).unwrap());
        let console = configure(builder).build().unwrap();
        let router = console.router();
        Self {
            inbox,
            console,
            router,
            cookie: None,
        }
    }

    pub(crate) async fn sign_in(&mut self) {
        let answer = self.get(&format!("/console/login?token={TOKEN}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        self.cookie = Some(answer.cookie());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap())
            .await
    }

    /// Posts a form as a browser does.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        let request = self.form_request(path).body(Body::from(form.to_owned()));
        self.send(request.unwrap()).await
    }

    pub(crate) fn form_request(&self, path: &str) -> axum::http::request::Builder {
        self.request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header("sec-fetch-site", "same-origin")
    }

    /// Opens a page with a question, and answers it with yes.
    pub(crate) async fn confirm(&self, path: &str, more: &str) -> Answer {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let action = page.attribute("<form method=\"post\" action=\"");
        self.post(&action, &format!("{}{more}", page.hidden_fields()))
            .await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, HOST);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request
    }

    /// Sends a request and checks what every answer has.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let what = format!("{} {}", request.method(), request.uri());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        answer.check(&what);
        answer
    }

    pub(crate) async fn add(&self, callback: &RecordCallback) -> DeliveryKey {
        self.inbox
            .accept(&NewCallback::new(callback))
            .await
            .unwrap();
        callback.delivery_key()
    }

    /// Adds `number` callbacks, of streams `s-0`, `s-1` and so on.
    pub(crate) async fn add_many(&self, number: usize) -> Vec<DeliveryKey> {
        let mut keys = Vec::new();
        for index in 0..number {
            let stream = format!("s-{index}");
            let callback = CallbackBuilder::new().field("stream_alias", stream);
            keys.push(self.add(&callback.build()).await);
        }
        keys
    }

    /// Runs everything that is due, with this result.
    pub(crate) async fn run_all(&self, next: Next, note: Note) {
        let claim = ClaimDue::new(Owner::random().unwrap(), Duration::from_secs(60), 10_000);
        for claimed in self.inbox.claim_due(&claim).await.unwrap() {
            let ended = RunEnded::new(next, note.clone());
            self.inbox.settle(&claimed.hold, &ended).await.unwrap();
        }
    }

    pub(crate) async fn bury_all(&self) {
        self.run_all(Next::Dead, Note::new("the app is gone").with_status(410))
            .await;
    }
}

impl Answer {
    /// The pair of name and value of the cookie that is set.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.headers[header::SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// What stands between this and the next quotation mark, as a browser reads it.
    pub(crate) fn attribute(&self, start: &str) -> String {
        let (_, rest) = self.body.split_once(start).expect(&self.body);
        unescape(rest.split('"').next().unwrap())
    }

    pub(crate) fn has_link(&self, path: &str) -> bool {
        let mut links = self.body.split("href=\"").skip(1);
        links.any(|rest| unescape(rest.split('"').next().unwrap()) == path)
    }

    /// The hidden fields of the form, encoded.
    pub(crate) fn hidden_fields(&self) -> String {
        let start = "<input type=\"hidden\" name=\"";
        let fields = self.body.split(start).skip(1).map(|field| {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            let value = rest.split('"').next().unwrap();
            (name.to_owned(), unescape(value))
        });
        serde_urlencoded::to_string(fields.collect::<Vec<_>>()).unwrap()
    }

    pub(crate) fn title(&self) -> &str {
        let (_, rest) = self.body.split_once("<title>").expect(&self.body);
        rest.split("</title>").next().unwrap()
    }

    fn check(&self, what: &str) {
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
        ] {
            let values: Vec<_> = self.headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{what}: {name}");
        }
        let kind = self.headers.get(header::CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html")) {
            self.check_html(what);
        } else {
            assert!(
                self.status.is_success() || self.status.is_redirection(),
                "{what}: no page"
            );
        }
    }

    fn check_html(&self, what: &str) {
        let body = &self.body;
        assert!(
            body.starts_with("<!doctype html>\n<html lang=\"en\">"),
            "{what}"
        );
        assert!(self.title().len() > " - zego-record".len(), "{what}");
        assert_eq!(body.matches("<h1").count(), 1, "{what}");
        assert!(body.contains("<a class=\"skip\" href=\"#main\">"), "{what}");
        assert!(body.contains("name=\"viewport\""), "{what}");
        for forbidden in ["<script", "<style", " style="] {
            assert!(!body.contains(forbidden), "{what}: {forbidden}");
        }
        // Every field that can be seen has a label.
        for tag in ["<input ", "<select "] {
            for field in body.split(tag).skip(1) {
                let field = field.split('>').next().unwrap();
                if field.contains("type=\"hidden\"") {
                    continue;
                }
                let id = field
                    .split("id=\"")
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap();
                assert!(
                    body.contains(&format!("<label for=\"{id}\">")),
                    "{what}: {id}"
                );
            }
        }
    }
}

fn unescape(html: &str) -> String {
    html.replace("&#38;", "&")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
}

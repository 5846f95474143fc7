//! The operator's page as an operator sees it.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use fantoccini::Locator;
use tokio::net::TcpListener;
use zego_record_console::{Console, DestinationHealth, Rejections, Token};
use zego_record_core::{CallbackSecret, ReplayUrlPolicy, UnixSeconds, Verifier};
use zego_record_inbox::{InboxStore, MemoryInbox, Schedule, Worker};
use zego_record_receiver::{Accept, HandlerError, NewCallback, Receiver};
use zego_record_test_browser::{Browser, Screen};
use zego_record_testkit::{CallbackBuilder, RequestBuilder};

const DESKTOP: Screen = Screen {
    width: 1_280,
    height: 1_000,
    dark: false,
};
const PHONE: Screen = Screen {
    width: 390,
    height: 1_400,
    dark: false,
};
const NIGHT: Screen = Screen {
    dark: true,
    ..DESKTOP
};

/// A console on a port of its own, over an inbox whose app is down until it is said to be up.
struct Site {
    inbox: Arc<MemoryInbox>,
    worker: Worker,
    app_is_up: Arc<AtomicBool>,
    address: SocketAddr,
    link: String,
}

impl Site {
    async fn new() -> Self {
        let inbox = Arc::new(MemoryInbox::new());
        let app_is_up = Arc::new(AtomicBool::new(false));
        let (is_up, shown) = (app_is_up.clone(), app_is_up.clone());
        let worker = Worker::builder(inbox.clone())
            .schedule(Schedule::new([]).unwrap())
            .build(move |_: zego_record_inbox::Delivery| {
                let is_up = is_up.load(Ordering::SeqCst);
                async move {
                    let error =
                        || HandlerError::retry("the database behind the app does not answer");
                    is_up.then_some(()).ok_or_else(error)
                }
            })
            .unwrap();
        let destination = move || {
            if shown.load(Ordering::SeqCst) {
                return DestinationHealth::up();
            }
            let mut health = DestinationHealth::down();
            health.since = Some(SystemTime::now() - Duration::from_secs(300));
            health.last_error = Some("connection refused".to_owned());
            health
        };
        let console = Console::builder(inbox.clone())
            .token(Token::random().unwrap())
            .read_only(false)
            .replay_url_policy(ReplayUrlPolicy::hosts(["vod.example.com"]).unwrap())
            .destination(destination)
            .rejections(rejections().await)
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let link = console.login_url(&format!("http://{address}")).unwrap();
        let router = console.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            inbox,
            worker,
            app_is_up,
            address,
            link,
        }
    }

    async fn add(&self, callback: &CallbackBuilder) -> String {
        let callback = callback.build();
        self.inbox
            .accept(&NewCallback::new(&callback))
            .await
            .unwrap();
        callback.delivery_key().to_string()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/console/{path}", self.address)
    }
}

/// What a receiver has rejected.
async fn rejections() -> Rejections {
    let rejections = Rejections::new();
    let (rejected, quarantined) = (rejections.clone(), rejections.clone());
    let secret = "0123456789abcdef0123456789abcdef";
    let verifier = Verifier::builder().secret(CallbackSecret::new(secret).unwrap());
    let receiver = Receiver::builder(verifier.build().unwrap())
        .on_rejected(move |request| rejected.record(request))
        .on_quarantine(move |request| quarantined.record_quarantined(request))
        .build()
        .unwrap();
    let now = UnixSeconds::from(SystemTime::now());
    let stale = RequestBuilder::new(secret, now).age(4_000).build();
    let forged = RequestBuilder::new("ffffffffffffffffffffffffffffffff", now).build();
    for request in [&stale, &forged, &forged] {
        receiver
            .pipeline()
            .verify(request.body())
            .await
            .unwrap_err();
    }
    rejections
}

fn lesson(name: &str) -> CallbackBuilder {
    CallbackBuilder::new()
        .field("stream_alias", name)
        .field("replay_url", format!("https://vod.example.com/{name}.mp4"))
}

fn hostile() -> CallbackBuilder {
    CallbackBuilder::new()
        .field(
            "stream_alias",
            "<script>document.title='taken'</script>\u{202e}4pm.exe",
        )
        .field("replay_url", "javascript:alert(1)")
        .field(
            "\" onfocus=alert(1) autofocus x=\"",
            "<img src=x onerror=alert(1)>\u{200b}",
        )
        .field("marks", format!("a{}", "\u{301}".repeat(200)))
        .field("long", "x".repeat(3_000))
}

async fn main_text(browser: &Browser) -> String {
    let main = browser.find(Locator::Css("main")).await;
    main.text().await.unwrap()
}

/// What can be measured about a page that people must be able to read.
async fn check_page(browser: &Browser) {
    let url = browser.client.current_url().await.unwrap();
    let problems = browser.run(include_str!("check.js")).await;
    assert_eq!(problems, serde_json::json!([]), "{url}");
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_a_dead_callback_and_redelivers_it() {
    for (name, screen) in [("desktop", DESKTOP), ("phone", PHONE), ("night", NIGHT)] {
        let Some(browser) = Browser::start(screen).await else {
            return;
        };
        let site = Site::new().await;
        for lesson_name in ["lesson-1", "lesson-2"] {
            site.add(&lesson(lesson_name)).await;
        }
        site.add(&hostile()).await;
        site.worker.run_due().await.unwrap();
        for number in 3..9 {
            site.add(&lesson(&format!("lesson-{number}"))).await;
        }
        sign_in(&browser, &site, name).await;
        find_out_why(&browser, name).await;
        redeliver(&browser, &site, name).await;

        browser
            .click(Locator::LinkText("Rejections"), "Rejections")
            .await;
        assert!(main_text(&browser).await.contains("bad_signature"));
        look(&browser, name, "rejections").await;
        browser.close().await;
    }
}

async fn sign_in(browser: &Browser, site: &Site, name: &str) {
    browser.client.goto(&site.url("")).await.unwrap();
    look(browser, name, "sign-in").await;
    browser.client.goto(&site.link).await.unwrap();
    check_page(browser).await;
    browser
        .click(Locator::LinkText("Go to the overview"), "Overview")
        .await;
    assert_eq!(browser.run("return document.cookie").await, "");
}

async fn find_out_why(browser: &Browser, name: &str) {
    let text = main_text(browser).await;
    assert!(text.contains("The destination is down"), "{text}");
    look(browser, name, "overview").await;
    browser
        .click(Locator::Css(".tiles a[href*='state=dead']"), "Callbacks")
        .await;
    look(browser, name, "list").await;
    browser
        .click(Locator::LinkText("lesson-2"), "Callback ")
        .await;
    let text = main_text(browser).await;
    for part in [
        "the database behind the app does not answer",
        "It has been a dead letter since",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    look(browser, name, "callback").await;
}

async fn redeliver(browser: &Browser, site: &Site, name: &str) {
    browser
        .click(Locator::LinkText("Redeliver"), "Redeliver 1 callback")
        .await;
    look(browser, name, "question").await;
    browser
        .click(Locator::Css("form button"), "1 callback redelivered")
        .await;
    check_page(browser).await;

    site.app_is_up.store(true, Ordering::SeqCst);
    site.worker.run_due().await.unwrap();
    browser
        .click(Locator::LinkText("Back to the callback"), "Callback ")
        .await;
    let text = main_text(browser).await;
    for part in ["Nothing more: it is done", "Run 2 done", "Run 1 dead"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

async fn look(browser: &Browser, name: &str, page: &str) {
    check_page(browser).await;
    browser.screenshot(&format!("{name}-{page}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_fields_do_nothing() {
    for (name, screen) in [("desktop", DESKTOP), ("phone", PHONE)] {
        let Some(browser) = Browser::start(screen).await else {
            return;
        };
        let site = Site::new().await;
        let key = site.add(&hostile()).await;
        browser.client.goto(&site.link).await.unwrap();
        for path in [
            "callbacks",
            &format!("callbacks/{key}"),
            "callbacks?state=waiting&text=%22%3E%3Cscript%3E",
        ] {
            browser.client.goto(&site.url(path)).await.unwrap();
            check_page(&browser).await;
            let added = "return document.querySelectorAll('script, img, [onfocus], [autofocus], a[href^=javascript]').length";
            assert_eq!(browser.run(added).await, 0, "{path}");
            assert_ne!(browser.client.title().await.unwrap(), "taken");
            browser.client.get_alert_text().await.unwrap_err();
        }
        browser
            .client
            .goto(&site.url(&format!("callbacks/{key}")))
            .await
            .unwrap();
        assert!(main_text(&browser).await.contains("U+202E4pm.exe"));
        browser.screenshot(&format!("{name}-hostile")).await;
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_nothing() {
    let Some(browser) = Browser::start(DESKTOP).await else {
        return;
    };
    let site = Site::new().await;
    browser.client.goto(&site.link).await.unwrap();
    let token = {
        browser.client.goto(&site.url("pause")).await.unwrap();
        let field = browser.find(Locator::Css("input[name='form_token']")).await;
        field.attr("value").await.unwrap().unwrap()
    };

    // A name of somebody else that leads here.
    let foreign = format!("http://evil.example:{}/console/", site.address.port());
    browser.client.goto(&foreign).await.unwrap();
    assert!(
        main_text(&browser)
            .await
            .contains("not served under this host name")
    );

    // A page of another site that sends a form, even with a token that it cannot know.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = format!(
        "<!doctype html><form method=post action='http://{}/console/pause'>\
         <input type=hidden name=form_token value='{token}'><button>win a prize</button></form>",
        site.address
    );
    let other = axum::Router::new().route(
        "/",
        axum::routing::get(|| async move { axum::response::Html(page) }),
    );
    tokio::spawn(async move { axum::serve(listener, other).await });
    for host in ["127.0.0.1", "evil.example"] {
        let url = format!("http://{host}:{}/", address.port());
        browser.client.goto(&url).await.unwrap();
        browser.click(Locator::Css("button"), "Not allowed").await;
        assert!(
            main_text(&browser).await.contains("sent by another site"),
            "{host}"
        );
        assert!(!site.inbox.stats().await.unwrap().paused, "{host}");
    }

    // The keyboard alone: the first stop skips the navigation.
    browser.client.goto(&site.url("")).await.unwrap();
    browser
        .find(Locator::Css("body"))
        .await
        .send_keys("\u{e004}")
        .await
        .unwrap();
    let active = browser.client.active_element().await.unwrap();
    assert_eq!(active.text().await.unwrap(), "Skip to the content");
    active.send_keys("\u{e007}").await.unwrap();
    let active = "return document.activeElement.id";
    assert_eq!(browser.run(active).await, "main");
    browser.close().await;
}

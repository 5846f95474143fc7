//! What the pages show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::site::{Site, TOKEN};
use axum::http::StatusCode;
use zego_record_console::{Console, DestinationHealth, Rejections, Token};
use zego_record_core::{ReplayUrlPolicy, UnixSeconds, Verifier};
use zego_record_inbox::{MemoryInbox, Next, Note};
use zego_record_receiver::{Accept, Clock, NewCallback, Receiver, SystemClock};
use zego_record_testkit::{CallbackBuilder, RequestBuilder};

#[tokio::test]
async fn the_overview_counts() {
    let site = Site::new().await;
    site.add_many(3).await;
    site.bury_all().await;
    site.add_many(5).await;
    let page = site.get("/console/").await;
    assert_eq!(page.title(), "Overview - zego-record");
    for (state, count) in [
        ("waiting", 2),
        ("running", 0),
        ("done", 0),
        ("dead", 3),
        ("discarded", 0),
    ] {
        let tile = format!("<span class=\"count\">{count}</span> <span class=\"state {state}\">");
        assert!(page.body.contains(&tile), "{tile}: {}", page.body);
        assert!(page.has_link(&format!("/console/callbacks?state={state}")));
    }
    assert_eq!(page.body.matches("<svg class=\"chart\"").count(), 2);
    assert_eq!(page.body.matches("<rect ").count(), 12 + 24);
    assert_eq!(
        page.body.matches("<p>5 received, at most ").count(),
        2,
        "{}",
        page.body
    );
    // What came since is in the next one, though what is over is counted once.
    site.add_many(6).await;
    assert_eq!(
        site.get("/console/")
            .await
            .body
            .matches("<p>6 received, ")
            .count(),
        2
    );
}

#[tokio::test]
async fn the_overview_shows_a_destination_that_is_down() {
    let up = Arc::new(AtomicBool::new(true));
    let switch = up.clone();
    let mut site = Site::signed_out(|builder| {
        builder.destination(move || {
            if switch.load(Ordering::SeqCst) {
                return DestinationHealth::up();
            }
            let mut health = DestinationHealth::down();
            health.since = Some(SystemTime::now() - Duration::from_secs(61));
            health.last_error = Some("<refused>\u{202e}".to_owned());
            health
        })
    });
    site.sign_in().await;
    assert!(
        !site
            .get("/console/")
            .await
            .body
            .contains("The destination is down")
    );
    up.store(false, Ordering::SeqCst);
    let page = site.get("/console/").await;
    assert!(
        page.body.contains("The destination is down") && page.body.contains("1 min "),
        "{}",
        page.body
    );
    assert!(
        page.body
            .contains("&#60;refused&#62;<span class=\"code\">U+202E</span>")
    );
}

#[tokio::test]
async fn the_list_has_pages() {
    let site = Site::new().await;
    let mut expected: Vec<_> = site
        .add_many(120)
        .await
        .iter()
        .map(ToString::to_string)
        .collect();
    expected.reverse();
    let mut seen = Vec::new();
    let mut path = Some("/console/callbacks?appid=1".to_owned());
    let appid = CallbackBuilder::new().build().appid().to_owned();
    path = path.map(|path| path.replace("appid=1", &format!("appid={appid}")));
    let mut pages = 0;
    while let Some(address) = path {
        let page = site.get(&address).await;
        let entries = page.body.split("href=\"/console/callbacks/").skip(1);
        seen.extend(entries.map(|rest| rest[..64].to_owned()));
        path = page
            .body
            .contains("rel=\"next\"")
            .then(|| page.attribute("rel=\"next\" href=\""));
        assert!(
            path.as_ref()
                .is_none_or(|path| path.contains(&format!("appid={appid}&before=")))
        );
        pages += 1;
    }
    assert_eq!((seen, pages), (expected, 3));
}

#[tokio::test]
async fn the_list_filters() {
    let site = Site::new().await;
    let keys = site.add_many(12).await;
    site.bury_all().await;
    site.add_many(13).await;
    let appid = CallbackBuilder::new().build().appid().to_owned();
    for (query, expected) in [
        (String::new(), 13),
        ("state=dead".to_owned(), 12),
        ("state=waiting".to_owned(), 1),
        ("state=done".to_owned(), 0),
        ("stream=s-1".to_owned(), 1),
        ("text=S-1".to_owned(), 4),
        ("text=APP+IS".to_owned(), 12),
        (format!("appid={appid}"), 13),
        ("appid=2".to_owned(), 0),
        (
            format!("key={}", &keys[3].to_string()[..8].to_uppercase()),
            1,
        ),
        (format!("key={}", keys[3]), 1),
        ("from=2001-01-01T00%3A00".to_owned(), 13),
        ("from=2999-01-01T00%3A00".to_owned(), 0),
        ("until=2001-01-01T00%3A00".to_owned(), 0),
        ("state=dead&stream=s-2&text=gone".to_owned(), 1),
    ] {
        let page = site.get(&format!("/console/callbacks?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert_eq!(
            page.body.matches("<p class=\"what\">").count(),
            expected,
            "{query}"
        );
        assert_eq!(
            page.body.contains("No callback matches."),
            expected == 0,
            "{query}"
        );
    }
    let page = site
        .get("/console/callbacks?state=dead&stream=%22%3E%3Cb%3E")
        .await;
    assert!(
        page.body.contains("<option selected>dead</option>"),
        "{}",
        page.body
    );
    assert!(
        page.body.contains("value=\"&#34;&#62;&#60;b&#62;\""),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_callback_shows_why_it_failed_and_what_comes_next() {
    let site = Site::new().await;
    let key = site.add_many(1).await[0];
    let path = format!("/console/callbacks/{key}");
    let fresh = site.get(&path).await;
    assert!(
        fresh.body.contains("There was none yet.")
            && fresh
                .body
                .contains("A worker takes it as soon as one is free")
    );

    let note = Note::new("connection refused").with_status(502);
    site.run_all(Next::Retry(Duration::from_secs(7_200)), note)
        .await;
    let page = site.get(&path).await;
    assert_eq!(
        page.title(),
        format!("Callback {} - zego-record", &key.to_string()[..12])
    );
    assert!(
        page.body.contains("The next attempt begins") && page.body.contains("in 1 h 59 min"),
        "{}",
        page.body
    );
    assert!(page.body.contains("connection refused") && page.body.contains("status 502"));
    assert!(
        page.body
            .contains("<span class=\"outcome failed\">failed</span>")
    );
    for field in [
        "stream_alias",
        "replay_url",
        "begin_time",
        "nonce",
        "extra_params",
    ] {
        assert!(
            page.body.contains(&format!("<dt><bdi>{field}</bdi></dt>")),
            "{field}"
        );
    }
    assert!(!page.body.contains("<dt><bdi>signature"));

    site.confirm("/console/pause", "").await;
    assert!(
        site.get(&path)
            .await
            .body
            .contains("The inbox is paused: nothing happens")
    );
    site.confirm(&format!("/console/discard?key={key}"), "&reason=x")
        .await;
    assert!(
        site.get(&path)
            .await
            .body
            .contains("Nothing more: it is discarded")
    );
}

#[tokio::test]
async fn a_callback_that_is_damaged_says_so() {
    let site = Site::new().await;
    let callback = CallbackBuilder::new()
        .field("stream_alias", "lesson")
        .build();
    let mut stored = NewCallback::new(&callback);
    stored.stored.truncate(20);
    site.inbox.accept(&stored).await.unwrap();
    let page = site
        .get(&format!("/console/callbacks/{}", stored.key))
        .await;
    assert!(page.body.contains("It cannot be read: "), "{}", page.body);
    assert!(page.body.contains("<dt>Stream</dt><dd><bdi>lesson</bdi>"));
    let line = site.get("/console/export").await.body;
    assert!(line.contains("\"callback\":null"), "{line}");
}

#[tokio::test]
async fn a_callback_is_found_by_the_first_digits() {
    let site = Site::new().await;
    let key = site.add_many(20).await[7].to_string();
    for digits in [&key[..8], &key[..12], &key, &key.to_uppercase()] {
        let page = site.get(&format!("/console/callbacks/{digits}")).await;
        assert!(page.title().contains(&key[..12]), "{digits}");
    }
    let zeros = "0".repeat(64);
    for (digits, expected) in [
        (&key[..9], StatusCode::BAD_REQUEST),
        (&key[..6], StatusCode::BAD_REQUEST),
        ("nothing!", StatusCode::BAD_REQUEST),
        (&zeros, StatusCode::NOT_FOUND),
        (&zeros[..8], StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            site.get(&format!("/console/callbacks/{digits}"))
                .await
                .status,
            expected,
            "{digits}"
        );
    }
}

#[tokio::test]
async fn a_playback_url_is_a_link_only_if_it_is_allowed() {
    for (url, allowed) in [
        ("https://vod.example.com/a.mp4?x=1&y='2'", true),
        ("http://vod.example.com/a.mp4", false),
        ("https://evil.example/a.mp4", false),
        ("https://vod.example.com@evil.example/", false),
        ("javascript:alert(1)//https://vod.example.com/", false),
        ("https://vod.example.com/\u{202e}4pm", false),
        ("https://vod.example.com/\"onclick=\"x", true),
    ] {
        let policy = ReplayUrlPolicy::hosts(["vod.example.com"]).unwrap();
        for policy in [Some(policy), None] {
            let is_link = allowed && policy.is_some();
            let mut site = Site::signed_out(|builder| match policy {
                Some(policy) => builder.replay_url_policy(policy),
                None => builder,
            });
            site.sign_in().await;
            let key = site
                .add(&CallbackBuilder::new().field("replay_url", url).build())
                .await;
            let page = site.get(&format!("/console/callbacks/{key}")).await;
            assert_eq!(page.has_link(url), is_link, "{url}");
            assert_eq!(
                page.body.matches("rel=\"noreferrer noopener\"").count(),
                usize::from(is_link),
                "{url}"
            );
        }
    }
}

#[tokio::test]
async fn rejections_have_an_example_and_no_secret() {
    let secret = "ffffffffffffffffffffffffffffffff";
    let rejections = Rejections::new();
    let (rejected, quarantined) = (rejections.clone(), rejections.clone());
    let verifier = Verifier::builder()
        .secret(zego_record_core::CallbackSecret::new(secret).unwrap())
        .build()
        .unwrap();
    let receiver = Receiver::builder(verifier)
        .on_rejected(move |request| rejected.record(request))
        .on_quarantine(move |request| quarantined.record_quarantined(request))
        .build()
        .unwrap();
    let mut site = Site::signed_out(|builder| builder.rejections(rejections));
    site.sign_in().await;
    assert!(
        site.get("/console/rejections")
            .await
            .body
            .contains("Nothing was rejected.")
    );

    let now = UnixSeconds::from(SystemTime::now());
    let request = || RequestBuilder::new(secret, now);
    let stale = request().age(100_000).field("appid", "7").build();
    let forged = request().field("appid", "<b>\u{202e}").build();
    let forged = String::from_utf8(forged.body().to_vec()).unwrap();
    let signature = request().build().signature().unwrap().to_owned();
    receiver.pipeline().verify(stale.body()).await.unwrap_err();
    for _ in 0..3 {
        let body = forged.replacen("signature", "sign", 1);
        receiver
            .pipeline()
            .verify(body.as_bytes())
            .await
            .unwrap_err();
    }
    let page = site.get("/console/rejections").await;
    assert!(
        page.body.contains("<strong>stale</strong>")
            && page.body.contains("<strong>unsigned</strong>"),
        "{}",
        page.body
    );
    assert!(page.body.contains("3 in 24 hours"), "{}", page.body);
    assert!(
        page.body.contains("the timestamp is 100000 s old"),
        "{}",
        page.body
    );
    assert!(
        page.body.contains("<strong>signed</strong>: timestamp "),
        "{}",
        page.body
    );
    assert!(
        page.body
            .contains("&#60;b&#62;<span class=\"code\">U+202E</span>"),
        "{}",
        page.body
    );
    for hidden in [secret, &signature, stale.signature().unwrap(), TOKEN] {
        assert!(!page.body.contains(hidden), "{hidden}");
    }
    assert!(
        site.get("/console/")
            .await
            .body
            .contains("<a href=\"/console/rejections\">4</a>")
    );
}

/// A clock that fails, and with it the inbox.
#[derive(Debug)]
struct Broken(SystemClock, Arc<AtomicBool>);

impl Clock for Broken {
    fn now(&self) -> UnixSeconds {
        assert!(!self.1.load(Ordering::SeqCst), "the inbox is away");
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

#[tokio::test]
async fn an_inbox_that_is_away_is_a_page() {
    let away = Arc::new(AtomicBool::new(false));
    let inbox = MemoryInbox::new().with_clock(Broken(SystemClock::new(), away.clone()));
    let console = Console::builder(inbox)
        .token(Token::new(TOKEN).unwrap())
        .read_only(false);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let console = console.on_action(move |report| log.lock().unwrap().push(report.changed));
    let mut site = Site::signed_out(|builder| builder);
    site.router = console.build().unwrap().router();
    site.sign_in().await;
    let token = site.get("/console/logout").await.hidden_fields();
    away.store(true, Ordering::SeqCst);
    let zeros = "0".repeat(64);
    for path in [
        "",
        "callbacks",
        "callbacks?state=dead",
        "redeliver?state=dead",
        "pause",
        "export",
        &format!("callbacks/{zeros}"),
    ] {
        let answer = site.get(&format!("/console/{path}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.title().starts_with("The inbox is away"), "{path}");
    }
    for path in ["pause", "redeliver", "discard"] {
        let form = format!("{token}&state=dead&count=1&reason=x");
        let answer = site.post(&format!("/console/{path}"), &form).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    assert_eq!(*seen.lock().unwrap(), [None; 3]);
    away.store(false, Ordering::SeqCst);
    assert_eq!(site.get("/console/").await.status, StatusCode::OK);
}

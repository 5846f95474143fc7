//! What operators do, each with its question before.

use std::sync::{Arc, Mutex};

use crate::site::Site;
use axum::http::StatusCode;
use zego_record_inbox::{EntryState, Filter, InboxStore, Next, Note};

async fn count(site: &Site, state: EntryState) -> u64 {
    site.inbox.count(&Filter::in_state(state)).await.unwrap()
}

#[tokio::test]
async fn redelivers_one() {
    let site = Site::new().await;
    let keys = site.add_many(2).await;
    site.bury_all().await;
    let page = site.get(&format!("/console/callbacks/{}", keys[0])).await;
    let path = format!("/console/redeliver?key={}", keys[0]);
    assert!(page.has_link(&path), "{}", page.body);
    let question = site.get(&path).await;
    assert!(
        question.title().starts_with("Redeliver 1 callback -"),
        "{}",
        question.title()
    );
    assert_eq!(
        count(&site, EntryState::Dead).await,
        2,
        "a question changes nothing"
    );

    let answer = site.confirm(&path, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.title().starts_with("1 callback redelivered"),
        "{}",
        answer.title()
    );
    assert!(answer.has_link(&format!("/console/callbacks/{}", keys[0])));
    let details = site.inbox.get(&keys[0]).await.unwrap().unwrap();
    assert_eq!(
        (details.entry.state, details.entry.attempts),
        (EntryState::Waiting, 0)
    );
    assert_eq!(count(&site, EntryState::Dead).await, 1);
}

#[tokio::test]
async fn redelivers_all_that_match_and_no_more() {
    let site = Site::new().await;
    site.add_many(12).await;
    site.bury_all().await;
    site.add_many(20).await;
    let list = site.get("/console/callbacks?state=dead&stream=s-3").await;
    assert!(
        list.has_link("/console/redeliver?state=dead&stream=s-3"),
        "{}",
        list.body
    );
    let answer = site
        .confirm("/console/redeliver?state=dead&stream=s-3", "")
        .await;
    assert!(
        answer.title().starts_with("1 callback redelivered"),
        "{}",
        answer.title()
    );

    let question = site.get("/console/redeliver?state=dead").await;
    assert!(
        question.title().starts_with("Redeliver 11 callbacks"),
        "{}",
        question.title()
    );
    let answer = site.confirm("/console/redeliver?state=dead", "").await;
    assert!(
        answer.title().starts_with("11 callbacks redelivered"),
        "{}",
        answer.title()
    );
    assert_eq!(count(&site, EntryState::Dead).await, 0);
    let nothing = site.get("/console/redeliver?state=dead").await;
    assert!(nothing.body.contains("No callback matches.") && !nothing.body.contains("<form"));
}

#[tokio::test]
async fn never_changes_more_than_was_confirmed() {
    let site = Site::new().await;
    site.add_many(2).await;
    site.bury_all().await;
    let question = site.get("/console/redeliver?state=dead").await;
    let fields = question.hidden_fields();
    site.add_many(7).await;
    site.bury_all().await;
    assert_eq!(
        count(&site, EntryState::Dead).await,
        7,
        "two of them are the same again"
    );
    let answer = site.post("/console/redeliver", &fields).await;
    assert!(
        answer.title().starts_with("2 callbacks redelivered"),
        "{}",
        answer.title()
    );
    assert_eq!(count(&site, EntryState::Dead).await, 5);
}

#[tokio::test]
async fn reports_what_was_left_alone() {
    let site = Site::new().await;
    site.add_many(3).await;
    site.bury_all().await;
    let fields = site
        .get("/console/discard?state=dead")
        .await
        .hidden_fields();
    site.confirm("/console/redeliver?state=dead&stream=s-0", "")
        .await;
    let answer = site
        .post("/console/discard", &format!("{fields}&reason=gone"))
        .await;
    assert!(
        answer.title().starts_with("2 callbacks discarded"),
        "{}",
        answer.title()
    );
    assert!(
        answer
            .body
            .contains("1 callback of those that you have confirmed"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn discards_with_a_reason() {
    let site = Site::new().await;
    let keys = site.add_many(3).await;
    site.bury_all().await;
    let path = format!("/console/discard?key={}", keys[0]);
    for reason in [
        "",
        "&reason=",
        "&reason=+++",
        &format!("&reason={}", "x".repeat(201)),
    ] {
        let answer = site.confirm(&path, reason).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{reason}");
    }
    assert_eq!(count(&site, EntryState::Dead).await, 3);
    let answer = site.confirm(&path, "&reason=a+test%2C+no+lesson").await;
    assert!(
        answer.title().starts_with("1 callback discarded"),
        "{}",
        answer.title()
    );
    let details = site.inbox.get(&keys[0]).await.unwrap().unwrap();
    assert_eq!(details.entry.state, EntryState::Discarded);
    assert_eq!(
        details.entry.last_error.as_deref(),
        Some("a test, no lesson")
    );

    let page = site.get(&format!("/console/callbacks/{}", keys[0])).await;
    assert!(page.body.contains("a test, no lesson") && page.body.contains("Why it was discarded"));
    let answer = site
        .confirm("/console/discard?state=dead", "&reason=x")
        .await;
    assert!(
        answer.title().starts_with("2 callbacks discarded"),
        "{}",
        answer.title()
    );
}

#[tokio::test]
async fn pauses_and_resumes() {
    let site = Site::new().await;
    site.add_many(4).await;
    assert!(site.get("/console/").await.has_link("/console/pause"));
    let question = site.get("/console/pause").await;
    assert!(
        question.body.contains("4 callbacks wait"),
        "{}",
        question.body
    );
    assert!(!site.inbox.stats().await.unwrap().paused);
    let answer = site.confirm("/console/pause", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(site.inbox.stats().await.unwrap().paused);
    let overview = site.get("/console/").await;
    assert!(overview.body.contains("The inbox is paused.") && overview.has_link("/console/resume"));
    site.confirm("/console/resume", "").await;
    assert!(!site.inbox.stats().await.unwrap().paused);
}

#[tokio::test]
async fn exports_everything_that_matches() {
    let site = Site::new().await;
    let keys = site.add_many(250).await;
    site.run_all(
        Next::Retry(std::time::Duration::from_secs(60)),
        Note::new("busy\n\"x\"").with_status(503),
    )
    .await;
    let answer = site.get("/console/export").await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    assert!(
        answer.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    let lines: Vec<serde_json::Value> = answer
        .body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let exported: Vec<_> = lines
        .iter()
        .map(|line| line["delivery_key"].as_str().unwrap().to_owned())
        .collect();
    let newest_first: Vec<_> = keys.iter().rev().map(ToString::to_string).collect();
    assert_eq!(exported, newest_first);
    assert_eq!(lines[0]["callback"]["stream_alias"], "s-249");
    assert_eq!(lines[0]["attempts"][0]["status"], 503);
    assert_eq!(lines[0]["attempts"][0]["note"], "busy\n\"x\"");
    let one = site.get("/console/export?stream=s-7").await;
    assert_eq!(one.body.lines().count(), 1);
    assert_eq!(site.get("/console/export?state=done").await.body, "");
    // A page that is exactly full is followed by an empty one.
    assert_eq!(
        site.get("/console/export?text=s-1")
            .await
            .body
            .lines()
            .count(),
        111
    );
}

#[tokio::test]
async fn read_only_is_the_default() {
    let mut site = Site::signed_out(|builder| builder);
    site.sign_in().await;
    let keys = site.add_many(1).await;
    site.bury_all().await;
    let pages = [
        "/console/".to_owned(),
        "/console/callbacks?state=dead".to_owned(),
        format!("/console/callbacks/{}", keys[0]),
    ];
    for page in pages {
        let answer = site.get(&page).await;
        assert_eq!(answer.status, StatusCode::OK);
        for action in ["redeliver", "discard", "pause", "resume"] {
            assert!(
                !answer.body.contains(&format!("/console/{action}")),
                "{page} {action}"
            );
        }
    }
    for path in [
        "/console/redeliver?state=dead",
        "/console/discard?state=dead",
        "/console/pause",
        "/console/resume",
    ] {
        assert_eq!(site.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    // Not with a form of this session either.
    let token = site.get("/console/logout").await.hidden_fields();
    for path in [
        "/console/redeliver",
        "/console/discard",
        "/console/pause",
        "/console/resume",
    ] {
        let answer = site
            .post(path, &format!("{token}&state=dead&count=1&reason=x"))
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.body.contains("read-only"), "{path}");
    }
    assert_eq!(count(&site, EntryState::Dead).await, 1);
    assert!(!site.inbox.stats().await.unwrap().paused);
}

#[tokio::test]
async fn rejects_what_means_too_much() {
    let site = Site::new().await;
    for path in [
        "/console/redeliver",
        "/console/redeliver?appid=1",
        "/console/redeliver?state=running",
        "/console/redeliver?key=00112233",
        "/console/discard",
        "/console/discard?state=done",
        "/console/discard?state=discarded",
        "/console/discard?state=lost",
        "/console/callbacks?key=0011223",
        "/console/callbacks?before=x",
        "/console/callbacks?from=today",
        "/console/export?until=x",
    ] {
        assert_eq!(
            site.get(path).await.status,
            StatusCode::BAD_REQUEST,
            "{path}"
        );
    }
    let token = site.get("/console/logout").await.hidden_fields();
    for form in [
        "state=dead",
        "state=dead&count=0",
        "state=dead&count=10001",
        "state=dead&count=-1",
        "count=1",
        "state=running&count=1",
    ] {
        let answer = site
            .post("/console/redeliver", &format!("{token}&{form}"))
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{form}");
    }
}

#[tokio::test]
async fn each_action_is_reported() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let mut site = Site::signed_out(|builder| {
        builder.read_only(false).on_action(move |report| {
            let line = format!(
                "{} {:?} [{}] {:?}",
                report.who, report.action, report.filter, report.changed
            );
            log.lock().unwrap().push(line);
            assert!(
                report.action.as_str() != "pause",
                "a hook that panics stops nothing"
            );
        })
    });
    site.sign_in().await;
    site.add_many(2).await;
    site.bury_all().await;
    site.confirm("/console/redeliver?state=dead&stream=s-0", "")
        .await;
    site.confirm("/console/discard?state=dead", "&reason=why")
        .await;
    assert_eq!(
        site.confirm("/console/pause", "").await.status,
        StatusCode::OK
    );
    site.confirm("/console/resume", "").await;
    site.get("/console/export?appid=1").await;
    let lines = seen.lock().unwrap().clone();
    assert_eq!(
        lines,
        [
            "operator Redeliver [state=dead&stream=s-0] Some(1)",
            "operator Discard { reason: \"why\" } [state=dead] Some(1)",
            "operator Pause [] Some(0)",
            "operator Resume [] Some(0)",
            "operator Export [appid=1] Some(0)",
        ]
    );
}

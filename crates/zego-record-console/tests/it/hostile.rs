//! Callbacks whose every field a stranger has written.

use crate::site::Site;
use axum::http::StatusCode;
use zego_record_core::ReplayUrlPolicy;
use zego_record_inbox::{Next, Note};
use zego_record_testkit::CallbackBuilder;

const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</title></bdi></dd><!--",
    "{{ 7 * 7 }} {% include \"layout.html\" %}",
    "a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\u{200d}f",
    "&lt;b&gt; &#60;b&#62; &amp;",
];

/// What must never be in a page as it is.
const FORBIDDEN: [&str; 9] = [
    "<script",
    "<img",
    "onerror=alert(1)>",
    "' onmouseover='",
    "href=\"javascript:",
    "</title></bdi>",
    "<!--",
    "<b>",
    "\" onclick",
];

const INVISIBLE: [char; 7] = [
    '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{200d}', '\u{0}', '\u{1b}',
];

#[tokio::test]
async fn fields_are_text_and_nothing_else() {
    let policy = ReplayUrlPolicy::hosts(["vod.example.com"]).unwrap();
    let mut site = Site::signed_out(|builder| builder.read_only(false).replay_url_policy(policy));
    site.sign_in().await;
    for text in HOSTILE {
        let callback = CallbackBuilder::new()
            .field("stream_alias", text)
            .field("appid", text)
            .field("replay_url", text)
            .field("extra_params", text)
            .field("other", format!("{text}\u{0}\u{1b}[31m"))
            .field(format!("{text}\u{0}"), "x")
            .build();
        let key = site.add(&callback).await;
        site.run_all(Next::Dead, Note::new(format!("{text}\u{0}\u{1b}")))
            .await;
        let query = serde_urlencoded::to_string([
            ("state", "dead"),
            ("stream", text),
            ("appid", text),
            ("text", text),
        ])
        .unwrap();
        for path in [
            format!("/console/callbacks/{key}"),
            "/console/callbacks".to_owned(),
            format!("/console/callbacks?{query}"),
            format!("/console/redeliver?{query}"),
            format!("/console/discard?{query}"),
            format!("/console/redeliver?key={key}"),
        ] {
            let page = site.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            for forbidden in FORBIDDEN {
                assert!(
                    !page.body.contains(forbidden),
                    "{path}: {forbidden}\n{}",
                    page.body
                );
            }
            for character in INVISIBLE {
                // The form's fields give an operator back what the address had.
                let shown: String = page
                    .body
                    .lines()
                    .filter(|line| !line.starts_with("<input"))
                    .collect();
                assert!(!shown.contains(character), "{path}: {character:?}");
            }
        }
        let page = site.get(&format!("/console/callbacks/{key}")).await;
        assert!(
            page.body.contains("<span class=\"code\">U+0000</span>"),
            "{text}"
        );
        assert!(
            page.body.contains("<span class=\"code\">U+001B</span>"),
            "{text}"
        );
        assert!(!page.body.contains("rel=\"noreferrer noopener\""), "{text}");
    }
}

#[tokio::test]
async fn a_reason_is_text_too() {
    let site = Site::new().await;
    let key = site.add_many(1).await[0];
    let reason = "&reason=%3Cscript%3E%E2%80%AE";
    let answer = site
        .confirm(&format!("/console/discard?key={key}"), reason)
        .await;
    assert!(answer.title().starts_with("1 callback discarded"));
    for path in [
        "/console/callbacks".to_owned(),
        format!("/console/callbacks/{key}"),
    ] {
        let page = site.get(&path).await;
        assert!(
            page.body
                .contains("&#60;script&#62;<span class=\"code\">U+202E</span>"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_page_stays_small() {
    let site = Site::new().await;
    let mut callback = CallbackBuilder::new().field("stream_alias", "\u{202e}".repeat(10_000));
    for index in 0..500 {
        callback = callback.field(format!("field-{index}"), "\u{202e}<".repeat(20));
    }
    let key = site.add(&callback.build()).await;
    let page = site.get(&format!("/console/callbacks/{key}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("There are 400 more fields"),
        "{}",
        page.body
    );
    assert!(page.body.contains("more bytes</span>"));
    assert!(page.body.len() < 500_000, "{}", page.body.len());
    let list = site.get("/console/callbacks").await;
    assert!(list.body.len() < 20_000, "{}", list.body.len());
}

#[test]
fn no_template_escapes_nothing() {
    let templates = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).unwrap();
    let mut number = 0;
    for template in templates {
        let path = template.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("safe"), "{}", path.display());
        assert!(!text.contains("escape"), "{}", path.display());
        number += 1;
    }
    assert!(number >= 10);
}

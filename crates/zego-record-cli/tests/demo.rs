//! `demo`, as a process.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Said, run, zego_record};

#[test]
fn the_demo_shows_that_everything_is_as_documented() {
    let said = run(&["demo", "--speed", "1000", "--json"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let report = said.json();
    assert_eq!(report["fine"], true, "{report}");
    let scenes = report["scenes"].as_array().unwrap();
    assert_eq!(scenes.len(), 35);
    for scene in scenes {
        assert_eq!(scene["fine"], true, "{scene}");
    }
    let answers = |name: &str| {
        let scene = scenes.iter().find(|scene| scene["name"] == name).unwrap();
        let answers = scene["answers"].as_array().unwrap().iter();
        answers
            .map(|answer| answer["status"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(answers("a handler that fails twice"), [500, 500, 200]);
    assert_eq!(answers("its signature, other content"), [422]);

    let inbox = &report["inbox"];
    assert_eq!(
        (&inbox["accepted"], &inbox["arrived"]),
        (&5.into(), &5.into())
    );
    let scenes = inbox["scenes"].as_array().unwrap();
    let fates: Vec<_> = scenes
        .iter()
        .map(|scene| {
            let status = scene["answer"]["status"].as_u64();
            let runs = scene["runs"].as_u64().unwrap();
            assert_eq!(scene["fine"], true, "{scene}");
            (status, runs, scene["state"].as_str())
        })
        .collect();
    let expected = [
        (Some(200), 5, Some("done")),
        (Some(200), 4, Some("done")),
        (Some(200), 0, None),
        (Some(200), 2, Some("done")),
        (Some(200), 2, Some("done")),
        (Some(200), 12, Some("dead")),
        (None, 1, Some("done")),
    ];
    assert_eq!(fates, expected, "{inbox}");
}

#[test]
fn the_demo_needs_no_secret_and_prints_a_table() {
    let said: Said = zego_record(&["demo", "--speed", "1000"])
        .env_remove("ZEGO_CALLBACK_SECRET")
        .output()
        .unwrap()
        .into();
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    assert!(
        said.out.contains("ok   a handler that fails twice"),
        "{}",
        said.out
    );
    assert!(said.out.ends_with("0 not as documented\n"), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'), "colours only on a terminal");
    let longest = said.out.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(80), "{}", said.out);
    // In columns, so that answers can be compared.
    let column = |name: &str, cell: &str| {
        let line = said.out.lines().find(|line| line.contains(name));
        line.and_then(|line| line.find(cell)).unwrap()
    };
    assert_eq!(
        column("Aliyun as a form", "200 1"),
        column("no signature", "401 unsigned")
    );
    assert_eq!(
        column("the app is down", "done at run 5"),
        column("the app has a bug", "dead at run 12")
    );
    let promise = "every wire form is accepted";
    assert_eq!(said.out.matches(promise).count(), 1, "{}", said.out);

    let said = run(&["demo", "--speed", "0"]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    assert!(
        said.err.contains("--speed must be positive"),
        "{}",
        said.err
    );
}

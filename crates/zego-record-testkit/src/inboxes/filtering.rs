//! Filters.

use std::time::Duration;

use zego_record_inbox::{EntryState, Filter, InboxStore, Next};
use zego_record_receiver::NewCallback;

use super::suite::{LONG, Suite, filter};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn filtered_by_state(&self) {
        self.clear().await;
        self.settled("waiting", Next::Retry(LONG)).await;
        self.settled("done", Next::Done).await;
        self.settled("dead", Next::Dead).await;
        self.settled("discarded", Next::Discarded).await;
        self.running("running").await;
        for state in EntryState::ALL {
            let filter = Filter::in_state(*state);
            self.expect_list("a filter by state", &filter, &[state.as_str()])
                .await;
        }
        let rule = "what matches a filter matches all of it";
        let both = filter(|filter| {
            filter.state = Some(EntryState::Dead);
            filter.stream_alias = Some("dead".to_owned());
        });
        self.expect_list(rule, &both, &["dead"]).await;
        let neither = filter(|filter| {
            filter.state = Some(EntryState::Dead);
            filter.stream_alias = Some("done".to_owned());
        });
        self.expect_list(rule, &neither, &[]).await;
    }

    pub(super) async fn filtered_by_fields(&self) {
        self.clear().await;
        for (appid, stream) in [
            ("1", "lesson"),
            ("2", "lesson"),
            ("12", "Lesson"),
            ("1%", "l_sson"),
        ] {
            let mut callback = self.callback(&format!("{appid} {stream}"));
            callback.appid = appid.to_owned();
            callback.stream_alias = stream.to_owned();
            self.accept(&callback).await;
        }
        let rule = "a filter by AppID is exact";
        for (appid, expected) in [
            ("1", &["lesson"][..]),
            ("12", &["Lesson"]),
            ("1%", &["l_sson"]),
            ("%", &[]),
            ("", &[]),
        ] {
            let filter = filter(|filter| filter.appid = Some(appid.to_owned()));
            self.expect_list(rule, &filter, expected).await;
        }
        let rule = "a filter by stream is exact";
        for (stream, expected) in [
            ("lesson", &["lesson", "lesson"][..]),
            ("Lesson", &["Lesson"]),
            ("l_sson", &["l_sson"]),
            ("less", &[]),
            ("", &[]),
        ] {
            let filter = filter(|filter| filter.stream_alias = Some(stream.to_owned()));
            self.expect_list(rule, &filter, expected).await;
        }
    }

    pub(super) async fn filtered_by_text(&self) {
        self.clear().await;
        let failed = self.settled("first", Next::Dead).await;
        let url = self.details(&failed.callback.key).await.entry.event_id;
        for stream in ["MATHS-8", "50%_off", r"back\slash", "\u{c4}rger 'n' \"so\""] {
            self.settled(stream, Next::Done).await;
        }
        let rule = "a filter by text finds a part of the stream, the event id or the last error";
        for (text, expected) in [
            ("ATHS-", &["MATHS-8"][..]),
            ("NOTED", &["first"]),
            (url.as_str(), &["first"]),
            ("not there", &[]),
        ] {
            self.expect_list(rule, &with_text(text), expected).await;
        }
        let rule = "upper and lower case of ASCII letters are the same in a filter by text";
        for (text, stream) in [
            ("maths-8", "MATHS-8"),
            ("FIRST", "first"),
            ("\u{c4}RGER", "\u{c4}rger 'n' \"so\""),
        ] {
            self.expect_list(rule, &with_text(text), &[stream]).await;
        }
        let rule = "every character in a filter by text stands for itself";
        for (text, expected) in [
            ("0%_o", &["50%_off"][..]),
            ("%_", &["50%_off"]),
            (r"k\s", &[r"back\slash"]),
            ("'n' \"", &["\u{c4}rger 'n' \"so\""]),
            ("M_THS", &[]),
            ("M%8", &[]),
            ("%'", &[]),
        ] {
            self.expect_list(rule, &with_text(text), expected).await;
        }
        let rule = "an empty text is a part of every other one";
        let count = self.count(&with_text("")).await;
        assert_eq!(count, 5, "{rule}");
    }

    pub(super) async fn filtered_by_key(&self) {
        self.clear().await;
        let mut callbacks: Vec<NewCallback> = Vec::new();
        for number in 0..3 {
            callbacks.push(self.waiting(&format!("key {number}")).await);
        }
        for callback in &callbacks {
            let rule = "a filter by key matches the first bytes";
            for length in [0, 1, 4, 31, 32] {
                let prefix = callback.key.as_bytes()[..length].to_vec();
                let starts = |other: &&NewCallback| other.key.as_bytes().starts_with(&prefix);
                let expected = callbacks.iter().filter(starts).count() as u64;
                let filter = filter(|filter| filter.key_prefix = Some(prefix.clone()));
                assert_eq!(
                    self.count(&filter).await,
                    expected,
                    "{rule} ({length} bytes)"
                );
                assert_eq!(self.list(&filter).await.len() as u64, expected, "{rule}");
            }
            let name = callback.stream_alias.as_str();
            self.expect_list(rule, &Filter::key(&callback.key), &[name])
                .await;
            let mut longer = callback.key.as_bytes().to_vec();
            longer.push(0);
            let longer = filter(|filter| filter.key_prefix = Some(longer));
            self.expect_list(rule, &longer, &[]).await;
            let inner = callback.key.as_bytes()[1..5].to_vec();
            let inner = filter(|filter| filter.key_prefix = Some(inner));
            self.expect_list(rule, &inner, &[]).await;
        }
        // The greatest byte has no successor, for a store that looks for a range.
        for prefix in [vec![0xff], vec![0xff; 32], vec![0; 32]] {
            let starts = |other: &&NewCallback| other.key.as_bytes().starts_with(&prefix);
            let expected = callbacks.iter().filter(starts).count() as u64;
            let filter = filter(|filter| filter.key_prefix = Some(prefix.clone()));
            let found = self.count(&filter).await;
            assert_eq!(
                found, expected,
                "a filter by key matches the first bytes ({prefix:02x?})"
            );
        }
    }

    pub(super) async fn filtered_by_time(&self) {
        self.clear().await;
        let names = ["early", "middle", "late"];
        let mut received = Vec::new();
        for name in names {
            let callback = self.waiting(name).await;
            received.push(self.details(&callback.key).await.entry.received_at);
            // A clock may show whole seconds.
            self.pass(Duration::from_millis(1_100)).await;
        }
        let rule = "a filter by time is from its first moment on, and before its last one";
        for (from, before, expected) in [
            (Some(received[1]), None, &["late", "middle"][..]),
            (None, Some(received[1]), &["early"]),
            (Some(received[0]), Some(received[2]), &["middle", "early"]),
            (Some(received[1]), Some(received[1]), &[]),
            (
                Some(std::time::UNIX_EPOCH),
                None,
                &["late", "middle", "early"],
            ),
            (None, Some(std::time::UNIX_EPOCH), &[]),
        ] {
            let filter = filter(|filter| {
                filter.received_from = from;
                filter.received_before = before;
            });
            self.expect_list(rule, &filter, expected).await;
        }
    }

    /// The list, of which the streams are given, and the count.
    pub(super) async fn expect_list(&self, rule: &str, filter: &Filter, expected: &[&str]) {
        let entries = self.list(filter).await;
        let found: Vec<_> = entries
            .iter()
            .map(|entry| entry.stream_alias.as_str())
            .collect();
        assert_eq!(found, expected, "{rule} ({filter:?})");
        let count = self.count(filter).await;
        assert_eq!(
            count,
            expected.len() as u64,
            "a count is that of what matches ({filter:?})"
        );
    }
}

fn with_text(text: &str) -> Filter {
    filter(|filter| filter.text = Some(text.to_owned()))
}

//! What a sender or a handler may write.

use std::time::Duration;

use zego_record_inbox::{EntryState, Filter, InboxStore};
use zego_record_receiver::{Accepted, NewCallback};

use super::suite::{LONG, Suite, filter};

/// About as long as a body may be.
const LENGTH: usize = 60_000;

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn hostile_bytes(&self) {
        self.clear().await;
        let rule = "every byte is kept as it came";
        let mut callback = self.callback("'; DROP TABLE work; -- \u{1f3a5} \u{202e}%s $1 ?1");
        // It can come from a vendor's parameters, where JSON has an escape for it.
        callback.event_id = format!("{}:file:a\0b\0", callback.appid);
        callback.stored = (0..=u8::MAX).chain([0, 0]).collect();
        assert_eq!(self.accept(&callback).await, Accepted::New, "{rule}");
        assert_eq!(self.accept(&callback).await, Accepted::Known, "{rule}");
        self.expect_as_it_came(rule, &callback).await;

        let rule = "two event ids that differ after U+0000 are two";
        let mut other = self.callback("other");
        other.event_id = format!("{}:file:a\0c", callback.appid);
        assert_eq!(self.accept(&other).await, Accepted::New, "{rule}");
        let changed = self.claim(10, LONG).await;
        assert!(changed.iter().all(|claimed| !claimed.changed), "{rule}");

        let rule = "a note may have any character; U+0000 may be replaced";
        let note = "a\0b \u{1f4a5} '\\%_\u{202e}\r\n\t\u{7f}";
        let kept = self.noted(rule, note.to_owned()).await;
        assert_eq!(
            kept.replace('\0', "\u{fffd}"),
            note.replace('\0', "\u{fffd}"),
            "{rule}"
        );
        let rule = "a reason may have any character; U+0000 may be replaced";
        let key = self.waiting("discarded").await.key;
        let discarded = self.next().discard(&Filter::key(&key), note, 1).await;
        assert_eq!(crate::stores::succeeded("discard", discarded), 1, "{rule}");
        let entry = self.expect(rule, &key, EntryState::Discarded).await;
        let kept = entry.last_error.unwrap_or_default();
        assert_eq!(
            kept.replace('\0', "\u{fffd}"),
            note.replace('\0', "\u{fffd}"),
            "{rule}"
        );
        let rule = "a filter may have any character";
        for text in ["\0", "a\0", "\u{1f4a5}", "'", "\\", "\u{202e}"] {
            let filter = filter(|filter| {
                filter.appid = Some(text.to_owned());
                filter.stream_alias = Some(text.to_owned());
                filter.text = Some(text.to_owned());
            });
            assert_eq!(self.count(&filter).await, 0, "{rule} ({text:?})");
            assert_eq!(self.list(&filter).await, [], "{rule} ({text:?})");
        }
    }

    /// Random, so that nothing makes them shorter: an index may have a bound.
    pub(super) async fn long_fields(&self) {
        self.clear().await;
        let rule = "fields may be as long as a body";
        let mut callback = self.callback("long");
        callback.appid = random_text();
        callback.stream_alias = random_text();
        callback.event_id = random_text();
        callback.stored = (0..4 * LENGTH).map(|_| fastrand::u8(..)).collect();
        assert_eq!(self.accept(&callback).await, Accepted::New, "{rule}");
        self.expect_as_it_came(rule, &callback).await;
        let exactly = filter(|filter| {
            filter.appid = Some(callback.appid.clone());
            filter.stream_alias = Some(callback.stream_alias.clone());
            filter.text = Some(callback.event_id[LENGTH / 2..].to_owned());
        });
        assert_eq!(self.count(&exactly).await, 1, "{rule}, and can be found");
        let claimed = self.claim_one(rule, &callback.key, LONG).await;
        assert_eq!(claimed.callback.bytes, callback.stored, "{rule}");
    }

    async fn expect_as_it_came(&self, rule: &str, callback: &NewCallback) {
        let details = self.details(&callback.key).await;
        assert!(
            details.callback.bytes == callback.stored,
            "{rule} (the callback)"
        );
        let entry = details.entry;
        assert_eq!(entry.event_id, callback.event_id, "{rule} (the event id)");
        assert_eq!(entry.appid, callback.appid, "{rule} (the AppID)");
        assert_eq!(
            entry.stream_alias, callback.stream_alias,
            "{rule} (the stream)"
        );
    }
}

fn random_text() -> String {
    (0..LENGTH).map(|_| fastrand::alphanumeric()).collect()
}

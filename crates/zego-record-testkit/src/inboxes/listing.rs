//! Looking: one callback, lists, counts.

use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_inbox::{Entry, EntryState, Filter, InboxStore, Next, Stats};
use zego_record_receiver::Settled;

use super::suite::{ALL, LONG, Suite, filter};
use crate::stores::succeeded;

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn unknown_is_not_found(&self) {
        self.clear().await;
        self.waiting("known").await;
        let mut key = [0; 32];
        fastrand::Rng::new().fill(&mut key);
        let key = DeliveryKey::from_bytes(key);
        let rule = "what is not known is not found";
        assert_eq!(self.get(&key).await, None, "{rule}");
        assert!(!self.erase(&key).await, "{rule}");
        let filter = Filter::key(&key);
        assert_eq!(self.list(&filter).await, [], "{rule}");
        let changed = [
            self.redeliver(&filter, 1).await,
            self.discard(&filter, 1).await,
        ];
        assert_eq!(changed, [0, 0], "{rule}");
    }

    pub(super) async fn listed_newest_first(&self) {
        self.clear().await;
        let rule = "a list begins with the newest";
        let mut expected = Vec::new();
        for number in 0..7 {
            expected.push(self.waiting(&format!("listed {number}")).await.key);
        }
        expected.reverse();
        let all = self.list(&Filter::all()).await;
        assert_eq!(keys(&all), expected, "{rule}");
        let rule = "a list is continued after the last entry of the page before";
        let pages = self.pages(&Filter::all(), 3).await;
        let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 3, 1], "{rule} (pages of 3 of seven)");
        assert_eq!(pages.concat(), all, "{rule}");
        let rule = "what comes meanwhile does not disturb a list";
        let first = self.page(&Filter::all(), None, 3).await;
        self.waiting("comes meanwhile").await;
        self.erase(&all[3].key).await;
        let before = first.last().map(|entry| entry.id);
        let second = self.page(&Filter::all(), before, 3).await;
        assert_eq!(second, all[4..7], "{rule}");
        let rule = "a page may be of any size, and may begin anywhere";
        for (before, limit, expected) in [
            (None, 0, 0),
            (None, u32::MAX, 7),
            (Some(i64::MAX), ALL, 7),
            (Some(i64::MIN), ALL, 0),
        ] {
            let found = self.page(&Filter::all(), before, limit).await.len();
            assert_eq!(found, expected, "{rule} ({limit} before {before:?})");
        }
        let rule = "a list with a filter is continued as well";
        let odd = self.filtered_pages().await;
        assert_eq!(odd, [2, 2, 1], "{rule}");
    }

    pub(super) async fn counted(&self) {
        self.clear().await;
        let rule = "counts are those of each state";
        assert_eq!(
            self.stats().await,
            Stats::default(),
            "{rule} (an empty inbox)"
        );
        let numbers = [
            (EntryState::Running, None, 1),
            (EntryState::Done, Some(Next::Done), 2),
            (EntryState::Dead, Some(Next::Dead), 3),
            (EntryState::Discarded, Some(Next::Discarded), 4),
            (EntryState::Waiting, Some(Next::Retry(LONG)), 5),
        ];
        for (state, next, number) in numbers {
            for copy in 0..number {
                let claimed = self.running(&format!("counted {state} {copy}")).await;
                if let Some(next) = next {
                    self.settle(rule, &claimed.hold, next, Settled::Applied)
                        .await;
                }
            }
        }
        let stats = self.stats().await;
        for (state, _, number) in numbers {
            assert_eq!(stats.of(state), number, "{rule} ({state})");
            let count = self.count(&Filter::in_state(state)).await;
            assert_eq!(count, number, "a count is that of what matches ({state})");
        }
        assert_eq!(
            self.count(&Filter::all()).await,
            15,
            "a count is that of what matches"
        );
        let one = filter(|filter| filter.stream_alias = Some("counted dead 1".to_owned()));
        assert_eq!(self.count(&one).await, 1, "a count is that of what matches");
    }

    pub(super) async fn oldest_is_open(&self) {
        self.clear().await;
        let rule = "the oldest is the oldest that waits or runs";
        let time = Duration::from_secs(3);
        let oldest = self.running("oldest").await;
        self.pass(time).await;
        let newest = self.waiting("newest").await;
        let age = self.stats().await.oldest;
        // A clock may show whole seconds.
        let least = Some(time.saturating_sub(Duration::from_secs(1)));
        assert!(age >= least, "{rule}, {time:?} ago, but: {age:?}");
        self.settle(
            rule,
            &oldest.hold,
            Next::Retry(Duration::ZERO),
            Settled::Applied,
        )
        .await;
        let age = self.stats().await.oldest;
        assert!(
            age >= least,
            "{rule}, also if it was tried meanwhile, but: {age:?}"
        );
        for next in [Next::Dead, Next::Done] {
            for claimed in self.claim(ALL, LONG).await {
                self.settle(rule, &claimed.hold, next, Settled::Applied)
                    .await;
            }
            assert_eq!(
                self.stats().await.oldest,
                None,
                "{rule}, but all are {next:?}"
            );
            self.redeliver(&Filter::key(&newest.key), 1).await;
            let age = self.stats().await.oldest;
            assert!(age.is_some(), "{rule}, and redelivered ones wait");
        }
    }

    pub(super) async fn count(&self, filter: &Filter) -> u64 {
        succeeded("count", self.next().count(filter).await)
    }

    async fn stats(&self) -> Stats {
        succeeded("stats", self.next().stats().await)
    }

    async fn page(&self, filter: &Filter, before: Option<i64>, limit: u32) -> Vec<Entry> {
        succeeded("list", self.next().list(filter, before, limit).await)
    }

    /// All pages that are not empty.
    async fn pages(&self, filter: &Filter, limit: u32) -> Vec<Vec<Entry>> {
        let mut pages: Vec<Vec<Entry>> = Vec::new();
        // As many as there can be, if each had one entry.
        for _ in 0..ALL {
            let before = pages.last().and_then(|page| page.last());
            let page = self.page(filter, before.map(|entry| entry.id), limit).await;
            if page.is_empty() {
                break;
            }
            pages.push(page);
        }
        pages
    }

    /// How long the pages are in which five of ten are listed.
    async fn filtered_pages(&self) -> Vec<usize> {
        self.clear().await;
        for number in 0..5 {
            self.settled(&format!("listed as dead {number}"), Next::Dead)
                .await;
            self.settled(&format!("not listed {number}"), Next::Done)
                .await;
        }
        let pages = self.pages(&Filter::in_state(EntryState::Dead), 2).await;
        let listed = pages.concat();
        assert!(
            listed.iter().all(|entry| entry.state == EntryState::Dead),
            "a list has what matches and nothing else"
        );
        pages.iter().map(Vec::len).collect()
    }
}

fn keys(entries: &[Entry]) -> Vec<DeliveryKey> {
    entries.iter().map(|entry| entry.key).collect()
}

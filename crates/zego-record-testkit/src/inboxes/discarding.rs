//! Discarding by an operator, and pausing.

use std::time::Duration;

use zego_record_inbox::{ClaimDue, EntryState, Filter, InboxStore, Next};
use zego_record_receiver::{Accepted, Settled};

use super::suite::{LONG, Suite, owner};
use crate::stores::{RACERS, RACES, race, succeeded};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn discarded_by_an_operator(&self) {
        self.clear().await;
        let rule = "an operator can discard what waits and what is dead";
        let waiting = self.settled("waiting", Next::Retry(LONG)).await;
        let dead = self.settled("dead", Next::Dead).await;
        for claimed in [&waiting, &dead] {
            let key = claimed.callback.key;
            assert_eq!(self.discard(&Filter::key(&key), 10).await, 1, "{rule}");
            let entry = self.expect(rule, &key, EntryState::Discarded).await;
            let reason = "the last error is the reason for which it was discarded";
            assert_eq!(entry.last_error.as_deref(), Some("not wanted"), "{reason}");
            self.settle(rule, &claimed.hold, Next::Done, Settled::Stale)
                .await;
            let history = self.details(&key).await.attempts.len();
            assert_eq!(history, 1, "discarding keeps the history");
        }
        let due = self.waiting("due").await;
        assert_eq!(self.discard(&Filter::key(&due.key), 10).await, 1, "{rule}");
        self.nothing_is_due("what is discarded is not run").await;

        let rule = "discarding leaves alone what runs, is done or is discarded";
        let running = self.running("running").await;
        let done = self.settled("done", Next::Done).await;
        let key = Filter::key;
        for left in [&running.callback.key, &done.callback.key, &due.key] {
            let before = self.details(left).await;
            assert_eq!(self.discard(&key(left), 10).await, 0, "{rule}");
            assert_eq!(self.details(left).await, before, "{rule}");
        }
        self.settle(rule, &running.hold, Next::Done, Settled::Applied)
            .await;
        let rule = "discarding leaves alone what does not match";
        let other = self.waiting("other").await;
        assert_eq!(
            self.discard(&Filter::in_state(EntryState::Dead), 10).await,
            0,
            "{rule}"
        );
        self.expect(rule, &other.key, EntryState::Waiting).await;
    }

    pub(super) async fn discards_to_its_limit(&self) {
        self.clear().await;
        let rule = "discarding honours its limit and returns how many it discarded";
        for number in 0..5 {
            self.waiting(&format!("unwanted {number}")).await;
        }
        let waiting = Filter::in_state(EntryState::Waiting);
        let mut pages = Vec::new();
        for _ in 0..4 {
            pages.push(self.discard(&waiting, 2).await);
        }
        assert_eq!(pages, [2, 2, 1, 0], "{rule} (limits of 2 for five)");

        self.clear().await;
        let rule = "what is left alone does not use up the limit";
        self.settled("done", Next::Done).await;
        self.between_two_that_run().await;
        let discarded = self.discard(&Filter::all(), 2).await;
        assert_eq!(discarded, 2, "{rule} (of discarding)");
    }

    /// Half of the racers would run it, the others would discard it.
    pub(super) async fn discard_and_claim_race(&self) {
        self.clear().await;
        for round in 0..RACES {
            let callback = self.waiting(&format!("wanted or not {round}")).await;
            let key = callback.key;
            let won = race((0..RACERS).map(|racer| {
                let inbox = self.next();
                async move {
                    if racer % 2 == 1 {
                        let discarded = inbox.discard(&Filter::key(&key), "not wanted", 1).await;
                        return succeeded("discard", discarded);
                    }
                    let claim = ClaimDue::new(owner(), LONG, 1);
                    let claimed = succeeded("claim_due", inbox.claim_due(&claim).await);
                    claimed.len() as u64
                }
            }))
            .await;
            let winners: u64 = won.iter().sum();
            assert_eq!(
                winners, 1,
                "what waits is either run or discarded, and once, but: {won:?}"
            );
        }
    }

    pub(super) async fn paused(&self) {
        self.clear().await;
        let rule = "nothing is claimed while the inbox is paused, by any worker";
        let running = self.running("before the pause").await;
        let waiting = self.waiting("waits for the end of the pause").await;
        self.set_paused(true).await;
        self.set_paused(true).await;
        for _ in 0..4 {
            self.nothing_is_due(rule).await;
            let stats = succeeded("stats", self.next().stats().await);
            assert!(stats.paused, "the counts of a paused inbox say so");
        }
        let rule = "a paused inbox accepts";
        let accepted = self.callback("accepted in the pause");
        assert_eq!(self.accept(&accepted).await, Accepted::New, "{rule}");
        let rule = "what runs goes on when the inbox is paused";
        self.extend(rule, &running.hold, LONG, Settled::Applied)
            .await;
        self.settle(rule, &running.hold, Next::Done, Settled::Applied)
            .await;
        let rule = "redelivery works in a pause, and waits for its end";
        let key = Filter::key(&running.callback.key);
        assert_eq!(self.redeliver(&key, 1).await, 1, "{rule}");
        self.nothing_is_due(rule).await;
        self.set_paused(false).await;
        let stats = succeeded("stats", self.next().stats().await);
        assert!(!stats.paused, "the counts of an inbox that goes on say so");
        let rule = "what has become due in a pause is claimed after it";
        let mut claimed: Vec<_> = self.claim(10, LONG).await;
        claimed.sort_by_key(|claimed| claimed.callback.key);
        let claimed: Vec<_> = claimed.iter().map(|claimed| claimed.callback.key).collect();
        let mut expected = [waiting.key, accepted.key, running.callback.key];
        expected.sort();
        assert_eq!(claimed, expected, "{rule}");
    }
}

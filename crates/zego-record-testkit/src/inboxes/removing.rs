//! Pruning and erasing.

use std::time::Duration;

use zego_record_inbox::{EntryState, Filter, InboxStore, Next};
use zego_record_receiver::{Accepted, Settled};

use super::suite::{LONG, SHORT, Suite};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn pruned_by_age(&self) {
        self.clear().await;
        let mut old = Vec::new();
        for number in 0..4 {
            old.push(self.settled(&format!("old {number}"), Next::Done).await);
        }
        old.push(self.settled("old and discarded", Next::Discarded).await);
        self.waiting("discarded by an operator").await;
        self.discard(&Filter::in_state(EntryState::Waiting), 1)
            .await;
        let running = self.running("accepted long ago").await;
        let rule = "nothing is pruned before its time";
        assert_eq!(self.prune(LONG, 10).await, 0, "{rule}");
        self.pass(SHORT * 2).await;
        let rule = "age counts from the end, not from the arrival";
        self.settle(rule, &running.hold, Next::Done, Settled::Applied)
            .await;
        let rule = "pruning honours its limit and returns how many it pruned";
        let mut pages = Vec::new();
        for _ in 0..5 {
            pages.push(self.prune(SHORT, 2).await);
        }
        assert_eq!(pages, [2, 2, 2, 0, 0], "{rule} (limits of 2 for six)");
        let rule = "what is done is kept for as long as asked";
        self.expect(rule, &running.callback.key, EntryState::Done)
            .await;
        let rule = "what is pruned is gone";
        assert_eq!(self.list(&Filter::all()).await.len(), 1, "{rule}");
        for pruned in &old {
            assert_eq!(self.get(&pruned.callback.key).await, None, "{rule}");
            self.settle(rule, &pruned.hold, Next::Done, Settled::Stale)
                .await;
        }
        let rule = "what is done can be pruned at once";
        assert_eq!(self.prune(Duration::ZERO, 10).await, 1, "{rule}");
    }

    pub(super) async fn dead_letters_are_not_pruned(&self) {
        self.clear().await;
        let dead = self.settled("dead", Next::Dead).await;
        let retried = self.settled("waits for its retry", Next::Retry(LONG)).await;
        let running = self.running("runs").await;
        let waiting = self.waiting("waits").await;
        self.pass(SHORT * 2).await;
        for rule in [
            "dead letters are never pruned",
            "what waits or runs is never pruned",
        ] {
            for keep in [Duration::ZERO, SHORT] {
                assert_eq!(self.prune(keep, 10).await, 0, "{rule}");
            }
        }
        let rule = "dead letters are never pruned";
        self.expect(rule, &dead.callback.key, EntryState::Dead)
            .await;
        let rule = "what waits or runs is never pruned";
        self.expect(rule, &retried.callback.key, EntryState::Waiting)
            .await;
        self.expect(rule, &running.callback.key, EntryState::Running)
            .await;
        self.expect(rule, &waiting.key, EntryState::Waiting).await;
        let rule = "a dead letter that is discarded is pruned by age, as any other";
        self.discard(&Filter::key(&dead.callback.key), 1).await;
        assert_eq!(self.prune(SHORT, 10).await, 0, "{rule}");
        self.pass(SHORT * 2).await;
        assert_eq!(self.prune(SHORT, 10).await, 1, "{rule}");
    }

    pub(super) async fn erased_is_gone(&self) {
        for next in [
            Some(Next::Done),
            Some(Next::Dead),
            Some(Next::Retry(LONG)),
            None,
        ] {
            let rule = "what is erased is gone, whatever its state was";
            let callback = self.waiting(&format!("erased after {next:?}")).await;
            let claimed = self.claim_one(rule, &callback.key, LONG).await;
            if let Some(next) = next {
                self.settle(rule, &claimed.hold, next, Settled::Applied)
                    .await;
            }
            let other = self.waiting("stays").await;
            assert!(self.erase(&callback.key).await, "{rule}");
            assert_eq!(self.get(&callback.key).await, None, "{rule}");
            let left = self.list(&Filter::all()).await;
            let left: Vec<_> = left.iter().map(|entry| entry.key).collect();
            assert_eq!(
                left,
                [other.key],
                "what is erased is gone, and nothing else"
            );
            assert!(self.erase(&other.key).await, "{rule}");
            assert!(
                !self.erase(&callback.key).await,
                "what is gone cannot be erased"
            );
            let rule = "what comes again after it was erased is new, without a history";
            assert_eq!(self.accept(&callback).await, Accepted::New, "{rule}");
            let again = self.claim_one(rule, &callback.key, LONG).await;
            let history = self.details(&callback.key).await.attempts.len();
            assert_eq!(
                (again.hold.epoch, again.attempt, history),
                (1, 1, 1),
                "{rule}"
            );
            assert!(self.erase(&callback.key).await, "what runs can be erased");
        }
    }

    /// The number of what was erased must not be given to another callback, or a late success of the one
    /// would be taken for that of the other.
    pub(super) async fn erased_is_not_settled(&self) {
        let erased = self.running("erased").await;
        self.erase(&erased.callback.key).await;
        let rule = "a run of what was erased changes nothing";
        self.extend(rule, &erased.hold, LONG, Settled::Stale).await;
        for next in [Next::Done, Next::Dead, Next::Retry(Duration::ZERO)] {
            self.settle(rule, &erased.hold, next, Settled::Stale).await;
        }
        assert_eq!(self.list(&Filter::all()).await, [], "{rule}");
        let rule = "no number is given twice";
        let next = self.waiting("comes after it").await;
        self.settle(rule, &erased.hold, Next::Done, Settled::Stale)
            .await;
        let entry = self.expect(rule, &next.key, EntryState::Waiting).await;
        assert!(entry.id > erased.hold.id, "{rule}, but: {} again", entry.id);
        let again = self.claim_one(rule, &next.key, LONG).await;
        self.settle(rule, &again.hold, Next::Done, Settled::Applied)
            .await;
        assert_eq!(
            self.prune(Duration::ZERO, 10).await,
            1,
            "what is done can be pruned at once"
        );
        let after = self.waiting("comes after what was pruned").await;
        self.settle(rule, &again.hold, Next::Done, Settled::Stale)
            .await;
        self.expect(rule, &after.key, EntryState::Waiting).await;
    }
}

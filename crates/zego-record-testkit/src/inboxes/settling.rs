//! How runs end.

use std::time::Duration;

use zego_record_inbox::{Claimed, Entry, EntryState, InboxStore, Next};
use zego_record_receiver::Settled;

use super::suite::{LONG, SHORT, Suite, assert_about};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn done(&self) {
        let rule = "what is done stays done";
        let claimed = self.over(rule, Next::Done, EntryState::Done).await;
        for next in [Next::Done, Next::Dead, Next::Discarded] {
            self.settle(rule, &claimed.hold, next, Settled::Stale).await;
        }
        let entry = self.stays(rule, &claimed, EntryState::Done).await;
        let rule = "the note of a success is no error";
        assert_ne!(entry.last_error.as_deref(), Some("noted"), "{rule}");
    }

    pub(super) async fn discarded_by_its_handler(&self) {
        let rule = "what is discarded stays discarded";
        let claimed = self
            .over(rule, Next::Discarded, EntryState::Discarded)
            .await;
        for next in [Next::Done, Next::Dead, Next::Discarded] {
            self.settle(rule, &claimed.hold, next, Settled::Stale).await;
        }
        let entry = self.stays(rule, &claimed, EntryState::Discarded).await;
        let rule = "the last error says why it was discarded";
        assert_eq!(entry.last_error.as_deref(), Some("noted"), "{rule}");
    }

    pub(super) async fn dead(&self) {
        let rule = "a dead letter stays one until it is redelivered or done";
        let claimed = self.over(rule, Next::Dead, EntryState::Dead).await;
        for next in [Next::Dead, Next::Discarded] {
            self.settle(rule, &claimed.hold, next, Settled::Stale).await;
        }
        let entry = self.stays(rule, &claimed, EntryState::Dead).await;
        let rule = "the last error says why it is dead";
        assert_eq!(entry.last_error.as_deref(), Some("noted"), "{rule}");
    }

    pub(super) async fn retried(&self) {
        self.clear().await;
        let next = Next::Retry(SHORT);
        let rule = "a retry is due after its delay";
        let entry = self.delayed(rule, next).await;
        let rule = "the last error says why the last attempt failed";
        assert_eq!(entry.last_error.as_deref(), Some("noted"), "{rule}");
        let second = self
            .claim_one("a retry is due after its delay", &entry.key, LONG)
            .await;
        let rule = "a retry is the next attempt";
        assert_eq!((second.hold.epoch, second.attempt), (2, 2), "{rule}");
        let rule = "a retry without a delay is due at once";
        let at_once = Next::Retry(Duration::ZERO);
        self.settle(rule, &second.hold, at_once, Settled::Applied)
            .await;
        let third = self.claim_one(rule, &entry.key, LONG).await;
        assert_eq!(
            (third.hold.epoch, third.attempt),
            (3, 3),
            "a retry is the next attempt"
        );
        let rule = "the due time of what waits is its next attempt";
        self.settle(rule, &third.hold, Next::Retry(LONG), Settled::Applied)
            .await;
        let entry = self.expect(rule, &entry.key, EntryState::Waiting).await;
        assert_about(rule, entry.received_at, entry.due_at, LONG);
    }

    pub(super) async fn released(&self) {
        self.clear().await;
        let rule = "what is released is due after its delay";
        let entry = self.delayed(rule, Next::Release(SHORT)).await;
        let second = self.claim_one(rule, &entry.key, LONG).await;
        let rule = "what is released does not count as an attempt, but as a run";
        assert_eq!((second.hold.epoch, second.attempt), (2, 1), "{rule}");
        let at_once = Next::Release(Duration::ZERO);
        self.settle(rule, &second.hold, at_once, Settled::Applied)
            .await;
        let third = self.claim_one(rule, &entry.key, LONG).await;
        assert_eq!((third.hold.epoch, third.attempt), (3, 1), "{rule}");
        self.settle(
            rule,
            &third.hold,
            Next::Retry(Duration::ZERO),
            Settled::Applied,
        )
        .await;
        let fourth = self.claim_one(rule, &entry.key, LONG).await;
        assert_eq!((fourth.hold.epoch, fourth.attempt), (4, 2), "{rule}");
        self.settle(rule, &fourth.hold, at_once, Settled::Applied)
            .await;
        let entry = self.expect(rule, &entry.key, EntryState::Waiting).await;
        assert_eq!(entry.attempts, 1, "{rule}");
    }

    pub(super) async fn extreme_times(&self) {
        self.clear().await;
        let rule = "a time that is too long to be written is as long as possible";
        let claimed = self.running_for("endless lease", Duration::MAX).await;
        self.expect(rule, &claimed.callback.key, EntryState::Running)
            .await;
        self.nothing_is_due(rule).await;
        self.extend(rule, &claimed.hold, Duration::MAX, Settled::Applied)
            .await;
        self.nothing_is_due(rule).await;
        for next in [Next::Retry(Duration::MAX), Next::Release(Duration::MAX)] {
            let claimed = self.settled(&format!("endless {next:?}"), next).await;
            self.expect(rule, &claimed.callback.key, EntryState::Waiting)
                .await;
            self.nothing_is_due(rule).await;
        }
        self.settled("kept for ever", Next::Done).await;
        assert_eq!(self.prune(Duration::MAX, 10).await, 0, "{rule}");
    }

    /// A run that is over at once, in this state.
    async fn over(&self, rule: &str, next: Next, state: EntryState) -> Claimed {
        self.clear().await;
        let claimed = self.settled(&format!("over as {state}"), next).await;
        let entry = self.expect(rule, &claimed.callback.key, state).await;
        assert_eq!(
            entry.attempts, 1,
            "an attempt counts when it is over ({state})"
        );
        claimed
    }

    /// It is not run again and has not changed.
    async fn stays(&self, rule: &str, claimed: &Claimed, state: EntryState) -> Entry {
        for next in [Next::Retry(Duration::ZERO), Next::Release(Duration::ZERO)] {
            self.settle(rule, &claimed.hold, next, Settled::Stale).await;
        }
        self.nothing_is_due(rule).await;
        self.expect(rule, &claimed.callback.key, state).await
    }

    /// What waits after a run, when its delay of [`SHORT`] is over.
    async fn delayed(&self, rule: &str, next: Next) -> Entry {
        let claimed = self.settled("delayed", next).await;
        self.expect(rule, &claimed.callback.key, EntryState::Waiting)
            .await;
        self.pass(SHORT / 2).await;
        self.nothing_is_due(rule).await;
        self.pass(SHORT).await;
        self.expect(rule, &claimed.callback.key, EntryState::Waiting)
            .await
    }
}

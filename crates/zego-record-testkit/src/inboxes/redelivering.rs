//! Redelivery by an operator.

use std::time::Duration;

use zego_record_inbox::{AttemptOutcome, EntryState, Filter, InboxStore, Next};
use zego_record_receiver::Settled;

use super::suite::{ALL, LONG, Suite, filter};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn redelivered(&self) {
        let rule = "what is redelivered is due at once";
        for (next, outcome) in [
            (Next::Dead, AttemptOutcome::Dead),
            (Next::Done, AttemptOutcome::Done),
            (Next::Discarded, AttemptOutcome::Discarded),
            (Next::Retry(LONG), AttemptOutcome::Failed),
        ] {
            self.clear().await;
            let name = format!("redelivered after {next:?}");
            let first = self.settled(&name, next).await;
            let key = first.callback.key;
            assert_eq!(
                self.redeliver(&Filter::key(&key), 10).await,
                1,
                "{rule} ({name})"
            );
            let entry = self.expect(rule, &key, EntryState::Waiting).await;
            let fresh = "what is redelivered has all its attempts before it";
            assert_eq!(entry.attempts, 0, "{fresh}");
            let again = self.claim_one(rule, &key, LONG).await;
            assert_eq!(again.attempt, 1, "{fresh}");
            let kept = "redelivery keeps the history, and the epoch grows";
            assert_eq!(
                (again.hold.id, again.hold.epoch),
                (first.hold.id, 2),
                "{kept}"
            );
            let attempts = self.details(&key).await.attempts;
            let found: Vec<_> = attempts
                .iter()
                .map(|run| (run.epoch, run.outcome))
                .collect();
            assert_eq!(
                found,
                [(1, outcome), (2, AttemptOutcome::Running)],
                "{kept}"
            );
            let rule = "what is redelivered runs as any other";
            self.settle(rule, &again.hold, Next::Done, Settled::Applied)
                .await;
            self.expect(rule, &key, EntryState::Done).await;
        }
    }

    pub(super) async fn redelivers_what_matches(&self) {
        self.clear().await;
        let rule = "redelivery leaves alone what runs";
        let running = self.running("running").await;
        let before = self.details(&running.callback.key).await;
        let key = Filter::key(&running.callback.key);
        assert_eq!(self.redeliver(&key, 10).await, 0, "{rule}");
        assert_eq!(self.details(&running.callback.key).await, before, "{rule}");
        self.settle(rule, &running.hold, Next::Retry(LONG), Settled::Applied)
            .await;

        let rule = "redelivery leaves alone what does not match";
        let dead = self.settled("dead", Next::Dead).await;
        let done = self.settled("done", Next::Done).await;
        let nobody = filter(|filter| filter.appid = Some("nobody".to_owned()));
        assert_eq!(self.redeliver(&nobody, 10).await, 0, "{rule}");
        let dead_ones = Filter::in_state(EntryState::Dead);
        assert_eq!(self.redeliver(&dead_ones, 10).await, 1, "{rule}");
        self.expect(rule, &done.callback.key, EntryState::Done)
            .await;
        self.claim_one(rule, &dead.callback.key, LONG).await;
    }

    pub(super) async fn redelivers_to_its_limit(&self) {
        self.clear().await;
        let rule = "redelivery honours its limit and returns how many it redelivered";
        for number in 0..5 {
            self.settled(&format!("dead {number}"), Next::Dead).await;
        }
        let dead = Filter::in_state(EntryState::Dead);
        let mut pages = Vec::new();
        for _ in 0..4 {
            pages.push(self.redeliver(&dead, 2).await);
        }
        assert_eq!(pages, [2, 2, 1, 0], "{rule} (limits of 2 for five)");
        let due = self.claim(ALL, LONG).await.len();
        assert_eq!(due, 5, "{rule}");

        self.clear().await;
        let rule = "what runs does not use up the limit";
        self.between_two_that_run().await;
        let redelivered = self.redeliver(&Filter::all(), 2).await;
        assert_eq!(redelivered, 2, "{rule} (of a redelivery)");
    }

    /// Two that are dead, and an older and a newer one that run.
    pub(super) async fn between_two_that_run(&self) {
        self.running("older").await;
        self.settled("dead", Next::Dead).await;
        self.settled("dead as well", Next::Dead).await;
        self.running("newer").await;
    }

    pub(super) async fn counts_new_ids(&self) {
        self.clear().await;
        let rule = "a new id that was asked for is counted";
        let first = self.settled("renewed", Next::Dead).await;
        let key = first.callback.key;
        assert_eq!(first.renewals, 0, "{rule}");
        for renewals in 1..3 {
            assert!(self.renew(&key).await, "{rule}");
            self.redeliver(&Filter::key(&key), 1).await;
            let again = self.claim_one(rule, &key, LONG).await;
            assert_eq!(again.renewals, renewals, "{rule}");
            self.settle(rule, &again.hold, Next::Dead, Settled::Applied)
                .await;
        }
        let nobody = zego_record_core::DeliveryKey::from_bytes([7; 32]);
        assert!(
            !self.renew(&nobody).await,
            "{rule}, of a callback that is there"
        );
    }
}

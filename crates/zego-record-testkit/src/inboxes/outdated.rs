//! Runs that have lost their callback.

use std::time::Duration;

use zego_record_inbox::{Claimed, EntryState, Hold, InboxStore, Next};
use zego_record_receiver::Settled;

use super::suite::{LONG, SHORT, Suite, owner};

/// Every end that only the holder may record.
const FENCED: [Next; 4] = [
    Next::Retry(Duration::ZERO),
    Next::Release(Duration::ZERO),
    Next::Dead,
    Next::Discarded,
];

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn late_run_is_harmless(&self) {
        self.clear().await;
        let (late, heir) = self.taken_over("late").await;
        let before = self.details(&heir.callback.key).await;
        let rule = "a run that was taken over changes nothing";
        for next in FENCED {
            self.settle(rule, &late.hold, next, Settled::Stale).await;
        }
        self.extend(rule, &late.hold, Duration::ZERO, Settled::Stale)
            .await;
        self.nothing_is_due(rule).await;
        self.expect(rule, &heir.callback.key, EntryState::Running)
            .await;
        let after = self.details(&heir.callback.key).await;
        assert_eq!(
            after.attempts, before.attempts,
            "{rule}, neither in the history"
        );
        self.settle(
            "its heir can settle",
            &heir.hold,
            Next::Done,
            Settled::Applied,
        )
        .await;
    }

    pub(super) async fn strangers_change_nothing(&self) {
        self.clear().await;
        let claimed = self.running("held").await;
        let Hold {
            id,
            owner: holder,
            epoch,
            ..
        } = claimed.hold;
        let rule = "only the run that holds a callback can give it up";
        for stranger in [
            Hold::new(id, owner(), epoch),
            Hold::new(id, holder, epoch + 1),
            Hold::new(id, holder, epoch - 1),
            Hold::new(id + 1, holder, epoch),
        ] {
            for next in FENCED {
                self.settle(rule, &stranger, next, Settled::Stale).await;
            }
        }
        self.nothing_is_due(rule).await;
        self.expect(rule, &claimed.callback.key, EntryState::Running)
            .await;

        let rule = "a worker that claims again holds the new run alone";
        let again = self.running_again_by_its_owner().await;
        let former = Hold::new(again.id, again.owner, again.epoch - 1);
        for next in FENCED {
            self.settle(rule, &former, next, Settled::Stale).await;
        }
        self.extend(rule, &former, Duration::ZERO, Settled::Stale)
            .await;
        self.nothing_is_due(rule).await;
    }

    pub(super) async fn late_success_is_true(&self) {
        self.clear().await;
        let rule = "a late success is true";
        let (late, heir) = self.taken_over("late success").await;
        let key = late.callback.key;
        self.settle(rule, &late.hold, Next::Done, Settled::Applied)
            .await;
        self.expect(rule, &key, EntryState::Done).await;
        for next in FENCED {
            self.settle(
                "it is done, so nobody can fail it",
                &heir.hold,
                next,
                Settled::Stale,
            )
            .await;
        }
        self.extend(
            "it is done, so nobody holds it",
            &heir.hold,
            LONG,
            Settled::Stale,
        )
        .await;
        self.nothing_is_due("a late success is kept").await;
        self.expect("a late success is kept", &key, EntryState::Done)
            .await;
        for next in [Next::Retry(Duration::ZERO), Next::Dead] {
            let claimed = self.settled(&format!("success after {next:?}"), next).await;
            self.settle(rule, &claimed.hold, Next::Done, Settled::Applied)
                .await;
            self.expect(rule, &claimed.callback.key, EntryState::Done)
                .await;
            self.nothing_is_due(rule).await;
        }
    }

    /// A run whose lease has ended, and the one that has taken over.
    pub(super) async fn taken_over(&self, name: &str) -> (Claimed, Claimed) {
        let late = self.running_for(name, SHORT).await;
        self.pass(SHORT * 2).await;
        let rule = "a lease that has ended can be taken over";
        let heir = self.claim_one(rule, &late.callback.key, LONG).await;
        (late, heir)
    }

    /// A worker that claims the same callback twice, since its first run was cut off.
    async fn running_again_by_its_owner(&self) -> Hold {
        let mut claim = zego_record_inbox::ClaimDue::new(owner(), SHORT, 1);
        self.waiting("twice by one worker").await;
        let mut holds = Vec::new();
        for lease in [SHORT, LONG] {
            claim.lease = lease;
            let claimed = self.next().claim_due(&claim).await;
            let claimed = crate::stores::succeeded("claim_due", claimed);
            holds.extend(claimed.iter().map(|claimed| claimed.hold));
            if lease == SHORT {
                self.pass(SHORT * 2).await;
            }
        }
        let [first, second] = holds.as_slice() else {
            panic!("a worker can take over its own callback when the lease has ended: {holds:?}");
        };
        assert_eq!(
            second.epoch,
            first.epoch + 1,
            "whoever takes over is the next run"
        );
        *second
    }
}

//! Extending a lease.

use std::time::Duration;

use zego_record_inbox::{EntryState, Hold, InboxStore, Next};
use zego_record_receiver::Settled;

use super::suite::{LONG, SHORT, Suite, assert_about, owner};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn extended_from_now(&self) {
        self.clear().await;
        let claimed = self.running_for("extended", SHORT).await;
        let rule = "a lease starts anew when it is extended";
        self.extend(rule, &claimed.hold, LONG, Settled::Applied)
            .await;
        self.pass(SHORT * 2).await;
        self.nothing_is_due("an extended lease keeps others away")
            .await;
        let key = claimed.callback.key;
        let entry = self.expect(rule, &key, EntryState::Running).await;
        assert_about(rule, entry.received_at, entry.due_at, LONG);
        let rule = "an extension is no attempt";
        let attempts = self.details(&key).await.attempts.len();
        assert_eq!((entry.attempts, attempts), (1, 1), "{rule}");
        let rule = "a lease starts anew when it is extended, also if that makes it shorter";
        self.extend(rule, &claimed.hold, SHORT, Settled::Applied)
            .await;
        self.pass(SHORT * 2).await;
        self.claim_one(rule, &key, LONG).await;
    }

    pub(super) async fn extended_by_its_holder_alone(&self) {
        self.clear().await;
        let claimed = self.running("held").await;
        let Hold {
            id,
            owner: holder,
            epoch,
            ..
        } = claimed.hold;
        let rule = "only the run that holds a callback can extend its lease";
        for stranger in [
            Hold::new(id, owner(), epoch),
            Hold::new(id, holder, epoch + 1),
            Hold::new(id, holder, epoch - 1),
            Hold::new(id + 1, holder, epoch),
        ] {
            self.extend(rule, &stranger, Duration::ZERO, Settled::Stale)
                .await;
        }
        self.nothing_is_due(rule).await;
        let ends = [
            Next::Done,
            Next::Discarded,
            Next::Dead,
            Next::Retry(LONG),
            Next::Release(LONG),
        ];
        for next in ends {
            let over = self.settled(&format!("over as {next:?}"), next).await;
            self.extend(
                "a run that has ended extends nothing",
                &over.hold,
                SHORT,
                Settled::Stale,
            )
            .await;
        }
        self.nothing_is_due("a run that has ended extends nothing")
            .await;
    }

    pub(super) async fn extended_after_its_end(&self) {
        self.clear().await;
        let claimed = self.running_for("nobody came", SHORT).await;
        self.pass(SHORT * 2).await;
        let rule = "a lease that has ended can be extended until another run takes over";
        self.extend(rule, &claimed.hold, LONG, Settled::Applied)
            .await;
        self.nothing_is_due(rule).await;
        self.expect(rule, &claimed.callback.key, EntryState::Running)
            .await;
    }
}

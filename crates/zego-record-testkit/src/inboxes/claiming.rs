//! Claiming: what is due and nothing else, each by one worker at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use zego_record_inbox::{ClaimDue, EntryState, InboxStore, Next};
use zego_record_receiver::Settled;

use super::suite::{ALL, LONG, SHORT, Suite, assert_about, owner};
use crate::stores::{RACERS, RACES, race, succeeded};

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) async fn claimed_as_accepted(&self) {
        self.clear().await;
        let callback = self.waiting("claimed").await;
        let claim = ClaimDue::new(owner(), LONG, 1);
        let claimed = succeeded("claim_due", self.next().claim_due(&claim).await);
        let [claimed] = claimed.as_slice() else {
            panic!("what is accepted is due at once (claimed: {claimed:?})");
        };
        let rule = "a worker gets what was accepted";
        let stored = &claimed.callback;
        assert_eq!(
            (stored.key, &stored.bytes),
            (callback.key, &callback.stored),
            "{rule}"
        );
        let rule = "what is claimed runs, in its first attempt";
        assert_eq!(
            (claimed.hold.owner, claimed.hold.epoch, claimed.attempt),
            (claim.owner, 1, 1),
            "{rule}"
        );
        let entry = self.expect(rule, &callback.key, EntryState::Running).await;
        assert_eq!((entry.id, entry.attempts), (claimed.hold.id, 1), "{rule}");
        assert_eq!(entry.received_at, stored.received_at, "{rule}");
        let rule = "the due time of what runs is the end of its lease";
        assert_about(rule, entry.received_at, entry.due_at, LONG);
        self.nothing_is_due("what runs is not claimed again").await;
    }

    pub(super) async fn limit_is_kept(&self) {
        self.clear().await;
        let rule = "no more is claimed than asked";
        for number in 0..5 {
            self.waiting(&format!("one of five {number}")).await;
        }
        let mut pages = Vec::new();
        for limit in [0, 2, 2, 2] {
            pages.push(self.claim(limit, LONG).await.len());
        }
        assert_eq!(
            pages,
            [0, 2, 2, 1],
            "{rule} (limits of 0, 2, 2 and 2 for five)"
        );
    }

    pub(super) async fn longest_due_first(&self) {
        self.clear().await;
        let rule = "what has been due for longest is claimed first";
        let crashed = self.running_for("crashed", SHORT * 2).await;
        let retried = self.running("retried").await;
        self.settle(rule, &retried.hold, Next::Retry(SHORT), Settled::Applied)
            .await;
        let mut expected = Vec::new();
        for number in 0..3 {
            self.moment().await;
            expected.push(self.waiting(&format!("in order {number}")).await.key);
        }
        self.pass(SHORT * 3).await;
        expected.extend([retried.callback.key, crashed.callback.key]);
        let newest = self.waiting("newest").await;
        expected.push(newest.key);
        let mut found = Vec::new();
        for _ in 0..expected.len() {
            let claimed = self.claim(1, LONG).await;
            found.extend(claimed.iter().map(|claimed| claimed.callback.key));
        }
        assert_eq!(found, expected, "{rule}");
    }

    pub(super) async fn leases_are_as_long_as_asked(&self) {
        self.clear().await;
        let claimed = self.running_for("lease", SHORT).await;
        let extended = self.running_for("lease of an extension", SHORT).await;
        let key = |claimed: &zego_record_inbox::Claimed| claimed.callback.key;
        self.pass(SHORT / 2).await;
        let rule = "a lease is not shorter than asked";
        self.nothing_is_due(rule).await;
        self.extend(
            "a run can extend its lease",
            &extended.hold,
            SHORT,
            Settled::Applied,
        )
        .await;
        // A moment for the way to the inbox.
        self.pass(SHORT * 3 / 4).await;
        let rule = "a lease ends when it was asked to, unless it is extended";
        let heir = self.claim_one(rule, &key(&claimed), LONG).await;
        let rule = "whoever takes over is the next run and the next attempt";
        assert_eq!((heir.hold.epoch, heir.attempt), (2, 2), "{rule}");
        assert_eq!(heir.hold.id, claimed.hold.id, "{rule}");
        self.pass(SHORT * 3 / 4).await;
        let rule = "an extended lease ends when it was asked to";
        self.claim_one(rule, &key(&extended), LONG).await;
    }

    pub(super) async fn taken_over_once(&self) {
        self.clear().await;
        let lost = self.running_for("crashed", SHORT).await;
        self.nothing_is_due("a lease keeps others away").await;
        self.pass(SHORT * 2).await;
        let heirs: Vec<_> = self.claim_in_a_race(1).await.concat();
        assert_eq!(
            heirs.len(),
            1,
            "a lease that has ended has one heir, but: {heirs:?}"
        );
        let (id, epoch) = heirs[0];
        assert_eq!(
            (id, epoch),
            (lost.hold.id, 2),
            "whoever takes over is the next run and the next attempt"
        );
    }

    pub(super) async fn claims_never_overlap(&self) {
        let rule = "no callback is claimed twice at once";
        for round in 0..RACES {
            self.clear().await;
            for number in 0..20 {
                self.waiting(&format!("race {round} callback {number}"))
                    .await;
            }
            let mut claimed: Vec<_> = self.claim_in_a_race(2).await;
            let largest = claimed.iter().map(Vec::len).max();
            assert!(
                largest <= Some(2),
                "no more is claimed than asked, but: {largest:?}"
            );
            let rest = self.claim(ALL, LONG).await;
            claimed.push(
                rest.iter()
                    .map(|rest| (rest.hold.id, rest.hold.epoch))
                    .collect(),
            );
            let claimed = claimed.concat();
            let distinct: BTreeSet<_> = claimed.iter().map(|(id, _)| *id).collect();
            assert_eq!(claimed.len(), distinct.len(), "{rule}: {claimed:?}");
            assert_eq!(distinct.len(), 20, "what nobody has claimed is still due");
        }
    }

    pub(super) async fn changed(&self) {
        self.clear().await;
        let first = self.running("one content").await;
        assert!(
            !first.changed,
            "the only callback about a file is not changed"
        );
        let mut second = self.callback("another content");
        second.event_id = self.details(&first.callback.key).await.entry.event_id;
        self.accept(&second).await;
        let rule = "the second callback about a file is changed";
        let second = self.claim_one(rule, &second.key, LONG).await;
        assert!(second.changed, "{rule}");
        let rule = "the first one is changed as well, as soon as the second is known";
        self.settle(
            rule,
            &first.hold,
            Next::Retry(Duration::ZERO),
            Settled::Applied,
        )
        .await;
        let first = self.claim_one(rule, &first.callback.key, LONG).await;
        assert!(first.changed, "{rule}");
        self.settle(rule, &first.hold, Next::Done, Settled::Applied)
            .await;
        let rule = "a second callback is changed, also if the first is done";
        self.settle(
            rule,
            &second.hold,
            Next::Retry(Duration::ZERO),
            Settled::Applied,
        )
        .await;
        let second = self.claim_one(rule, &second.callback.key, LONG).await;
        assert!(second.changed, "{rule}");
    }

    /// The number and epoch of each run that each racer has got.
    async fn claim_in_a_race(&self, limit: u32) -> Vec<Vec<(i64, u32)>> {
        race((0..RACERS).map(|_| {
            let inbox = self.next();
            async move {
                let claim = ClaimDue::new(owner(), LONG, limit);
                let claimed = succeeded("claim_due", inbox.claim_due(&claim).await);
                let runs = claimed.iter();
                runs.map(|run| (run.hold.id, run.hold.epoch)).collect()
            }
        }))
        .await
    }
}

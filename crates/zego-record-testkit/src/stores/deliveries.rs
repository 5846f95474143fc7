//! The suite for stores of deliveries.

use std::sync::Arc;
use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_receiver::{Claim, ClaimOutcome, DeliveryStore, Lease, Owner, Settled, Settlement};

use super::handles::Handles;
use super::{PAGE, RACERS, RACES, assert_purged, race, succeeded};

/// Short, so that a store whose clock cannot be moved is not waited for long.
const LEASE: Duration = Duration::from_millis(800);
const RETENTION: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(3_600);

/// Runs a store through everything that a receiver relies on: a race has one winner, leases and
/// retention are as long as asked, an owner that has lost its lease does no harm, what is done stays
/// done, attempts are counted, and a purge removes what has expired and nothing else.
///
/// `pass` lets time pass on the store's clock: by waiting, as `tokio::time::sleep` does, or by moving a
/// clock by hand.
///
/// # Panics
///
/// If the store does anything else, with the rule that it breaks.
pub async fn assert_store_conformant<S, P>(store: Arc<S>, pass: impl Fn(Duration) -> P)
where
    S: DeliveryStore + ?Sized + 'static,
    P: Future<Output = ()>,
{
    Suite::new(Handles::one(store)).run_all(&pass).await;
}

/// As [`assert_store_conformant`], with several handles to one store, which are used in turn and raced
/// against each other. `open` should share as little between them as two processes would.
///
/// # Panics
///
/// If the store breaks a rule.
pub async fn assert_store_conformant_across_handles<S, O, P>(
    open: impl Fn() -> O,
    pass: impl Fn(Duration) -> P,
) where
    S: DeliveryStore + ?Sized + 'static,
    O: Future<Output = Arc<S>>,
    P: Future<Output = ()>,
{
    Suite::new(Handles::open(open).await).run_all(&pass).await;
}

struct Suite<S: ?Sized> {
    store: Handles<S>,
    run: u64,
}

impl<S: DeliveryStore + ?Sized + 'static> Suite<S> {
    fn new(store: Handles<S>) -> Self {
        Self {
            store,
            run: fastrand::u64(..),
        }
    }

    async fn run_all<P: Future<Output = ()>>(&self, pass: &impl Fn(Duration) -> P) {
        self.first_claim_runs().await;
        self.done_absorbs().await;
        self.failed_is_free().await;
        self.repeated_claim().await;
        self.late_done().await;
        self.changed().await;
        self.races_have_one_winner().await;
        self.leases_run_out(pass).await;
        self.leases_are_as_long_as_asked(pass).await;
        self.extended_lease(pass).await;
        self.stale_owner_is_harmless(pass).await;
        self.purge_counts(pass).await;
        self.purge_spares_what_has_not_expired(pass).await;
        self.records_expire(pass).await;
        self.settlements_renew_retention(pass).await;
    }

    async fn first_claim_runs(&self) {
        let first = self.delivery("first");
        self.expect("a new delivery may be run", &first, run(1))
            .await;
        let other = by_another(&first);
        self.expect(
            "what is running is busy for others",
            &other,
            ClaimOutcome::Busy,
        )
        .await;
    }

    async fn done_absorbs(&self) {
        let claim = self.running("done").await;
        self.settle(
            "an owner can record that it is done",
            &claim,
            Settlement::Done,
            Settled::Applied,
        )
        .await;
        let other = by_another(&claim);
        for by in [&claim, &other] {
            self.expect("what is done stays done", by, ClaimOutcome::Done)
                .await;
            for settlement in [Settlement::Failed, Settlement::Extend] {
                self.settle("what is done stays done", by, settlement, Settled::Stale)
                    .await;
            }
        }
        self.expect("what is done stays done", &other, ClaimOutcome::Done)
            .await;
    }

    async fn failed_is_free(&self) {
        let first = self.running("failed").await;
        self.settle(
            "an owner can record that it has failed",
            &first,
            Settlement::Failed,
            Settled::Applied,
        )
        .await;
        let second = by_another(&first);
        self.expect(
            "what has failed may be run again, and the epoch grows",
            &second,
            run(2),
        )
        .await;
        self.settle(
            "the second owner can fail as well",
            &second,
            Settlement::Failed,
            Settled::Applied,
        )
        .await;
        let third = by_another(&second);
        self.expect("the epoch grows with every run", &third, run(3))
            .await;
    }

    async fn repeated_claim(&self) {
        let claim = self.running("repeated claim").await;
        self.expect(
            "a claim that its owner repeats returns the same",
            &claim,
            run(1),
        )
        .await;
    }

    async fn late_done(&self) {
        let claim = self.delivery("never claimed");
        self.settle(
            "done is true, whoever records it",
            &claim,
            Settlement::Done,
            Settled::Applied,
        )
        .await;
        self.expect(
            "done is true, whoever records it",
            &claim,
            ClaimOutcome::Done,
        )
        .await;
    }

    async fn changed(&self) {
        let first = self.delivery("one content");
        let mut second = self.delivery("another content");
        second.event_id.clone_from(&first.event_id);
        self.expect(
            "the first delivery about a file is not changed",
            &first,
            run(1),
        )
        .await;
        let changed = ClaimOutcome::Run(Lease::new(1, true));
        self.expect(
            "the second delivery about a file is changed",
            &second,
            changed,
        )
        .await;
        self.settle("it can fail", &second, Settlement::Failed, Settled::Applied)
            .await;
        let changed = ClaimOutcome::Run(Lease::new(2, true));
        self.expect("it is still changed when it is run again", &second, changed)
            .await;
    }

    async fn races_have_one_winner(&self) {
        for number in 0..RACES {
            let claim = self.delivery(&format!("race {number}"));
            let outcomes = self.race(&claim).await;
            let winners = outcomes
                .iter()
                .filter(|outcome| matches!(outcome, ClaimOutcome::Run(_)));
            assert_eq!(
                winners.count(),
                1,
                "a race of claims has one winner, but: {outcomes:?}"
            );
            let losers = outcomes
                .iter()
                .filter(|outcome| **outcome == ClaimOutcome::Busy);
            assert_eq!(
                losers.count(),
                RACERS - 1,
                "whoever loses a race finds it busy, but: {outcomes:?}"
            );
        }
    }

    async fn leases_run_out<P: Future<Output = ()>>(&self, pass: &impl Fn(Duration) -> P) {
        let lost = self.running("crashed").await;
        let next = by_another(&lost);
        self.expect("a lease keeps others away", &next, ClaimOutcome::Busy)
            .await;
        pass(LEASE * 2).await;
        let outcomes = self.race(&next).await;
        let winners: Vec<_> = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, ClaimOutcome::Run(_)))
            .collect();
        assert_eq!(
            winners,
            [&run(2)],
            "a lease that has run out has one heir, and the epoch grows"
        );
    }

    async fn leases_are_as_long_as_asked<P: Future<Output = ()>>(
        &self,
        pass: &impl Fn(Duration) -> P,
    ) {
        let rule = "a lease is not shorter than asked";
        let claimed = self.running("lease").await;
        let extended = self.running("lease of an extension").await;
        pass(LEASE / 2).await;
        self.expect(rule, &by_another(&claimed), ClaimOutcome::Busy)
            .await;
        self.settle(
            "an owner can extend its lease",
            &extended,
            Settlement::Extend,
            Settled::Applied,
        )
        .await;
        // A moment for the way to the store.
        pass(LEASE * 3 / 4).await;
        self.expect(rule, &by_another(&extended), ClaimOutcome::Busy)
            .await;
        let rule = "a lease is not longer than asked";
        self.expect(rule, &by_another(&claimed), run(2)).await;
        pass(LEASE * 3 / 4).await;
        self.expect(rule, &by_another(&extended), run(2)).await;
    }

    async fn extended_lease<P: Future<Output = ()>>(&self, pass: &impl Fn(Duration) -> P) {
        let claim = self.running("extended").await;
        let longer = claim.clone().with_lease(LONG);
        self.settle(
            "an owner can extend its lease",
            &longer,
            Settlement::Extend,
            Settled::Applied,
        )
        .await;
        pass(LEASE * 2).await;
        let other = by_another(&claim);
        self.expect(
            "an extended lease keeps others away",
            &other,
            ClaimOutcome::Busy,
        )
        .await;
    }

    async fn stale_owner_is_harmless<P: Future<Output = ()>>(&self, pass: &impl Fn(Duration) -> P) {
        let stale = self.running("stale").await;
        pass(LEASE * 2).await;
        let heir = by_another(&stale).with_lease(LONG);
        self.expect("a lease that has run out can be taken over", &heir, run(2))
            .await;
        for settlement in [Settlement::Failed, Settlement::Extend] {
            self.settle(
                "a stale owner changes nothing",
                &stale,
                settlement,
                Settled::Stale,
            )
            .await;
        }
        let third = by_another(&heir);
        self.expect(
            "a stale owner's failure frees nothing",
            &third,
            ClaimOutcome::Busy,
        )
        .await;
        self.settle(
            "a late success is true",
            &stale,
            Settlement::Done,
            Settled::Applied,
        )
        .await;
        self.settle(
            "it is done, so nobody can fail it",
            &heir,
            Settlement::Failed,
            Settled::Stale,
        )
        .await;
        self.expect("a late success is kept", &third, ClaimOutcome::Done)
            .await;
    }

    async fn purge_counts<P: Future<Output = ()>>(&self, pass: &impl Fn(Duration) -> P) {
        self.purge_all().await;
        for number in 0..5 {
            let claim = self.delivery(&format!("purged {number}"));
            let claim = claim.with_retention(RETENTION);
            self.settle("it is done", &claim, Settlement::Done, Settled::Applied)
                .await;
        }
        pass(RETENTION * 3 / 2).await;
        // No claim comes between, since a store may purge a little then.
        let mut pages = Vec::new();
        for _ in 0..5 {
            pages.push(succeeded("purge", self.store.next().purge(2).await));
        }
        assert_purged("deliveries", 5, &pages);
    }

    async fn purge_spares_what_has_not_expired<P: Future<Output = ()>>(
        &self,
        pass: &impl Fn(Duration) -> P,
    ) {
        let just_begun = self.delivery("just begun").with_lease(LONG);
        self.expect("a new delivery may be run", &just_begun, run(1))
            .await;
        let crashed = self.running("lease over").await;
        let (done, failed) = (self.running("kept done").await, self.running("kept").await);
        for (claim, settlement) in [(&done, Settlement::Done), (&failed, Settlement::Failed)] {
            self.settle("it is settled", claim, settlement, Settled::Applied)
                .await;
        }
        let extended = self.delivery("outlives its retention");
        let extended = extended.with_retention(RETENTION);
        self.expect("a new delivery may be run", &extended, run(1))
            .await;
        self.settle(
            "an owner can extend its lease",
            &extended.clone().with_lease(LONG),
            Settlement::Extend,
            Settled::Applied,
        )
        .await;
        self.purge_all().await;
        let rule = "purge never removes what is running";
        self.expect(rule, &by_another(&just_begun), ClaimOutcome::Busy)
            .await;
        pass(LEASE + RETENTION * 3 / 2).await;
        self.purge_all().await;
        self.expect(rule, &by_another(&extended), ClaimOutcome::Busy)
            .await;
        let rule = "purge never removes what has not expired";
        self.expect(rule, &by_another(&done), ClaimOutcome::Done)
            .await;
        for claim in [&failed, &crashed] {
            self.expect(rule, &by_another(claim), run(2)).await;
        }
    }

    async fn records_expire<P: Future<Output = ()>>(&self, pass: &impl Fn(Duration) -> P) {
        let claim = self.delivery("expires").with_retention(RETENTION);
        self.expect("a new delivery may be run", &claim, run(1))
            .await;
        self.settle("it is done", &claim, Settlement::Done, Settled::Applied)
            .await;
        pass(RETENTION / 2).await;
        self.expect(
            "it is kept until its retention is over",
            &claim,
            ClaimOutcome::Done,
        )
        .await;
        pass(RETENTION).await;
        self.purge_all().await;
        let again = by_another(&claim);
        self.expect("when its retention is over, it is new", &again, run(1))
            .await;
    }

    /// The settlement comes so late that the retention of the claim alone would be over at the end.
    async fn settlements_renew_retention<P: Future<Output = ()>>(
        &self,
        pass: &impl Fn(Duration) -> P,
    ) {
        let mut claims = Vec::new();
        for settlement in [Settlement::Done, Settlement::Failed, Settlement::Extend] {
            let claim = self.delivery(&format!("retention after {settlement:?}"));
            let claim = claim.with_retention(RETENTION);
            self.expect("a new delivery may be run", &claim, run(1))
                .await;
            claims.push((settlement, claim));
        }
        pass(RETENTION).await;
        for (settlement, claim) in &claims {
            self.settle(
                "nobody has taken it over",
                claim,
                *settlement,
                Settled::Applied,
            )
            .await;
        }
        pass(LEASE + RETENTION / 5).await;
        self.purge_all().await;
        for (settlement, claim) in &claims {
            let expected = match settlement {
                Settlement::Done => ClaimOutcome::Done,
                Settlement::Failed | Settlement::Extend => run(2),
            };
            self.expect(
                "a settlement renews the retention",
                &by_another(claim),
                expected,
            )
            .await;
        }
    }

    async fn purge_all(&self) {
        while succeeded("purge", self.store.next().purge(PAGE).await) >= u64::from(PAGE) {}
    }

    async fn race(&self, claim: &Claim) -> Vec<ClaimOutcome> {
        race((0..RACERS).map(|_| {
            let (store, claim) = (self.store.next(), by_another(claim));
            async move { succeeded("claim", store.claim(&claim).await) }
        }))
        .await
    }

    async fn running(&self, name: &str) -> Claim {
        let claim = self.delivery(name);
        self.expect("a new delivery may be run", &claim, run(1))
            .await;
        claim
    }

    async fn expect(&self, rule: &str, claim: &Claim, expected: ClaimOutcome) {
        let outcome = succeeded("claim", self.store.next().claim(claim).await);
        assert_eq!(outcome, expected, "{rule} (delivery {})", claim.event_id);
    }

    async fn settle(&self, rule: &str, claim: &Claim, settlement: Settlement, expected: Settled) {
        let settled = succeeded("settle", self.store.next().settle(claim, settlement).await);
        assert_eq!(
            settled, expected,
            "{rule} ({settlement:?} of delivery {})",
            claim.event_id
        );
    }

    fn delivery(&self, name: &str) -> Claim {
        let mut key = [0; 32];
        let mut rng = fastrand::Rng::with_seed(self.run ^ name.bytes().fold(7, hash));
        rng.fill(&mut key);
        let event_id = format!("{name} of conformance run {}", self.run);
        Claim::new(DeliveryKey::from_bytes(key), event_id, owner())
            .with_lease(LEASE)
            .with_retention(LONG)
    }
}

fn by_another(claim: &Claim) -> Claim {
    let mut other = claim.clone();
    other.owner = owner();
    other
}

fn run(epoch: u32) -> ClaimOutcome {
    ClaimOutcome::Run(Lease::new(epoch, false))
}

fn owner() -> Owner {
    Owner::new(fastrand::u128(..))
}

fn hash(state: u64, byte: u8) -> u64 {
    state.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
}

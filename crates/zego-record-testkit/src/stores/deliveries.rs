//! The suite for stores of deliveries.

use std::sync::Arc;
use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_receiver::{Claim, ClaimOutcome, DeliveryStore, Lease, Owner, Settled, Settlement};

use super::{RACERS, RACES, answered, race};

/// Short, so that a store whose clock cannot be moved is not waited for long.
const LEASE: Duration = Duration::from_millis(400);
const RETENTION: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(3_600);

/// Runs a store through everything that a receiver relies on: a race has one winner, an owner that has
/// lost its lease does no harm, what is done stays done, attempts are counted, records expire.
///
/// `pass` lets time pass on the store's clock: by waiting for real, as `tokio::time::sleep` does, or by
/// moving a clock by hand.
///
/// # Panics
///
/// If the store does anything else, with the rule that it breaks.
pub async fn assert_store_conformant<S, P>(store: Arc<S>, pass: impl Fn(Duration) -> P)
where
    S: DeliveryStore + ?Sized + 'static,
    P: Future<Output = ()>,
{
    let suite = Suite {
        store,
        run: fastrand::u64(..),
    };
    suite.first_claim_runs().await;
    suite.done_absorbs().await;
    suite.failed_is_free().await;
    suite.lost_answer().await;
    suite.late_done().await;
    suite.changed().await;
    suite.races_have_one_winner().await;
    suite.leases_run_out(&pass).await;
    suite.extended_lease(&pass).await;
    suite.stale_owner_is_harmless(&pass).await;
    suite.records_expire(&pass).await;
}

struct Suite<S: ?Sized> {
    store: Arc<S>,
    run: u64,
}

impl<S: DeliveryStore + ?Sized + 'static> Suite<S> {
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
            "an owner can say that it is done",
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
            "an owner can say that it has failed",
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

    async fn lost_answer(&self) {
        let claim = self.running("lost answer").await;
        self.expect(
            "a claim that its owner repeats is answered as before",
            &claim,
            run(1),
        )
        .await;
    }

    async fn late_done(&self) {
        let claim = self.delivery("never claimed");
        self.settle(
            "done is true, whoever says so",
            &claim,
            Settlement::Done,
            Settled::Applied,
        )
        .await;
        self.expect("done is true, whoever says so", &claim, ClaimOutcome::Done)
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
                "who loses a race finds it busy, but: {outcomes:?}"
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
        answered("purge", self.store.purge(1_000).await);
        let again = by_another(&claim);
        self.expect("when its retention is over, it is new", &again, run(1))
            .await;
    }

    async fn race(&self, claim: &Claim) -> Vec<ClaimOutcome> {
        race((0..RACERS).map(|_| {
            let (store, claim) = (Arc::clone(&self.store), by_another(&claim));
            async move { answered("claim", store.claim(&claim).await) }
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
        let outcome = answered("claim", self.store.claim(claim).await);
        assert_eq!(outcome, expected, "{rule} (delivery {})", claim.event_id);
    }

    async fn settle(&self, rule: &str, claim: &Claim, settlement: Settlement, expected: Settled) {
        let settled = answered("settle", self.store.settle(claim, settlement).await);
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

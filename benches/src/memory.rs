//! What the memory guard and the memory store are asked to do, entry by entry.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use zego_record_core::{DeliveryKey, UnixSeconds};
use zego_record_receiver::{
    Binding, Claim, ClaimOutcome, Clock, DeliveryStore, MemoryGuard, MemoryStore, Owner,
    ReplayCheck, Settled, Settlement,
};

/// A memory that forgets an entry when `live` more have come. Time goes on by one tick, of a second or
/// a millisecond, for each entry; entries are numbered, and their numbers are spread like digests.
pub trait Memory: Sync {
    /// Its name in tables.
    const NAME: &'static str;

    /// An empty one, with room for what is live and a tenth more: its parts do not fill evenly.
    fn new(live: u64) -> Self;

    /// What an operation needs, so that making it is not measured.
    type Entry;

    /// Makes an entry.
    fn entry(&self, number: u64) -> Self::Entry;

    /// Puts a new entry into the memory.
    fn put(&self, entry: &Self::Entry);

    /// Lets everything expire that was put in so far.
    fn expire_all(&self);

    /// How many entries it holds, expired ones included.
    fn held(&self) -> usize;
}

/// The guard: every operation binds a signature that is new.
pub struct Guard {
    guard: MemoryGuard,
    clock: Arc<TickClock>,
    keep_for: Duration,
}

impl Memory for Guard {
    const NAME: &'static str = "guard, bind";
    type Entry = ReplayCheck;

    fn new(live: u64) -> Self {
        let clock = Arc::new(TickClock::default());
        Self {
            guard: MemoryGuard::with_capacity(capacity(live)).with_clock(Arc::clone(&clock)),
            keep_for: TICK * u32::try_from(live).expect("a small number"),
            clock,
        }
    }

    fn entry(&self, number: u64) -> ReplayCheck {
        self.clock.0.fetch_add(1, Ordering::Relaxed);
        let mut signature = [0; 20];
        fill(number, &mut signature);
        ReplayCheck::new(signature, [7; 16], self.keep_for)
    }

    fn put(&self, check: &ReplayCheck) {
        assert_eq!(self.guard.bind_now(check), Binding::First);
    }

    fn expire_all(&self) {
        let ticks = self.keep_for.as_millis() / TICK.as_millis();
        let ticks = u64::try_from(ticks).expect("a small number");
        self.clock.0.fetch_add(2 * ticks, Ordering::Relaxed);
    }

    fn held(&self) -> usize {
        self.guard.len()
    }
}

/// The store: every operation claims a delivery that is new and settles it as done.
pub struct Store {
    store: MemoryStore,
    clock: Arc<TickClock>,
    live: u64,
}

impl Memory for Store {
    const NAME: &'static str = "store, claim and settle";
    type Entry = Claim;

    fn new(live: u64) -> Self {
        let clock = Arc::new(TickClock::default());
        let store = MemoryStore::with_capacity(capacity(live)).with_clock(Arc::clone(&clock));
        Self { store, clock, live }
    }

    fn entry(&self, number: u64) -> Claim {
        self.clock.0.fetch_add(1, Ordering::Relaxed);
        let mut key = [0; 32];
        fill(number, &mut key);
        let event_id = format!("1234567890:file:{:019}", number + 5_285_890_813_218_549_789);
        Claim::new(
            DeliveryKey::from_bytes(key),
            event_id,
            Owner::new(number.into()),
        )
        .with_retention(TICK * u32::try_from(self.live).expect("a small number"))
    }

    fn put(&self, claim: &Claim) {
        let outcome = ready(self.store.claim(claim)).expect("memory can be reached");
        assert!(matches!(outcome, ClaimOutcome::Run(_)), "{outcome:?}");
        let settled = ready(self.store.settle(claim, Settlement::Done));
        assert_eq!(settled.expect("memory can be reached"), Settled::Applied);
    }

    fn expire_all(&self) {
        self.clock.0.fetch_add(2 * self.live, Ordering::Relaxed);
    }

    fn held(&self) -> usize {
        self.store.len()
    }
}

/// How far the clock goes on for each entry.
const TICK: Duration = Duration::from_secs(1);

/// Ticks that are counted by hand.
#[derive(Debug, Default)]
struct TickClock(AtomicU64);

impl Clock for TickClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds::new(0)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// The result of a future that has no reason to wait.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a store in memory waits for nothing"),
    }
}

fn capacity(live: u64) -> usize {
    usize::try_from(live + live / 10 + 16).expect("64 bits")
}

/// Bytes that look random and are different for every number (the steps of splitmix64).
fn fill(number: u64, bytes: &mut [u8]) {
    let mut state = number.wrapping_mul(0xa076_1d64_78bd_642f);
    for chunk in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
    }
}

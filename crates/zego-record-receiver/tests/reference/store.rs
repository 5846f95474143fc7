//! The memory store against a list.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use zego_record_core::{DeliveryKey, UnixSeconds};
use zego_record_receiver::{
    Claim, ClaimOutcome, DeliveryStore, Lease, MemoryStore, Owner, Settled, Settlement,
};
use zego_record_testkit::ManualClock;

use crate::{STEPS, figures, runner};

const DELIVERIES: u8 = 6;
const LEASE: Duration = Duration::from_secs(10);
const RETENTION: Duration = Duration::from_secs(700);

#[derive(Clone, Debug)]
enum Step {
    /// A new owner claims.
    Claim(u8),
    /// An owner claims again, since its answer was lost.
    ClaimAgain(Index),
    Settle(Index, Settlement),
    Pass(Duration),
    /// At most this many, and then all: which ones go first is not promised.
    Purge(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let settlement = select(&[Settlement::Done, Settlement::Failed, Settlement::Extend][..]);
    let step = prop_oneof![
        8 => (0..DELIVERIES).prop_map(Step::Claim),
        1 => any::<Index>().prop_map(Step::ClaimAgain),
        6 => (any::<Index>(), settlement).prop_map(|(owner, by)| Step::Settle(owner, by)),
        3 => select(&[1_u64, 9_999, 10_000, 340_000, 700_000][..])
            .prop_map(|passed| Step::Pass(Duration::from_millis(passed))),
        1 => select(&[0_u32, 1, 3, u32::MAX][..]).prop_map(Step::Purge),
    ];
    vec(step, STEPS)
}

#[test]
fn the_memory_store_does_what_a_list_does() {
    runner()
        .run(&(1_usize..=5, steps()), |(capacity, steps)| {
            let clock = ManualClock::new(UnixSeconds::new(1_760_001_900));
            let store = MemoryStore::with_capacity(capacity).with_clock(clock.clone());
            let mut list = List {
                capacity,
                ..List::default()
            };
            let mut claims: Vec<Claim> = Vec::new();
            for step in steps {
                match step {
                    Step::Claim(delivery) => {
                        claims.push(claim(delivery, claims.len()));
                        let claim = claims.last().unwrap();
                        prop_assert_eq!(now(store.claim(claim)), list.claim(claim));
                    }
                    Step::ClaimAgain(owner) if !claims.is_empty() => {
                        let claim = owner.get(&claims);
                        prop_assert_eq!(now(store.claim(claim)), list.claim(claim));
                    }
                    Step::Settle(owner, by) if !claims.is_empty() => {
                        let claim = owner.get(&claims);
                        prop_assert_eq!(now(store.settle(claim, by)), list.settle(claim, by));
                    }
                    Step::ClaimAgain(_) | Step::Settle(..) => {}
                    Step::Pass(passed) => {
                        clock.advance(passed);
                        list.now += passed;
                    }
                    Step::Purge(limit) => {
                        let purged = now(store.purge(limit));
                        let rest = now(store.purge(u32::MAX));
                        let all = list.purge();
                        prop_assert_eq!(purged, all.min(u64::from(limit)));
                        prop_assert_eq!(purged + rest, all);
                        prop_assert_eq!(store.len(), list.known.len());
                    }
                }
                prop_assert!(store.len() <= capacity);
                prop_assert_eq!(store.evictions(), list.evictions);
            }
            Ok(())
        })
        .unwrap();
    figures("memory store and list");
}

fn claim(delivery: u8, owner: usize) -> Claim {
    // Two deliveries about each file.
    let event_id = format!("1:file:{}", delivery / 2);
    let key = DeliveryKey::from_bytes([delivery; 32]);
    Claim::new(key, event_id, Owner::new(owner as u128))
        .with_lease(LEASE)
        .with_retention(RETENTION)
}

/// The memory store never waits.
fn now<T>(
    mut answer: zego_record_receiver::BoxFuture<'_, Result<T, zego_record_receiver::StoreError>>,
) -> T {
    match answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(answer) => answer.unwrap(),
        Poll::Pending => panic!("the memory store waits"),
    }
}

/// What is known, what has finished in the order in which it did.
#[derive(Default)]
struct List {
    capacity: usize,
    known: Vec<Known>,
    evictions: u64,
    now: Duration,
}

struct Known {
    key: DeliveryKey,
    event_id: String,
    state: State,
    epoch: u32,
    changed: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Running { owner: Owner, lease_ends: Duration },
    Done { at: Duration },
    Failed { at: Duration },
}

impl List {
    fn claim(&mut self, claim: &Claim) -> ClaimOutcome {
        self.forget(2);
        let running = State::Running {
            owner: claim.owner,
            lease_ends: self.now + claim.lease,
        };
        let forgotten = |known: &Known| known.is_forgotten(self.now);
        if let Some(index) = self
            .find(claim)
            .filter(|index| !forgotten(&self.known[*index]))
        {
            let known = &mut self.known[index];
            match known.state {
                State::Done { .. } => return ClaimOutcome::Done,
                State::Running { owner, .. } if owner == claim.owner => {}
                State::Running { lease_ends, .. } if self.now < lease_ends => {
                    return ClaimOutcome::Busy;
                }
                State::Running { .. } | State::Failed { .. } => known.epoch += 1,
            }
            known.state = running;
            return ClaimOutcome::Run(Lease::new(known.epoch, known.changed));
        }
        self.known.retain(|known| known.key != claim.key);
        if !self.make_room() {
            return ClaimOutcome::Full;
        }
        let changed = self
            .known
            .iter()
            .any(|other| other.event_id == claim.event_id);
        self.known.push(Known {
            key: claim.key,
            event_id: claim.event_id.clone(),
            state: running,
            epoch: 1,
            changed,
        });
        ClaimOutcome::Run(Lease::new(1, changed))
    }

    fn settle(&mut self, claim: &Claim, settlement: Settlement) -> Settled {
        let index = self.find(claim);
        let state = index.map(|index| self.known[index].state);
        let is_owner = matches!(state, Some(State::Running { owner, .. }) if owner == claim.owner);
        let next = match settlement {
            Settlement::Done if !matches!(state, Some(State::Done { .. })) => {
                State::Done { at: self.now }
            }
            Settlement::Failed if is_owner => State::Failed { at: self.now },
            Settlement::Extend if is_owner => State::Running {
                owner: claim.owner,
                lease_ends: self.now + claim.lease,
            },
            _ => return Settled::Stale,
        };
        let mut known = match index {
            Some(index) => self.known.remove(index),
            None if !self.make_room() => return Settled::Stale,
            None => Known {
                key: claim.key,
                event_id: claim.event_id.clone(),
                state: next,
                epoch: 1,
                changed: false,
            },
        };
        known.state = next;
        self.known.push(known);
        Settled::Applied
    }

    fn purge(&mut self) -> u64 {
        let (before, now) = (self.known.len(), self.now);
        self.known.retain(|known| !known.is_forgotten(now));
        (before - self.known.len()) as u64
    }

    fn find(&self, claim: &Claim) -> Option<usize> {
        self.known.iter().position(|known| known.key == claim.key)
    }

    /// At most `most`, so that no claim takes long.
    fn forget(&mut self, most: usize) {
        let (now, mut left) = (self.now, most);
        self.known.retain(|known| {
            let goes = left > 0 && known.is_finished() && known.is_forgotten(now);
            left -= usize::from(goes);
            !goes
        });
    }

    fn make_room(&mut self) -> bool {
        if self.known.len() < self.capacity {
            return true;
        }
        if let Some(oldest) = self.known.iter().position(Known::is_finished) {
            self.known.remove(oldest);
            self.evictions += 1;
        } else {
            let now = self.now;
            self.known.retain(|known| !known.is_abandoned(now));
        }
        self.known.len() < self.capacity
    }
}

impl Known {
    fn is_finished(&self) -> bool {
        !matches!(self.state, State::Running { .. })
    }

    fn is_forgotten(&self, now: Duration) -> bool {
        now >= RETENTION
            + match self.state {
                State::Running { lease_ends, .. } => lease_ends,
                State::Done { at } | State::Failed { at } => at,
            }
    }

    fn is_abandoned(&self, now: Duration) -> bool {
        matches!(self.state, State::Running { lease_ends, .. } if lease_ends <= now)
    }
}

//! The memory guard against a list.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use zego_record_core::UnixSeconds;
use zego_record_receiver::{Binding, Clock, MemoryGuard, ReplayCheck, ReplayGuard};
use zego_record_testkit::ManualClock;

use crate::{STEPS, figures, runner};

#[derive(Clone, Debug)]
enum Step {
    Bind {
        signature: u8,
        content: u8,
        keep_for: Duration,
    },
    Pass(Duration),
    /// The time of day is set by this many seconds, which must not matter.
    Set(i64),
    /// At most this many.
    Purge(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Receivers with different tolerances may share a guard.
    let keep_for = select(&[60_u64, 660, 661][..]).prop_map(Duration::from_secs);
    let step = prop_oneof![
        12 => (0_u8..8, 0_u8..2, keep_for).prop_map(|(signature, content, keep_for)| {
            Step::Bind { signature, content, keep_for }
        }),
        3 => select(&[1_u64, 500, 60_000, 300_000, 659_999, 660_000, 661_000][..])
            .prop_map(|passed| Step::Pass(Duration::from_millis(passed))),
        1 => select(&[-3_600_i64, -10, 10, 3_600][..]).prop_map(Step::Set),
        1 => select(&[0_u32, 1, 3, u32::MAX][..]).prop_map(Step::Purge),
    ];
    vec(step, STEPS)
}

#[test]
fn the_memory_guard_does_what_a_list_does() {
    runner()
        .run(&(1_usize..=6, steps()), |(capacity, steps)| {
            let clock = ManualClock::new(UnixSeconds::new(1_760_001_900));
            let guard = MemoryGuard::with_capacity(capacity).with_clock(clock.clone());
            let mut list = List {
                capacity,
                ..List::default()
            };
            for step in steps {
                match step {
                    Step::Bind {
                        signature,
                        content,
                        keep_for,
                    } => {
                        let check = ReplayCheck::new([signature; 20], [content; 16], keep_for);
                        prop_assert_eq!(guard.bind_now(&check), list.bind(&check));
                        prop_assert_eq!(guard.len(), list.bound.len());
                    }
                    Step::Pass(passed) => {
                        clock.advance(passed);
                        list.now += passed;
                    }
                    Step::Set(by) => clock.set(UnixSeconds::new(clock.now().get() + by)),
                    Step::Purge(limit) => {
                        prop_assert_eq!(purge(&guard, limit), list.purge(limit));
                        prop_assert_eq!(guard.len(), list.bound.len());
                    }
                }
                prop_assert!(guard.len() <= capacity);
                prop_assert_eq!(guard.evictions(), list.evictions);
            }
            Ok(())
        })
        .unwrap();
    figures("memory guard and list");
}

/// The memory guard never waits.
fn purge(guard: &MemoryGuard, limit: u32) -> u64 {
    let mut context = Context::from_waker(Waker::noop());
    match guard.purge(limit).as_mut().poll(&mut context) {
        Poll::Ready(purged) => purged.unwrap(),
        Poll::Pending => panic!("the memory guard waits"),
    }
}

/// What is bound, in the order in which it expires.
#[derive(Default)]
struct List {
    capacity: usize,
    bound: Vec<Bound>,
    evictions: u64,
    now: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    /// In whole seconds, and never too early.
    expires: u64,
    signature: [u8; 20],
    content: [u8; 16],
}

impl List {
    fn bind(&mut self, check: &ReplayCheck) -> Binding {
        self.purge(u32::MAX);
        let bound = self
            .bound
            .iter()
            .find(|bound| bound.signature == check.signature);
        if let Some(bound) = bound {
            return if bound.content == check.content {
                Binding::Same
            } else {
                Binding::Conflict
            };
        }
        if self.bound.len() == self.capacity {
            self.bound.remove(0);
            self.evictions += 1;
        }
        self.bound.push(Bound {
            expires: (self.now + check.keep_for).as_secs() + 1,
            signature: check.signature,
            content: check.content,
        });
        self.bound.sort_unstable();
        Binding::First
    }

    fn purge(&mut self, limit: u32) -> u64 {
        let now = self.now.as_secs();
        let expired = self.bound.iter().take_while(|bound| bound.expires <= now);
        let going = expired.count().min(limit as usize);
        self.bound.drain(..going);
        going as u64
    }
}

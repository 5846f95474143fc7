//! The memory guard against a queue.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use zego_record_core::UnixSeconds;
use zego_record_receiver::{Binding, Clock, MemoryGuard, ReplayCheck};
use zego_record_testkit::ManualClock;

use crate::{STEPS, figures, runner};

/// The default tolerance in either direction, and for how much longer a signature is remembered.
const TOLERANCE: i64 = 300;
const MARGIN: i64 = 60;

#[derive(Clone, Debug)]
enum Step {
    /// A signed request; its timestamp is that much older than now.
    See {
        signature: u8,
        content: u8,
        age: i64,
    },
    Pass(Duration),
    /// The time of day is set by so many seconds.
    Set(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0_u8..8, 0_u8..2, -TOLERANCE..=TOLERANCE).prop_map(|(signature, content, age)| {
            Step::See { signature, content, age }
        }),
        3 => select(&[1_u64, 60, 300, 359, 360, 361][..])
            .prop_map(|passed| Step::Pass(Duration::from_secs(passed))),
        1 => select(&[-3_600_i64, -10, 10, 3_600][..]).prop_map(Step::Set),
    ];
    vec(step, STEPS)
}

#[test]
fn the_memory_guard_does_what_a_queue_does() {
    runner()
        .run(&(1_usize..=6, steps()), |(capacity, steps)| {
            let clock = ManualClock::new(UnixSeconds::new(1_760_001_900));
            let guard = MemoryGuard::with_capacity(capacity);
            let mut queue = Queue {
                capacity,
                ..Queue::default()
            };
            for step in steps {
                match step {
                    Step::See {
                        signature,
                        content,
                        age,
                    } => {
                        let now = clock.now();
                        let fresh_until = now.get() - age + TOLERANCE;
                        let check = ReplayCheck {
                            signature: [signature; 20],
                            content: [content; 16],
                            now,
                            keep_until: UnixSeconds::new(fresh_until + MARGIN),
                        };
                        prop_assert_eq!(guard.bind_now(&check), queue.bind(&check));
                    }
                    Step::Pass(passed) => clock.advance(passed),
                    Step::Set(by) => clock.set(UnixSeconds::new(clock.now().get() + by)),
                }
                prop_assert_eq!(guard.len(), queue.seen.len());
                prop_assert_eq!(guard.evictions(), queue.evictions);
            }
            Ok(())
        })
        .unwrap();
    figures("memory guard and queue");
}

/// What was seen, in that order.
#[derive(Default)]
struct Queue {
    capacity: usize,
    seen: VecDeque<ReplayCheck>,
    evictions: u64,
}

impl Queue {
    fn bind(&mut self, check: &ReplayCheck) -> Binding {
        // What has expired behind something that has not is kept: it does no harm.
        while self
            .seen
            .front()
            .is_some_and(|oldest| oldest.keep_until < check.now)
        {
            self.seen.pop_front();
        }
        let bound = self
            .seen
            .iter()
            .find(|seen| seen.signature == check.signature);
        if let Some(bound) = bound {
            return if bound.content == check.content {
                Binding::Same
            } else {
                Binding::Conflict
            };
        }
        if self.seen.len() == self.capacity {
            self.seen.pop_front();
            self.evictions += 1;
        }
        self.seen.push_back(*check);
        Binding::First
    }
}

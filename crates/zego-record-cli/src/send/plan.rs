//! Which callback meets which fault: decided by the seed alone, before anything is sent.

use fastrand::Rng;

use super::fault::{Fault, FaultShare};

/// How far a reordered callback may fall back.
const MAX_FALL_BACK: u64 = 8;

/// What happens to each callback of a run. The same seed, count and faults give the same plan.
///
/// ```
/// use zego_record_cli::send::Plan;
///
/// let plan = Plan::new(7, 100, &["duplicate:0.5".parse().unwrap()]);
/// assert_eq!(plan, Plan::new(7, 100, &["duplicate:0.5".parse().unwrap()]));
/// assert!(plan.steps().iter().any(|step| step.duplicate.is_some()));
/// assert!(plan.steps().iter().any(|step| step.duplicate.is_none()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(Vec<Step>);

/// What happens to one callback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Its number in the order in which the callbacks came about, from 0.
    pub index: u64,
    /// Seeds whatever is random in its content.
    pub seed: u64,
    /// What makes it a callback that must be rejected. It is sent once, and none of
    /// [`drop_answer`](Self::drop_answer), [`duplicate`](Self::duplicate) and
    /// [`tamper`](Self::tamper) happens to it.
    pub rejected: Option<Rejected>,
    /// When the first answer is dropped.
    pub drop_answer: Option<DropAnswer>,
    /// When it is sent a second time.
    pub duplicate: Option<Duplicate>,
    /// Whether other content follows under its signature.
    pub tamper: bool,
    /// How its body travels.
    pub pace: Pace,
    /// How many later callbacks may overtake it.
    pub fall_back: u64,
}

/// Why a callback must be rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejected {
    /// Signed an hour ago.
    Stale,
    /// Signed for an hour from now.
    Future,
    /// Wrongly signed.
    BadSignature,
    /// Without a signature.
    Unsigned,
    /// With an empty signature.
    EmptySignature,
    /// With a signature that is null.
    NullSignature,
    /// Too long.
    Oversize,
    /// Made wrong by the options that say what is in it.
    AsAsked,
}

/// When the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropAnswer {
    /// As soon as the request was written, while the receiver still works on it.
    WhenSent,
    /// When the answer has arrived, without reading it: the receiver believes that all is well.
    WhenAnswered,
}

/// When a callback is sent for the second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Duplicate {
    /// Together with the first.
    AtOnce,
    /// After the first was delivered.
    Later,
}

/// How a body travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pace {
    /// In one piece, its length announced.
    #[default]
    Whole,
    /// In pieces, chunked.
    Chunked,
    /// In pieces over two seconds, its length announced.
    Slow,
    /// In pieces over two seconds, chunked.
    SlowChunked,
}

impl Pace {
    /// Whether it takes its time on purpose, so that its latency says nothing about the receiver.
    pub const fn is_slow(self) -> bool {
        matches!(self, Self::Slow | Self::SlowChunked)
    }

    /// Whether its length is not announced.
    pub const fn is_chunked(self) -> bool {
        matches!(self, Self::Chunked | Self::SlowChunked)
    }
}

impl Plan {
    /// Decides what happens to `count` callbacks.
    pub fn new(seed: u64, count: u64, faults: &[FaultShare]) -> Self {
        let mut steps: Vec<Step> = (0..count).map(|index| step(seed, index, faults)).collect();
        // Stable, so a callback that falls back by n comes directly after the n-th one behind it.
        steps.sort_by_key(|step| {
            (
                step.index.saturating_add(step.fall_back),
                step.fall_back > 0,
            )
        });
        Self(steps)
    }

    /// The same plan, with every callback that would be delivered expected to be rejected.
    #[must_use]
    pub fn expecting_rejection(mut self) -> Self {
        for step in self.0.iter_mut().filter(|step| step.rejected.is_none()) {
            step.rejected = Some(Rejected::AsAsked);
            (step.drop_answer, step.duplicate, step.tamper) = (None, None, false);
        }
        self
    }

    /// The callback that must be delivered before a rejection proves anything, if there is one to come.
    pub fn control(&self) -> Option<Step> {
        let first = self.0.iter().find(|step| step.rejected.is_some())?;
        Some(Step {
            index: self.0.len() as u64,
            seed: !first.seed,
            rejected: None,
            drop_answer: None,
            duplicate: None,
            tamper: false,
            pace: Pace::Whole,
            fall_back: 0,
        })
    }

    /// What happens, in the order in which the callbacks are sent.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

fn step(seed: u64, index: u64, faults: &[FaultShare]) -> Step {
    // A generator for each callback: its fate depends on nothing that happens to another. The odd
    // constant, 2^64 by the golden ratio, keeps the seeds of neighbours apart.
    let mut rng = Rng::with_seed(seed ^ index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let content_seed = rng.u64(..);
    let drop_answer = either(&mut rng, DropAnswer::WhenSent, DropAnswer::WhenAnswered);
    let duplicate = either(&mut rng, Duplicate::AtOnce, Duplicate::Later);
    let fall_back = rng.u64(1..=MAX_FALL_BACK);
    // Every fault is drawn, asked for or not, so that another --fault changes nothing about the first.
    let drawn: Vec<Fault> = Fault::ALL
        .into_iter()
        .filter(|&fault| {
            let draw = rng.f64();
            faults
                .iter()
                .any(|share| share.fault == fault && draw < share.share)
        })
        .collect();
    let has = |fault| drawn.contains(&fault);
    let rejected = drawn.iter().find_map(|fault| rejection_of(*fault));
    let delivered = rejected.is_none();
    Step {
        index,
        seed: content_seed,
        rejected,
        drop_answer: (delivered && has(Fault::DropAnswer)).then_some(drop_answer),
        duplicate: (delivered && has(Fault::Duplicate)).then_some(duplicate),
        tamper: delivered && has(Fault::Tamper),
        pace: match (has(Fault::Slow), has(Fault::Chunked)) {
            (false, false) => Pace::Whole,
            (false, true) => Pace::Chunked,
            (true, false) => Pace::Slow,
            (true, true) => Pace::SlowChunked,
        },
        fall_back: if has(Fault::Reorder) { fall_back } else { 0 },
    }
}

fn rejection_of(fault: Fault) -> Option<Rejected> {
    match fault {
        Fault::Stale => Some(Rejected::Stale),
        Fault::Future => Some(Rejected::Future),
        Fault::BadSignature => Some(Rejected::BadSignature),
        Fault::Unsigned => Some(Rejected::Unsigned),
        Fault::Oversize => Some(Rejected::Oversize),
        Fault::DropAnswer
        | Fault::Duplicate
        | Fault::Reorder
        | Fault::Tamper
        | Fault::Chunked
        | Fault::Slow => None,
    }
}

fn either<T>(rng: &mut Rng, one: T, other: T) -> T {
    if rng.bool() { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 42;

    fn plan(count: u64, faults: &[&str]) -> Plan {
        let faults: Vec<FaultShare> = faults.iter().map(|text| text.parse().unwrap()).collect();
        Plan::new(SEED, count, &faults)
    }

    #[test]
    fn without_faults_everything_goes_straight() {
        for (index, step) in plan(100, &[]).steps().iter().enumerate() {
            assert_eq!(step.index, index as u64);
            let expected = Step {
                index: step.index,
                seed: step.seed,
                rejected: None,
                drop_answer: None,
                duplicate: None,
                tamper: false,
                pace: Pace::Whole,
                fall_back: 0,
            };
            assert_eq!(*step, expected);
        }
    }

    #[test]
    fn a_share_is_kept_to_and_a_whole_one_spares_nobody() {
        let count = |faults: &[&str], has: fn(&Step) -> bool| {
            let plan = plan(10_000, faults);
            plan.steps().iter().filter(|step| has(step)).count()
        };
        let duplicates = count(&["duplicate:0.1"], |step| step.duplicate.is_some());
        assert!((900..=1_100).contains(&duplicates), "{duplicates}");
        assert_eq!(count(&["duplicate:0"], |step| step.duplicate.is_some()), 0);
        assert_eq!(count(&["tamper"], |step| step.tamper), 10_000);
        let dropped = |when| {
            let plan = plan(10_000, &["drop-answer"]);
            let steps = plan.steps().iter();
            steps.filter(|step| step.drop_answer == Some(when)).count()
        };
        for when in [DropAnswer::WhenSent, DropAnswer::WhenAnswered] {
            assert!((4_800..=5_200).contains(&dropped(when)), "{when:?}");
        }
    }

    #[test]
    fn another_fault_changes_nothing_about_the_first() {
        let alone = plan(1_000, &["duplicate:0.3"]);
        let both = plan(1_000, &["drop-answer:0.5", "duplicate:0.3"]);
        for (alone, both) in alone.steps().iter().zip(both.steps()) {
            assert_eq!((alone.seed, alone.duplicate), (both.seed, both.duplicate));
        }
        let longer = plan(2_000, &["duplicate:0.3"]);
        assert_eq!(longer.steps()[..1_000], alone.steps()[..]);
        let other = Plan::new(SEED + 1, 1_000, &["duplicate:0.3".parse().unwrap()]);
        assert_ne!(other, alone);
    }

    #[test]
    fn what_must_be_rejected_is_sent_once_and_for_one_reason() {
        let all: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        for step in plan(10, &all).steps() {
            assert_eq!(step.rejected, Some(Rejected::Stale));
            assert_eq!((step.drop_answer, step.duplicate), (None, None));
            assert!(!step.tamper && step.pace == Pace::SlowChunked);
        }
        for (fault, expected) in [
            ("stale", Rejected::Stale),
            ("future", Rejected::Future),
            ("bad-signature", Rejected::BadSignature),
            ("unsigned", Rejected::Unsigned),
            ("oversize", Rejected::Oversize),
        ] {
            assert_eq!(plan(1, &[fault]).steps()[0].rejected, Some(expected));
        }
    }

    #[test]
    fn reordered_callbacks_are_overtaken_and_none_is_lost() {
        let plan = plan(1_000, &["reorder:0.2"]);
        let order: Vec<u64> = plan.steps().iter().map(|step| step.index).collect();
        let overtaken = order.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!(overtaken > 100, "{overtaken} of 1000 at seed {SEED}");
        let mut sorted = order;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1_000));
        for (position, step) in plan.steps().iter().enumerate() {
            let latest = step.index + step.fall_back;
            assert!(position as u64 <= latest, "{position}: {step:?}");
        }
    }
}

//! Explores every history of one delivery: ZEGOCLOUD's six attempts and two that a proxy repeats, each
//! handler with every end that it can take, crashes and lost writes at every place.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_receiver::{
    Claim, ClaimOutcome, DeliveryRecord, DeliveryState, Owner, Settled, Settlement,
};

/// Seconds after the first attempt. Those at 16 and 20 are a proxy's.
const ATTEMPTS: [u64; 8] = [0, 2, 6, 14, 16, 20, 30, 62];
const HANDLER_TIMEOUT: u64 = 8;
const MOST_FAULTS: u8 = 3;

type ClaimFn =
    fn(Option<DeliveryRecord>, &Claim, bool, Duration) -> (Option<DeliveryRecord>, ClaimOutcome);
type SettleFn =
    fn(Option<DeliveryRecord>, &Claim, Settlement, Duration) -> (Option<DeliveryRecord>, Settled);

/// The transition functions under test.
pub(crate) struct Machine {
    pub(crate) claim: ClaimFn,
    pub(crate) settle: SettleFn,
}

impl Machine {
    pub(crate) const REAL: Self = Self {
        claim: DeliveryRecord::claim,
        settle: DeliveryRecord::settle,
    };
}

/// A promise that some history has broken.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    history: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "broken: {}\n  {}",
            self.promise,
            self.history.join("\n  ")
        )
    }
}

/// The number of states, or the first violation.
pub(crate) fn explore(machine: &Machine) -> Result<usize, Violation> {
    let mut seen = HashSet::new();
    let mut open = vec![(World::default(), Vec::new())];
    while let Some((world, history)) = open.pop() {
        if !seen.insert(world.fingerprint()) {
            continue;
        }
        for (event, next) in world.successors(machine) {
            let mut history: Vec<String> = history.clone();
            history.push(event);
            match next {
                Ok(next) => open.push((next, history)),
                Err(promise) => return Err(Violation { promise, history }),
            }
        }
    }
    Ok(seen.len())
}

#[derive(Clone, Default)]
struct World {
    attempts: usize,
    record: Option<DeliveryRecord>,
    live: Vec<Live>,
    /// Owners whose failure is on its way to the store.
    late: Vec<Owner>,
    effects: u8,
    acknowledged: bool,
    done: bool,
    faults: u8,
    /// Faults after which another effect is excused: a crash or a lost write between an effect and its
    /// record, or a handler that cannot be stopped.
    excuses: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Live {
    owner: Owner,
    begun: u64,
    /// It blocks its thread, so that its timeout cannot stop it.
    blocks: bool,
}

/// What may become of a handler.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Succeeds,
    SucceedsAfterTheSenderHasGone,
    SucceedsAndIsNotWritten,
    CrashesAfterTheEffect,
    CrashesBeforeTheEffect,
    Fails,
    FailsAndIsNotWritten,
    FailsAndIsWrittenLate,
    Blocks,
}

const ENDS: [End; 9] = [
    End::Succeeds,
    End::SucceedsAfterTheSenderHasGone,
    End::SucceedsAndIsNotWritten,
    End::CrashesAfterTheEffect,
    End::CrashesBeforeTheEffect,
    End::Fails,
    End::FailsAndIsNotWritten,
    End::FailsAndIsWrittenLate,
    End::Blocks,
];

type Step = (String, Result<World, &'static str>);

impl World {
    fn successors(&self, machine: &Machine) -> Vec<Step> {
        let mut steps = Vec::new();
        for (index, owner) in self.late.iter().enumerate() {
            let mut next = self.clone();
            next.late.remove(index);
            next.settle(machine, *owner, Settlement::Failed);
            steps.push((
                format!("the late failure of {owner:?} arrives"),
                next.checked(),
            ));
        }
        let next_attempt = ATTEMPTS.get(self.attempts).copied();
        for (index, live) in self.live.iter().enumerate() {
            for end in ENDS {
                let mut next = self.clone();
                next.live.remove(index);
                if next.end(machine, *live, end) {
                    steps.push((
                        format!("the handler of {:?}: {end:?}", live.owner),
                        next.checked(),
                    ));
                }
            }
        }
        // Before the next attempt comes, whatever its timeout can stop has ended in one of these ways.
        let out_of_time = |now: u64| {
            self.live
                .iter()
                .any(|live| !live.blocks && live.begun + HANDLER_TIMEOUT <= now)
        };
        if let Some(now) = next_attempt.filter(|now| !out_of_time(*now)) {
            let mut next = self.clone();
            let outcome = next.attempt(machine, now);
            steps.push((
                format!("attempt at {now} s: {outcome:?}"),
                outcome.and_then(|_| next.checked()),
            ));
        }
        steps
    }

    fn attempt(&mut self, machine: &Machine, now: u64) -> Result<ClaimOutcome, &'static str> {
        self.attempts += 1;
        let owner = Owner::new(self.attempts as u128);
        let (record, outcome) = (machine.claim)(
            self.record,
            &claim_of(owner),
            false,
            Duration::from_secs(now),
        );
        self.record = record;
        match outcome {
            ClaimOutcome::Run(_) if self.done => return Err("done stays done"),
            ClaimOutcome::Run(_) if self.live.iter().any(|live| !live.blocks) => {
                return Err("never two handlers at once");
            }
            ClaimOutcome::Run(_) => self.live.push(Live {
                owner,
                begun: now,
                blocks: false,
            }),
            ClaimOutcome::Done => self.acknowledged = true,
            ClaimOutcome::Busy | ClaimOutcome::Full => {}
        }
        Ok(outcome)
    }

    /// Whether the handler can end so.
    fn end(&mut self, machine: &Machine, live: Live, end: End) -> bool {
        let (effect, fault, excuse) = match end {
            End::Succeeds | End::SucceedsAfterTheSenderHasGone => (1, 0, 0),
            End::SucceedsAndIsNotWritten | End::CrashesAfterTheEffect => (1, 1, 1),
            End::CrashesBeforeTheEffect
            | End::FailsAndIsNotWritten
            | End::FailsAndIsWrittenLate => (0, 1, 0),
            End::Fails => (0, 0, 0),
            End::Blocks => (0, 1, 1),
        };
        self.effects += effect;
        self.faults += fault;
        self.excuses += excuse;
        match end {
            End::Succeeds | End::SucceedsAfterTheSenderHasGone => {
                self.settle(machine, live.owner, Settlement::Done);
                self.done = true;
            }
            End::Fails => self.settle(machine, live.owner, Settlement::Failed),
            End::FailsAndIsWrittenLate => self.late.push(live.owner),
            End::Blocks => self.live.push(Live {
                blocks: true,
                ..live
            }),
            _ => {}
        }
        self.acknowledged |= matches!(end, End::Succeeds | End::SucceedsAndIsNotWritten);
        self.faults <= MOST_FAULTS && !(end == End::Blocks && live.blocks)
    }

    fn settle(&mut self, machine: &Machine, owner: Owner, settlement: Settlement) {
        let now = ATTEMPTS[self.attempts - 1] + 1;
        let claim = claim_of(owner);
        (self.record, _) =
            (machine.settle)(self.record, &claim, settlement, Duration::from_secs(now));
    }

    fn checked(self) -> Result<Self, &'static str> {
        if self.acknowledged && self.effects == 0 {
            return Err("a 2xx means that the effect is done");
        }
        if self.effects > 1 + self.excuses {
            return Err("no effect beyond the faults that excuse it");
        }
        let is_done = self
            .record
            .is_some_and(|record| record.state == DeliveryState::Done);
        if self.done && !is_done {
            return Err("done stays done");
        }
        Ok(self)
    }

    fn fingerprint(&self) -> String {
        let Self {
            attempts,
            record,
            live,
            late,
            effects,
            acknowledged,
            done,
            faults,
            excuses,
        } = self;
        format!(
            "{attempts} {record:?} {live:?} {late:?} {effects} {acknowledged} {done} {faults} {excuses}"
        )
    }
}

fn claim_of(owner: Owner) -> Claim {
    Claim::new(DeliveryKey::from_bytes([7; 32]), "1:url:u", owner)
        .with_lease(Duration::from_secs(HANDLER_TIMEOUT + 2))
}

//! One callback, two workers, an operator and the time: everything that can happen, in every order.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use zego_record_inbox::{EntryState, Hold, Next, WorkRecord};
use zego_record_receiver::{Owner, Settled};

const OWNERS: u8 = 2;
const LAST_MOMENT: u64 = 4;
const MOST_CLAIMS: u8 = 3;
const MOST_OPERATIONS: u8 = 2;
const LEASE: u64 = 2;
const DELAY: u64 = 1;
const KEEP: u64 = 2;

/// The transition functions under test.
#[derive(Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) claim: fn(&WorkRecord, Owner, Duration, Duration) -> Option<WorkRecord>,
    pub(crate) extend: fn(&WorkRecord, &Hold, Duration, Duration) -> (WorkRecord, Settled),
    pub(crate) settle: fn(&WorkRecord, &Hold, Next, Duration) -> (WorkRecord, Settled),
    pub(crate) redeliver: fn(&WorkRecord, Duration) -> Option<WorkRecord>,
    pub(crate) discard: fn(&WorkRecord, Duration) -> Option<WorkRecord>,
    pub(crate) is_prunable: fn(&WorkRecord, Duration, Duration) -> bool,
}

impl Machine {
    pub(crate) const REAL: Self = Self {
        claim: WorkRecord::claim,
        extend: WorkRecord::extend,
        settle: WorkRecord::settle,
        redeliver: WorkRecord::redeliver,
        discard: WorkRecord::discard,
        is_prunable: WorkRecord::is_prunable,
    };
}

/// A promise that is broken by the shortest history that breaks one.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    history: Vec<Event>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}", self.promise)?;
        let mut events = self.history.iter();
        events.try_for_each(|event| write!(f, "\n  {event:?}"))
    }
}

/// The number of states, or the first violation, breadth first.
pub(crate) fn explore(machine: &Machine) -> Result<usize, Violation> {
    let mut seen = HashSet::from([World::new()]);
    let mut open = VecDeque::from([(World::new(), None)]);
    // How each state was reached first: from the one before it, and by what.
    let mut trail: Vec<(Option<usize>, Event)> = Vec::new();
    while let Some((world, place)) = open.pop_front() {
        for event in world.events() {
            let mut next = world.clone();
            let taken = next.take(machine, event);
            if taken.is_ok() && seen.contains(&next) {
                continue;
            }
            trail.push((place, event));
            let reached = trail.len() - 1;
            if let Err(promise) = taken {
                let history = history(&trail, reached);
                return Err(Violation { promise, history });
            }
            seen.insert(next.clone());
            open.push_back((next, Some(reached)));
        }
    }
    Ok(seen.len())
}

fn history(trail: &[(Option<usize>, Event)], reached: usize) -> Vec<Event> {
    let mut history = Vec::new();
    let mut place = Some(reached);
    while let Some((before, event)) = place.and_then(|place| trail.get(place)) {
        history.push(*event);
        place = *before;
    }
    history.reverse();
    history
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    TimePasses,
    Claim(u8),
    /// The handler of a run has its effect.
    Effect(usize),
    Extend(usize),
    /// The run ends so; its worker learns that it was recorded.
    Settle(usize, Next),
    /// The run ends so, and its worker does not learn it, and may try again at any time.
    SettleAndForget(usize, Next),
    /// Its worker dies.
    Crash(usize),
    Redeliver,
    Discard,
    Prune,
}

const ENDS: [Next; 5] = [
    Next::Done,
    Next::Discarded,
    Next::Dead,
    Next::Retry(seconds(DELAY)),
    Next::Release(seconds(0)),
];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    now: u64,
    /// `None` when it was pruned.
    record: Option<WorkRecord>,
    /// What workers hold or have held, for all they know.
    runs: Vec<Run>,
    /// The epoch of the run that holds the callback, by what has happened and not by the record.
    holder: Option<u32>,
    /// The greatest epoch so far.
    epoch: u32,
    /// How many attempts there should be.
    attempts: u32,
    /// Whether any run has had its effect.
    effect: bool,
    claims: u8,
    operations: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Run {
    owner: Owner,
    epoch: u32,
    lease_ends: u64,
    effect: bool,
    /// Its end, as an index of [`ENDS`], if it has ended and its worker does not know that it is recorded.
    sent: Option<usize>,
    /// A late success of another run has ended it. Its worker learns that when it extends its lease, which
    /// is the one case in which a redelivery can meet a handler that still runs.
    overtaken: bool,
}

type Checked = Result<(), &'static str>;

fn require(holds: bool, promise: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(promise) }
}

impl World {
    fn new() -> Self {
        Self {
            now: 0,
            record: Some(WorkRecord::new(Duration::ZERO)),
            runs: Vec::new(),
            holder: None,
            epoch: 0,
            attempts: 0,
            effect: false,
            claims: 0,
            operations: 0,
        }
    }

    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.record.is_none() {
            return events;
        }
        if self.now < LAST_MOMENT {
            events.push(Event::TimePasses);
        }
        if self.claims < MOST_CLAIMS {
            // The first claim is by the first worker: which of them it is makes no difference.
            let owners = if self.claims == 0 { 1 } else { OWNERS };
            events.extend((0..owners).map(Event::Claim));
        }
        // One at a time, or there would be five times as many states.
        let may_forget = self.runs.iter().all(|run| run.sent.is_none());
        for (index, run) in self.runs.iter().enumerate() {
            events.push(Event::Crash(index));
            if run.sent.is_none() {
                events.push(Event::Extend(index));
                if !run.effect {
                    events.push(Event::Effect(index));
                }
            }
            let may_end = |number: usize| match run.sent {
                Some(sent) => sent == number,
                // A handler is not successful before its effect, and does not fail after it.
                None => run.effect == (ENDS[number] == Next::Done),
            };
            for (_, next) in ENDS
                .iter()
                .enumerate()
                .filter(|(number, _)| may_end(*number))
            {
                events.push(Event::Settle(index, *next));
                if may_forget {
                    events.push(Event::SettleAndForget(index, *next));
                }
            }
        }
        if self.operations < MOST_OPERATIONS {
            events.extend([Event::Redeliver, Event::Discard]);
        }
        events.push(Event::Prune);
        events
    }

    fn take(&mut self, machine: &Machine, event: Event) -> Checked {
        let Some(before) = self.record else {
            return Ok(());
        };
        match event {
            Event::TimePasses => self.now += 1,
            Event::Claim(owner) => self.claim(machine, &before, Owner::new(owner.into()))?,
            Event::Effect(index) => {
                self.runs[index].effect = true;
                self.effect = true;
            }
            Event::Extend(index) => self.extend(machine, &before, index)?,
            Event::Settle(index, next) => {
                self.settle(machine, &before, index, next)?;
                self.runs.remove(index);
            }
            Event::SettleAndForget(index, next) => {
                self.settle(machine, &before, index, next)?;
                self.runs[index].sent = ENDS.iter().position(|end| *end == next);
            }
            Event::Crash(index) => {
                self.runs.remove(index);
            }
            Event::Redeliver => self.redeliver(machine, &before)?,
            Event::Discard => self.discard(machine, &before)?,
            Event::Prune => self.prune(machine, &before)?,
        }
        self.check(machine)
    }

    fn claim(&mut self, machine: &Machine, before: &WorkRecord, owner: Owner) -> Checked {
        self.claims += 1;
        let now = seconds(self.now);
        let Some(after) = (machine.claim)(before, owner, seconds(LEASE), now) else {
            let is_due = is_open(before) && before.due_at.is_some_and(|due_at| due_at <= now);
            return require(!is_due, "what is due can be claimed");
        };
        self.require_effect(&after)?;
        require(
            is_open(before),
            "what is over is not run until it is redelivered",
        )?;
        let holds = |run: &Run| run.sent.is_none() && !run.overtaken && run.lease_ends > self.now;
        require(
            !self.runs.iter().any(holds),
            "never two holders whose leases are good",
        )?;
        require(after.epoch > self.epoch, "epochs increase")?;
        require(after.state() == EntryState::Running, "what is claimed runs")?;
        self.runs.push(Run {
            owner,
            epoch: after.epoch,
            lease_ends: self.now + LEASE,
            effect: false,
            sent: None,
            overtaken: false,
        });
        self.epoch = after.epoch;
        self.holder = Some(after.epoch);
        self.attempts += 1;
        self.record = Some(after);
        Ok(())
    }

    fn extend(&mut self, machine: &Machine, before: &WorkRecord, index: usize) -> Checked {
        let (hold, now) = (self.hold(index), seconds(self.now));
        let (after, settled) = (machine.extend)(before, &hold, seconds(LEASE), now);
        if self.holder != Some(hold.epoch) {
            return lost(before, &after, settled);
        }
        let ends = self.now + LEASE;
        let is_extended = settled == Settled::Applied && after.due_at == Some(seconds(ends));
        require(is_extended, "the holder can extend its lease")?;
        self.runs[index].lease_ends = ends;
        self.record = Some(after);
        Ok(())
    }

    fn settle(
        &mut self,
        machine: &Machine,
        before: &WorkRecord,
        index: usize,
        next: Next,
    ) -> Checked {
        let (hold, now) = (self.hold(index), seconds(self.now));
        let (after, settled) = (machine.settle)(before, &hold, next, now);
        self.require_effect(&after)?;
        let is_holder = self.holder == Some(hold.epoch);
        match before.state() {
            EntryState::Done => return require(after == *before, "done stays done"),
            EntryState::Discarded => {
                return require(after == *before, "discarded stays discarded");
            }
            _ if next == Next::Done => {}
            _ if !is_holder => return lost(before, &after, settled),
            _ => {}
        }
        let state = match next {
            Next::Done => EntryState::Done,
            Next::Discarded => EntryState::Discarded,
            Next::Dead => EntryState::Dead,
            Next::Retry(_) | Next::Release(_) => EntryState::Waiting,
        };
        let is_recorded = settled == Settled::Applied && after.state() == state;
        let promise = if next == Next::Done {
            "a late success is true"
        } else {
            "the holder can end its run"
        };
        require(is_recorded, promise)?;
        if let Next::Release(_) = next {
            self.attempts -= 1;
        }
        if !is_holder {
            self.runs.iter_mut().for_each(|run| run.overtaken = true);
        }
        self.holder = None;
        self.record = Some(after);
        Ok(())
    }

    fn redeliver(&mut self, machine: &Machine, before: &WorkRecord) -> Checked {
        self.operations += 1;
        let after = (machine.redeliver)(before, seconds(self.now));
        let is_right = after.is_some() == self.holder.is_none();
        require(
            is_right,
            "redelivery leaves alone what runs, and nothing else",
        )?;
        let Some(after) = after else {
            return Ok(());
        };
        let is_due = after.due_at == Some(seconds(self.now));
        let is_due = is_due && after.state() == EntryState::Waiting;
        require(is_due, "what is redelivered is due at once")?;
        self.attempts = 0;
        self.record = Some(after);
        Ok(())
    }

    fn discard(&mut self, machine: &Machine, before: &WorkRecord) -> Checked {
        self.operations += 1;
        let after = (machine.discard)(before, seconds(self.now));
        let may = matches!(before.state(), EntryState::Waiting | EntryState::Dead);
        require(
            after.is_some() == may,
            "discarding leaves alone what runs, is done or is discarded",
        )?;
        let Some(after) = after else {
            return Ok(());
        };
        let is_discarded = after.state() == EntryState::Discarded;
        require(is_discarded, "an operator can discard")?;
        self.record = Some(after);
        Ok(())
    }

    fn prune(&mut self, machine: &Machine, before: &WorkRecord) -> Checked {
        let is_prunable = (machine.is_prunable)(before, seconds(KEEP), seconds(self.now));
        let is_old = |at: Duration| at + seconds(KEEP) <= seconds(self.now);
        match before.state() {
            EntryState::Dead => require(!is_prunable, "dead is never pruned")?,
            EntryState::Waiting | EntryState::Running => {
                require(!is_prunable, "what is not over is never pruned")?;
            }
            EntryState::Done | EntryState::Discarded => {
                let old = before.over.is_some_and(|over| is_old(over.at));
                require(is_prunable == old, "what is over is pruned by its age")?;
            }
        }
        if is_prunable {
            self.record = None;
        }
        Ok(())
    }

    /// What is true at any time.
    fn check(&self, machine: &Machine) -> Checked {
        let Some(record) = self.record else {
            return Ok(());
        };
        require(
            record.attempts == self.attempts,
            "attempts count starts since redelivery, but not what was released",
        )?;
        require(record.epoch == self.epoch, "epochs increase")?;
        let is_held = record.state() == EntryState::Running;
        require(is_held == self.holder.is_some(), "what runs has a holder")?;
        let Some(due_at) = record.due_at else {
            return require(!is_open(&record), "what is not over has a due time");
        };
        require(is_open(&record), "what is over is never due")?;
        let latest = seconds(self.now + LEASE.max(DELAY));
        require(
            due_at <= latest,
            "nothing waits for longer than it was asked to",
        )?;
        let due = (machine.claim)(&record, Owner::new(99), seconds(LEASE), due_at);
        require(due.is_some(), "what is due can be claimed")
    }

    fn require_effect(&self, after: &WorkRecord) -> Checked {
        let is_true = self.effect || after.state() != EntryState::Done;
        require(is_true, "no success without an effect")
    }

    fn hold(&self, index: usize) -> Hold {
        let Run { owner, epoch, .. } = self.runs[index];
        Hold::new(1, owner, epoch)
    }
}

fn lost(before: &WorkRecord, after: &WorkRecord, settled: Settled) -> Checked {
    let is_untouched = before == after && settled == Settled::Stale;
    require(
        is_untouched,
        "a run that has lost its callback changes nothing",
    )
}

fn is_open(record: &WorkRecord) -> bool {
    matches!(record.state(), EntryState::Waiting | EntryState::Running)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

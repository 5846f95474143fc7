//! What has happened to one callback, and what must hold of it.

use std::time::Duration;

use zego_record_inbox::{Hold, Next};

type Check = Result<(), String>;

/// How long a handler whose lease has ended may run on: a timer rings on the next millisecond, and nobody
/// reports the end of a commit.
const LATE: Duration = Duration::from_millis(15);

#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) is_stored: bool,
    pub(crate) is_acknowledged: bool,
    /// Effects, those that came with a commit among them.
    pub(crate) effects: u32,
    /// Effects that were committed with their success, since the callback was last redelivered.
    commits: u32,
    /// The run that had the last effect.
    last_effect: Option<Effect>,
    /// Starts since the last redelivery, less those that were given back.
    attempts: u32,
    holder: Option<Holder>,
    /// Handlers that run, not more than one of them with a good lease.
    live: Vec<Run>,
    /// It must not be claimed before.
    not_before: Duration,
    is_done: bool,
    /// It was redelivered, and nothing has come of it yet.
    awaits_run: bool,
    pub(crate) discarded: bool,
    pub(crate) given_up: bool,
    /// Whether a handler may have asked to discard it.
    pub(crate) is_unwanted: bool,
    /// Whether a handler may have asked to give it up.
    pub(crate) is_hopeless: bool,
    /// Faults of the store on accepting it that no answer has shown yet.
    pub(crate) accept_faults: u32,
}

#[derive(Clone, Copy, Debug)]
struct Effect {
    epoch: u32,
    /// Whether it may come again.
    is_excused: bool,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    hold: Hold,
    process: u32,
    lease_ends: Duration,
    /// Its process is gone, or a fault of the store may keep it from extending its lease.
    is_cut_off: bool,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    epoch: u32,
    process: u32,
    lease_ends: Duration,
    /// The row was ended by somebody, and this worker learns of it when it extends its lease.
    is_over: bool,
    commits: bool,
}

impl Run {
    /// Although somebody else may have taken over. A commit may, since it holds the row.
    fn runs_on(&self, now: Duration) -> bool {
        !self.commits && now > self.lease_ends + LATE
    }
}

impl Truth {
    pub(crate) fn claimed(
        &mut self,
        hold: Hold,
        attempt: u32,
        process: u32,
        lease: Duration,
        store_is_good: bool,
        now: Duration,
    ) -> Check {
        self.attempts += 1;
        if attempt != self.attempts {
            return Err(format!(
                "attempt {attempt}, and it is number {}",
                self.attempts
            ));
        }
        if self.is_done || self.discarded || self.given_up {
            return Err(format!("claimed although it is over: {self:?}"));
        }
        if now < self.not_before {
            return Err(format!("claimed before {:?}", self.not_before));
        }
        if let Some(holder) = self.holder.filter(|holder| now < holder.lease_ends) {
            return Err(format!("claimed although the lease is good: {holder:?}"));
        }
        if let Some(holder) = self.holder.filter(|holder| !holder.is_cut_off) {
            return Err(format!(
                "taken over from {holder:?}, whom no fault has cut off"
            ));
        }
        if let Some(effect) = self.last_effect.filter(|effect| !effect.is_excused) {
            return Err(format!("claimed after {effect:?}, and no fault excuses it"));
        }
        self.awaits_run = false;
        self.holder = Some(Holder {
            hold,
            process,
            lease_ends: now + lease,
            is_cut_off: !store_is_good,
        });
        Ok(())
    }

    pub(crate) fn extended(&mut self, hold: Hold, lease_ends: Duration, applied: bool) -> Check {
        let holder = self.holder.as_mut().filter(|holder| holder.hold == hold);
        let Some(holder) = holder.filter(|_| applied) else {
            return if applied {
                Err(format!("{hold:?} extends what it has not"))
            } else {
                Ok(())
            };
        };
        holder.lease_ends = lease_ends;
        for run in self.live.iter_mut().filter(|run| run.epoch == hold.epoch) {
            run.lease_ends = lease_ends;
        }
        Ok(())
    }

    pub(crate) fn settled(
        &mut self,
        hold: Hold,
        next: Next,
        max_attempts: u32,
        now: Duration,
    ) -> Check {
        let holds = self.holder.is_some_and(|holder| holder.hold == hold);
        match next {
            Next::Done => {
                if self.effects == 0 {
                    return Err("done without an effect".to_owned());
                }
                self.is_done = true;
                self.awaits_run = false;
                (self.discarded, self.given_up) = (false, false);
                if let Some(effect) = &mut self.last_effect {
                    effect.is_excused = false;
                }
            }
            _ if !holds => return Err(format!("{next:?} from {hold:?}, which has it no more")),
            Next::Discarded if !self.is_unwanted => {
                return Err("discarded, and the handler wants it".to_owned());
            }
            Next::Dead if !self.is_hopeless && self.attempts < max_attempts => {
                return Err("given up too early".to_owned());
            }
            Next::Discarded => self.discarded = true,
            Next::Dead => self.given_up = true,
            Next::Retry(delay) => self.not_before = now + delay,
            Next::Release(delay) => {
                self.not_before = now + delay;
                self.attempts -= 1;
            }
        }
        self.holder = None;
        self.live.iter_mut().for_each(|run| run.is_over = true);
        Ok(())
    }

    pub(crate) fn redelivered(&mut self, now: Duration) -> Check {
        if self.holder.is_some() {
            return Err("redelivered while it runs".to_owned());
        }
        self.commits = 0;
        self.attempts = 0;
        self.not_before = now;
        self.awaits_run = true;
        (self.is_done, self.discarded, self.given_up) = (false, false, false);
        self.excuse_effect(None);
        Ok(())
    }

    pub(crate) fn discarded_by_operator(&mut self) -> Check {
        if self.holder.is_some() || self.is_done {
            return Err("discarded while it runs or is done".to_owned());
        }
        self.discarded = true;
        self.awaits_run = false;
        Ok(())
    }

    /// A handler begins to run.
    pub(crate) fn run_begins(
        &mut self,
        epoch: u32,
        process: u32,
        max_attempts: u32,
        attempt: u32,
        lease: Duration,
        now: Duration,
    ) -> Check {
        if attempt > max_attempts {
            return Err(format!("attempt {attempt} of {max_attempts}"));
        }
        let other = self
            .live
            .iter()
            .find(|run| now < run.lease_ends && !run.is_over || run.runs_on(now));
        if let Some(other) = other {
            return Err(format!("two handlers at once: {epoch} and {other:?}"));
        }
        let holder = self.holder.filter(|holder| holder.hold.epoch == epoch);
        self.live.push(Run {
            epoch,
            process,
            lease_ends: holder.map_or(now + lease, |holder| holder.lease_ends),
            is_over: holder.is_none(),
            commits: false,
        });
        Ok(())
    }

    pub(crate) fn effect(&mut self, epoch: u32, now: Duration) -> Check {
        self.effects += 1;
        self.last_effect = Some(Effect {
            epoch,
            is_excused: false,
        });
        self.check_lease(epoch, now)
    }

    /// Whether this run may commit: it holds the row, and its lease's end is nobody's business while the
    /// transaction has it.
    pub(crate) fn may_commit(&self, hold: Hold) -> bool {
        self.holder.is_some_and(|holder| holder.hold == hold)
    }

    pub(crate) fn committed(&mut self, epoch: u32) -> Check {
        self.effects += 1;
        self.commits += 1;
        self.last_effect = Some(Effect {
            epoch,
            is_excused: false,
        });
        if self.commits > 1 {
            return Err("committed twice".to_owned());
        }
        Ok(())
    }

    pub(crate) fn commits(&mut self, epoch: u32, is_under_way: bool, now: Duration) {
        for run in self.live.iter_mut().filter(|run| run.epoch == epoch) {
            run.commits = is_under_way;
            // Nobody reports the end of a commit, so the worker looks again a little later.
            run.lease_ends = run.lease_ends.max(now);
        }
    }

    /// A handler has returned or was dropped.
    pub(crate) fn run_ends(&mut self, epoch: u32, ends_well: bool, now: Duration) -> Check {
        let late = self.check_lease(epoch, now);
        self.live.retain(|run| run.epoch != epoch);
        if !ends_well {
            self.excuse_effect(Some(epoch));
        }
        late
    }

    fn check_lease(&self, epoch: u32, now: Duration) -> Check {
        match self.live.iter().find(|run| run.epoch == epoch) {
            Some(run) if run.runs_on(now) => {
                Err(format!("a handler runs on without a lease: {run:?}"))
            }
            Some(_) => Ok(()),
            None => Err(format!("run {epoch} is not under way")),
        }
    }

    /// A fault may keep the success of this run from being recorded.
    pub(crate) fn excuse_effect(&mut self, epoch: Option<u32>) {
        let is_done = self.is_done;
        if let Some(effect) = self.last_effect.as_mut().filter(|_| !is_done)
            && epoch.is_none_or(|epoch| epoch == effect.epoch)
        {
            effect.is_excused = true;
        }
    }

    pub(crate) fn process_died(&mut self, process: u32) {
        let holder = self.holder.as_mut();
        if let Some(holder) = holder.filter(|holder| holder.process == process) {
            holder.is_cut_off = true;
            let epoch = holder.hold.epoch;
            self.excuse_effect(Some(epoch));
        }
    }

    /// A process has shut down cleanly.
    pub(crate) fn process_ended(&mut self, process: u32, store_is_good: bool) -> Check {
        if self.live.iter().any(|run| run.process == process) {
            return Err("a handler runs after the shutdown".to_owned());
        }
        match self.holder.filter(|holder| holder.process == process) {
            Some(holder) if store_is_good => {
                Err(format!("a shutdown has not given back {holder:?}"))
            }
            _ => {
                self.process_died(process);
                Ok(())
            }
        }
    }

    pub(crate) fn at_end(&self) -> Check {
        if self.awaits_run {
            return Err(format!("redelivered, and not run again: {self:?}"));
        }
        // One that has committed may take its time.
        if self.live.iter().any(|run| !run.is_over) {
            return Err(format!("a handler runs at the end: {self:?}"));
        }
        Ok(())
    }
}

//! The steps of the store and of handlers, each with what it means for the truth.

use std::time::Duration;

use zego_record_core::{DeliveryKey, Verdict};
use zego_record_inbox::{ClaimDue, Claimed, Filter, Hold, Next, Note, RunEnded};
use zego_record_receiver::{Accepted, NewCallback, Settled, StoreError};

use crate::faults::{Behaviour, End};
use crate::store::at_once;
use crate::truth::Truth;
use crate::world::{Stream, World};

/// Requests to the store.
impl World {
    pub(crate) fn accept(&self, callback: &NewCallback) -> Result<Accepted, StoreError> {
        let accepted = at_once(self.store.accept(callback))?;
        let number = number(callback);
        self.state().keys.insert(callback.key, number);
        self.note("store: accepts", || {
            format!("callback {number}: {accepted:?}")
        });
        self.check(number, |truth, _| {
            let was_stored = std::mem::replace(&mut truth.is_stored, true);
            match accepted {
                Accepted::New if !was_stored => Ok(()),
                Accepted::Known if was_stored => Ok(()),
                _ => Err(format!("{accepted:?}, and it was stored: {was_stored}")),
            }
        });
        Ok(accepted)
    }

    pub(crate) fn claim(&self, claim: &ClaimDue, process: u32) -> Result<Vec<Claimed>, StoreError> {
        let claimed = at_once(self.store.claim_due(claim))?;
        if !claimed.is_empty() && self.state().is_paused {
            self.broken("claimed from a paused inbox");
        }
        if claimed.len() > usize::try_from(claim.limit).unwrap() {
            self.broken("more was claimed than asked for");
        }
        for claimed in &claimed {
            let callback = self.state().keys[&claimed.callback.key];
            self.state().ids.insert(claimed.hold.id, callback);
            self.note("store: claimed", || {
                let attempt = claimed.attempt;
                format!("callback {callback} by process {process}, attempt {attempt}")
            });
            self.check(callback, |truth, now| {
                truth.claimed(
                    claimed.hold,
                    claimed.attempt,
                    process,
                    claim.lease,
                    self.is_store_good(),
                    now,
                )
            });
        }
        Ok(claimed)
    }

    pub(crate) fn extend(&self, hold: &Hold, lease: Duration) -> Result<Settled, StoreError> {
        let settled = at_once(self.store.extend(hold, lease))?;
        let applied = settled == Settled::Applied;
        self.note(format!("store: extends, {settled:?}"), || run(hold));
        self.with_hold(hold, |truth, now| {
            truth.extended(*hold, now + lease, applied)
        });
        Ok(settled)
    }

    pub(crate) fn settle(&self, hold: &Hold, ended: &RunEnded) -> Result<Settled, StoreError> {
        let settled = at_once(self.store.settle(hold, ended))?;
        let name = match ended.next {
            Next::Done => "done",
            Next::Discarded => "discarded",
            Next::Retry(_) => "retry",
            Next::Release(_) => "release",
            Next::Dead => "dead",
        };
        self.note(format!("store: settles {name}, {settled:?}"), || {
            format!("{}: {ended:?}", run(hold))
        });
        if settled == Settled::Applied {
            let max_attempts = self.weather.settings.max_attempts();
            self.with_hold(hold, |truth, now| {
                truth.settled(*hold, ended.next, max_attempts, now)
            });
        }
        Ok(settled)
    }

    /// Whether the run held the callback, so that its effect and its success are one step.
    pub(crate) fn commit(&self, hold: &Hold) -> bool {
        let mut may = false;
        self.with_hold(hold, |truth, _| {
            may = truth.may_commit(*hold);
            if may {
                truth.committed(hold.epoch)
            } else {
                Ok(())
            }
        });
        if may {
            self.note("run: commits", || run(hold));
            let done = RunEnded::new(Next::Done, Note::default());
            if self.settle(hold, &done).unwrap() == Settled::Stale {
                self.broken(format!("{hold:?} has the callback and cannot commit"));
            }
        } else {
            self.note("run: has lost its lease before its commit", || run(hold));
        }
        may
    }

    pub(crate) fn redeliver(&self, callback: usize, key: &DeliveryKey) {
        let count = at_once(self.store.redeliver(&Filter::key(key), 1)).unwrap();
        if count > 0 {
            self.note("operator: redelivers", || format!("callback {callback}"));
            self.check(callback, Truth::redelivered);
        }
    }

    pub(crate) fn discard(&self, callback: usize, key: &DeliveryKey) {
        let count = at_once(self.store.discard(&Filter::key(key), "not wanted", 1)).unwrap();
        if count > 0 {
            self.note("operator: discards", || format!("callback {callback}"));
            self.check(callback, |truth, _| truth.discarded_by_operator());
        }
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        at_once(self.store.set_paused(paused)).unwrap();
        self.state().is_paused = paused;
        self.note(
            if paused {
                "operator: pauses"
            } else {
                "operator: resumes"
            },
            String::new,
        );
    }
}

/// Requests, runs of handlers and ends of processes.
impl World {
    pub(crate) fn accept_fault(&self, callback: &NewCallback) {
        self.check(number(callback), |truth, _| {
            truth.accept_faults += 1;
            Ok(())
        });
    }

    /// Whether an answer is right, given what has happened.
    pub(crate) fn answered(&self, callback: usize, verdict: Verdict, is_closing: bool) {
        self.note(format!("answer: {}", verdict.code()), || {
            format!("callback {callback}")
        });
        self.check(callback, |truth, _| {
            let is_right = match verdict {
                Verdict::Accepted | Verdict::Duplicate => truth.is_stored,
                Verdict::StoreUnavailable => {
                    let had_fault = truth.accept_faults > 0;
                    truth.accept_faults = truth.accept_faults.saturating_sub(1);
                    had_fault
                }
                Verdict::Busy => is_closing,
                _ => false,
            };
            is_right
                .then_some(())
                .ok_or_else(|| format!("{verdict} for no reason: {truth:?}"))
        });
    }

    /// The answer has arrived, and ZEGOCLOUD forgets the callback.
    pub(crate) fn acknowledged(&self, callback: usize) {
        self.check(callback, |truth, _| {
            truth.is_acknowledged = true;
            Ok(())
        });
    }

    pub(crate) fn commits(&self, key: &DeliveryKey) -> bool {
        let state = self.state();
        state.commits[state.keys[key]]
    }

    pub(crate) fn draw_behaviour(&self, hold: &Hold) -> Behaviour {
        let (is_over, weather) = (self.is_over(), &self.weather);
        self.draw(self.stream(hold), |rng| {
            if is_over {
                Behaviour::good(rng)
            } else {
                Behaviour::draw(rng, weather.handler, weather.settings.handler_timeout)
            }
        })
    }

    pub(crate) fn run_begins(
        &self,
        hold: &Hold,
        process: u32,
        attempt: u32,
        behaviour: &Behaviour,
    ) {
        self.note("run: begins", || {
            format!("{} in process {process}: {behaviour:?}", run(hold))
        });
        let max_attempts = self.weather.settings.max_attempts();
        self.with_hold(hold, |truth, now| {
            truth.is_hopeless |= behaviour.end == End::GivesUp;
            truth.is_unwanted |= behaviour.end == End::Discards;
            truth.run_begins(
                hold.epoch,
                process,
                max_attempts,
                attempt,
                self.weather.settings.lease,
                now,
            )
        });
    }

    pub(crate) fn effect(&self, hold: &Hold) {
        self.note("run: effect", || run(hold));
        self.with_hold(hold, |truth, now| truth.effect(hold.epoch, now));
    }

    pub(crate) fn commit_is_under_way(&self, hold: &Hold, is_under_way: bool) {
        self.with_hold(hold, |truth, now| {
            truth.commits(hold.epoch, is_under_way, now);
            Ok(())
        });
    }

    pub(crate) fn run_ends(&self, hold: &Hold, ends_well: bool) {
        let name = if ends_well {
            "run: ends well"
        } else {
            "run: ends badly"
        };
        self.note(name, || run(hold));
        self.with_hold(hold, |truth, now| {
            truth.run_ends(hold.epoch, ends_well, now)
        });
    }

    pub(crate) fn process_died(&self, process: u32) {
        self.note("process: crashed", || format!("process {process}"));
        let mut state = self.state();
        state
            .truths
            .iter_mut()
            .for_each(|truth| truth.process_died(process));
    }

    pub(crate) fn process_ended(&self, process: u32) {
        self.note("process: shut down", || format!("process {process}"));
        for callback in 0..self.weather.callbacks {
            self.check(callback, |truth, _| {
                truth.process_ended(process, self.is_store_good())
            });
        }
    }

    pub(crate) fn stream(&self, hold: &Hold) -> Stream {
        Stream::Callback(self.state().ids[&hold.id])
    }

    pub(crate) fn with_hold(
        &self,
        hold: &Hold,
        check: impl FnOnce(&mut Truth, Duration) -> Result<(), String>,
    ) {
        let callback = self.state().ids[&hold.id];
        self.check(callback, check);
    }
}

/// Without its owner, which is random and no matter of the seed.
fn run(hold: &Hold) -> String {
    format!("run {} of row {}", hold.epoch, hold.id)
}

pub(crate) fn number(callback: &NewCallback) -> usize {
    callback
        .stream_alias
        .trim_start_matches('c')
        .parse()
        .unwrap()
}

//! What has really happened to a callback, and what must hold for every receiver:
//!
//! * No 2xx without an effect, unless the handler has discarded the callback.
//! * Never two runs of a handler at once, and none beyond the handler's timeout.
//! * A run after an effect needs an excuse, which only a fault gives: the process died before the
//!   effect was written down, the store did not take it down, or the run with the effect did not end
//!   well. Nothing excuses it in a process that knows of the effect. Once it is written down, only a
//!   lease that another process got before does.
//! * An attempt that is answered with anything but 2xx, or not at all, was made impossible by a fault
//!   that can be named. So a callback is lost only where each of its six attempts was.

use std::time::Duration;

use zego_record_receiver::{ClaimOutcome, Owner, Settled, Settlement};

pub(crate) const HANDLER_TIMEOUT: Duration = Duration::from_secs(8);
const LEASE: Duration = Duration::from_secs(10);
/// A claim or a settlement with three tries takes less than this.
pub(crate) const IN_TRANSIT: Duration = Duration::from_secs(2);

/// What has happened to one callback. Times are since the beginning of the simulation.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// How often a handler has had its effect, or has decided that there is to be none.
    pub(crate) effects: u32,
    /// Whether the store knows.
    written: bool,
    /// Whether the last effect may come again.
    excused: bool,
    /// The process that has seen the last effect, as long as it lives.
    known_to: Option<u32>,
    /// The process that had the lease when another one's effect was written down.
    overtaken: Option<u32>,
    /// The process in which a handler runs, and since when.
    live: Option<(u32, Duration)>,
    last_end: Duration,
    holder: Option<Holder>,
    /// Rejections that the store gave or caused, and that will be answered.
    pub(crate) busy: u32,
    pub(crate) store_faults: u32,
}

/// Who has the lease.
#[derive(Debug)]
struct Holder {
    owner: Owner,
    process: u32,
    since: Duration,
    lease_ends: Duration,
    /// A fault keeps it from giving the lease back.
    is_stuck: bool,
}

type Check = Result<(), String>;

impl Truth {
    /// Whether it is a run after an effect.
    pub(crate) fn run_begins(&mut self, process: u32, now: Duration) -> Result<bool, String> {
        if let Some((other, since)) = self.live {
            return Err(format!(
                "two handlers at once: process {other} runs one since {since:?}"
            ));
        }
        if self.effects > 0 && self.known_to == Some(process) {
            return Err("a process runs a handler again that it knows to be done".to_owned());
        }
        if self.effects > 0 && self.written && self.overtaken.take() != Some(process) {
            return Err("a handler runs although its effect is written down".to_owned());
        }
        if self.effects > 0 && !self.excused {
            return Err("a handler runs again without an excuse".to_owned());
        }
        self.live = Some((process, now));
        Ok(self.effects > 0)
    }

    pub(crate) fn effect(&mut self) {
        self.effects += 1;
        self.excused = false;
    }

    /// A handler has returned, or was dropped.
    pub(crate) fn run_ends(&mut self, now: Duration, ends_well: bool, had_effect: bool) -> Check {
        let Some((process, since)) = self.live.take() else {
            return Err("a handler ends twice".to_owned());
        };
        if ends_well {
            self.known_to = Some(process);
        }
        self.last_end = now;
        self.excused |= had_effect && !ends_well;
        if now > since + HANDLER_TIMEOUT + Duration::from_millis(1) {
            return Err(format!("a handler runs from {since:?} to {now:?}"));
        }
        Ok(())
    }

    pub(crate) fn claimed(
        &mut self,
        owner: Owner,
        process: u32,
        outcome: ClaimOutcome,
        is_faulty: bool,
        now: Duration,
    ) -> Check {
        match outcome {
            ClaimOutcome::Run(_) if self.written => {
                Err("a delivery that is done can be claimed".to_owned())
            }
            ClaimOutcome::Run(_) => {
                self.holder = Some(Holder {
                    owner,
                    process,
                    since: now,
                    lease_ends: now + LEASE,
                    is_stuck: is_faulty,
                });
                Ok(())
            }
            ClaimOutcome::Done if self.written && self.effects > 0 => Ok(()),
            ClaimOutcome::Done => Err("a delivery is done that is not".to_owned()),
            ClaimOutcome::Busy => {
                self.busy += 1;
                self.is_rightly_busy(now)
                    .then_some(())
                    .ok_or_else(|| format!("it is in progress for no reason: {self:?}"))
            }
            ClaimOutcome::Full => Err("the store is full".to_owned()),
        }
    }

    pub(crate) fn settled(
        &mut self,
        owner: Owner,
        by: Settlement,
        settled: Settled,
        now: Duration,
    ) -> Check {
        match (by, settled) {
            (Settlement::Done, Settled::Applied) if self.effects == 0 => {
                return Err("done is written down before there is an effect".to_owned());
            }
            (Settlement::Done, Settled::Applied) => {
                self.written = true;
                self.overtaken = self
                    .holder
                    .take()
                    .filter(|holder| holder.owner != owner && self.live.is_none())
                    .map(|holder| holder.process);
            }
            (Settlement::Failed, Settled::Applied) => self.holder = None,
            (Settlement::Extend, Settled::Applied) => {
                if let Some(holder) = &mut self.holder {
                    holder.lease_ends = now + LEASE;
                }
            }
            // An owner that asks for more time and is late finds itself in the way.
            (Settlement::Extend, Settled::Stale) => self.busy += 1,
            (_, Settled::Stale) => {}
        }
        Ok(())
    }

    /// A fault has come on a request of this owner to the store.
    pub(crate) fn store_fault(&mut self, owner: Owner, by: Option<Settlement>) {
        if by.is_none_or(|by| by == Settlement::Extend) {
            self.store_faults += 1;
        }
        self.excused |= by == Some(Settlement::Done);
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.owner == owner) {
            holder.is_stuck = true;
        }
    }

    pub(crate) fn process_died(&mut self, process: u32, now: Duration) {
        self.process_ended(process);
        if self
            .live
            .is_some_and(|(in_process, _)| in_process == process)
        {
            self.live = None;
            self.last_end = now;
        }
        if let Some(holder) = self
            .holder
            .as_mut()
            .filter(|holder| holder.process == process)
        {
            holder.is_stuck = true;
            self.excused = true;
        }
    }

    pub(crate) fn process_ended(&mut self, process: u32) {
        self.known_to = self.known_to.filter(|knows| *knows != process);
    }

    pub(crate) fn is_live_in(&self, process: u32) -> bool {
        self.live
            .is_some_and(|(in_process, _)| in_process == process)
    }

    fn is_rightly_busy(&self, now: Duration) -> bool {
        self.live.is_some()
            || self.holder.as_ref().is_some_and(|holder| {
                let in_transit = now < holder.since.max(self.last_end) + IN_TRANSIT;
                now < holder.lease_ends && (holder.is_stuck || in_transit)
            })
    }
}

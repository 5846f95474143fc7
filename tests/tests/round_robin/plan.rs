//! Which callbacks are sent, and which of them lead to a kill.

/// Where a handler stands still for a moment after its effect, until it is killed there.
const PAUSES: &str = "pauses-";
/// The same in the first attempt alone: in each one, a callback could be lost to a kill in each.
const PAUSES_ONCE: &str = "once-";
const EVERY_PAUSING: usize = 30;
/// How many callbacks there are for each kill, at most.
const FOR_EACH_KILL: usize = 300;
const FEWEST_KILLS: usize = 4;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) callbacks: usize,
    pub(crate) kills: usize,
    every: usize,
}

/// What the kill with this number waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// That the callback is sent.
    Sent,
    /// That a handler has had its effect for the callback, and has not ended.
    Paused,
}

impl Plan {
    pub(crate) fn new(callbacks: usize) -> Self {
        let kills = (callbacks / FOR_EACH_KILL).max(FEWEST_KILLS);
        Self {
            callbacks,
            kills,
            every: callbacks / (kills + 1),
        }
    }

    /// The callback and what must become of it before the next kill.
    pub(crate) fn trigger(self, killed: usize) -> Option<(usize, Trigger)> {
        let trigger = if killed.is_multiple_of(2) {
            Trigger::Paused
        } else {
            Trigger::Sent
        };
        (killed < self.kills).then_some(((killed + 1) * self.every, trigger))
    }

    /// How many kills there must have been before this callback is sent: a process takes a moment to start,
    /// in which the other one could handle all that is left.
    pub(crate) fn kills_before(self, number: usize) -> usize {
        let kills = number.saturating_sub(self.every / 2) / self.every;
        kills.min(self.kills)
    }

    /// The stream of a callback.
    pub(crate) fn stream(self, number: usize) -> String {
        let is_trigger = number > 0 && number.is_multiple_of(self.every);
        let pauses = match number % EVERY_PAUSING {
            _ if is_trigger => PAUSES,
            1 => PAUSES_ONCE,
            _ => "",
        };
        format!("{pauses}lesson-{number}")
    }

    /// The callback with this stream, if its handler pauses in this attempt.
    pub(crate) fn pausing(stream: &str, attempt: u32) -> Option<usize> {
        let once = stream.strip_prefix(PAUSES_ONCE).filter(|_| attempt == 1);
        let name = once.or_else(|| stream.strip_prefix(PAUSES))?;
        name.strip_prefix("lesson-")?.parse().ok()
    }
}

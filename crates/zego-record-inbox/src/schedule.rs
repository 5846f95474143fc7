//! When a failed attempt is made again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use zego_record_core::{ConfigError, ConfigErrorKind};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Three days: 12 attempts within 76 hours.
const DEFAULT: [u64; 11] = [
    5,
    30,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];
const MAX_DELAYS: usize = 1_000;
const MAX_DELAY: Duration = Duration::from_secs(30 * DAY);
/// In per cent, in both directions.
const JITTER: u64 = 15;

/// The delays between the attempts, as a plain list: after the last of them, a callback that fails again is
/// a dead letter.
///
/// Each delay is made longer or shorter by up to 15 %, at random, so that what failed together does not
/// come again together.
///
/// ```
/// use std::time::Duration;
/// use zego_record_inbox::Schedule;
///
/// let schedule: Schedule = "5s,30s,2m,1h,1d".parse()?;
/// assert_eq!(schedule.max_attempts(), 6);
/// assert_eq!(schedule.delay_after(2), Some(Duration::from_secs(30)));
/// assert_eq!(schedule.delay_after(6), None);
/// # Ok::<(), zego_record_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    delays: Vec<Duration>,
    has_jitter: bool,
}

impl Schedule {
    /// A schedule of these delays. Without any there is one attempt.
    ///
    /// # Errors
    ///
    /// If there are more than 1,000, or if one is longer than 30 days.
    pub fn new(delays: impl IntoIterator<Item = Duration>) -> Result<Self, ConfigError> {
        let delays: Vec<_> = delays.into_iter().take(MAX_DELAYS + 1).collect();
        if delays.len() > MAX_DELAYS {
            return Err(error(format!(
                "the retry schedule has more than {MAX_DELAYS} delays"
            )));
        }
        if let Some(long) = delays.iter().find(|delay| **delay > MAX_DELAY) {
            return Err(error(format!(
                "the retry schedule has a delay of {long:?}: 30 days are the most"
            )));
        }
        Ok(Self {
            delays,
            has_jitter: true,
        })
    }

    /// The same schedule with exactly these delays, for tests.
    #[must_use]
    pub fn without_jitter(mut self) -> Self {
        self.has_jitter = false;
        self
    }

    /// How many attempts there are at most.
    pub fn max_attempts(&self) -> u32 {
        u32::try_from(self.delays.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// The delay after this attempt, counted from 1, without jitter; `None` if it is the last.
    pub fn delay_after(&self, attempt: u32) -> Option<Duration> {
        let index = usize::try_from(attempt.saturating_sub(1)).ok()?;
        self.delays.get(index).copied()
    }

    /// The delay after this attempt, with jitter.
    pub(crate) fn next_delay(&self, attempt: u32) -> Option<Duration> {
        let delay = self.delay_after(attempt)?;
        if !self.has_jitter {
            return Some(delay);
        }
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let spread = milliseconds.saturating_mul(JITTER) / 100;
        let earliest = milliseconds.saturating_sub(spread);
        let jitter = fastrand::u64(0..=spread.saturating_mul(2));
        Some(Duration::from_millis(earliest.saturating_add(jitter)))
    }
}

/// 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: 12 attempts within 76 hours.
impl Default for Schedule {
    fn default() -> Self {
        Self {
            delays: DEFAULT.map(Duration::from_secs).to_vec(),
            has_jitter: true,
        }
    }
}

/// Numbers with a unit, `ms`, `s`, `m`, `h` or `d`, separated by commas.
impl FromStr for Schedule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        text.split(',')
            .map(|delay| parse_delay(delay.trim()))
            .collect::<Result<Vec<_>, _>>()
            .and_then(Self::new)
    }
}

/// As [`from_str`](Self::from_str) reads it.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, delay) in self.delays.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match (delay.as_secs(), delay.subsec_millis()) {
                (seconds, 0) if seconds > 0 && seconds % DAY == 0 => {
                    write!(f, "{}d", seconds / DAY)?;
                }
                (seconds, 0) if seconds > 0 && seconds % HOUR == 0 => {
                    write!(f, "{}h", seconds / HOUR)?;
                }
                (seconds, 0) if seconds > 0 && seconds % MINUTE == 0 => {
                    write!(f, "{}m", seconds / MINUTE)?;
                }
                (seconds, 0) => write!(f, "{seconds}s")?,
                _ => write!(f, "{}ms", delay.as_millis())?,
            }
        }
        Ok(())
    }
}

fn parse_delay(text: &str) -> Result<Duration, ConfigError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(1_000 * MINUTE),
        "h" => Some(1_000 * HOUR),
        "d" => Some(1_000 * DAY),
        _ => None,
    };
    factor
        .zip(number.parse::<u64>().ok())
        .and_then(|(factor, number)| number.checked_mul(factor))
        .map(Duration::from_millis)
        .ok_or_else(|| {
            error(format!(
                "{text:?} is no delay: write a number with ms, s, m, h or d, and commas between several, such as 5s,30s,2m"
            ))
        })
}

fn error(message: String) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Limit, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_15_per_cent_and_is_used() {
        let schedule = Schedule::default();
        let delays: Vec<_> = (0..200).filter_map(|_| schedule.next_delay(5)).collect();
        let (least, most) = (Duration::from_secs(1_530), Duration::from_secs(2_070));
        assert!(delays.iter().all(|delay| (least..=most).contains(delay)));
        assert!(delays.iter().any(|delay| *delay != delays[0]));
    }

    #[test]
    fn the_default_takes_76_hours_and_is_read_as_it_is_displayed() {
        let schedule = Schedule::default();
        let total: Duration = schedule.delays.iter().sum();
        assert_eq!((schedule.max_attempts(), total.as_secs() / HOUR), (12, 75));
        assert_eq!(
            schedule.to_string(),
            "5s,30s,2m,10m,30m,2h,5h,10h,14h,20h,1d"
        );
        assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }

    #[test]
    fn what_is_no_delay_is_rejected_with_the_right_form() {
        for text in [
            "",
            "5",
            "s",
            "5s,",
            "5s;6s",
            "-1s",
            "1.5s",
            "99999999999999999999d",
            "31d",
        ] {
            let error = text.parse::<Schedule>().unwrap_err().to_string();
            assert!(error.contains("delay"), "{text}: {error}");
        }
    }
}

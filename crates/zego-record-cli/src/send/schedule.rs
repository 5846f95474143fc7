//! When ZEGOCLOUD tries again.

use std::time::Duration;

/// The documented gaps: a retry follows this many seconds after the request before it.
const GAPS: [u64; 5] = [2, 4, 8, 16, 32];

/// How often a callback is sent before ZEGOCLOUD gives it up.
pub const MAX_ATTEMPTS: usize = GAPS.len() + 1;

/// ZEGOCLOUD's retries, at a speed of one's choice.
///
/// Five retries, 2, 4, 8, 16 and 32 seconds after the previous request, so a callback is sent at 0, 2, 6,
/// 14, 30 and 62 seconds and is lost after that. Time is counted from any fixed point.
///
/// ```
/// use std::time::Duration;
/// use zego_record_cli::send::Schedule;
///
/// let schedule = Schedule::new(2.0).unwrap();
/// let sent = Duration::from_secs(10);
/// assert_eq!(schedule.retry_at(1, sent, sent), Some(Duration::from_secs(11)));
/// assert_eq!(schedule.retry_at(6, sent, sent), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    speed: f64,
}

impl Schedule {
    /// The schedule `speed` times as fast as the real one; `None` unless `speed` is positive and finite.
    pub fn new(speed: f64) -> Option<Self> {
        (speed.is_finite() && speed > 0.0).then_some(Self { speed })
    }

    /// When to send again after `attempts` requests, of which the last was sent at `sent` and had failed
    /// at `failed`; `None` when the callback is lost. A request that fails later than the next one is
    /// due, because it timed out, is followed by the next one at once.
    pub fn retry_at(&self, attempts: usize, sent: Duration, failed: Duration) -> Option<Duration> {
        let gap = *GAPS.get(attempts.checked_sub(1)?)?;
        let gap = Duration::try_from_secs_f64(gap as f64 / self.speed).unwrap_or(Duration::MAX);
        Some(sent.saturating_add(gap).max(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts_at(speed: f64, timeout: Duration) -> Vec<u128> {
        let schedule = Schedule::new(speed).unwrap();
        let mut sent = vec![Duration::ZERO];
        while let Some(next) = {
            let last = sent[sent.len() - 1];
            schedule.retry_at(sent.len(), last, last + timeout)
        } {
            sent.push(next);
        }
        sent.iter().map(Duration::as_millis).collect()
    }

    #[test]
    fn six_attempts_on_the_documented_schedule() {
        let seconds = Duration::from_secs;
        for (name, speed, timeout, expected) in [
            (
                "answers at once",
                1.0,
                seconds(0),
                [0, 2_000, 6_000, 14_000, 30_000, 62_000],
            ),
            (
                "slow answers do not move it",
                1.0,
                seconds(2),
                [0, 2_000, 6_000, 14_000, 30_000, 62_000],
            ),
            (
                "timeouts of 10 s push early attempts",
                1.0,
                seconds(10),
                [0, 10_000, 20_000, 30_000, 46_000, 78_000],
            ),
            ("speed 100", 100.0, seconds(0), [0, 20, 60, 140, 300, 620]),
            (
                "speed 0.5",
                0.5,
                seconds(0),
                [0, 4_000, 12_000, 28_000, 60_000, 124_000],
            ),
        ] {
            assert_eq!(attempts_at(speed, timeout), expected, "{name}");
        }
    }

    #[test]
    fn an_impossible_speed_is_rejected_and_an_extreme_one_does_not_overflow() {
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Schedule::new(speed), None, "{speed}");
        }
        let slowest = Schedule::new(f64::MIN_POSITIVE).unwrap();
        assert_eq!(
            slowest.retry_at(1, Duration::ZERO, Duration::ZERO),
            Some(Duration::MAX)
        );
        assert_eq!(slowest.retry_at(0, Duration::ZERO, Duration::ZERO), None);
    }
}

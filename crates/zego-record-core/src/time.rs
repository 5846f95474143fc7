//! Seconds on the wire, and their way to and from `std::time`.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// A point in time as ZEGOCLOUD sends it: whole seconds since 1970-01-01 00:00:00 UTC.
///
/// Arithmetic saturates, so no value that a peer sends can overflow.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use zego_record_core::UnixSeconds;
///
/// let begin = UnixSeconds::new(1_481_597_358);
/// assert_eq!(begin.to_system_time(), Some(UNIX_EPOCH + Duration::from_secs(1_481_597_358)));
/// assert_eq!(UnixSeconds::new(i64::MIN).seconds_since(UnixSeconds::new(i64::MAX)), i64::MIN);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(i64);

impl UnixSeconds {
    /// The point in time `seconds` after (or, if negative, before) the epoch.
    pub const fn new(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// `self - earlier` in seconds, saturating.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This point in time plus `duration`, saturating; fractions of a second are dropped.
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_seconds(duration)))
    }

    /// Converts to `SystemTime`; `None` if the platform cannot represent this point in time.
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_secs(self.0.unsigned_abs());
        if self.0 >= 0 {
            UNIX_EPOCH.checked_add(distance)
        } else {
            UNIX_EPOCH.checked_sub(distance)
        }
    }

    /// Reads decimal digits with an optional minus sign; nothing else, no white space, no fraction.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The only thing that the standard library reads and we do not.
        if text.starts_with('+') {
            return None;
        }
        text.parse().ok().map(Self)
    }
}

/// Rounds down to the second, and saturates at the ends of `i64`.
impl From<SystemTime> for UnixSeconds {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(whole_seconds(after)),
            Err(error) => {
                let before = error.duration();
                let partial = i64::from(before.subsec_nanos() > 0);
                Self(
                    whole_seconds(before)
                        .saturating_neg()
                        .saturating_sub(partial),
                )
            }
        }
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Serialises as an integer.
impl Serialize for UnixSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

pub(crate) fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_integers_are_times() {
        for (text, expected) in [
            ("1481597358", Some(1_481_597_358)),
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("+1", None),
            (" 1", None),
            ("1.0", None),
            ("1e9", None),
            ("\u{0661}", None),
        ] {
            assert_eq!(
                UnixSeconds::parse(text).map(UnixSeconds::get),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn system_time_rounds_down_on_both_sides_of_the_epoch() {
        let half = Duration::from_millis(500);
        assert_eq!(UnixSeconds::from(UNIX_EPOCH + half).get(), 0);
        assert_eq!(UnixSeconds::from(UNIX_EPOCH - half).get(), -1);
        assert_eq!(
            UnixSeconds::from(UNIX_EPOCH - Duration::from_secs(2)).get(),
            -2
        );
    }

    #[test]
    fn extreme_times_do_not_panic() {
        assert_eq!(
            UnixSeconds::new(i64::MAX)
                .saturating_add(Duration::MAX)
                .get(),
            i64::MAX
        );
        let _ = UnixSeconds::new(i64::MIN).to_system_time();
        let _ = UnixSeconds::new(i64::MAX).to_system_time();
    }
}

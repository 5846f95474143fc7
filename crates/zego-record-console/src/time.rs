//! Times as people read them, in UTC, and as a form sends them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use askama::filters::HtmlSafe;

const DAY: u64 = 86_400;
/// The end of the year 9999.
const END: u64 = 253_402_300_799;

/// A time as HTML, with how far it is from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    time: SystemTime,
    now: SystemTime,
}

impl When {
    pub(crate) fn new(time: SystemTime, now: SystemTime) -> Self {
        Self { time, now }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = Utc::from(self.time);
        write!(
            f,
            "<time datetime=\"{}T{}Z\">{} {} UTC</time> <span class=\"ago\">(",
            utc.date(),
            utc.clock(),
            utc.date(),
            utc.clock()
        )?;
        match self.now.duration_since(self.time) {
            Ok(past) if past.as_secs() == 0 => f.write_str("now")?,
            Ok(past) => write!(f, "{} ago", Span(past))?,
            Err(ahead) => write!(f, "in {}", Span(ahead.duration()))?,
        }
        f.write_str(")</span>")
    }
}

/// Digits and words of ours.
impl HtmlSafe for When {}

/// A length of time in its largest two units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match seconds {
            0 => write!(f, "{millis} ms"),
            1..10 => write!(f, "{seconds}.{} s", millis / 100),
            10..60 => write!(f, "{seconds} s"),
            60..3_600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3_600..DAY => write!(f, "{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
            _ => write!(f, "{} d {} h", seconds / DAY, seconds % DAY / 3_600),
        }
    }
}

impl HtmlSafe for Span {}

/// A time of day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utc {
    seconds: u64,
}

impl Utc {
    /// `2026-11-24`
    pub(crate) fn date(self) -> String {
        // Days from 0000-03-01, so that a leap day is the last of its year (Howard Hinnant's
        // civil_from_days).
        let days = self.seconds / DAY + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let shifted = (5 * day + 2) / 153;
        let day = day - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year + era * 400 + u64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `20:46:12`
    pub(crate) fn clock(self) -> String {
        let seconds = self.seconds % DAY;
        let (hours, minutes) = (seconds / 3_600, seconds % 3_600 / 60);
        format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
    }

    /// `20:46`
    pub(crate) fn short_clock(self) -> String {
        let mut clock = self.clock();
        clock.truncate(5);
        clock
    }

    /// Reads what `<input type="datetime-local">` sends: `2026-11-24T20:46`, with seconds or without.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, clock) = text.split_once('T')?;
        let [year, month, day] = numbers(date, '-')?;
        let mut clock = clock.to_owned();
        if clock.len() == 5 {
            clock.push_str(":00");
        }
        let [hour, minute, second] = numbers(&clock, ':')?;
        let is_time = hour < 24 && minute < 60 && second < 60;
        if !(1970..=9999).contains(&year) || !is_time {
            return None;
        }
        // The reverse of `date`.
        let shifted_year = if month <= 2 { year - 1 } else { year };
        let shifted_month = if month > 2 {
            month.checked_sub(3)?
        } else {
            month + 9
        };
        let (era, in_era) = (shifted_year / 400, shifted_year % 400);
        let in_year = (153 * shifted_month + 2) / 5 + day.checked_sub(1)?;
        let days = era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year;
        let seconds = days.checked_sub(719_468)? * DAY + hour * 3_600 + minute * 60 + second;
        let parsed = Self { seconds };
        // The 31st of February is another day when it is written again.
        (parsed.date() == date).then_some(parsed)
    }

    pub(crate) fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.seconds)
    }
}

/// Times before 1970 and after 9999 are their ends.
impl From<SystemTime> for Utc {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            seconds: since.as_secs().min(END),
        }
    }
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| part.parse().ok()).flatten()
    });
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Utc {
        Utc::from(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_709_164_800, "2024-02-29T00:00:00"),
            (1_760_001_893, "2025-10-09T09:24:53"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (END, "9999-12-31T23:59:59"),
        ] {
            let utc = at(seconds);
            assert_eq!(format!("{}T{}", utc.date(), utc.clock()), text);
            assert_eq!(Utc::parse(text), Some(utc));
        }
        assert_eq!(at(u64::MAX / 4), at(END));
    }

    #[test]
    fn every_day_is_read_as_it_is_written() {
        for day in (0..END / DAY).step_by(17) {
            let utc = at(day * DAY);
            assert_eq!(Utc::parse(&format!("{}T00:00", utc.date())), Some(utc));
        }
    }

    #[test]
    fn rejects_what_is_no_time() {
        for text in [
            "",
            "T",
            "2026-11-24",
            "2026-11-24T",
            "2026-11-24T24:00",
            "2026-11-24T20:60",
            "2026-02-30T00:00",
            "2026-00-01T00:00",
            "2026-13-01T00:00",
            "2026-01-00T00:00",
            "1969-12-31T23:59",
            "2026-11-24T20:46:61",
            "2026-11-24T+1:00",
            "99999-01-01T00:00",
            "2026-1-1T00:00",
            "2026-11-24T20:46:00:00",
        ] {
            assert_eq!(Utc::parse(text), None, "{text}");
        }
    }

    #[test]
    fn spans_have_two_units() {
        for (millis, text) in [
            (7, "7 ms"),
            (1_250, "1.2 s"),
            (59_999, "59 s"),
            (61_000, "1 min 1 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
    }
}

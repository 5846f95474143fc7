//! What was rejected in the last hours.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zego_record_core::{Unverified, Verdict};
use zego_record_receiver::{Quarantined, Rejected};

const HOUR: u64 = 3_600;
/// How many hours are counted.
pub(crate) const HOURS: u64 = 24;
/// An example is taken once a second at most, since its body is read again for it.
const EXAMPLE_EVERY: Duration = Duration::from_secs(1);
const MAX_TEXT: usize = 256;

/// Counts rejections by reason over the last 24 hours, with the last example of each, in memory.
///
/// A receiver's hooks feed it. It keeps neither bodies nor signatures, and its size is bounded: one
/// row for each [`Verdict`]. Clones share their counts.
///
/// ```
/// use zego_record_console::Rejections;
/// # use zego_record_core::{CallbackSecret, Verifier};
/// use zego_record_receiver::Receiver;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let verifier = Verifier::builder().secret(CallbackSecret::new("0123456789abcdef0123456789abcdef")?).build()?;
/// let rejections = Rejections::new();
/// let (rejected, quarantined) = (rejections.clone(), rejections.clone());
/// let receiver = Receiver::builder(verifier)
///     .on_rejected(move |request| rejected.record(request))
///     .on_quarantine(move |request| quarantined.record_quarantined(request))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rejections(Arc<Mutex<BTreeMap<&'static str, Row>>>);

#[derive(Debug, Default)]
struct Row {
    status: u16,
    /// Hour since the epoch, and how many; the newest last.
    hours: VecDeque<(u64, u64)>,
    example: Option<Example>,
}

/// The last request that was rejected for a reason.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) at: SystemTime,
    pub(crate) reason: String,
    pub(crate) appid: Option<String>,
    pub(crate) signed: bool,
    /// Of a signed request: what it was signed over, and how long it was.
    pub(crate) quarantined: Option<Signed>,
}

#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) timestamp: String,
    pub(crate) nonce: String,
    pub(crate) bytes: usize,
}

/// The rejections for one reason.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) last_hour: u64,
    pub(crate) last_day: u64,
    pub(crate) example: Option<Example>,
}

impl Example {
    fn is_old(&self, now: SystemTime) -> bool {
        let age = now.duration_since(self.at);
        age.is_ok_and(|age| age >= EXAMPLE_EVERY)
    }
}

impl Rejections {
    /// Nothing was rejected yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a request, for [`on_rejected`](zego_record_receiver::ReceiverBuilder::on_rejected).
    pub fn record(&self, rejected: &Rejected<'_>) {
        let now = SystemTime::now();
        let rejection = rejected.rejection();
        if !self.count(rejection.verdict(), now) {
            return;
        }
        self.set_example(
            rejection.verdict(),
            Example {
                at: now,
                reason: cut(&rejection.to_string()),
                appid: rejected.claimed_appid().as_deref().map(cut),
                signed: rejection.is_signed(),
                quarantined: None,
            },
        );
    }

    /// Takes a signed request as the example, with what it was signed over, for
    /// [`on_quarantine`](zego_record_receiver::ReceiverBuilder::on_quarantine). It is
    /// [`record`](Self::record) that counts it.
    pub fn record_quarantined(&self, quarantined: &Quarantined<'_>) {
        let now = SystemTime::now();
        let verdict = quarantined.rejection().verdict();
        let reason = cut(&quarantined.rejection().to_string());
        // It comes before `record`, which leaves a fresh example alone.
        if self.example(verdict).is_some_and(|last| !last.is_old(now)) {
            return;
        }
        let Ok(body) = Unverified::read(quarantined.body()) else {
            return;
        };
        let example = Example {
            at: now,
            reason,
            appid: body.appid().map(cut),
            signed: true,
            quarantined: Some(Signed {
                timestamp: body.timestamp().map(cut).unwrap_or_default(),
                nonce: body.nonce().map(cut).unwrap_or_default(),
                bytes: quarantined.body().len(),
            }),
        };
        self.set_example(verdict, example);
    }

    /// Counts, and returns whether an example is wanted.
    fn count(&self, verdict: Verdict, now: SystemTime) -> bool {
        let hour = hour(now);
        let mut rows = self.lock();
        let row = rows.entry(verdict.code()).or_default();
        row.status = verdict.status();
        match row.hours.back_mut() {
            // Also if the clock was set back.
            Some((last, count)) if *last >= hour => *count = count.saturating_add(1),
            _ => row.hours.push_back((hour, 1)),
        }
        while row.hours.len() > usize::try_from(HOURS).unwrap_or(usize::MAX) {
            row.hours.pop_front();
        }
        row.example.as_ref().is_none_or(|last| last.is_old(now))
    }

    fn example(&self, verdict: Verdict) -> Option<Example> {
        self.lock().get(verdict.code())?.example.clone()
    }

    fn set_example(&self, verdict: Verdict, example: Example) {
        self.lock().entry(verdict.code()).or_default().example = Some(example);
    }

    /// What was rejected in the last 24 hours, what is most frequent first.
    pub(crate) fn reasons(&self, now: SystemTime) -> Vec<Reason> {
        let hour = hour(now);
        let rows = self.lock();
        let reasons = rows.iter().map(|(code, row)| {
            let since = |hours: u64| {
                let from = hour.saturating_sub(hours - 1);
                let counts = row.hours.iter().filter(|(hour, _)| *hour >= from);
                counts.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count))
            };
            Reason {
                code,
                status: row.status,
                last_hour: since(1),
                last_day: since(HOURS),
                example: row.example.clone(),
            }
        });
        let mut reasons: Vec<_> = reasons.filter(|reason| reason.last_day > 0).collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.last_day));
        reasons
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hour(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / HOUR
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn counts(rejections: &Rejections, now: u64) -> Vec<(&'static str, u64, u64)> {
        let reasons = rejections.reasons(at(now)).into_iter();
        reasons
            .map(|reason| (reason.code, reason.last_hour, reason.last_day))
            .collect()
    }

    #[test]
    fn counts_by_hour_and_forgets_after_a_day() {
        let rejections = Rejections::new();
        rejections.count(Verdict::Stale, at(0));
        rejections.count(Verdict::Stale, at(1));
        rejections.count(Verdict::Malformed, at(HOUR));
        assert_eq!(
            counts(&rejections, 2),
            [("stale", 2, 2), ("malformed", 1, 1)]
        );
        assert_eq!(
            counts(&rejections, HOUR),
            [("stale", 0, 2), ("malformed", 1, 1)]
        );
        assert_eq!(counts(&rejections, 24 * HOUR), [("malformed", 0, 1)]);
        assert_eq!(counts(&rejections, 25 * HOUR), []);
    }

    #[test]
    fn its_size_is_bounded() {
        let rejections = Rejections::new();
        for hour in 0..1_000 {
            for verdict in Verdict::ALL {
                rejections.count(*verdict, at(hour * HOUR));
            }
        }
        let rows = rejections.lock();
        assert_eq!(rows.len(), Verdict::ALL.len());
        assert!(rows.values().all(|row| row.hours.len() == 24));
    }

    #[test]
    fn a_clock_that_is_set_back_loses_no_count() {
        let rejections = Rejections::new();
        rejections.count(Verdict::Stale, at(5 * HOUR));
        rejections.count(Verdict::Stale, at(2 * HOUR));
        assert_eq!(counts(&rejections, 5 * HOUR), [("stale", 2, 2)]);
    }
}

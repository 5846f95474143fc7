//! How many callbacks came, by time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use zego_record_inbox::{Entry, Filter};

use crate::inbox::Inbox;
use crate::time::Utc;

const STEP: u64 = 300;
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

const PAGE: u32 = 500;
/// How much one request reads, and for how long. What is left is read for the next one.
const MAX_PAGES: usize = 20;
const BUDGET: Duration = Duration::from_secs(2);

/// Counts callbacks by when they came, over a little more than a day.
///
/// A store has no index by time, and to count by time would read all that it has. Its list, newest first, is
/// cheap wherever it is continued. So this reads it from the newest callback that it has not seen back to the
/// newest that it has, and further back, to the beginning of the day, a part with each request.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// By the beginning of each step, in seconds since the epoch.
    steps: BTreeMap<u64, u64>,
    /// The first and the last callback that are counted, with all between them, by their numbers in the store.
    seen: Option<(i64, i64)>,
    /// How far back everything is counted.
    since: u64,
    /// Whether all of the day is counted.
    is_complete: bool,
}

/// A bar chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) id: &'static str,
    /// How long one bar is.
    pub(crate) step: &'static str,
    pub(crate) bars: Vec<Bar>,
    /// The largest count.
    pub(crate) most: u64,
    pub(crate) total: u64,
    /// Whether something is not counted yet.
    pub(crate) incomplete: bool,
}

/// One bar, in units of the chart: 0 to 100 high.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) height: u64,
    pub(crate) from: String,
    pub(crate) until: String,
    /// `None` if it is not counted yet.
    pub(crate) count: Option<u64>,
}

impl Arrivals {
    /// The last hour in twelve parts, and the last day in twenty-four.
    pub(crate) async fn charts(&self, inbox: &Inbox, now: SystemTime) -> [Chart; 2] {
        // Whoever else looks at the page waits, and finds it counted.
        let mut counts = self.0.lock().await;
        let deadline = Instant::now() + BUDGET;
        let now = seconds(now);
        // If the inbox fails, the page shows what is counted, and that it is not all.
        if timeout_at(deadline, counts.read(inbox, now)).await.is_err() {
            counts.is_complete = false;
        }
        [
            Chart::new(["The last hour", "hour", "5 minutes"], &counts.bars(now, STEP, 12)),
            Chart::new(["The last day", "day", "one hour"], &counts.bars(now, HOUR, 24)),
        ]
    }
}

impl Counts {
    async fn read(&mut self, inbox: &Inbox, now: u64) {
        let cutoff = (now / HOUR * HOUR).saturating_sub(DAY);
        self.steps.retain(|step, _| *step >= cutoff);
        let mut pages = MAX_PAGES;
        self.read_new(inbox, &mut pages, cutoff).await;
        while pages > 0 && !self.is_complete {
            let Some((first, last)) = self.seen else {
                return;
            };
            pages -= 1;
            let Ok(page) = inbox.list(&Filter::all(), Some(first), PAGE).await else {
                return;
            };
            self.count(&page, cutoff);
            let first = page.last().map_or(first, |entry| entry.id);
            self.seen = Some((first, last));
        }
    }

    /// Reads what came since the last time. If that is too much for one request, what was counted before is
    /// counted again: there would be a gap.
    async fn read_new(&mut self, inbox: &Inbox, pages: &mut usize, cutoff: u64) {
        let known = self.seen.map(|(_, last)| last);
        let mut new = Vec::new();
        let mut before = None;
        while *pages > 0 {
            *pages -= 1;
            let Ok(page) = inbox.list(&Filter::all(), before, PAGE).await else {
                self.is_complete = false;
                return;
            };
            let is_last = page.len() < PAGE as usize;
            before = page.last().map(|entry| entry.id);
            let unknown = page.iter().filter(|entry| known.is_none_or(|known| entry.id > known));
            let times: Vec<_> = unknown.map(|entry| (entry.id, seconds(entry.received_at))).collect();
            let meets = times.len() < page.len();
            new.extend(times);
            if meets {
                break;
            }
            let is_old = new.last().is_some_and(|(_, time)| *time < cutoff);
            if known.is_none() || is_last || is_old || *pages == 0 {
                *self = Self::default();
                self.is_complete = is_last || is_old;
                break;
            }
        }
        for (_, time) in &new {
            self.add(*time, cutoff);
        }
        let (newest, oldest) = (new.first(), new.last());
        if let (Some((newest, _)), Some((oldest, time))) = (newest, oldest) {
            let first = self.seen.map_or(*oldest, |(first, _)| first);
            if self.seen.is_none() {
                self.since = *time;
            }
            self.seen = Some((first, *newest));
        }
    }

    /// Counts a page of what is older.
    fn count(&mut self, page: &[Entry], cutoff: u64) {
        for entry in page {
            self.add(seconds(entry.received_at), cutoff);
        }
        let last = page.last().map(|entry| seconds(entry.received_at));
        self.since = last.unwrap_or(self.since);
        self.is_complete = page.len() < PAGE as usize || self.since < cutoff;
    }

    fn add(&mut self, time: u64, cutoff: u64) {
        if time >= cutoff {
            let count = self.steps.entry(time / STEP * STEP).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Counts by beginning, the newest last.
    fn bars(&self, now: u64, width: u64, number: u64) -> Vec<(u64, u64, Option<u64>)> {
        let current = now / width * width;
        let starts = (0..number).rev().map(|index| current.saturating_sub(index * width));
        let bars = starts.map(|start| {
            let counts = self.steps.range(start..start + width);
            let count = counts.fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
            let is_counted = self.is_complete || start > self.since && self.seen.is_some();
            (start, start + width, is_counted.then_some(count))
        });
        bars.collect()
    }
}

impl Chart {
    fn new([title, id, step]: [&'static str; 3], counts: &[(u64, u64, Option<u64>)]) -> Self {
        let known = || counts.iter().filter_map(|(_, _, count)| *count);
        let most = known().max().unwrap_or_default();
        let bars = counts.iter().zip(0..).map(|(&(from, until, count), index)| {
            let clock = |seconds| Utc::from(UNIX_EPOCH + Duration::from_secs(seconds)).short_clock();
            let height = height(count.unwrap_or_default(), most);
            Bar {
                x: index * 10,
                y: 100 - height,
                height,
                from: clock(from),
                until: clock(until),
                count,
            }
        });
        Self {
            title,
            id,
            step,
            bars: bars.collect(),
            most,
            total: known().fold(0, u64::saturating_add),
            incomplete: counts.iter().any(|(_, _, count)| count.is_none()),
        }
    }

    /// Where the first bar begins and the last one ends.
    pub(crate) fn ends(&self) -> [&str; 2] {
        let first = self.bars.first().map_or("", |bar| &bar.from);
        let last = self.bars.last().map_or("", |bar| &bar.until);
        [first, last]
    }

    pub(crate) fn width(&self) -> usize {
        self.bars.len() * 10
    }
}

/// Anything but zero can be seen.
fn height(count: u64, most: u64) -> u64 {
    if count == 0 {
        return 0;
    }
    let height = u128::from(count) * 100 / u128::from(most.max(1));
    u64::try_from(height).unwrap_or(100).max(2)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

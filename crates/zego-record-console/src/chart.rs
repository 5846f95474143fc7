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
/// How much one request reads. What is left is read for the next one.
const MAX_PAGES: usize = 20;

/// Counts callbacks by when they came, over a little more than a day.
///
/// A store has no index by time, and to count by time would read all that it has. Its list, newest
/// first, is cheap wherever it is continued. So this reads it from the newest callback that it has
/// not seen back to the newest that it has, and further back, to the beginning of the day, a part
/// with each request.
#[derive(Debug)]
pub(crate) struct Arrivals {
    counts: Mutex<Counts>,
    budget: Duration,
}

/// What came between two callbacks of the list.
#[derive(Debug, Default)]
struct Counts {
    /// By the beginning of each step, in seconds since the epoch.
    steps: BTreeMap<u64, u64>,
    /// The numbers of the first and the last callback in the store.
    oldest: Option<i64>,
    newest: Option<i64>,
    /// When the oldest came.
    since: u64,
    /// Whether nothing of the day came before it.
    is_complete: bool,
    /// Whether what came after the newest could not be read.
    is_behind: bool,
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
    /// Nothing is counted. One request reads for `budget` at most.
    pub(crate) fn new(budget: Duration) -> Self {
        Self {
            counts: Mutex::default(),
            budget,
        }
    }

    /// The last hour in twelve parts, and the last day in twenty-four.
    pub(crate) async fn charts(&self, inbox: &Inbox, now: SystemTime) -> [Chart; 2] {
        let now = seconds(now);
        // Whoever else looks at the page waits, and finds it counted.
        let mut counts = self.counts.lock().await;
        let cutoff = (now / HOUR * HOUR).saturating_sub(DAY);
        let deadline = Instant::now() + self.budget;
        counts.read(inbox, cutoff, deadline).await;
        [
            Chart::new(
                ["The last hour", "hour", "5 minutes"],
                &counts,
                (now, STEP, 12),
            ),
            Chart::new(
                ["The last day", "day", "one hour"],
                &counts,
                (now, HOUR, 24),
            ),
        ]
    }
}

impl Counts {
    /// Reads from the newest callback to the last one that is known, and on from the first one that
    /// is known.
    async fn read(&mut self, inbox: &Inbox, cutoff: u64, deadline: Instant) {
        let mut known = Some(std::mem::take(self)).filter(|known| known.newest.is_some());
        let mut read = Self::default();
        for _ in 0..MAX_PAGES {
            if read.is_complete {
                break;
            }
            let all = Filter::all();
            let page = timeout_at(deadline, inbox.list(&all, read.oldest, PAGE)).await;
            let Ok(Ok(page)) = page else {
                // What is known is worth more than a part of what is new.
                read = known.take().unwrap_or(read);
                read.is_behind = true;
                break;
            };
            let newest = known.as_ref().and_then(|known| known.newest);
            let is_new = |entry: &&Entry| newest.is_none_or(|newest| entry.id > newest);
            let new = page.iter().take_while(is_new).count();
            read.count(&page[..new], cutoff);
            if new < page.len() {
                if let Some(known) = known.take() {
                    read.join(known);
                }
            } else {
                read.is_complete |= page.len() < PAGE as usize;
            }
        }
        // If the new ones were too many to come to those that are known, there would be a gap: they
        // are read again.
        read.steps.retain(|step, _| *step >= cutoff);
        *self = read;
    }

    fn count(&mut self, entries: &[Entry], cutoff: u64) {
        for entry in entries {
            let time = seconds(entry.received_at);
            let count = self.steps.entry(time / STEP * STEP).or_default();
            *count = count.saturating_add(1);
            self.newest = self.newest.or(Some(entry.id));
            self.oldest = Some(entry.id);
            self.since = time;
        }
        // Callbacks that come at the same time may change places, and an hour of them does not.
        self.is_complete |= self.oldest.is_some() && self.since + HOUR < cutoff;
    }

    /// Adds what lies directly before.
    fn join(&mut self, older: Self) {
        for (step, count) in older.steps {
            let sum = self.steps.entry(step).or_default();
            *sum = sum.saturating_add(count);
        }
        self.newest = self.newest.or(older.newest);
        self.oldest = older.oldest;
        self.since = older.since;
        self.is_complete = older.is_complete;
    }

    /// Beginning, end and count of each bar, the newest last; no count if it is not known yet.
    fn bars(&self, now: u64, width: u64, number: u64) -> Vec<(u64, u64, Option<u64>)> {
        let current = now / width * width;
        let starts = (0..number)
            .rev()
            .map(|index| current.saturating_sub(index * width));
        let bars = starts.map(|start| {
            let counts = self.steps.range(start..start + width);
            let count = counts.fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
            let is_known = self.is_complete || self.newest.is_some() && start > self.since;
            (start, start + width, is_known.then_some(count))
        });
        bars.collect()
    }
}

impl Chart {
    fn new(
        [title, id, step]: [&'static str; 3],
        counts: &Counts,
        (now, width, number): (u64, u64, u64),
    ) -> Self {
        let is_behind = counts.is_behind;
        let counts = counts.bars(now, width, number);
        let known = || counts.iter().filter_map(|(_, _, count)| *count);
        let most = known().max().unwrap_or_default();
        let bars = counts
            .iter()
            .zip(0..)
            .map(|(&(from, until, count), index)| {
                let clock =
                    |seconds| Utc::from(UNIX_EPOCH + Duration::from_secs(seconds)).short_clock();
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
            incomplete: is_behind || counts.iter().any(|(_, _, count)| count.is_none()),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zego_record_core::UnixSeconds;
    use zego_record_inbox::MemoryInbox;
    use zego_record_receiver::{Accept, NewCallback};
    use zego_record_testkit::{CallbackBuilder, ManualClock};

    use super::*;

    /// The beginning of an hour.
    const NOW: u64 = 1_800_000_000;

    struct Site {
        store: Arc<MemoryInbox>,
        clock: ManualClock,
        inbox: Inbox,
        arrivals: Arrivals,
        next: usize,
    }

    impl Site {
        fn new() -> Self {
            let clock = ManualClock::new(UnixSeconds::new(0));
            let store = Arc::new(MemoryInbox::new().with_clock(clock.clone()));
            Self {
                inbox: Inbox::new(store.clone(), Duration::from_secs(10)),
                store,
                clock,
                arrivals: Arrivals::new(Duration::from_secs(600)),
                next: 0,
            }
        }

        /// Adds `number` callbacks at this time.
        async fn add(&mut self, number: usize, time: u64) {
            self.clock
                .set(UnixSeconds::new(i64::try_from(time).unwrap()));
            for _ in 0..number {
                let stream = format!("s-{}", self.next);
                self.next += 1;
                let callback = CallbackBuilder::new().field("stream_alias", stream).build();
                self.store
                    .accept(&NewCallback::new(&callback))
                    .await
                    .unwrap();
            }
        }

        /// Total and counts of the day.
        async fn day(&self) -> (u64, bool, Vec<Option<u64>>) {
            let now = UNIX_EPOCH + Duration::from_secs(NOW + 60);
            let [_, day] = self.arrivals.charts(&self.inbox, now).await;
            let counts = day.bars.iter().map(|bar| bar.count);
            (day.total, day.incomplete, counts.collect())
        }
    }

    #[tokio::test]
    async fn counts_what_is_new_and_goes_on_with_what_is_old() {
        let mut site = Site::new();
        assert_eq!(site.day().await, (0, false, vec![Some(0); 24]));
        site.add(3, NOW - DAY - 2 * HOUR).await;
        // One hour after another: 500 in each.
        for hour in (1..24).rev() {
            site.add(500, NOW - hour * HOUR + 7).await;
        }
        site.add(2, NOW + 30).await;
        let (total, incomplete, counts) = site.day().await;
        assert!(incomplete, "20 pages of 500 are read at a time");
        assert_eq!((total, counts[0], counts[23]), (9_500 + 2, None, Some(2)));
        assert_eq!(counts[5..23], [Some(500); 18]);

        site.add(600, NOW + 40).await;
        let (total, incomplete, counts) = site.day().await;
        assert_eq!((total, incomplete), (23 * 500 + 602, false));
        assert_eq!((counts[0], counts[23]), (Some(500), Some(602)));
        assert_eq!(
            site.day().await.0,
            23 * 500 + 602,
            "nothing is counted twice"
        );
    }

    #[tokio::test]
    async fn counts_again_what_a_gap_would_part() {
        let mut site = Site::new();
        site.add(10, NOW - 5 * HOUR).await;
        assert_eq!(site.day().await.0, 10);
        site.add(10_100, NOW).await;
        let (total, incomplete, counts) = site.day().await;
        assert_eq!((total, incomplete, counts[18]), (0, true, None));
        let (total, incomplete, _) = site.day().await;
        assert_eq!((total, incomplete), (10_110, false));
    }

    #[tokio::test]
    async fn what_is_older_than_a_day_is_not_read() {
        let mut site = Site::new();
        site.add(3_000, NOW - DAY - 3 * HOUR).await;
        site.add(5, NOW - HOUR).await;
        assert_eq!((site.day().await.0, site.day().await.1), (5, false));
        let counts = site.arrivals.counts.lock().await;
        assert!(counts.steps.len() == 1 && counts.is_complete);
    }

    #[test]
    fn bars_are_in_proportion() {
        let mut counts = Counts {
            is_complete: true,
            ..Counts::default()
        };
        counts
            .steps
            .extend([(NOW + 300, 1), (NOW + 900, 1_000), (NOW + 1_200, 500)]);
        let chart = Chart::new(["title", "id", "step"], &counts, (NOW + 1_201, 300, 5));
        let bars = chart.bars.iter().map(|bar| (bar.x, bar.y, bar.height));
        let expected = [
            (0, 100, 0),
            (10, 98, 2),
            (20, 100, 0),
            (30, 0, 100),
            (40, 50, 50),
        ];
        assert_eq!(bars.collect::<Vec<_>>(), expected);
        assert_eq!(
            (chart.most, chart.total, chart.incomplete),
            (1_000, 1_501, false)
        );
        assert_eq!(height(u64::MAX, u64::MAX), 100);
    }
}

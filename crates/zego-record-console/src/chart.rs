//! How many callbacks came, by time. What is over does not change, so it is counted once.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Mutex;
use tokio::time::Instant;
use zego_record_inbox::Filter;

use crate::inbox::Inbox;
use crate::time::Utc;

/// How long one page may count. What is missing then is counted by the next one.
const BUDGET: Duration = Duration::from_secs(2);

/// The counts of buckets that are over, by start and width in seconds.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<BTreeMap<(u64, u64), u64>>);

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
    /// Whether something could not be counted in time.
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
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let deadline = Instant::now() + BUDGET;
        // Whoever else looks at the page waits for the same counts.
        let mut over = self.0.lock().await;
        over.retain(|(start, _), _| start.saturating_add(90_000) > seconds);
        let hour = buckets(&mut over, inbox, seconds, (300, 12), deadline).await;
        let day = buckets(&mut over, inbox, seconds, (3_600, 24), deadline).await;
        [
            Chart::new(["The last hour", "hour", "5 minutes"], 300, &hour),
            Chart::new(["The last day", "day", "one hour"], 3_600, &day),
        ]
    }
}

type Bucket = (u64, Option<u64>);

async fn buckets(
    over: &mut BTreeMap<(u64, u64), u64>,
    inbox: &Inbox,
    now: u64,
    (width, number): (u64, u64),
    deadline: Instant,
) -> Vec<Bucket> {
    let current = now / width * width;
    let mut buckets = Vec::new();
    for index in (0..number).rev() {
        let start = current.saturating_sub(index * width);
        let mut count = over.get(&(start, width)).copied();
        if count.is_none() && Instant::now() < deadline {
            let mut filter = Filter::all();
            filter.received_from = Some(UNIX_EPOCH + Duration::from_secs(start));
            filter.received_before = Some(UNIX_EPOCH + Duration::from_secs(start + width));
            let counted = tokio::time::timeout_at(deadline, inbox.count(&filter)).await;
            count = counted.ok().and_then(Result::ok);
            // A moment longer, since the clock of the store may be behind ours.
            if let Some(count) = count
                && start + width + 60 < now
            {
                over.insert((start, width), count);
            }
        }
        buckets.push((start, count));
    }
    buckets
}

impl Chart {
    fn new([title, id, step]: [&'static str; 3], width: u64, buckets: &[Bucket]) -> Self {
        let counts = || buckets.iter().filter_map(|(_, count)| *count);
        let most = counts().max().unwrap_or_default();
        let bars = buckets.iter().zip(0..).map(|(&(start, count), index)| {
            let clock =
                |seconds| Utc::from(UNIX_EPOCH + Duration::from_secs(seconds)).short_clock();
            let height = height(count.unwrap_or_default(), most);
            Bar {
                x: index * 10,
                y: 100 - height,
                height,
                from: clock(start),
                until: clock(start + width),
                count,
            }
        });
        Self {
            title,
            id,
            step,
            bars: bars.collect(),
            most,
            total: counts().fold(0, u64::saturating_add),
            incomplete: buckets.iter().any(|(_, count)| count.is_none()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion() {
        let buckets = [
            (0, Some(0)),
            (300, Some(1)),
            (600, None),
            (900, Some(1_000)),
            (1_200, Some(500)),
        ];
        let chart = Chart::new(["title", "id", "step"], 300, &buckets);
        let heights: Vec<_> = chart
            .bars
            .iter()
            .map(|bar| (bar.x, bar.y, bar.height))
            .collect();
        assert_eq!(
            heights,
            [
                (0, 100, 0),
                (10, 98, 2),
                (20, 100, 0),
                (30, 0, 100),
                (40, 50, 50)
            ]
        );
        assert_eq!(
            (chart.most, chart.total, chart.incomplete),
            (1_000, 1_501, true)
        );
        assert_eq!(
            (chart.bars[3].from.as_str(), chart.bars[3].until.as_str()),
            ("00:15", "00:20")
        );
        assert_eq!(height(u64::MAX, u64::MAX), 100);
    }
}

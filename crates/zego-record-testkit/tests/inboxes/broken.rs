//! An inbox that keeps every promise but one.

mod operations;
mod runs;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zego_record_core::{DeliveryKey, UnixSeconds};
use zego_record_inbox::{
    Arrivals, ClaimDue, Claimed, Details, Entry, EntryState, Filter, Hold, InboxStore, MemoryInbox,
    Next, RunEnded, Stats,
};
use zego_record_receiver::{
    Accept, Accepted, Binding, BoxFuture, Clock, NewCallback, ReplayCheck, ReplayGuard, Settled,
    StoreError, StoreErrorKind,
};
use zego_record_testkit::ManualClock;

/// What is wrong with an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    AcceptsAgain,
    AcceptReadsFirst,
    AcceptIgnoresReplays,
    AcceptChecksNewOnesAlone,
    ConflictsAreStored,
    ContentIsCutAtNul,
    LimitIsIgnored,
    NewestIsClaimedFirst,
    ClaimReadsFirst,
    ClaimOfSeveralReadsFirst,
    LeaseIsHalf,
    LeaseIsDouble,
    LeaseNeverEnds,
    LeaseOverflows,
    AttemptStaysOne,
    ChangedIsUnknown,
    ExtendDoesNothing,
    ExtendAdds,
    ExtendNeedsALiveLease,
    NothingIsFenced,
    EpochIsNotFenced,
    OwnerIsNotFenced,
    DoneIsFenced,
    DoneCanFail,
    DeadCannotBeDone,
    DiscardedIsDone,
    RetryIsAtOnce,
    RetryIsNever,
    RetryOverflows,
    ReleaseCounts,
    NoteIsLost,
    NoteIsCutAtNul,
    NulIsRejected,
    NoteIsShort,
    NoteOfDoneIsAnError,
    LostIsRunning,
    HistoryIsReversed,
    HistoryIsShort,
    HistoryHasNoStatus,
    RedeliverKeepsAttempts,
    RedeliverForgets,
    RedeliverTakesRunning,
    RedeliverIgnoresFilter,
    RedeliverIgnoresLimit,
    RenewalIsForgotten,
    RedeliverCountsRunning,
    DiscardTakesDone,
    DiscardForgetsReason,
    DiscardIgnoresFilter,
    DiscardReadsFirst,
    PauseIsOfOneHandle,
    PauseStopsRuns,
    PauseStopsAccepting,
    PruneTakesDead,
    PruneIgnoresAge,
    PruneIgnoresLimit,
    PruneReturnsNothing,
    PruneCountsFromArrival,
    EraseHides,
    EraseStops,
    NumbersAreGivenAgain,
    GetFindsAnother,
    ListIsReversed,
    ListIgnoresBefore,
    ListRepeatsTheLast,
    FilterIgnores(&'static str),
    TextIsAPattern,
    TextHasCase,
    FromIsExclusive,
    BeforeIsInclusive,
    CountIsBounded,
    StatsMixRunningAndWaiting,
    OldestIsTheNewest,
    OldestMayBeDead,
}

#[derive(Debug)]
pub(crate) struct Broken {
    fault: Fault,
    shared: Arc<Shared>,
    paused: AtomicBool,
}

/// What all handles have in common.
#[derive(Debug)]
struct Shared {
    clock: ManualClock,
    inner: Mutex<Arc<MemoryInbox>>,
    accepted: Mutex<HashMap<DeliveryKey, (NewCallback, Duration)>>,
    erased: Mutex<Vec<DeliveryKey>>,
    /// The run that holds each number, and when its lease ends.
    runs: Mutex<HashMap<i64, (Hold, Duration)>>,
    offsets: Mutex<HashMap<DeliveryKey, u32>>,
    claims: AtomicU64,
    last: Mutex<Vec<Claimed>>,
    arrivals: Arrivals,
}

impl Broken {
    pub(crate) fn new(fault: Fault, clock: &ManualClock) -> Self {
        let shared = Shared {
            clock: clock.clone(),
            inner: Mutex::new(inner(clock)),
            accepted: Mutex::default(),
            erased: Mutex::default(),
            runs: Mutex::default(),
            offsets: Mutex::default(),
            claims: AtomicU64::new(0),
            last: Mutex::default(),
            arrivals: Arrivals::new(),
        };
        Self {
            fault,
            shared: Arc::new(shared),
            paused: AtomicBool::new(false),
        }
    }

    pub(crate) fn another(&self) -> Self {
        Self {
            fault: self.fault,
            shared: Arc::clone(&self.shared),
            paused: AtomicBool::new(false),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn inner(&self) -> Arc<MemoryInbox> {
        Arc::clone(&self.shared.inner.lock().unwrap())
    }

    fn now(&self) -> Duration {
        self.shared.clock.monotonic()
    }

    fn lease(&self, lease: Duration) -> Duration {
        match self.fault {
            Fault::LeaseIsHalf if lease < MINUTE => lease / 2,
            Fault::LeaseIsDouble if lease < MINUTE => lease * 2,
            Fault::LeaseNeverEnds => Duration::MAX,
            _ => lease,
        }
    }

    /// The hold that counts, instead of the one that was given.
    fn fenced(&self, hold: &Hold, next: Option<Next>) -> Hold {
        let runs = self.shared.runs.lock().unwrap();
        let Some((current, _)) = runs.get(&hold.id).copied() else {
            return *hold;
        };
        match self.fault {
            Fault::NothingIsFenced => current,
            Fault::EpochIsNotFenced => Hold::new(hold.id, hold.owner, current.epoch),
            Fault::OwnerIsNotFenced => Hold::new(hold.id, current.owner, hold.epoch),
            // Nobody has a run of this number.
            Fault::DoneIsFenced if next == Some(Next::Done) && current != *hold => {
                Hold::new(-1, hold.owner, hold.epoch)
            }
            _ => *hold,
        }
    }

    fn filter(&self, filter: &Filter) -> Filter {
        let mut filter = filter.clone();
        match self.fault {
            Fault::FilterIgnores("state") => filter.state = None,
            Fault::FilterIgnores("appid") => filter.appid = None,
            Fault::FilterIgnores("stream") => filter.stream_alias = None,
            Fault::FilterIgnores("text") => filter.text = None,
            Fault::FilterIgnores("key") => filter.key_prefix = None,
            Fault::FilterIgnores("from") => filter.received_from = None,
            Fault::FilterIgnores("before") => filter.received_before = None,
            Fault::FromIsExclusive => {
                filter.received_from = filter.received_from.map(|from| from + SECOND);
            }
            Fault::BeforeIsInclusive => {
                filter.received_before = filter.received_before.map(|before| before + SECOND);
            }
            Fault::TextIsAPattern => filter.text = filter.text.map(|text| text.replace('%', "")),
            _ => {}
        }
        filter
    }

    fn changed(&self, mut entry: Entry) -> Entry {
        let offsets = self.shared.offsets.lock().unwrap();
        entry.attempts += offsets.get(&entry.key).copied().unwrap_or_default();
        if self.is(Fault::NoteOfDoneIsAnError) && entry.state == EntryState::Done {
            entry.last_error = Some("noted".to_owned());
        }
        entry
    }

    async fn listed(&self, filter: &Filter) -> Vec<Entry> {
        let wanted = self.filter(filter);
        let mut entries = self.inner().list(&wanted, None, u32::MAX).await.unwrap();
        entries.retain(|entry| !self.shared.erased.lock().unwrap().contains(&entry.key));
        if let (Fault::TextHasCase, Some(text)) = (self.fault, &filter.text) {
            entries.retain(|entry| {
                let error = entry.last_error.as_deref().unwrap_or_default();
                [&entry.event_id, &entry.stream_alias]
                    .iter()
                    .any(|field| field.contains(text))
                    || error.contains(text)
            });
        }
        entries
            .into_iter()
            .map(|entry| self.changed(entry))
            .collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn inner(clock: &ManualClock) -> Arc<MemoryInbox> {
    Arc::new(MemoryInbox::new().with_clock(clock.clone()))
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::new(UnixSeconds::new(1_760_001_900))
}

fn rejected() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "it cannot be written")
}

impl ReplayGuard for Broken {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(async move { self.inner().bind(check).await })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { self.inner().purge(limit).await })
    }

    fn evictions(&self) -> u64 {
        0
    }
}

impl Accept for Broken {
    fn accept<'a>(
        &'a self,
        callback: &'a NewCallback,
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        Box::pin(async move {
            let inner = self.inner();
            let mut written = callback.clone();
            let is_known = inner.get(&callback.key).await?.is_some();
            match self.fault {
                Fault::AcceptIgnoresReplays => written.replay = None,
                Fault::AcceptChecksNewOnesAlone if is_known => written.replay = None,
                Fault::ContentIsCutAtNul => {
                    let kept = written.event_id.split('\0').next();
                    written.event_id = kept.unwrap_or_default().to_owned();
                }
                Fault::PauseStopsAccepting if inner.stats().await?.paused => {
                    return Err(rejected());
                }
                Fault::AcceptReadsFirst => tokio::task::yield_now().await,
                _ => {}
            }
            if !is_known {
                let accepted = (callback.clone(), self.now());
                self.shared
                    .accepted
                    .lock()
                    .unwrap()
                    .insert(callback.key, accepted);
            }
            let accepted = inner.accept(&written).await?;
            match (self.fault, accepted) {
                (Fault::AcceptsAgain, Accepted::Known) => Ok(Accepted::New),
                (Fault::AcceptReadsFirst, Accepted::Known) if !is_known => Ok(Accepted::New),
                (Fault::ConflictsAreStored, Accepted::Conflict) => {
                    written.replay = None;
                    inner.accept(&written).await?;
                    Ok(Accepted::Conflict)
                }
                _ => Ok(accepted),
            }
        })
    }
}

impl InboxStore for Broken {
    fn claim_due<'a>(
        &'a self,
        claim: &'a ClaimDue,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, StoreError>> {
        Box::pin(self.claimed(claim))
    }

    fn extend<'a>(
        &'a self,
        hold: &'a Hold,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        Box::pin(self.extended(hold, lease))
    }

    fn settle<'a>(
        &'a self,
        hold: &'a Hold,
        ended: &'a RunEnded,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        Box::pin(self.settled(hold, ended))
    }

    fn get<'a>(
        &'a self,
        key: &'a DeliveryKey,
    ) -> BoxFuture<'a, Result<Option<Details>, StoreError>> {
        Box::pin(self.got(key))
    }

    fn list<'a>(
        &'a self,
        filter: &'a Filter,
        before: Option<i64>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move {
            let mut entries = self.listed(filter).await;
            entries.retain(|entry| match (self.fault, before) {
                (Fault::ListRepeatsTheLast, Some(before)) => entry.id <= before,
                (Fault::ListIgnoresBefore, _) | (_, None) => true,
                (_, Some(before)) => entry.id < before,
            });
            if self.is(Fault::ListIsReversed) {
                entries.reverse();
            }
            entries.truncate(limit as usize);
            Ok(entries)
        })
    }

    fn count<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let count = self.listed(filter).await.len() as u64;
            let most = if self.is(Fault::CountIsBounded) {
                10
            } else {
                u64::MAX
            };
            Ok(count.min(most))
        })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>> {
        Box::pin(async move {
            let mut stats = self.inner().stats().await?;
            stats.paused |= self.paused.load(Ordering::Relaxed);
            match self.fault {
                Fault::StatsMixRunningAndWaiting => {
                    stats.waiting += stats.running;
                    stats.running = 0;
                }
                Fault::OldestIsTheNewest => stats.oldest = stats.oldest.map(|_| Duration::ZERO),
                Fault::OldestMayBeDead if stats.dead > 0 => {
                    stats.oldest = stats.oldest.or(Some(Duration::ZERO));
                }
                _ => {}
            }
            Ok(stats)
        })
    }

    fn redeliver<'a>(
        &'a self,
        filter: &'a Filter,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.redelivered(filter, limit))
    }

    fn discard<'a>(
        &'a self,
        filter: &'a Filter,
        reason: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.discarded(filter, reason, limit))
    }

    fn renew<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            if self.is(Fault::RenewalIsForgotten) {
                return Ok(true);
            }
            self.inner().renew(key).await
        })
    }

    fn set_paused(&self, paused: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            if self.is(Fault::PauseIsOfOneHandle) {
                self.paused.store(paused, Ordering::Relaxed);
                return Ok(());
            }
            self.inner().set_paused(paused).await
        })
    }

    fn prune(&self, keep: Duration, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.pruned(keep, limit))
    }

    fn erase<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.erased(key))
    }

    fn arrivals(&self) -> &Arrivals {
        &self.shared.arrivals
    }
}

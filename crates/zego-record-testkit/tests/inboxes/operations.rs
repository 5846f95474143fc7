//! What an operator of a broken inbox gets.

use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_inbox::{
    AttemptOutcome, Details, Entry, EntryState, Filter, InboxStore, Next, Note, RunEnded,
};
use zego_record_receiver::{Accept, StoreError};

use super::{Broken, Fault};

impl Broken {
    pub(super) async fn got(&self, key: &DeliveryKey) -> Result<Option<Details>, StoreError> {
        let mut key = *key;
        if self.shared.erased.lock().unwrap().contains(&key) {
            return Ok(None);
        }
        let inner = self.inner();
        if self.is(Fault::GetFindsAnother) && inner.get(&key).await?.is_none() {
            let all = inner.list(&Filter::all(), None, 1).await?;
            key = all.first().map_or(key, |entry| entry.key);
        }
        let Some(mut details) = inner.get(&key).await? else {
            return Ok(None);
        };
        details.entry = self.changed(details.entry);
        let attempts = &mut details.attempts;
        match self.fault {
            Fault::LostIsRunning => {
                for attempt in attempts {
                    if attempt.outcome == AttemptOutcome::Lost {
                        attempt.outcome = AttemptOutcome::Running;
                    }
                }
            }
            Fault::HistoryIsReversed => attempts.reverse(),
            Fault::HistoryIsShort => attempts.truncate(50),
            _ => {}
        }
        Ok(Some(details))
    }

    pub(super) async fn redelivered(&self, filter: &Filter, limit: u32) -> Result<u64, StoreError> {
        let inner = self.inner();
        let matching = inner.list(filter, None, limit).await?;
        match self.fault {
            Fault::RedeliverKeepsAttempts => {
                let mut offsets = self.shared.offsets.lock().unwrap();
                offsets.extend(matching.iter().map(|entry| (entry.key, entry.attempts)));
            }
            Fault::RedeliverTakesRunning => {
                let at_once = RunEnded::new(Next::Release(Duration::ZERO), Note::default());
                for entry in &matching {
                    let run = self.shared.runs.lock().unwrap().get(&entry.id).copied();
                    if let Some((hold, _)) = run {
                        inner.settle(&hold, &at_once).await?;
                    }
                }
            }
            Fault::RedeliverForgets => {
                for entry in &matching {
                    let callback = self.shared.accepted.lock().unwrap()[&entry.key].0.clone();
                    inner.erase(&entry.key).await?;
                    inner.accept(&callback).await?;
                }
                return Ok(matching.len() as u64);
            }
            Fault::RedeliverIgnoresFilter => {
                return inner.redeliver(&Filter::all(), limit).await;
            }
            Fault::RedeliverIgnoresLimit => return inner.redeliver(filter, u32::MAX).await,
            Fault::RedeliverCountsRunning => {
                let mut redelivered = 0;
                for entry in &matching {
                    redelivered += inner.redeliver(&Filter::key(&entry.key), 1).await?;
                }
                return Ok(redelivered);
            }
            _ => {}
        }
        inner.redeliver(filter, limit).await
    }

    pub(super) async fn discarded(
        &self,
        filter: &Filter,
        reason: &str,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let inner = self.inner();
        let matching = inner.list(filter, None, limit).await?;
        let is_waiting = matching
            .iter()
            .any(|entry| entry.state == EntryState::Waiting);
        match self.fault {
            Fault::DiscardTakesDone => {
                for entry in matching
                    .iter()
                    .filter(|entry| entry.state == EntryState::Done)
                {
                    inner.redeliver(&Filter::key(&entry.key), 1).await?;
                }
            }
            Fault::DiscardForgetsReason => return inner.discard(filter, "", limit).await,
            Fault::DiscardIgnoresFilter => {
                return inner.discard(&Filter::all(), reason, limit).await;
            }
            Fault::DiscardReadsFirst if is_waiting => {
                tokio::task::yield_now().await;
                inner.discard(filter, reason, limit).await?;
                return Ok(matching.len() as u64);
            }
            _ => {}
        }
        inner.discard(filter, reason, limit).await
    }

    pub(super) async fn pruned(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        let inner = self.inner();
        let now = self.now();
        let erase = |old: fn(&Entry, Duration, Duration) -> bool| async move {
            let (inner, mut pruned) = (self.inner(), 0);
            for entry in inner.list(&Filter::all(), None, u32::MAX).await? {
                let accepted = self.shared.accepted.lock().unwrap()[&entry.key].1;
                if pruned < u64::from(limit) && old(&entry, keep, now - accepted) {
                    pruned += u64::from(inner.erase(&entry.key).await?);
                }
            }
            Ok(pruned)
        };
        match self.fault {
            Fault::PruneTakesDead => {
                let dead = erase(|entry, _, _| entry.state == EntryState::Dead).await?;
                let done = inner
                    .prune(keep, limit - u32::try_from(dead).unwrap())
                    .await?;
                Ok(done + dead)
            }
            Fault::PruneCountsFromArrival => {
                erase(|entry, keep, age| {
                    matches!(entry.state, EntryState::Done | EntryState::Discarded) && age >= keep
                })
                .await
            }
            Fault::PruneIgnoresAge if keep < Duration::MAX => {
                inner.prune(Duration::ZERO, limit).await
            }
            Fault::PruneIgnoresLimit => inner.prune(keep, u32::MAX).await,
            Fault::PruneReturnsNothing => inner.prune(keep, limit).await.map(|_| 0),
            _ => inner.prune(keep, limit).await,
        }
    }

    pub(super) async fn erased(&self, key: &DeliveryKey) -> Result<bool, StoreError> {
        let inner = self.inner();
        match self.fault {
            Fault::EraseHides => {
                let mut erased = self.shared.erased.lock().unwrap();
                let was_there = !erased.contains(key);
                erased.push(*key);
                return Ok(was_there);
            }
            Fault::EraseStops => {
                let details = inner.get(key).await?;
                if details.is_some_and(|found| found.entry.state == EntryState::Dead) {
                    return Ok(false);
                }
            }
            _ => {}
        }
        let erased = inner.erase(key).await?;
        if self.is(Fault::NumbersAreGivenAgain) && inner.count(&Filter::all()).await? == 0 {
            *self.shared.inner.lock().unwrap() = super::inner(&self.shared.clock);
        }
        Ok(erased)
    }
}

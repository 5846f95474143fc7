//! Runs of a broken inbox.

use std::sync::atomic::Ordering;
use std::time::Duration;

use zego_record_inbox::{
    ClaimDue, Claimed, EntryState, Filter, Hold, InboxStore, Next, Note, RunEnded,
};
use zego_record_receiver::{Settled, StoreError};

use super::{Broken, Fault, MINUTE, rejected};

impl Broken {
    pub(super) async fn claimed(&self, claim: &ClaimDue) -> Result<Vec<Claimed>, StoreError> {
        if self.is(Fault::LeaseOverflows) && claim.lease == Duration::MAX {
            return Err(rejected());
        }
        if self.paused.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let mut asked = *claim;
        asked.lease = self.lease(claim.lease);
        let reads_first = match self.fault {
            Fault::ClaimReadsFirst => true,
            Fault::ClaimOfSeveralReadsFirst => claim.limit == 2,
            _ => false,
        };
        let seen = self.shared.claims.load(Ordering::SeqCst);
        if reads_first {
            tokio::task::yield_now().await;
        }
        if matches!(
            self.fault,
            Fault::LimitIsIgnored | Fault::NewestIsClaimedFirst
        ) {
            asked.limit = u32::MAX;
        }
        let inner = self.inner();
        let mut claimed = inner.claim_due(&asked).await?;
        if self.is(Fault::NewestIsClaimedFirst) {
            claimed.sort_by_key(|claimed| std::cmp::Reverse(claimed.hold.id));
            let at_once = RunEnded::new(Next::Release(Duration::ZERO), Note::default());
            for other in claimed.iter().skip(claim.limit as usize) {
                inner.settle(&other.hold, &at_once).await?;
            }
            claimed.truncate(claim.limit as usize);
        }
        if reads_first && self.shared.claims.load(Ordering::SeqCst) != seen {
            let last = self.shared.last.lock().unwrap().clone();
            if !last.is_empty() {
                return Ok(last);
            }
        }
        if reads_first {
            self.shared.claims.fetch_add(1, Ordering::SeqCst);
            self.shared.last.lock().unwrap().clone_from(&claimed);
        }
        let ends = self.now().saturating_add(asked.lease);
        for claimed in &mut claimed {
            let mut runs = self.shared.runs.lock().unwrap();
            runs.insert(claimed.hold.id, (claimed.hold, ends));
            if self.is(Fault::AttemptStaysOne) {
                claimed.attempt = 1;
            }
            if self.is(Fault::ChangedIsUnknown) {
                claimed.changed = false;
            }
        }
        Ok(claimed)
    }

    pub(super) async fn extended(
        &self,
        hold: &Hold,
        lease: Duration,
    ) -> Result<Settled, StoreError> {
        let ends = self
            .shared
            .runs
            .lock()
            .unwrap()
            .get(&hold.id)
            .map(|(_, ends)| *ends);
        let left = ends.map(|ends| ends.saturating_sub(self.now()));
        let inner = self.inner();
        match self.fault {
            Fault::ExtendNeedsALiveLease if left == Some(Duration::ZERO) => {
                return Ok(Settled::Stale);
            }
            Fault::PauseStopsRuns if inner.stats().await?.paused => return Ok(Settled::Stale),
            _ => {}
        }
        let (lease, left) = (self.lease(lease), left.unwrap_or_default());
        let lease = match self.fault {
            Fault::ExtendDoesNothing => left,
            Fault::ExtendAdds => lease.saturating_add(left),
            _ => lease,
        };
        let settled = inner.extend(&self.fenced(hold, None), lease).await?;
        if settled == Settled::Applied
            && let Some((_, ends)) = self.shared.runs.lock().unwrap().get_mut(&hold.id)
        {
            *ends = self.now().saturating_add(lease);
        }
        Ok(settled)
    }

    pub(super) async fn settled(
        &self,
        hold: &Hold,
        ended: &RunEnded,
    ) -> Result<Settled, StoreError> {
        let inner = self.inner();
        let entry = match self.fault {
            Fault::DoneCanFail | Fault::DeadCannotBeDone => {
                let all = inner.list(&Filter::all(), None, u32::MAX).await?;
                all.into_iter().find(|entry| entry.id == hold.id)
            }
            _ => None,
        };
        let mut ended = ended.clone();
        match (self.fault, ended.next) {
            (Fault::RetryIsAtOnce, Next::Retry(delay)) if delay < MINUTE => {
                ended.next = Next::Retry(Duration::ZERO);
            }
            (Fault::RetryIsNever, Next::Retry(delay)) if !delay.is_zero() => {
                ended.next = Next::Retry(Duration::MAX);
            }
            (Fault::RetryOverflows, Next::Retry(Duration::MAX)) => return Err(rejected()),
            (Fault::ReleaseCounts, Next::Release(delay)) => ended.next = Next::Retry(delay),
            (Fault::DiscardedIsDone, Next::Discarded) => ended.next = Next::Done,
            (Fault::DoneCanFail, Next::Retry(_)) => {
                if let Some(entry) = entry.filter(|entry| entry.state == EntryState::Done) {
                    inner.redeliver(&Filter::key(&entry.key), 1).await?;
                    return Ok(Settled::Applied);
                }
            }
            (Fault::DeadCannotBeDone, Next::Done)
                if entry.is_some_and(|entry| entry.state == EntryState::Dead) =>
            {
                return Ok(Settled::Stale);
            }
            (Fault::NulIsRejected, _) if ended.note.text.contains('\0') => {
                return Err(rejected());
            }
            (Fault::NoteIsLost, _) => ended.note.text.clear(),
            (Fault::NoteIsShort, _) => ended.note.text.truncate(100),
            (Fault::NoteIsCutAtNul, _) => {
                let kept = ended.note.text.split('\0').next();
                ended.note.text = kept.unwrap_or_default().to_owned();
            }
            (Fault::HistoryHasNoStatus, _) => ended.note.status = None,
            _ => {}
        }
        inner
            .settle(&self.fenced(hold, Some(ended.next)), &ended)
            .await
    }
}

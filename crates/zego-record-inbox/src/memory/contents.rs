//! All callbacks in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_receiver::{NewCallback, Settled};

use super::row::{Moment, Row};
use crate::entry::{Details, Entry, EntryState, Filter, Stats};
use crate::store::{ClaimDue, Claimed, Hold, RunEnded};

#[derive(Debug, Default)]
pub(super) struct Contents {
    rows: BTreeMap<i64, Row>,
    by_key: BTreeMap<DeliveryKey, i64>,
    /// Numbers are never given again: a late success must not meet another callback.
    last_id: i64,
    pub(super) paused: bool,
}

impl Contents {
    /// Whether it was new.
    pub(super) fn insert(&mut self, callback: &NewCallback, now: Moment) -> bool {
        if self.by_key.contains_key(&callback.key) {
            return false;
        }
        self.last_id += 1;
        self.by_key.insert(callback.key, self.last_id);
        let row = Row::new(self.last_id, callback.clone(), now);
        self.rows.insert(self.last_id, row);
        true
    }

    pub(super) fn claim_due(&mut self, claim: &ClaimDue, now: Moment) -> Vec<Claimed> {
        if self.paused {
            return Vec::new();
        }
        let due = |row: &Row| row.work.due_at.filter(|due_at| *due_at <= now.monotonic);
        let mut ids: Vec<_> = self
            .rows
            .values()
            .filter_map(|row| Some((due(row)?, row.id)))
            .collect();
        ids.sort_unstable();
        let ids = ids.into_iter().take(size(claim.limit));
        ids.filter_map(|(_, id)| {
            let changed = self.is_changed(id);
            self.rows.get_mut(&id)?.claim(claim, changed, now)
        })
        .collect()
    }

    pub(super) fn extend(&mut self, hold: &Hold, lease: Duration, now: Moment) -> Settled {
        let row = self.rows.get_mut(&hold.id);
        row.map_or(Settled::Stale, |row| row.extend(hold, lease, now))
    }

    pub(super) fn settle(&mut self, hold: &Hold, ended: &RunEnded, now: Moment) -> Settled {
        let row = self.rows.get_mut(&hold.id);
        row.map_or(Settled::Stale, |row| row.settle(hold, ended, now))
    }

    pub(super) fn get(&self, key: &DeliveryKey) -> Option<Details> {
        let row = self.rows.get(self.by_key.get(key)?)?;
        Some(row.details())
    }

    pub(super) fn list(&self, filter: &Filter, before: Option<i64>, limit: u32) -> Vec<Entry> {
        let rows = self.rows.values().rev();
        rows.filter(|row| before.is_none_or(|before| row.id < before))
            .filter(|row| row.matches(filter))
            .take(size(limit))
            .map(Row::entry)
            .collect()
    }

    pub(super) fn count(&self, filter: &Filter) -> u64 {
        count(self.rows.values().filter(|row| row.matches(filter)))
    }

    pub(super) fn stats(&self, now: Moment) -> Stats {
        let mut stats = Stats {
            paused: self.paused,
            ..Stats::default()
        };
        for state in EntryState::ALL {
            stats.set(*state, self.count(&Filter::in_state(*state)));
        }
        let open = self.rows.values().filter(|row| row.work.over.is_none());
        let oldest = open.map(|row| row.received.monotonic).min();
        stats.oldest = oldest.map(|oldest| now.monotonic.saturating_sub(oldest));
        stats
    }

    pub(super) fn redeliver(&mut self, filter: &Filter, limit: u32, now: Moment) -> u64 {
        let rows = self.rows.values_mut().filter(|row| row.matches(filter));
        count(
            rows.filter_map(|row| row.redeliver(now).then_some(()))
                .take(size(limit)),
        )
    }

    /// Whether it is there.
    pub(super) fn renew(&mut self, key: &DeliveryKey) -> bool {
        let row = self.by_key.get(key).and_then(|id| self.rows.get_mut(id));
        row.map(Row::renew).is_some()
    }

    pub(super) fn discard(
        &mut self,
        filter: &Filter,
        reason: &str,
        limit: u32,
        now: Moment,
    ) -> u64 {
        let rows = self.rows.values_mut().filter(|row| row.matches(filter));
        let discarded = rows.filter_map(|row| row.discard(reason, now).then_some(()));
        count(discarded.take(size(limit)))
    }

    pub(super) fn prune(&mut self, keep: Duration, limit: u32, now: Moment) -> u64 {
        let rows = self.rows.values();
        let prunable: Vec<_> = rows
            .filter(|row| row.work.is_prunable(keep, now.monotonic))
            .map(|row| row.callback.key)
            .take(size(limit))
            .collect();
        count(prunable.iter().filter(|key| self.erase(key)))
    }

    /// Whether it was there.
    pub(super) fn erase(&mut self, key: &DeliveryKey) -> bool {
        let id = self.by_key.remove(key);
        id.and_then(|id| self.rows.remove(&id)).is_some()
    }

    /// Whether there is another callback about the same recorded file.
    fn is_changed(&self, id: i64) -> bool {
        let event_id = |row: &Row| row.callback.event_id.clone();
        let about = self.rows.get(&id).map(event_id);
        self.rows
            .values()
            .any(|row| row.id != id && Some(event_id(row)) == about)
    }
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |count, _| count + 1)
}

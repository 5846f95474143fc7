//! A change of many callbacks: first the number, then the change.

use zego_record_receiver::StoreError;

use crate::entry::{EntryState, Filter};
use crate::store::InboxStore;

/// In one transaction, so that nobody waits long for the store.
const PAGE: u32 = 1_000;

/// What an operator is about to do to all callbacks that match a filter. Making a plan changes nothing.
///
/// ```
/// use zego_record_inbox::{EntryState, Filter, InboxStore, Plan};
/// # use zego_record_receiver::StoreError;
///
/// async fn once_more(inbox: &dyn InboxStore) -> Result<u64, StoreError> {
///     let plan = Plan::redeliver(inbox, Filter::in_state(EntryState::Dead)).await?;
///     println!("{} dead letters are delivered again", plan.count());
///     plan.run().await
/// }
/// ```
#[derive(Debug)]
#[must_use = "a plan does nothing before run()"]
pub struct Plan<'a> {
    store: &'a dyn InboxStore,
    filter: Filter,
    change: Change,
    count: u64,
}

#[derive(Debug)]
enum Change {
    Redeliver { new_ids: bool },
    Discard(String),
}

impl<'a> Plan<'a> {
    /// To make callbacks due at once, with all attempts before them. Those that run are left alone.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn redeliver(store: &'a dyn InboxStore, filter: Filter) -> Result<Self, StoreError> {
        Self::new(store, filter, Change::Redeliver { new_ids: false }).await
    }

    /// To give callbacks up. Those that run, are done or are discarded are left alone.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn discard(
        store: &'a dyn InboxStore,
        filter: Filter,
        reason: impl Into<String>,
    ) -> Result<Self, StoreError> {
        Self::new(store, filter, Change::Discard(reason.into())).await
    }

    /// Redelivers under new ids, see [`InboxStore::renew`].
    pub fn with_new_ids(mut self) -> Self {
        if let Change::Redeliver { new_ids } = &mut self.change {
            *new_ids = true;
        }
        self
    }

    async fn new(
        store: &'a dyn InboxStore,
        filter: Filter,
        change: Change,
    ) -> Result<Self, StoreError> {
        let mut plan = Self {
            store,
            filter,
            change,
            count: 0,
        };
        for filter in plan.filters() {
            plan.count += store.count(&filter).await?;
        }
        Ok(plan)
    }

    /// How many callbacks are changed, if nothing else happens before.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Makes the change, page by page, and returns how many callbacks were changed. If the store fails in
    /// between, the pages before are changed, and it may be planned and run again.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn run(self) -> Result<u64, StoreError> {
        let mut changed = 0;
        if matches!(self.change, Change::Redeliver { new_ids: true }) {
            self.renew().await?;
        }
        for filter in self.filters() {
            loop {
                // Those that wait still do after they were redelivered, so that a second page would be the
                // first one again.
                let waits = filter.state == Some(EntryState::Waiting);
                let page = match &self.change {
                    Change::Redeliver { .. } if waits => {
                        changed += self.store.redeliver(&filter, u32::MAX).await?;
                        break;
                    }
                    Change::Redeliver { .. } => self.store.redeliver(&filter, PAGE).await?,
                    Change::Discard(reason) => self.store.discard(&filter, reason, PAGE).await?,
                };
                changed += page;
                if page < u64::from(PAGE) {
                    break;
                }
            }
        }
        Ok(changed)
    }

    /// Before they are redelivered: one that is claimed in between has its new id already.
    async fn renew(&self) -> Result<(), StoreError> {
        for filter in self.filters() {
            let mut before = None;
            loop {
                let page = self.store.list(&filter, before, PAGE).await?;
                let Some(last) = page.last() else { break };
                before = Some(last.id);
                for entry in &page {
                    self.store.renew(&entry.key).await?;
                }
            }
        }
        Ok(())
    }

    /// One for each state that can be changed: what leaves it does not match again.
    fn filters(&self) -> Vec<Filter> {
        let states: &[EntryState] = match self.change {
            Change::Redeliver { .. } => &[
                EntryState::Waiting,
                EntryState::Dead,
                EntryState::Discarded,
                EntryState::Done,
            ],
            Change::Discard(_) => &[EntryState::Waiting, EntryState::Dead],
        };
        let wanted = |state: &&EntryState| self.filter.state.is_none_or(|wanted| wanted == **state);
        let filters = states.iter().filter(wanted).map(|state| Filter {
            state: Some(*state),
            ..self.filter.clone()
        });
        filters.collect()
    }
}

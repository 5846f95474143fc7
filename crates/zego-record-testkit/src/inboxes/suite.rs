//! What the parts of the suite have in common.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use zego_record_core::DeliveryKey;
use zego_record_inbox::{
    ClaimDue, Claimed, Details, Entry, EntryState, Filter, Hold, InboxStore, Next, Note, RunEnded,
};
use zego_record_receiver::{Accepted, NewCallback, Owner, Settled};

use crate::callback::CallbackBuilder;
use crate::stores::{Handles, succeeded};

/// Short, so that an inbox whose clock cannot be moved is not waited for long.
pub(super) const SHORT: Duration = Duration::from_millis(800);
pub(super) const LONG: Duration = Duration::from_secs(3_600);
/// What is due at different times needs a moment between.
const MOMENT: Duration = Duration::from_millis(20);
/// More than any part of the suite has.
pub(super) const ALL: u32 = 1_000;

pub(super) struct Suite<S: ?Sized, F> {
    inbox: Handles<S>,
    pass: F,
    run: u64,
}

impl<S, F, P> Suite<S, F>
where
    S: InboxStore + ?Sized + 'static,
    F: Fn(Duration) -> P,
    P: Future<Output = ()>,
{
    pub(super) fn new(inbox: Handles<S>, pass: F) -> Self {
        Self {
            inbox,
            pass,
            run: fastrand::u64(..),
        }
    }

    pub(super) async fn starts_empty(&self) {
        let found = self.list(&Filter::all()).await.len();
        assert_eq!(
            found, 0,
            "the suite needs an inbox of its own, but there are callbacks in this one"
        );
        self.set_paused(false).await;
    }

    /// Each part begins with an empty inbox.
    pub(super) async fn clear(&self) {
        for entry in self.list(&Filter::all()).await {
            self.erase(&entry.key).await;
        }
        let left = self.list(&Filter::all()).await;
        assert_eq!(left, [], "what is erased is no longer listed");
    }

    pub(super) fn next(&self) -> Arc<S> {
        self.inbox.next()
    }

    pub(super) async fn pass(&self, time: Duration) {
        (self.pass)(time).await;
    }

    pub(super) async fn moment(&self) {
        self.pass(MOMENT).await;
    }

    /// A callback about a file of its own.
    pub(super) fn callback(&self, name: &str) -> NewCallback {
        let builder = CallbackBuilder::new().vendor(None);
        let url = format!("https://vod.example.com/{}/{name}.mp4", self.run);
        let builder = builder.field("replay_url", url);
        NewCallback::new(&builder.field("stream_alias", name).build())
    }

    pub(super) async fn accept(&self, callback: &NewCallback) -> Accepted {
        succeeded("accept", self.next().accept(callback).await)
    }

    /// A callback that waits.
    pub(super) async fn waiting(&self, name: &str) -> NewCallback {
        let callback = self.callback(name);
        let accepted = self.accept(&callback).await;
        assert_eq!(
            accepted,
            Accepted::New,
            "a callback that is not known is new ({name})"
        );
        callback
    }

    /// A callback that runs for long. Nothing else may be due.
    pub(super) async fn running(&self, name: &str) -> Claimed {
        self.running_for(name, LONG).await
    }

    pub(super) async fn running_for(&self, name: &str, lease: Duration) -> Claimed {
        let callback = self.waiting(name).await;
        self.claim_one("what is accepted is due at once", &callback.key, lease)
            .await
    }

    /// A callback that has run once. Nothing else may be due.
    pub(super) async fn settled(&self, name: &str, next: Next) -> Claimed {
        let claimed = self.running(name).await;
        self.settle(
            "a run can be settled",
            &claimed.hold,
            next,
            Settled::Applied,
        )
        .await;
        claimed
    }

    pub(super) async fn claim(&self, limit: u32, lease: Duration) -> Vec<Claimed> {
        let claim = ClaimDue::new(owner(), lease, limit);
        succeeded("claim_due", self.next().claim_due(&claim).await)
    }

    /// Claims all that is due, which must be this one.
    pub(super) async fn claim_one(
        &self,
        rule: &str,
        key: &DeliveryKey,
        lease: Duration,
    ) -> Claimed {
        let mut claimed = self.claim(ALL, lease).await;
        let keys: Vec<_> = claimed.iter().map(|claimed| claimed.callback.key).collect();
        assert_eq!(keys, [*key], "{rule} (what is due)");
        claimed.remove(0)
    }

    pub(super) async fn nothing_is_due(&self, rule: &str) {
        let claimed = self.claim(ALL, LONG).await;
        let holds: Vec<_> = claimed.iter().map(|claimed| claimed.hold).collect();
        assert_eq!(holds, [], "{rule} (nothing is due)");
    }

    pub(super) async fn extend(&self, rule: &str, hold: &Hold, lease: Duration, expected: Settled) {
        let settled = succeeded("extend", self.next().extend(hold, lease).await);
        assert_eq!(settled, expected, "{rule} (extend {hold:?})");
    }

    pub(super) async fn settle(&self, rule: &str, hold: &Hold, next: Next, expected: Settled) {
        self.settle_with(rule, hold, next, Note::new("noted"), expected)
            .await;
    }

    pub(super) async fn settle_with(
        &self,
        rule: &str,
        hold: &Hold,
        next: Next,
        note: Note,
        expected: Settled,
    ) {
        let ended = RunEnded::new(next, note);
        let settled = succeeded("settle", self.next().settle(hold, &ended).await);
        assert_eq!(settled, expected, "{rule} (settle {hold:?} as {next:?})");
    }

    pub(super) async fn get(&self, key: &DeliveryKey) -> Option<Details> {
        succeeded("get", self.next().get(key).await)
    }

    pub(super) async fn details(&self, key: &DeliveryKey) -> Details {
        let details = self.get(key).await;
        details.unwrap_or_else(|| panic!("what was accepted can be looked at, but {key} is gone"))
    }

    /// The entry, which must be in this state with all that belongs to it.
    pub(super) async fn expect(&self, rule: &str, key: &DeliveryKey, state: EntryState) -> Entry {
        let details = self.get(key).await;
        let Some(Details { entry, .. }) = details else {
            panic!("{rule} (it is {state}, but it is gone)");
        };
        assert_eq!(entry.state, state, "{rule} ({})", entry.stream_alias);
        let is_open = matches!(state, EntryState::Waiting | EntryState::Running);
        assert_eq!(
            (entry.due_at.is_some(), entry.ended_at.is_some()),
            (is_open, !is_open),
            "what waits or runs has a due time, what is over has an end ({state}): {entry:?}"
        );
        entry
    }

    pub(super) async fn list(&self, filter: &Filter) -> Vec<Entry> {
        succeeded("list", self.next().list(filter, None, ALL).await)
    }

    pub(super) async fn redeliver(&self, filter: &Filter, limit: u32) -> u64 {
        succeeded("redeliver", self.next().redeliver(filter, limit).await)
    }

    pub(super) async fn discard(&self, filter: &Filter, limit: u32) -> u64 {
        let discarded = self.next().discard(filter, "not wanted", limit).await;
        succeeded("discard", discarded)
    }

    pub(super) async fn prune(&self, keep: Duration, limit: u32) -> u64 {
        succeeded("prune", self.next().prune(keep, limit).await)
    }

    pub(super) async fn erase(&self, key: &DeliveryKey) -> bool {
        succeeded("erase", self.next().erase(key).await)
    }

    pub(super) async fn renew(&self, key: &DeliveryKey) -> bool {
        succeeded("renew", self.next().renew(key).await)
    }

    pub(super) async fn set_paused(&self, paused: bool) {
        succeeded("set_paused", self.next().set_paused(paused).await);
    }
}

pub(super) fn owner() -> Owner {
    Owner::new(fastrand::u128(..))
}

/// A filter with what `set` sets.
pub(super) fn filter(set: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::all();
    set(&mut filter);
    filter
}

/// Checks that `later` is about `distance` after `earlier`. A clock may show whole seconds, and calls take
/// their time.
pub(super) fn assert_about(
    rule: &str,
    earlier: SystemTime,
    later: Option<SystemTime>,
    distance: Duration,
) {
    let found = later.and_then(|later| later.duration_since(earlier).ok());
    let is_right = found.is_some_and(|found| {
        found + Duration::from_secs(1) >= distance && found <= distance + Duration::from_secs(600)
    });
    assert!(
        is_right,
        "{rule} (about {distance:?} after {earlier:?}, but: {later:?})"
    );
}

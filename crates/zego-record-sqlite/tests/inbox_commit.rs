//! The user's statements and the success of a run in one transaction.

#![allow(clippy::unwrap_used)]

mod common;

use std::error::Error as _;
use std::task::{Context, Waker};

use common::{
    Directory, LEASE, TestClock, chain, claim_due, claim_one, key_of, new_callback, settle,
};
use zego_record_inbox::{AttemptOutcome, Claimed, Delivery, EntryState, Hold, InboxStore, Next};
use zego_record_receiver::{Accept, Owner, Settled, StoreError, StoreErrorKind};
use zego_record_sqlite::rusqlite::Transaction;
use zego_record_sqlite::{LeaseLost, SqliteStore};

struct Inbox {
    directory: Directory,
    clock: TestClock,
    store: SqliteStore,
}

impl Inbox {
    /// With one recording and a table of effects.
    async fn new() -> Self {
        let (directory, clock) = (Directory::new(), TestClock::new());
        let store = clock.open(&directory.database());
        directory
            .connection()
            .execute_batch("CREATE TABLE effect (number INTEGER NOT NULL)")
            .unwrap();
        store.accept(&new_callback(1)).await.unwrap();
        Self {
            directory,
            clock,
            store,
        }
    }

    fn effects(&self) -> u32 {
        let connection = self.directory.connection();
        let count = "SELECT count(*) FROM effect";
        connection.query_row(count, [], |row| row.get(0)).unwrap()
    }

    async fn state(&self) -> EntryState {
        let details = self.store.get(&key_of(1)).await.unwrap().unwrap();
        details.entry.state
    }
}

fn delivery(claimed: &Claimed) -> Delivery {
    Delivery::new(claimed.callback.restore().unwrap()).with_hold(claimed.hold)
}

fn effect(transaction: &Transaction<'_>) -> Result<u32, StoreError> {
    let insert = "INSERT INTO effect (number) VALUES (1)";
    transaction.execute(insert, []).unwrap();
    Ok(7)
}

fn assert_lost(result: Result<u32, StoreError>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(LeaseLost::is_cause_of(&error), "{}", chain(&error));
    assert!(
        error
            .source()
            .unwrap()
            .downcast_ref::<LeaseLost>()
            .is_some()
    );
}

#[tokio::test]
async fn commits_the_effect_with_the_success() {
    let inbox = Inbox::new().await;
    let claimed = claim_one(&inbox.store).await;
    let delivery = delivery(&claimed);
    let returned = inbox.store.commit_with(&delivery, effect).await.unwrap();
    assert_eq!((returned, inbox.effects()), (7, 1));
    let details = inbox.store.get(&key_of(1)).await.unwrap().unwrap();
    assert_eq!(details.entry.state, EntryState::Done);
    assert_eq!(details.entry.last_error, None);
    assert_eq!(details.attempts[0].outcome, AttemptOutcome::Done);
    assert!(details.attempts[0].ended_at.is_some());

    // Again, and whatever the worker records afterwards.
    assert_lost(inbox.store.commit_with(&delivery, effect).await);
    let settled = settle(&inbox.store, &claimed.hold, Next::Dead, "no").await;
    assert_eq!(settled, Settled::Stale);
    assert_eq!(
        (inbox.effects(), inbox.state().await),
        (1, EntryState::Done)
    );
}

#[tokio::test]
async fn a_run_that_has_lost_its_callback_writes_nothing() {
    let inbox = Inbox::new().await;
    let lost = claim_one(&inbox.store).await;
    inbox.clock.advance(LEASE);
    let held = claim_due(&inbox.store, 2, 9).await.remove(0);
    assert_lost(inbox.store.commit_with(&delivery(&lost), effect).await);
    for hold in [
        Hold::new(held.hold.id, Owner::new(3), held.hold.epoch),
        Hold::new(held.hold.id, held.hold.owner, held.hold.epoch + 1),
        Hold::new(held.hold.id + 1, held.hold.owner, held.hold.epoch),
    ] {
        let other = delivery(&held).with_hold(hold);
        assert_lost(inbox.store.commit_with(&other, effect).await);
    }
    assert_eq!(
        (inbox.effects(), inbox.state().await),
        (0, EntryState::Running)
    );
    inbox
        .store
        .commit_with(&delivery(&held), effect)
        .await
        .unwrap();
    assert_eq!(inbox.effects(), 1);
}

#[tokio::test]
async fn a_run_whose_lease_has_ended_commits_as_long_as_nobody_has_taken_over() {
    let inbox = Inbox::new().await;
    let claimed = claim_one(&inbox.store).await;
    inbox.clock.advance(2 * LEASE);
    let delivery = delivery(&claimed);
    inbox.store.commit_with(&delivery, effect).await.unwrap();
    assert!(claim_due(&inbox.store, 2, 9).await.is_empty());
    assert_eq!(inbox.effects(), 1);
}

#[tokio::test]
async fn what_is_over_takes_no_effect() {
    for next in [Next::Done, Next::Dead, Next::Discarded] {
        let inbox = Inbox::new().await;
        let claimed = claim_one(&inbox.store).await;
        settle(&inbox.store, &claimed.hold, next, "").await;
        assert_lost(inbox.store.commit_with(&delivery(&claimed), effect).await);
        inbox.store.erase(&key_of(1)).await.unwrap();
        assert_lost(inbox.store.commit_with(&delivery(&claimed), effect).await);
        assert_eq!(inbox.effects(), 0);
    }
}

#[tokio::test]
async fn an_effect_that_fails_or_panics_leaves_the_run_as_it_was() {
    let inbox = Inbox::new().await;
    let delivery = delivery(&claim_one(&inbox.store).await);
    let fail = |transaction: &Transaction<'_>| {
        effect(transaction)?;
        Err::<u32, _>(StoreError::new(StoreErrorKind::Config, "the user's"))
    };
    let error = inbox.store.commit_with(&delivery, fail).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    let panic = |transaction: &Transaction<'_>| -> Result<u32, StoreError> {
        effect(transaction)?;
        panic!("a bug of the user's")
    };
    let error = inbox.store.commit_with(&delivery, panic).await.unwrap_err();
    assert!(chain(&error).contains("panicked"), "{}", chain(&error));
    assert_eq!(
        (inbox.effects(), inbox.state().await),
        (0, EntryState::Running)
    );
    inbox.store.commit_with(&delivery, effect).await.unwrap();
    assert_eq!(
        (inbox.effects(), inbox.state().await),
        (1, EntryState::Done)
    );
}

#[tokio::test]
async fn a_commit_whose_caller_has_gone_is_carried_out_as_a_whole() {
    let inbox = Inbox::new().await;
    let delivery = delivery(&claim_one(&inbox.store).await);
    let mut call = Box::pin(inbox.store.commit_with(&delivery, effect));
    assert!(
        call.as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    drop(call);
    // Whatever comes next on this thread comes after it.
    inbox.store.set_paused(false).await.unwrap();
    assert_eq!(
        (inbox.effects(), inbox.state().await),
        (1, EntryState::Done)
    );
}

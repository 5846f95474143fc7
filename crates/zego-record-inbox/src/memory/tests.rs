//! What of an inbox in memory the suite for inboxes cannot see.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use zego_record_core::UnixSeconds;
use zego_record_receiver::Owner;
use zego_record_testkit::{CallbackBuilder, ManualClock};

use super::*;
use crate::store::{Next, Note};

const NOON: UnixSeconds = UnixSeconds::new(1_760_011_200);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn workers_are_woken_by_what_they_may_claim() {
    let inbox = MemoryInbox::new();
    let mut arrival = inbox.arrivals().subscribe();
    let mut has_arrived = || {
        let wait = pin!(arrival.wait());
        wait.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    };
    assert!(!has_arrived());
    let callback = NewCallback::new(&CallbackBuilder::new().build());
    inbox.accept(&callback).await.unwrap();
    assert!(has_arrived(), "accepted");
    inbox.accept(&callback).await.unwrap();
    assert!(!has_arrived(), "known");

    let claim = ClaimDue::new(Owner::new(1), MINUTE, 1);
    let claimed = inbox.claim_due(&claim).await.unwrap();
    assert_eq!(inbox.redeliver(&Filter::all(), 1).await.unwrap(), 0);
    assert!(!has_arrived(), "what runs is left alone");
    let dead = RunEnded::new(Next::Dead, Note::new("gone"));
    inbox.settle(&claimed[0].hold, &dead).await.unwrap();
    assert!(!has_arrived(), "dead");
    inbox.redeliver(&Filter::all(), 1).await.unwrap();
    assert!(has_arrived(), "redelivered");

    inbox.set_paused(true).await.unwrap();
    assert!(!has_arrived(), "paused");
    inbox.set_paused(false).await.unwrap();
    assert!(has_arrived(), "resumed");
}

#[tokio::test]
async fn leases_do_not_depend_on_the_time_of_day_that_people_see() {
    let clock = ManualClock::new(NOON);
    let inbox = MemoryInbox::new().with_clock(clock.clone());
    let callback = NewCallback::new(&CallbackBuilder::new().build());
    inbox.accept(&callback).await.unwrap();
    let claim = ClaimDue::new(Owner::new(1), MINUTE, 1);
    inbox.claim_due(&claim).await.unwrap();
    let entry = inbox.get(&callback.key).await.unwrap().unwrap().entry;
    let noon = NOON.to_system_time().unwrap();
    assert_eq!(
        (entry.received_at, entry.due_at),
        (noon, Some(noon + MINUTE))
    );

    clock.set(NOON.saturating_add(10 * MINUTE));
    assert_eq!(inbox.claim_due(&claim).await.unwrap().len(), 0);
    clock.set(NOON);
    clock.advance(MINUTE);
    assert_eq!(inbox.claim_due(&claim).await.unwrap().len(), 1);
}

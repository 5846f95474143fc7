//! The suite accepts what is right, and names the promise that a broken inbox breaks.

#![allow(clippy::unwrap_used)]

#[path = "inboxes/broken.rs"]
mod broken;

use std::sync::Arc;
use std::time::Duration;

use broken::{Broken, Fault, clock};
use zego_record_inbox::MemoryInbox;
use zego_record_testkit::ManualClock;
use zego_record_testkit::inboxes::assert_inbox_conformant;
use zego_record_testkit::stores::assert_guard_conformant_across_handles;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_inbox_conforms() {
    let clock = clock();
    let inbox = Arc::new(MemoryInbox::new().with_clock(clock.clone()));
    let open = async || Arc::clone(&inbox);
    for _ in 0..3 {
        assert_inbox_conformant(open, async |time| clock.advance(time)).await;
        assert_guard_conformant_across_handles(open, async |time| clock.advance(time)).await;
    }
}

#[tokio::test]
async fn an_inbox_behind_several_handles_conforms() {
    assert_eq!(broken_promise(Fault::None).await, None);
}

#[tokio::test]
async fn an_inbox_that_is_not_empty_is_not_tested() {
    let clock = clock();
    let inbox = Arc::new(MemoryInbox::new().with_clock(clock.clone()));
    let callback = zego_record_testkit::CallbackBuilder::new().build();
    let callback = zego_record_receiver::NewCallback::new(&callback);
    zego_record_receiver::Accept::accept(&*inbox, &callback)
        .await
        .unwrap();
    let open = move || std::future::ready(Arc::clone(&inbox));
    let suite = assert_inbox_conformant(open, pass(&clock));
    let broken = panic_of(suite).await.unwrap();
    assert!(broken.contains("an inbox of its own"), "{broken}");
}

#[tokio::test]
async fn an_inbox_that_accepts_wrongly_is_named() {
    assert_named(&[
        (Fault::AcceptsAgain, "is known is not stored again"),
        (
            Fault::AcceptReadsFirst,
            "a race of accepts has one that is new",
        ),
        (
            Fault::AcceptIgnoresReplays,
            "other content under a bound signature is a conflict",
        ),
        (
            Fault::AcceptChecksNewOnesAlone,
            "a conflict is one, also if the callback is known",
        ),
        (Fault::ConflictsAreStored, "a conflict stores nothing"),
        (Fault::ContentIsCutAtNul, "every byte is kept as it came"),
    ])
    .await;
}

#[tokio::test]
async fn an_inbox_that_claims_wrongly_is_named() {
    assert_named(&[
        (Fault::LimitIsIgnored, "no more is claimed than asked"),
        (
            Fault::NewestIsClaimedFirst,
            "due for longest is claimed first",
        ),
        (
            Fault::ClaimReadsFirst,
            "a lease that has ended has one heir",
        ),
        (
            Fault::ClaimOfSeveralReadsFirst,
            "no callback is claimed twice at once",
        ),
        (Fault::LeaseIsHalf, "a lease is not shorter than asked"),
        (Fault::LeaseIsDouble, "a lease ends when it was asked to"),
        (Fault::LeaseNeverEnds, "the end of its lease"),
        (Fault::LeaseOverflows, "claim_due failed"),
        (Fault::AttemptStaysOne, "the next run and the next attempt"),
        (
            Fault::ChangedIsUnknown,
            "the second callback about a file is changed",
        ),
        (Fault::ExtendDoesNothing, "unless it is extended"),
        (Fault::ExtendAdds, "a lease starts anew when it is extended"),
        (
            Fault::ExtendNeedsALiveLease,
            "can be extended until another run takes over",
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_inbox_that_settles_wrongly_is_named() {
    assert_named(&[
        (
            Fault::NothingIsFenced,
            "only the run that holds a callback can extend",
        ),
        (
            Fault::EpochIsNotFenced,
            "only the run that holds a callback can extend",
        ),
        (
            Fault::OwnerIsNotFenced,
            "only the run that holds a callback can extend",
        ),
        (Fault::DoneIsFenced, "a late success is true"),
        (Fault::DoneCanFail, "what is done stays done"),
        (Fault::DeadCannotBeDone, "a late success is true"),
        (Fault::DiscardedIsDone, "what is discarded stays discarded"),
        (Fault::RetryIsAtOnce, "a retry is due after its delay"),
        (Fault::RetryIsNever, "a retry is due after its delay"),
        (Fault::RetryOverflows, "settle failed"),
        (
            Fault::ReleaseCounts,
            "what is released does not count as an attempt",
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_inbox_whose_history_is_wrong_is_named() {
    assert_named(&[
        (Fault::NoteIsLost, "the last error says why"),
        (Fault::NoteIsCutAtNul, "a note may have any character"),
        (Fault::NulIsRejected, "settle failed"),
        (Fault::NoteIsShort, "a note of the greatest length is kept"),
        (
            Fault::NoteOfDoneIsAnError,
            "the note of a success is no error",
        ),
        (Fault::LostIsRunning, "a run that was taken over is lost"),
        (Fault::HistoryIsReversed, "a run is in the history"),
        (Fault::HistoryIsShort, "the history shows the last 100 runs"),
        (
            Fault::HistoryHasNoStatus,
            "the history has the status of each run",
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_inbox_that_disobeys_operators_is_named() {
    assert_named(&[
        (
            Fault::RedeliverKeepsAttempts,
            "has all its attempts before it",
        ),
        (Fault::RedeliverForgets, "the history"),
        (
            Fault::RedeliverTakesRunning,
            "redelivery leaves alone what runs",
        ),
        (
            Fault::RedeliverIgnoresFilter,
            "redelivery leaves alone what does not match",
        ),
        (Fault::RedeliverIgnoresLimit, "redelivery honours its limit"),
        (
            Fault::RenewalIsForgotten,
            "a new id that was asked for is counted",
        ),
        (
            Fault::RedeliverCountsRunning,
            "what runs does not use up the limit",
        ),
        (
            Fault::DiscardTakesDone,
            "discarding leaves alone what runs, is done",
        ),
        (
            Fault::DiscardForgetsReason,
            "the reason for which it was discarded",
        ),
        (
            Fault::DiscardIgnoresFilter,
            "an operator can discard what waits",
        ),
        (
            Fault::DiscardReadsFirst,
            "what waits is either run or discarded",
        ),
        (
            Fault::PauseIsOfOneHandle,
            "nothing is claimed while the inbox is paused",
        ),
        (
            Fault::PauseStopsRuns,
            "what runs goes on when the inbox is paused",
        ),
        (Fault::PauseStopsAccepting, "accept failed"),
        (Fault::PruneTakesDead, "dead letters are never pruned"),
        (Fault::PruneIgnoresAge, "nothing is pruned before its time"),
        (Fault::PruneIgnoresLimit, "pruning honours its limit"),
        (
            Fault::PruneReturnsNothing,
            "what is done can be pruned at once",
        ),
        (Fault::PruneCountsFromArrival, "pruning honours its limit"),
        (
            Fault::EraseHides,
            "what comes again after it was erased is new",
        ),
        (Fault::EraseStops, "what is erased is gone"),
        (Fault::NumbersAreGivenAgain, "no number is given twice"),
    ])
    .await;
}

#[tokio::test]
async fn an_inbox_that_shows_something_else_is_named() {
    assert_named(&[
        (Fault::GetFindsAnother, "is gone"),
        (Fault::ListIsReversed, "a list begins with the newest"),
        (
            Fault::ListIgnoresBefore,
            "a list is continued after the last entry",
        ),
        (
            Fault::ListRepeatsTheLast,
            "a list is continued after the last entry",
        ),
        (Fault::FilterIgnores("state"), "a list has what matches"),
        (Fault::FilterIgnores("appid"), "a filter by AppID is exact"),
        (
            Fault::FilterIgnores("stream"),
            "what matches a filter matches all of it",
        ),
        (Fault::FilterIgnores("text"), "a filter by text finds"),
        (
            Fault::FilterIgnores("key"),
            "what is not known is not found",
        ),
        (Fault::FilterIgnores("from"), "a filter by time"),
        (Fault::FilterIgnores("before"), "a filter by time"),
        (
            Fault::TextIsAPattern,
            "every character in a filter by text stands for itself",
        ),
        (Fault::TextHasCase, "a filter by text"),
        (Fault::FromIsExclusive, "a filter by time"),
        (Fault::BeforeIsInclusive, "a filter by time"),
        (Fault::CountIsBounded, "a count is that of what matches"),
        (
            Fault::StatsMixRunningAndWaiting,
            "counts are those of each state",
        ),
        (
            Fault::OldestIsTheNewest,
            "the oldest is the oldest that waits or runs",
        ),
        (
            Fault::OldestMayBeDead,
            "the oldest is the oldest that waits or runs",
        ),
    ])
    .await;
}

async fn assert_named(rows: &[(Fault, &str)]) {
    let mut wrong = Vec::new();
    for (fault, promise) in rows {
        match broken_promise(*fault).await {
            Some(broken) if broken.contains(promise) => {}
            other => wrong.push((fault, *promise, other)),
        }
    }
    assert!(wrong.is_empty(), "not named: {wrong:#?}");
}

/// What the suite says about an inbox behind several handles with this fault.
async fn broken_promise(fault: Fault) -> Option<String> {
    let clock = clock();
    let inbox = Broken::new(fault, &clock);
    let open = move || std::future::ready(Arc::new(inbox.another()));
    panic_of(assert_inbox_conformant(open, pass(&clock))).await
}

fn pass(clock: &ManualClock) -> impl Fn(Duration) -> std::future::Ready<()> + Send + 'static {
    let clock = clock.clone();
    move |time| {
        clock.advance(time);
        std::future::ready(())
    }
}

async fn panic_of(suite: impl Future<Output = ()> + Send + 'static) -> Option<String> {
    let panic = tokio::spawn(suite).await.err()?.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

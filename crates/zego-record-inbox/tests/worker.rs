//! What a worker does with the outcome of a handler. Time stands still but for what a test lets pass.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{HOUR, MINUTE, Runs, SECOND, accept, callback, details, new_inbox, state, worker};
use tokio::time::advance;
use zego_record_core::RecordCallback;
use zego_record_inbox::{
    AttemptOutcome, ClaimDue, Delivery, EntryState, Filter, InboxStore, Next, Note, Plan, Worker,
};
use zego_record_receiver::{Accept, Accepted, HandlerError, NewCallback, Owner};

type Outcome = Result<(), HandlerError>;

#[tokio::test(start_paused = true)]
async fn a_callback_is_handled_once() {
    let (inbox, runs) = (new_inbox(), Runs::default());
    let recording = accept(&inbox, "a").await;
    let counted = runs.clone();
    let handler = move |delivery: Delivery| {
        counted.count();
        assert_eq!((delivery.attempt(), delivery.is_changed()), (1, false));
        assert_eq!(delivery.callback().stream_alias(), "a");
        async { Ok(()) }
    };
    let worker = worker(&inbox).build(handler).unwrap();
    assert_eq!(worker.run_due().await.unwrap(), 1);
    advance(24 * HOUR).await;
    assert_eq!(worker.run_due().await.unwrap(), 0);
    assert_eq!(
        (runs.get(), state(&inbox, &recording).await),
        (1, EntryState::Done)
    );
    assert_eq!(worker.counters().done, 1);
    let again = inbox
        .accept(&NewCallback::new(&callback("a")))
        .await
        .unwrap();
    assert_eq!(again, Accepted::Known);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_by_the_schedule_and_then_a_dead_letter() {
    let (inbox, letters) = (new_inbox(), Arc::new(Mutex::new(Vec::new())));
    let recording = accept(&inbox, "a").await;
    let seen = Arc::clone(&letters);
    let worker = worker(&inbox)
        .on_dead_letter(move |letter| {
            let stream = letter.callback().unwrap().stream_alias().to_owned();
            seen.lock()
                .unwrap()
                .push((stream, letter.note().text.clone()));
        })
        .build(async |_: RecordCallback| -> Outcome { Err("no disk".into()) })
        .unwrap();
    assert_eq!(worker.run_due().await.unwrap(), 1);
    advance(9 * SECOND).await;
    assert_eq!(worker.run_due().await.unwrap(), 0, "too early");
    advance(SECOND).await;
    assert_eq!(worker.run_due().await.unwrap(), 1);
    assert!(letters.lock().unwrap().is_empty());
    advance(MINUTE).await;
    assert_eq!(worker.run_due().await.unwrap(), 1);
    assert_eq!(
        *letters.lock().unwrap(),
        [("a".to_owned(), "no disk".to_owned())]
    );

    let details = details(&inbox, &recording).await;
    assert_eq!(details.entry.state, EntryState::Dead);
    assert_eq!(details.entry.last_error.as_deref(), Some("no disk"));
    let outcomes: Vec<_> = details
        .attempts
        .iter()
        .map(|attempt| attempt.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            AttemptOutcome::Failed,
            AttemptOutcome::Failed,
            AttemptOutcome::Dead
        ]
    );
    assert_eq!((worker.counters().failed, worker.counters().dead), (2, 1));
    advance(1_000 * HOUR).await;
    assert_eq!(worker.run_due().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_says_what_is_to_happen() {
    for (error, expected) in [
        (HandlerError::discard("a test"), EntryState::Discarded),
        (HandlerError::dead_letter("gone"), EntryState::Dead),
        (HandlerError::retry("later"), EntryState::Waiting),
        (
            HandlerError::retry_after(HOUR, "asked for"),
            EntryState::Waiting,
        ),
        (
            HandlerError::postpone(HOUR, "it is down"),
            EntryState::Waiting,
        ),
    ] {
        let inbox = new_inbox();
        let recording = accept(&inbox, "a").await;
        let (kind, reason) = (error.kind(), error.describe());
        let worker = worker(&inbox)
            .build(move |_: RecordCallback| {
                let error = error.clone();
                async move { Err(error) }
            })
            .unwrap();
        worker.run_due().await.unwrap();
        let entry = details(&inbox, &recording).await.entry;
        assert_eq!(entry.state, expected, "{kind:?}");
        assert_eq!(entry.last_error, Some(reason), "{kind:?}");
        let counts = !matches!(kind, zego_record_receiver::HandlerErrorKind::Postpone(_));
        assert_eq!(entry.attempts, u32::from(counts), "{kind:?}");
        if !matches!(kind, zego_record_receiver::HandlerErrorKind::Retry) {
            advance(HOUR - SECOND).await;
            assert_eq!(worker.run_due().await.unwrap(), 0, "{kind:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_postponed_for_ever_spends_no_attempt() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let worker = worker(&inbox)
        .build(async |delivery: Delivery| -> Outcome {
            assert_eq!(delivery.attempt(), 1);
            Err(HandlerError::postpone(HOUR, "it is down"))
        })
        .unwrap();
    for _ in 0..200 {
        assert_eq!(worker.run_due().await.unwrap(), 1);
        advance(HOUR).await;
    }
    let details = details(&inbox, &recording).await;
    assert_eq!(details.entry.attempts, 0);
    assert!(details.attempts.len() <= zego_record_inbox::Details::MAX_ATTEMPTS);
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_handler_that_is_too_slow_are_failures() {
    for (stream, reason) in [("panics", "panicked"), ("hangs", "not done within 600s")] {
        let inbox = new_inbox();
        let recording = accept(&inbox, stream).await;
        let worker = worker(&inbox)
            .handler_timeout(10 * MINUTE)
            .build(async |recording: RecordCallback| -> Outcome {
                assert_ne!(recording.stream_alias(), "panics");
                std::future::pending().await
            })
            .unwrap();
        assert_eq!(worker.run_due().await.unwrap(), 1);
        let entry = details(&inbox, &recording).await.entry;
        assert_eq!((entry.state, entry.attempts), (EntryState::Waiting, 1));
        assert!(entry.last_error.unwrap().contains(reason));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_take_hours_and_nobody_else_takes_over() {
    let (inbox, runs) = (new_inbox(), Runs::default());
    let recording = accept(&inbox, "a").await;
    let slow = {
        let runs = runs.clone();
        worker(&inbox)
            .handler_timeout(5 * HOUR)
            .build(move |_: RecordCallback| {
                runs.count();
                async {
                    tokio::time::sleep(4 * HOUR).await;
                    Ok(())
                }
            })
            .unwrap()
    };
    let other = worker(&inbox)
        .build(async |_: RecordCallback| -> Outcome { panic!("it is being handled") })
        .unwrap();
    let working = tokio::spawn(async move { slow.run_due().await });
    for _ in 0..239 {
        // In small steps, unlike a stall of the whole process.
        tokio::time::sleep(MINUTE).await;
        assert_eq!(other.run_due().await.unwrap(), 0);
    }
    assert_eq!(working.await.unwrap().unwrap(), 1);
    assert_eq!(
        (runs.get(), state(&inbox, &recording).await),
        (1, EntryState::Done)
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_crashed_worker_held_is_taken_over_when_its_lease_ends() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let crashes = worker(&inbox)
        .lease(MINUTE)
        .build(async |_: RecordCallback| -> Outcome { std::future::pending().await })
        .unwrap();
    let working = tokio::spawn(async move { crashes.run().await });
    while state(&inbox, &recording).await != EntryState::Running {
        tokio::task::yield_now().await;
    }
    working.abort();
    assert!(working.await.unwrap_err().is_cancelled());

    let heir = worker(&inbox)
        .build(async |delivery: Delivery| -> Outcome {
            assert_eq!(delivery.attempt(), 2);
            Ok(())
        })
        .unwrap();
    advance(30 * SECOND).await;
    assert_eq!(heir.run_due().await.unwrap(), 0);
    advance(31 * SECOND).await;
    assert_eq!(heir.run_due().await.unwrap(), 1);
    let details = details(&inbox, &recording).await;
    assert_eq!(details.entry.state, EntryState::Done);
    let outcomes: Vec<_> = details
        .attempts
        .iter()
        .map(|attempt| attempt.outcome)
        .collect();
    assert_eq!(outcomes, [AttemptOutcome::Lost, AttemptOutcome::Done]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_crashes_every_worker_is_a_dead_letter_in_the_end() {
    let (inbox, runs) = (new_inbox(), Runs::default());
    let recording = accept(&inbox, "a").await;
    // As crashed processes leave it: claimed, and never settled.
    for _ in 0..3 {
        let claim = ClaimDue::new(Owner::random().unwrap(), MINUTE, 1);
        assert_eq!(inbox.claim_due(&claim).await.unwrap().len(), 1);
        advance(2 * MINUTE).await;
    }
    let counted = runs.clone();
    let worker = worker(&inbox)
        .build(move |_: RecordCallback| {
            counted.count();
            async { Ok(()) }
        })
        .unwrap();
    worker.run_due().await.unwrap();
    let entry = details(&inbox, &recording).await.entry;
    assert_eq!((runs.get(), entry.state), (0, EntryState::Dead));
    assert!(entry.last_error.unwrap().contains("interrupted"));
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_run_was_taken_over_is_stopped() {
    let (inbox, dropped) = (new_inbox(), Runs::default());
    let recording = accept(&inbox, "a").await;
    struct OnDrop(Runs);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.count();
        }
    }
    let counted = dropped.clone();
    let worker = worker(&inbox)
        .lease(MINUTE)
        .build(move |_: RecordCallback| {
            let guard = OnDrop(counted.clone());
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
        .unwrap();
    let working = {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run_due().await })
    };
    while state(&inbox, &recording).await != EntryState::Running {
        tokio::task::yield_now().await;
    }
    // Somebody erases it: the next extension finds nobody's lease to extend.
    assert!(inbox.erase(&recording.delivery_key()).await.unwrap());
    advance(21 * SECOND).await;
    working.await.unwrap().unwrap();
    assert_eq!((dropped.get(), worker.counters().leases_lost), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_back_at_once_what_is_not_finished() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let worker = worker(&inbox)
        .shutdown_timeout(5 * SECOND)
        .build(async |_: RecordCallback| -> Outcome { std::future::pending().await })
        .unwrap();
    let working = {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    };
    while state(&inbox, &recording).await != EntryState::Running {
        tokio::task::yield_now().await;
    }
    worker.shutdown().await;
    working.await.unwrap();
    let entry = details(&inbox, &recording).await.entry;
    assert_eq!((entry.state, entry.attempts), (EntryState::Waiting, 0));
    let claim = ClaimDue::new(Owner::random().unwrap(), MINUTE, 10);
    assert_eq!(
        inbox.claim_due(&claim).await.unwrap().len(),
        1,
        "due at once"
    );
}

#[tokio::test(start_paused = true)]
async fn what_arrives_is_handled_without_waiting_for_the_next_poll() {
    let inbox = new_inbox();
    let (done, mut handled) = tokio::sync::mpsc::channel(1);
    let worker = worker(&inbox)
        .poll_interval(HOUR)
        .build(move |recording: RecordCallback| {
            let done = done.clone();
            async move {
                done.send(recording.stream_alias().to_owned()).await?;
                Ok(())
            }
        })
        .unwrap();
    let running = tokio::spawn(async move { worker.run().await });
    tokio::time::sleep(SECOND).await;
    let start = tokio::time::Instant::now();
    for stream in ["a", "b", "c"] {
        accept(&inbox, stream).await;
        assert_eq!(handled.recv().await.as_deref(), Some(stream));
    }
    assert!(start.elapsed() < MINUTE, "on the clock that stands still");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn no_more_handlers_run_than_there_are_places() {
    let (inbox, running, most) = (new_inbox(), Runs::default(), Arc::new(Mutex::new(0)));
    for index in 0..50 {
        accept(&inbox, &index.to_string()).await;
    }
    let (count, highest) = (Arc::new(Mutex::new(0_usize)), Arc::clone(&most));
    let finished = running.clone();
    let worker = worker(&inbox)
        .concurrency(4)
        .build(move |_: RecordCallback| {
            let (count, highest, finished) =
                (Arc::clone(&count), Arc::clone(&highest), finished.clone());
            async move {
                *count.lock().unwrap() += 1;
                let now = *count.lock().unwrap();
                let before = *highest.lock().unwrap();
                *highest.lock().unwrap() = now.max(before);
                tokio::time::sleep(SECOND).await;
                *count.lock().unwrap() -= 1;
                finished.count();
                Ok(())
            }
        })
        .unwrap();
    let working = {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    };
    while running.get() < 50 {
        tokio::time::sleep(SECOND).await;
    }
    worker.shutdown().await;
    working.await.unwrap();
    assert_eq!(*most.lock().unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_while_the_limit_is_zero() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let worker = worker(&inbox)
        .claim_limit(|| 0)
        .build(async |_: RecordCallback| -> Outcome { Ok(()) })
        .unwrap();
    assert_eq!(worker.run_due().await.unwrap(), 0);
    assert_eq!(state(&inbox, &recording).await, EntryState::Waiting);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_a_dead_letter_and_the_others_go_on() {
    let inbox = new_inbox();
    let mut damaged = NewCallback::new(&callback("damaged"));
    *damaged.stored.last_mut().unwrap() ^= 1;
    let mut newer = NewCallback::new(&callback("newer"));
    newer.stored[0] = 200;
    for new in [&damaged, &newer] {
        assert_eq!(inbox.accept(new).await.unwrap(), Accepted::New);
    }
    let fine = accept(&inbox, "fine").await;
    let worker = worker(&inbox)
        .build(async |_: RecordCallback| -> Outcome { Ok(()) })
        .unwrap();
    worker.run_due().await.unwrap();
    let state_of = async |new: &NewCallback| inbox.get(&new.key).await.unwrap().unwrap().entry;
    assert_eq!(state_of(&damaged).await.state, EntryState::Dead);
    let newer = state_of(&newer).await;
    assert_eq!(
        (newer.state, newer.attempts),
        (EntryState::Waiting, 0),
        "left to a newer worker"
    );
    assert_eq!(state(&inbox, &fine).await, EntryState::Done);
    assert_eq!(worker.counters().corrupt, 2);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_leave_a_note() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let worker = worker(&inbox)
        .build(async |delivery: Delivery| -> Outcome {
            delivery.set_note(Note::new("é".repeat(2_000)).with_status(503));
            Err("the app answered with 503".into())
        })
        .unwrap();
    worker.run_due().await.unwrap();
    let details = details(&inbox, &recording).await;
    let note = &details.attempts[0].note;
    assert_eq!((note.status, note.text.len()), (Some(503), Note::MAX_TEXT));
}

#[tokio::test(start_paused = true)]
async fn what_was_committed_is_done_whatever_the_handler_returns() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let store = inbox.clone();
    let worker = worker(&inbox)
        .build(move |delivery: Delivery| {
            let store = store.clone();
            async move {
                // As a store's `commit_with` does.
                let commit = delivery.begin_commit();
                let done = zego_record_inbox::RunEnded::new(Next::Done, Note::default());
                store.settle(delivery.hold(), &done).await?;
                commit.committed();
                Err("and then something else failed".into())
            }
        })
        .unwrap();
    worker.run_due().await.unwrap();
    assert_eq!(state(&inbox, &recording).await, EntryState::Done);
    assert_eq!((worker.counters().done, worker.counters().failed), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_how_many_before_it_changes_them() {
    let inbox = new_inbox();
    for index in 0..2_500 {
        accept(&inbox, &index.to_string()).await;
    }
    let worker = worker(&inbox)
        .build(async |_: RecordCallback| -> Outcome { Err(HandlerError::dead_letter("no")) })
        .unwrap();
    worker.run_due().await.unwrap();
    accept(&inbox, "waits").await;
    let plan = Plan::redeliver(&inbox, Filter::all()).await.unwrap();
    assert_eq!(plan.count(), 2_501);
    assert_eq!(inbox.stats().await.unwrap().dead, 2_500, "only planned");
    assert_eq!(plan.run().await.unwrap(), 2_501);
    assert_eq!(inbox.stats().await.unwrap().waiting, 2_501);
    let plan = Plan::discard(&inbox, Filter::all(), "a test")
        .await
        .unwrap();
    assert_eq!(plan.run().await.unwrap(), 2_501);
    assert_eq!(inbox.stats().await.unwrap().discarded, 2_501);
}

#[test]
fn rejects_an_impossible_configuration() {
    let build = |builder: zego_record_inbox::WorkerBuilder| {
        let built = builder.build(async |_: RecordCallback| -> Outcome { Ok(()) });
        built.unwrap_err().to_string()
    };
    let builder = || Worker::builder(new_inbox());
    for (builder, word) in [
        (builder().concurrency(0), "concurrency is zero"),
        (
            builder().handler_timeout(Duration::ZERO),
            "handler timeout is zero",
        ),
        (
            builder().poll_interval(Duration::ZERO),
            "poll interval is zero",
        ),
        (
            builder().store_timeout(Duration::ZERO),
            "store timeout is zero",
        ),
        (builder().lease(14 * SECOND), "at least 15s"),
        (builder().keep_done(23 * HOUR), "at least a day"),
    ] {
        let error = build(builder);
        assert!(error.contains(word), "{error}");
    }
}

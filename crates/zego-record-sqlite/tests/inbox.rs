//! Every operation of the inbox, with a clock that the test moves.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, SystemTime};

use common::{
    Directory, LEASE, TestClock, check, claim_due, claim_one, key_of, new_callback, recording,
    settle,
};
use zego_record_inbox::{
    AttemptOutcome, Details, EntryState, Filter, Hold, InboxStore, Next, Note, RunEnded, Stats,
};
use zego_record_receiver::{
    Accept, Accepted, Claim, DeliveryStore, Owner, ReplayGuard, Settled, Settlement,
};
use zego_record_sqlite::SqliteStore;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Inbox {
    directory: Directory,
    clock: TestClock,
    store: SqliteStore,
}

impl Inbox {
    fn new() -> Self {
        let (directory, clock) = (Directory::new(), TestClock::new());
        let store = clock.open(&directory.database());
        Self {
            directory,
            clock,
            store,
        }
    }

    /// With these recordings, a second apart.
    async fn with(numbers: std::ops::Range<u32>) -> Self {
        let inbox = Self::new();
        for number in numbers {
            let accepted = inbox.store.accept(&new_callback(number)).await.unwrap();
            assert_eq!(accepted, Accepted::New);
            inbox.clock.advance(SECOND);
        }
        inbox
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.clock.now()
    }

    async fn details(&self, number: u32) -> Details {
        self.store.get(&key_of(number)).await.unwrap().unwrap()
    }

    async fn state(&self, number: u32) -> EntryState {
        self.details(number).await.entry.state
    }

    async fn stats(&self) -> Stats {
        self.store.stats().await.unwrap()
    }

    async fn outcomes(&self, number: u32) -> Vec<AttemptOutcome> {
        let attempts = self.details(number).await.attempts;
        attempts.iter().map(|attempt| attempt.outcome).collect()
    }

    async fn found(&self, filter: &Filter) -> Vec<String> {
        let entries = self.store.list(filter, None, 100).await.unwrap();
        assert_eq!(
            self.store.count(filter).await.unwrap(),
            entries.len() as u64
        );
        entries.into_iter().map(|entry| entry.event_id).collect()
    }

    fn rows(&self, table: &str) -> u32 {
        let count = format!("SELECT count(*) FROM zego_{table}");
        let connection = self.directory.connection();
        connection.query_row(&count, [], |row| row.get(0)).unwrap()
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range
        .rev()
        .map(|number| recording(number).event_id())
        .collect()
}

#[tokio::test]
async fn what_is_accepted_comes_back_whole() {
    let inbox = Inbox::with(1..2).await;
    let again = inbox.store.accept(&new_callback(1)).await.unwrap();
    assert_eq!(again, Accepted::Known);
    assert_eq!(inbox.rows("callback"), 1);

    let received_at = inbox.now() - SECOND;
    let claimed = claim_one(&inbox.store).await;
    let restored = claimed.callback.restore().unwrap();
    assert_eq!(restored.to_stored(), recording(1).to_stored());
    assert_eq!(claimed.callback.received_at, received_at);
    assert_eq!((claimed.attempt, claimed.changed), (1, false));
    assert_eq!(claimed.hold.epoch, 1);

    let details = inbox.details(1).await;
    assert_eq!(details.callback, claimed.callback);
    assert_eq!(details.entry.event_id, recording(1).event_id());
    assert_eq!(details.entry.appid, "1");
    assert_eq!(details.entry.stream_alias, "lesson");
    assert_eq!(details.entry.state, EntryState::Running);
    assert_eq!(details.entry.due_at, Some(inbox.now() + LEASE));
    assert_eq!(inbox.store.get(&key_of(2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_replay_check_is_bound_with_the_callback_or_not_at_all() {
    let inbox = Inbox::new();
    let accept = async |number, check| {
        let callback = new_callback(number).with_replay_check(check);
        inbox.store.accept(&callback).await.unwrap()
    };
    assert_eq!(accept(1, check(1, 1)).await, Accepted::New);
    assert_eq!(accept(1, check(1, 1)).await, Accepted::Known);
    assert_eq!(accept(2, check(1, 2)).await, Accepted::Conflict);
    assert_eq!((inbox.rows("callback"), inbox.rows("signature")), (1, 1));
    // A known callback under a new signature binds it.
    assert_eq!(accept(1, check(2, 1)).await, Accepted::Known);
    assert_eq!(accept(2, check(2, 2)).await, Accepted::Conflict);
    // A conflict is reported even for what is known.
    assert_eq!(accept(1, check(2, 2)).await, Accepted::Conflict);
    let purged = ReplayGuard::purge(&inbox.store, 9).await.unwrap();
    assert_eq!(purged, 0);
    inbox.clock.advance(DAY);
    assert_eq!(accept(2, check(1, 2)).await, Accepted::New);
}

#[tokio::test]
async fn knows_what_a_receiver_without_an_inbox_has_done() {
    let inbox = Inbox::new();
    let recording = recording(1);
    let claim = Claim::new(
        recording.delivery_key(),
        recording.event_id(),
        Owner::new(1),
    );
    let callback = new_callback(1).with_replay_check(check(1, 1));
    inbox.store.claim(&claim).await.unwrap();
    let accepted = inbox.store.accept(&callback).await.unwrap();
    assert_eq!(accepted, Accepted::Running);
    assert_eq!((inbox.rows("callback"), inbox.rows("signature")), (0, 0));

    DeliveryStore::settle(&inbox.store, &claim, Settlement::Done)
        .await
        .unwrap();
    let accepted = inbox.store.accept(&callback).await.unwrap();
    assert_eq!(accepted, Accepted::Known);
    assert_eq!(inbox.rows("callback"), 0);
    // It is forgotten, as its retention says.
    inbox.clock.advance(2 * DAY);
    let accepted = inbox.store.accept(&callback).await.unwrap();
    assert_eq!(accepted, Accepted::New);

    let claim = Claim::new(key_of(2), "2", Owner::new(1));
    inbox.store.claim(&claim).await.unwrap();
    inbox.clock.advance(claim.lease);
    let accepted = inbox.store.accept(&new_callback(2)).await.unwrap();
    assert_eq!(accepted, Accepted::New, "its lease has ended");
}

#[tokio::test]
async fn claims_the_longest_due_first_and_no_more_than_asked_for() {
    let inbox = Inbox::with(0..5).await;
    let first = claim_one(&inbox.store).await;
    assert_eq!(first.callback.key, key_of(0));
    settle(&inbox.store, &first.hold, Next::Retry(SECOND), "no").await;
    let keys = async |limit| -> Vec<_> {
        let claimed = claim_due(&inbox.store, 2, limit).await;
        claimed.iter().map(|claimed| claimed.callback.key).collect()
    };
    assert_eq!(keys(0).await, []);
    assert_eq!(keys(2).await, [key_of(1), key_of(2)]);
    assert_eq!(keys(9).await, [key_of(3), key_of(4)]);
    inbox.clock.advance(SECOND - Duration::from_millis(1));
    assert_eq!(keys(9).await, []);
    inbox.clock.advance(Duration::from_millis(1));
    assert_eq!(keys(9).await, [key_of(0)]);
}

#[tokio::test]
async fn takes_over_a_run_whose_lease_has_ended() {
    let inbox = Inbox::with(1..2).await;
    let lost = claim_one(&inbox.store).await;
    inbox.clock.advance(LEASE / 2);
    let extended = inbox.store.extend(&lost.hold, LEASE).await.unwrap();
    assert_eq!(extended, Settled::Applied);
    inbox.clock.advance(LEASE - Duration::from_millis(1));
    assert!(claim_due(&inbox.store, 2, 9).await.is_empty());
    inbox.clock.advance(Duration::from_millis(1));
    let held = claim_due(&inbox.store, 2, 9).await.remove(0);
    assert_eq!((held.hold.epoch, held.attempt), (2, 2));
    assert_eq!(
        inbox.outcomes(1).await,
        [AttemptOutcome::Lost, AttemptOutcome::Running]
    );

    // Only the success of the run that was cut off is taken.
    let extended = inbox.store.extend(&lost.hold, LEASE).await.unwrap();
    assert_eq!(extended, Settled::Stale);
    for next in [
        Next::Dead,
        Next::Discarded,
        Next::Retry(SECOND),
        Next::Release(SECOND),
    ] {
        let settled = settle(&inbox.store, &lost.hold, next, "late").await;
        assert_eq!(settled, Settled::Stale, "{next:?}");
    }
    assert_eq!(inbox.state(1).await, EntryState::Running);
    assert_eq!(inbox.details(1).await.entry.last_error, None);
    let settled = settle(&inbox.store, &lost.hold, Next::Done, "").await;
    assert_eq!(settled, Settled::Applied);
    assert_eq!(inbox.state(1).await, EntryState::Done);
    assert_eq!(
        inbox.outcomes(1).await,
        [AttemptOutcome::Done, AttemptOutcome::Lost]
    );
    let settled = settle(&inbox.store, &held.hold, Next::Dead, "no").await;
    assert_eq!(settled, Settled::Stale);
}

#[tokio::test]
async fn a_run_ends_in_each_way() {
    use EntryState::{Dead, Discarded, Done, Waiting};
    for (next, state, outcome, attempts, due_in) in [
        (Next::Done, Done, AttemptOutcome::Done, 1, None),
        (
            Next::Discarded,
            Discarded,
            AttemptOutcome::Discarded,
            1,
            None,
        ),
        (Next::Dead, Dead, AttemptOutcome::Dead, 1, None),
        (
            Next::Retry(DAY),
            Waiting,
            AttemptOutcome::Failed,
            1,
            Some(DAY),
        ),
        (
            Next::Release(DAY),
            Waiting,
            AttemptOutcome::Released,
            0,
            Some(DAY),
        ),
    ] {
        let inbox = Inbox::with(1..2).await;
        let hold = claim_one(&inbox.store).await.hold;
        inbox.clock.advance(SECOND);
        let note = Note::new("é".repeat(4_000)).with_status(503);
        let ended = RunEnded::new(next, note.clone());
        let settled = InboxStore::settle(&inbox.store, &hold, &ended)
            .await
            .unwrap();
        assert_eq!(settled, Settled::Applied, "{next:?}");
        let Details {
            entry,
            attempts: history,
            ..
        } = inbox.details(1).await;
        assert_eq!((entry.state, entry.attempts), (state, attempts), "{next:?}");
        assert_eq!(entry.due_at, due_in.map(|delay| inbox.now() + delay));
        assert_eq!(entry.ended_at, due_in.is_none().then(|| inbox.now()));
        let last_error = (next != Next::Done).then_some(note.text.clone());
        assert_eq!(entry.last_error, last_error, "{next:?}");
        assert_eq!(history.len(), 1);
        assert_eq!((history[0].outcome, &history[0].note), (outcome, &note));
        assert_eq!(history[0].started_at, inbox.now() - SECOND);
        assert_eq!(history[0].ended_at, Some(inbox.now()));
        let settled = settle(&inbox.store, &hold, Next::Retry(SECOND), "late").await;
        assert_eq!(settled, Settled::Stale, "{next:?}");
    }
    let inbox = Inbox::new();
    let unknown = Hold::new(7, Owner::new(1), 1);
    let settled = settle(&inbox.store, &unknown, Next::Done, "").await;
    assert_eq!(settled, Settled::Stale);
    let extended = inbox.store.extend(&unknown, LEASE).await.unwrap();
    assert_eq!(extended, Settled::Stale);
}

#[tokio::test]
async fn keeps_the_last_hundred_attempts() {
    let inbox = Inbox::with(1..2).await;
    for _ in 0..Details::MAX_ATTEMPTS + 5 {
        let hold = claim_one(&inbox.store).await.hold;
        settle(&inbox.store, &hold, Next::Retry(Duration::ZERO), "no").await;
    }
    let attempts = inbox.details(1).await.attempts;
    let epochs: Vec<_> = attempts.iter().map(|attempt| attempt.epoch).collect();
    assert_eq!(epochs, (6..=105).collect::<Vec<_>>());
    assert_eq!(inbox.rows("attempt"), 100);
}

#[tokio::test]
async fn knows_another_callback_about_the_same_file() {
    let inbox = Inbox::new();
    let mut callbacks = [new_callback(1), new_callback(2), new_callback(3)];
    for callback in &mut callbacks {
        callback.event_id = "the same file".to_owned();
        inbox.store.accept(callback).await.unwrap();
    }
    // The first of them is not changed as long as no other has been started.
    let changed = async || claim_one(&inbox.store).await.changed;
    assert!(!changed().await);
    assert!(changed().await);
    assert!(changed().await);
    inbox.clock.advance(LEASE);
    assert!(changed().await, "others have been started");
}

#[tokio::test]
async fn is_paused_for_all_handles() {
    let inbox = Inbox::with(1..2).await;
    let other = inbox.clock.open(&inbox.directory.database());
    other.set_paused(true).await.unwrap();
    assert!(inbox.stats().await.paused);
    assert!(claim_due(&inbox.store, 1, 9).await.is_empty());
    let accepted = inbox.store.accept(&new_callback(2)).await.unwrap();
    assert_eq!(accepted, Accepted::New);
    inbox.store.set_paused(false).await.unwrap();
    assert!(!other.stats().await.unwrap().paused);
    assert_eq!(claim_due(&other, 1, 9).await.len(), 2);
}

#[tokio::test]
async fn counts_by_state() {
    let inbox = Inbox::with(0..7).await;
    for next in [Next::Done, Next::Dead, Next::Dead, Next::Discarded] {
        let hold = claim_one(&inbox.store).await.hold;
        settle(&inbox.store, &hold, next, "x").await;
    }
    let mut expected = Stats::default();
    (
        expected.waiting,
        expected.done,
        expected.dead,
        expected.discarded,
    ) = (3, 1, 2, 1);
    expected.oldest = Some(3 * SECOND);
    assert_eq!(inbox.stats().await, expected);
    claim_one(&inbox.store).await;
    (expected.waiting, expected.running) = (2, 1);
    assert_eq!(
        inbox.stats().await,
        expected,
        "one that runs counts for the age"
    );
    for state in EntryState::ALL {
        let count = inbox.store.count(&Filter::in_state(*state)).await.unwrap();
        assert_eq!(count, expected.of(*state), "{state}");
    }
    assert_eq!(Inbox::new().stats().await, Stats::default());
}

#[tokio::test]
async fn lists_the_newest_first_in_pages() {
    let inbox = Inbox::with(0..10).await;
    let mut before = None;
    let mut pages = Vec::new();
    loop {
        let page = inbox.store.list(&Filter::all(), before, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        pages.push(page.len());
        assert!(page.is_sorted_by_key(|entry| std::cmp::Reverse(entry.id)));
    }
    assert_eq!(pages, [4, 4, 2]);
    assert_eq!(inbox.found(&Filter::all()).await, numbers(0..10));
}

#[tokio::test]
async fn finds_what_matches_a_filter() {
    let inbox = Inbox::new();
    let start = inbox.now();
    let texts = [
        ("1:file:Apple", "1", "Lesson-ONE"),
        ("1:file:\0zero", "1", "100%_'; DROP TABLE zego_work; --"),
        ("2:file:pear", "2", "lesson-one"),
    ];
    for (number, (event_id, appid, stream_alias)) in (0..).zip(texts) {
        let mut callback = new_callback(number);
        (callback.event_id, callback.appid, callback.stream_alias) = (
            event_id.to_owned(),
            appid.to_owned(),
            stream_alias.to_owned(),
        );
        inbox.store.accept(&callback).await.unwrap();
        inbox.clock.advance(SECOND);
    }
    let hold = claim_one(&inbox.store).await.hold;
    settle(&inbox.store, &hold, Next::Dead, "Refused\0 by PEER").await;

    type Change = fn(&mut Filter);
    let cases: [(Change, &[usize]); 19] = [
        (|_| (), &[2, 1, 0]),
        (|f| f.appid = Some("1".to_owned()), &[1, 0]),
        (|f| f.stream_alias = Some("lesson-one".to_owned()), &[2]),
        (|f| f.stream_alias = Some("lesson".to_owned()), &[]),
        (|f| f.text = Some("lesson-one".to_owned()), &[2, 0]),
        (|f| f.text = Some("APPLE".to_owned()), &[0]),
        (|f| f.text = Some("refused\0 BY".to_owned()), &[0]),
        (|f| f.text = Some("zero".to_owned()), &[1]),
        (|f| f.text = Some("%".to_owned()), &[1]),
        (|f| f.text = Some("_".to_owned()), &[1]),
        (|f| f.text = Some("'; drop".to_owned()), &[1]),
        (|f| f.text = Some("x".repeat(100_000)), &[]),
        (|f| f.text = Some(String::new()), &[2, 1, 0]),
        (|f| f.state = Some(EntryState::Dead), &[0]),
        (|f| f.state = Some(EntryState::Running), &[]),
        (|f| f.key_prefix = Some(Vec::new()), &[2, 1, 0]),
        (
            |f| f.key_prefix = Some(key_of(1).as_bytes()[..4].to_vec()),
            &[1],
        ),
        (|f| f.key_prefix = Some(key_of(1).as_bytes().to_vec()), &[1]),
        (
            |f| f.key_prefix = Some([&key_of(1).as_bytes()[..], b"\0"].concat()),
            &[],
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut filter = Filter::all();
        change(&mut filter);
        let expected: Vec<_> = expected.iter().map(|index| texts[*index].0).collect();
        assert_eq!(
            inbox.found(&filter).await,
            expected,
            "case {number}: {filter:?}"
        );
    }
    let mut filter = Filter::all();
    filter.received_from = Some(start + SECOND);
    filter.received_before = Some(start + 2 * SECOND);
    assert_eq!(inbox.found(&filter).await, [texts[1].0]);
    filter.received_from = Some(start + SECOND + Duration::from_nanos(1));
    assert!(inbox.found(&filter).await.is_empty());
    filter = Filter::in_state(EntryState::Waiting);
    (filter.appid, filter.text) = (Some("2".to_owned()), Some("LESSON".to_owned()));
    (filter.stream_alias, filter.key_prefix) = (
        Some("lesson-one".to_owned()),
        Some(key_of(2).as_bytes()[..1].to_vec()),
    );
    assert_eq!(inbox.found(&filter).await, [texts[2].0]);
}

#[tokio::test]
async fn redelivers_all_but_what_runs() {
    let inbox = Inbox::with(0..6).await;
    for next in [Next::Done, Next::Dead, Next::Discarded, Next::Retry(DAY)] {
        let hold = claim_one(&inbox.store).await.hold;
        settle(&inbox.store, &hold, next, "no").await;
    }
    let running = claim_one(&inbox.store).await;
    let redeliver = async |filter, limit| inbox.store.redeliver(&filter, limit).await.unwrap();
    assert_eq!(redeliver(Filter::all(), 0).await, 0);
    assert_eq!(redeliver(Filter::in_state(EntryState::Running), 9).await, 0);
    assert_eq!(redeliver(Filter::in_state(EntryState::Dead), 9).await, 1);
    let details = inbox.details(1).await;
    assert_eq!(details.entry.state, EntryState::Waiting);
    assert_eq!((details.entry.attempts, details.entry.ended_at), (0, None));
    assert_eq!(details.entry.due_at, Some(inbox.now()));
    assert_eq!(details.attempts.len(), 1, "the history stays");
    assert_eq!(redeliver(Filter::key(&key_of(0)), 9).await, 1);
    assert_eq!(redeliver(Filter::all(), 2).await, 2);
    assert_eq!(redeliver(Filter::all(), 9).await, 5);
    assert_eq!(inbox.state(4).await, EntryState::Running);
    assert_eq!(
        settle(&inbox.store, &running.hold, Next::Done, "").await,
        Settled::Applied
    );
    let claimed = claim_due(&inbox.store, 2, 9).await;
    assert_eq!(claimed.len(), 5);
    for claimed in claimed {
        let is_last = claimed.callback.key == key_of(5);
        let expected = if is_last { (1, 1) } else { (1, 2) };
        assert_eq!((claimed.attempt, claimed.hold.epoch), expected);
    }
}

#[tokio::test]
async fn discards_what_waits_or_is_dead() {
    let inbox = Inbox::with(0..5).await;
    for next in [Next::Done, Next::Dead, Next::Retry(DAY)] {
        let hold = claim_one(&inbox.store).await.hold;
        settle(&inbox.store, &hold, next, "no").await;
    }
    claim_one(&inbox.store).await;
    let discard = async |limit| {
        let discarded = inbox.store.discard(&Filter::all(), "a\0 test", limit).await;
        discarded.unwrap()
    };
    assert_eq!(discard(2).await, 2);
    assert_eq!(discard(9).await, 1);
    assert_eq!(discard(9).await, 0);
    use EntryState::{Discarded, Done, Running};
    for (number, state) in (0..).zip([Done, Discarded, Discarded, Running, Discarded]) {
        let entry = inbox.details(number).await.entry;
        assert_eq!(entry.state, state, "{number}");
        let error = (state == Discarded).then_some("a\0 test");
        assert_eq!(entry.last_error.as_deref(), error, "{number}");
    }
}

#[tokio::test]
async fn prunes_what_is_over_and_never_what_is_dead() {
    let inbox = Inbox::with(0..5).await;
    for next in [Next::Done, Next::Dead, Next::Discarded] {
        let hold = claim_one(&inbox.store).await.hold;
        settle(&inbox.store, &hold, next, "no").await;
        inbox.clock.advance(SECOND);
    }
    claim_one(&inbox.store).await;
    let prune = async |keep, limit| inbox.store.prune(keep, limit).await.unwrap();
    assert_eq!(prune(DAY, 9).await, 0);
    assert_eq!(prune(Duration::MAX, 9).await, 0);
    let millisecond = Duration::from_millis(1);
    inbox.clock.advance(DAY - 3 * SECOND - millisecond);
    assert_eq!(prune(DAY, 9).await, 0);
    inbox.clock.advance(millisecond);
    assert_eq!(prune(DAY, 9).await, 1);
    assert_eq!(inbox.store.get(&key_of(0)).await.unwrap(), None);
    inbox.clock.advance(100 * DAY);
    assert_eq!(prune(Duration::ZERO, 0).await, 0);
    assert_eq!(prune(Duration::ZERO, 9).await, 1);
    assert_eq!(prune(Duration::ZERO, 9).await, 0);
    assert_eq!(inbox.state(1).await, EntryState::Dead);
    for table in ["callback", "work"] {
        assert_eq!(inbox.rows(table), 3, "{table}");
    }
    assert_eq!(inbox.rows("attempt"), 2);
    let accepted = inbox.store.accept(&new_callback(0)).await.unwrap();
    assert_eq!(accepted, Accepted::New, "what was pruned is not known");
}

#[tokio::test]
async fn erases_all_traces() {
    let inbox = Inbox::new();
    let mut callback = new_callback(1);
    let marker = "somebody's-name-".repeat(1_000);
    callback.event_id = marker.clone();
    callback.stored.extend_from_slice(marker.as_bytes());
    inbox.store.accept(&callback).await.unwrap();
    let hold = claim_one(&inbox.store).await.hold;
    let delivery = Claim::new(callback.key, marker, Owner::new(1));
    inbox.store.claim(&delivery).await.unwrap();
    assert!(inbox.store.erase(&callback.key).await.unwrap());
    assert!(!inbox.store.erase(&callback.key).await.unwrap());
    for table in ["callback", "work", "attempt", "delivery"] {
        assert_eq!(inbox.rows(table), 0, "{table}");
    }
    let settled = settle(&inbox.store, &hold, Next::Done, "").await;
    assert_eq!(settled, Settled::Stale);
    let accepted = inbox.store.accept(&callback).await.unwrap();
    assert_eq!(accepted, Accepted::New, "deduplication is gone");
    assert!(claim_one(&inbox.store).await.hold.id > hold.id);

    assert!(inbox.store.erase(&callback.key).await.unwrap());
    let path = inbox.directory.database();
    drop(inbox.store);
    let checkpoint = common::reopen(&path);
    checkpoint
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let trace = bytes.windows(15).any(|bytes| bytes == b"somebody's-name");
    assert!(!trace, "the text is still in the file");
}

//! Races for the inbox across handles, and what cuts their connections meanwhile.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use common::{LONG, accept, callback, claim_due, connect, handles, owner, settle};
use tokio::task::JoinSet;
use zego_record_core::DeliveryKey;
use zego_record_inbox::{ClaimDue, EntryState, Filter, InboxStore, Next, Note, RunEnded};
use zego_record_postgres::PostgresStore;
use zego_record_receiver::{Accept, Accepted, Owner, ReplayCheck};
use zego_record_test_servers::Postgres;

const TASKS: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_accepts_is_new() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let stores: [PostgresStore; 4] = handles(server).await;
    for number in 0..30_u8 {
        let check = ReplayCheck::new([number; 20], [number; 16], LONG);
        let callback = callback(number).with_replay_check(check);
        let mut race = JoinSet::new();
        for task in 0..TASKS {
            let (store, callback) = (stores[task % 4].clone(), callback.clone());
            race.spawn(async move { store.accept(&callback).await.unwrap() });
        }
        let accepted = race.join_all().await;
        let count = |result| accepted.iter().filter(|other| **other == result).count();
        assert_eq!(
            (count(Accepted::New), count(Accepted::Known)),
            (1, TASKS - 1)
        );
    }
    assert_eq!(stores[0].stats().await.unwrap().waiting, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_work_and_never_a_callback() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let stores: [PostgresStore; 4] = handles(server).await;
    for number in 0..200 {
        accept(&stores[0], number).await;
    }
    let mut race = JoinSet::new();
    for task in 0..16 {
        let store = stores[task % 4].clone();
        race.spawn(async move {
            let (mut mine, claim) = (Vec::new(), ClaimDue::new(owner(), LONG, 7));
            loop {
                let claimed = store.claim_due(&claim).await.unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.iter().map(|claimed| claimed.hold));
            }
        });
    }
    let shares = race.join_all().await;
    let workers = shares.iter().filter(|share| !share.is_empty()).count();
    assert!(workers >= 2, "{shares:?}");
    let runs: Vec<_> = shares.into_iter().flatten().collect();
    let ids: HashSet<_> = runs.iter().map(|hold| hold.id).collect();
    // A claim may find all locked that is left, and its worker gives up before the others.
    assert_eq!(runs.len(), ids.len());
    let left = claim_due(&stores[0], LONG, 1_000).await.len();
    assert_eq!(runs.len() + left, 200);
}

/// Short leases, so that callbacks are taken over all the time: of all that claim, one gets each run.
#[tokio::test(flavor = "multi_thread")]
async fn each_run_has_one_owner_also_when_leases_end() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let stores: [PostgresStore; 4] = handles(server).await;
    for number in 0..5 {
        accept(&stores[0], number).await;
    }
    let mut race = JoinSet::new();
    for task in 0..16 {
        let store = stores[task % 4].clone();
        race.spawn(async move {
            let (mut mine, owner) = (Vec::new(), owner());
            for _ in 0..30 {
                let claim = ClaimDue::new(owner, Duration::ZERO, 3);
                for claimed in store.claim_due(&claim).await.unwrap() {
                    mine.push((claimed.hold.id, claimed.hold.epoch));
                }
            }
            mine
        });
    }
    let mut owners = HashMap::new();
    for (worker, runs) in race.join_all().await.into_iter().enumerate() {
        for run in runs {
            assert_eq!(owners.insert(run, worker), None, "{run:?} has two owners");
        }
    }
    // No epoch was skipped either.
    for entry in stores[0].list(&Filter::all(), None, 9).await.unwrap() {
        let runs = owners.keys().filter(|(id, _)| *id == entry.id).count();
        assert_eq!(u32::try_from(runs).unwrap(), entry.attempts);
    }
}

/// What a task is known to have committed.
#[derive(Default)]
struct Answered {
    keys: Vec<DeliveryKey>,
    runs: Vec<(i64, u32)>,
    failed: u32,
}

async fn accept_and_claim(store: PostgresStore, name: String, owner: Owner) -> Answered {
    let mut answered = Answered::default();
    for number in 0..4 {
        let callback = callback(format!("{name} {number}"));
        match store.accept(&callback).await {
            Ok(Accepted::New | Accepted::Known) => answered.keys.push(callback.key),
            Ok(other) => panic!("{other:?}"),
            Err(_) => answered.failed += 1,
        }
        let claim = ClaimDue::new(owner, LONG, 1);
        match store.claim_due(&claim).await {
            Ok(claimed) => {
                let runs = claimed
                    .iter()
                    .map(|claimed| (claimed.hold.id, claimed.hold.epoch));
                answered.runs.extend(runs);
            }
            Err(_) => answered.failed += 1,
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_terminated_lose_nothing_that_was_answered() {
    let Some(server) = Postgres::start(&[]) else {
        return;
    };
    let server = Arc::new(server);
    let stores: [PostgresStore; 4] = handles(&server).await;
    let client = connect(&server).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
                ORDER BY random() LIMIT 2) AS two";
    let (mut cut, mut all) = (0, Answered::default());
    for round in 0..25 {
        let mut race = JoinSet::new();
        for task in 0..8 {
            let store = stores[task % 4].clone();
            race.spawn(accept_and_claim(store, format!("{round} {task}"), owner()));
        }
        while !race.is_empty() {
            cut += client.query_one(kill, &[]).await.unwrap().get::<_, i64>(0);
            let answered = race.join_next().await.unwrap().unwrap();
            all.keys.extend(answered.keys);
            all.runs.extend(answered.runs);
            all.failed += answered.failed;
        }
    }
    assert!(
        cut > 0 && all.failed > 0,
        "{cut} cut, {} failed",
        all.failed
    );
    let runs: HashSet<_> = all.runs.iter().collect();
    assert_eq!(runs.len(), all.runs.len(), "a run was granted twice");
    for key in &all.keys {
        assert!(stores[0].get(key).await.unwrap().is_some(), "{key} is lost");
    }
}

/// A server that stops as if its power was cut, while many accept.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_loses_nothing_that_was_answered() {
    let Some(server) = Postgres::start(&[]) else {
        return;
    };
    let stores: [PostgresStore; 4] = handles(&server).await;
    let mut kept = Vec::new();
    for round in 0..4 {
        let (stop, answers) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut race = JoinSet::new();
        for task in 0..8 {
            let store = stores[task % 4].clone();
            let (stop, answers) = (Arc::clone(&stop), Arc::clone(&answers));
            race.spawn(async move {
                let mut keys = Vec::new();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let callback = callback(format!("{round} {task} {number}"));
                    if let Ok(accepted) = store.accept(&callback).await {
                        assert_eq!(accepted, Accepted::New);
                        keys.push(callback.key);
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
                keys
            });
        }
        while answers.load(Ordering::Relaxed) < 50 {
            tokio::task::yield_now().await;
        }
        tokio::task::block_in_place(|| server.stop_immediately());
        stop.store(true, Ordering::Relaxed);
        kept.extend(race.join_all().await.into_iter().flatten());
        tokio::task::block_in_place(|| server.resume());
        let mut lost = 0;
        for key in &kept {
            lost += u32::from(stores[0].get(key).await.unwrap().is_none());
        }
        assert_eq!(lost, 0, "of {} in round {round}", kept.len());
    }
    let waiting = stores[0].stats().await.unwrap().waiting;
    assert!(waiting >= kept.len() as u64);
}

/// Drops a call after so many polls, and returns whether it was done by then.
async fn poll_and_drop(call: impl Future, polls: u32) -> bool {
    let mut call = std::pin::pin!(call);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        call.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_at_any_await_leaves_no_connection_inside_a_transaction() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    // One connection: the next call gets the very one that the dropped call had.
    let builder = PostgresStore::builder().schema(&schema).max_connections(1);
    let store = builder.clone().connect(&server.url()).await.unwrap();
    let other = builder.connect(&server.url()).await.unwrap();
    let ended = RunEnded::new(Next::Retry(Duration::ZERO), Note::default());
    let all = Filter::all();
    for polls in 0..4 {
        for call in 0..11 {
            let name = format!("{polls} {call}");
            let known = accept(&other, &name).await;
            let new = callback(format!("{name} dropped"));
            let claim = ClaimDue::new(owner(), LONG, 1);
            let hold = claim_due(&other, LONG, 1).await[0].hold;
            let _ = match call {
                0 => poll_and_drop(store.accept(&new), polls).await,
                1 => poll_and_drop(store.claim_due(&claim), polls).await,
                2 => poll_and_drop(store.extend(&hold, LONG), polls).await,
                3 => poll_and_drop(InboxStore::settle(&store, &hold, &ended), polls).await,
                4 => poll_and_drop(store.redeliver(&all, 1), polls).await,
                5 => poll_and_drop(store.discard(&all, "why", 1), polls).await,
                6 => poll_and_drop(store.set_paused(false), polls).await,
                7 => poll_and_drop(store.prune(Duration::ZERO, 1), polls).await,
                8 => poll_and_drop(store.erase(&known.key), polls).await,
                9 => poll_and_drop(store.list(&all, None, 9), polls).await,
                _ => poll_and_drop(store.stats(), polls).await,
            };
            // If the connection had come back inside a transaction, nobody else would see this.
            let next = accept(&store, format!("{name} next")).await;
            assert!(other.get(&next.key).await.unwrap().is_some(), "call {name}");
            // A call that has begun goes on without its caller.
            if call == 0 && polls > 0 {
                let stored = async { while other.get(&new.key).await.unwrap().is_none() {} };
                let waited = tokio::time::timeout(Duration::from_secs(60), stored).await;
                assert!(waited.is_ok(), "call {name} was stopped in the middle");
            }
        }
    }
    // Each was carried out as a whole or not at all.
    let halves = format!(
        "SELECT count(*) FROM {schema}.callback AS c FULL JOIN {schema}.work AS w USING (id) \
         WHERE c.id IS NULL OR w.id IS NULL"
    );
    let row = connect(server).await.query_one(&halves, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_do_not_stop_workers() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let stores: [PostgresStore; 4] = handles(server).await;
    for number in 0..30 {
        accept(&stores[0], number).await;
    }
    let mut race = JoinSet::new();
    for task in 0..4 {
        let store = stores[task % 4].clone();
        race.spawn(async move {
            for round in 0..20 {
                for claimed in claim_due(&store, LONG, 4).await {
                    let next = [Next::Done, Next::Dead, Next::Retry(Duration::ZERO)][round % 3];
                    settle(&store, &claimed.hold, next).await;
                }
            }
        });
    }
    for task in 0..4 {
        let store = stores[task % 4].clone();
        race.spawn(async move {
            for _ in 0..20 {
                store.redeliver(&Filter::all(), 20).await.unwrap();
                store
                    .discard(&Filter::in_state(EntryState::Dead), "why", 3)
                    .await
                    .unwrap();
                store.prune(Duration::ZERO, 1).await.unwrap();
                store.stats().await.unwrap();
            }
        });
    }
    race.join_all().await;
}

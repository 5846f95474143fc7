//! Two processes with axum behind a proxy that takes turns, on each durable store, and one of them is
//! killed again and again: nothing is lost, nothing forged is handled, and a handler runs again only after
//! a kill between its effect and the settlement. With `record_in` each effect happens exactly once.
//!
//! `ROUND_ROBIN_CALLBACKS=10000` sends that many callbacks to each store instead of 600.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod killer;
mod plan;
mod process;
mod proxy;
mod truth;
mod zegocloud;

use std::sync::Arc;

use tokio::runtime::Builder;
use zego_record_tests::{Kind, Place, figures};

use killer::Killer;
use plan::Plan;
use process::Effects;
use proxy::Proxy;
use truth::Truth;
use zegocloud::Zegocloud;

const CALLBACKS: usize = 600;

#[test]
fn sqlite() {
    run(Kind::Sqlite, Effects::InFile);
}

#[test]
fn postgres() {
    run(Kind::Postgres, Effects::InFile);
}

#[test]
fn redis() {
    run(Kind::Redis, Effects::InFile);
}

#[test]
fn sqlite_with_record_in() {
    run(Kind::Sqlite, Effects::InTransaction);
}

#[test]
fn postgres_with_record_in() {
    run(Kind::Postgres, Effects::InTransaction);
}

#[test]
#[ignore = "the process that the other tests start"]
fn receiving_process() {
    process::receive();
}

fn run(kind: Kind, effects: Effects) {
    let Some(place) = Place::new(kind) else {
        return;
    };
    let callbacks =
        std::env::var("ROUND_ROBIN_CALLBACKS").map_or(CALLBACKS, |number| number.parse().unwrap());
    let plan = Plan::new(callbacks);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let truth = Truth::new(&place, effects).await;
        let killer = Killer::start(&place, effects, &truth, plan, seed);
        let proxy = Proxy::start(killer.ports()).await;
        let zegocloud = Zegocloud::new(plan, proxy, &killer, seed);
        let sent = Arc::new(zegocloud).send().await;
        killer.stop();
        let found = truth.check(plan).await;
        figures(
            "two processes behind a proxy",
            format_args!(
                "{kind:?}, {effects:?}: {callbacks} callbacks, {} kills; {found}; {sent}",
                plan.kills
            ),
        );
    });
}

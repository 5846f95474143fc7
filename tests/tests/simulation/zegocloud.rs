//! ZEGOCLOUD, and the way from there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use zego_record_core::{UnixSeconds, Verdict, WireForm};
use zego_record_testkit::{RequestBuilder, SignedRequest};
use zego_record_tests::SECRET;

use crate::faults::{Behaviour, NetworkFault, millis};
use crate::process::{Process, Reception};
use crate::world::{BEGIN, World, name};

/// How long after an attempt the next one is made, as documented.
const GAPS: [u64; 5] = [2, 4, 8, 16, 32];
const WIRE_FORMS: [WireForm; 3] = [WireForm::Json, WireForm::Form, WireForm::EncodedJson];

/// What has happened to one callback as far as ZEGOCLOUD can see, and all of its requests that arrived.
pub(crate) struct Sent {
    pub(crate) callback: usize,
    pub(crate) attempts: usize,
    pub(crate) acknowledged: bool,
    pub(crate) receptions: Receptions,
}

type Receptions = Arc<Mutex<Vec<Arc<Reception>>>>;

pub(crate) async fn send(world: Arc<World>, callback: usize) -> Sent {
    let (pause, wire_form, seed) = world.draw(|rng| {
        (
            millis(rng, 0, 20_000),
            WIRE_FORMS[rng.usize(..3)],
            rng.u64(..),
        )
    });
    sleep(pause).await;
    let mut request = RequestBuilder::new(SECRET, time_of_day(&world))
        .field("stream_alias", format!("c{callback}"))
        .field(
            "replay_url",
            format!("https://vod.example.com/c{callback}.mp4"),
        )
        .field("extra_params", "{}")
        .wire_form(wire_form)
        .seed(seed)
        .build();
    let mut sent = Sent {
        callback,
        attempts: 0,
        acknowledged: false,
        receptions: Receptions::default(),
    };
    loop {
        let begin = Instant::now();
        sent.attempts += 1;
        let verdict = attempt(&world, callback, &request, &sent.receptions).await;
        sent.acknowledged = verdict.is_some_and(Verdict::is_success);
        let gap = GAPS.get(sent.attempts - 1).filter(|_| !sent.acknowledged);
        let Some(gap) = gap else { return sent };
        let from = if world.weather.gap_from_failure {
            Instant::now()
        } else {
            begin
        };
        sleep_until(from + Duration::from_secs(*gap)).await;
        if world.weather.signs_anew {
            request = request.resigned(time_of_day(&world));
        }
    }
}

/// The answer, if one arrives in time.
async fn attempt(
    world: &Arc<World>,
    callback: usize,
    request: &SignedRequest,
    receptions: &Receptions,
) -> Option<Verdict> {
    let fault = world.draw(|rng| NetworkFault::draw(rng, world.weather.network));
    if let Some(fault) = fault {
        world.note(format!("network: {}", name(&fault)), || {
            format!("callback {callback}: {fault:?}")
        });
    }
    if fault == Some(NetworkFault::LostBefore) {
        return None;
    }
    if let Some(NetworkFault::Doubled(after)) = fault {
        let (world, request, receptions) =
            (Arc::clone(world), request.clone(), Arc::clone(receptions));
        tokio::spawn(async move {
            sleep(after).await;
            let arrived = arrive(&world, callback, &receptions)?;
            Some(arrived.0.receive(world, request, arrived.1).await)
        });
    }
    world.latency().await;
    let (process, reception) = arrive(world, callback, receptions)?;
    let life = Arc::clone(&process.life);
    let mut server = tokio::spawn(process.receive(Arc::clone(world), request.clone(), reception));
    let patience = match fault {
        Some(NetworkFault::LostAfter(after)) => after.min(world.weather.sender_timeout),
        _ => world.weather.sender_timeout,
    };
    let answer = tokio::select! {
        biased;
        () = life.ended() => None,
        answer = &mut server => Some(answer.unwrap()),
        () = sleep(patience) => None,
    };
    if answer.is_none() && world.weather.drops_futures {
        server.abort();
    }
    answer.filter(|_| fault != Some(NetworkFault::AnswerDropped))
}

/// Comes to a process, if there is one.
fn arrive(
    world: &World,
    callback: usize,
    receptions: &Receptions,
) -> Option<(Arc<Process>, Arc<Reception>)> {
    let (machine, behaviour) = world.draw(|rng| {
        let weather = &world.weather;
        (
            rng.usize(..world.machines.len()),
            Behaviour::draw(rng, weather.handler, weather.process),
        )
    });
    let process = world.machines[machine].process();
    let Some(process) = process.filter(|process| process.life.is_alive()) else {
        world.note("network: nobody listens", || {
            format!("callback {callback}, machine {machine}")
        });
        return None;
    };
    let reception = Arc::new(Reception::new(
        callback,
        behaviour,
        &process.life,
        world.now(),
    ));
    world.note("network: arrives", || {
        format!("callback {callback}, process {}", process.life.number)
    });
    receptions.lock().unwrap().push(Arc::clone(&reception));
    Some((process, reception))
}

fn time_of_day(world: &World) -> UnixSeconds {
    UnixSeconds::new(BEGIN).saturating_add(world.now())
}

//! ZEGOCLOUD, and the way from there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;
use zego_record_core::{UnixSeconds, Verdict};
use zego_record_receiver::Clock;
use zego_record_testkit::{RequestBuilder, SignedRequest};
use zego_record_tests::SECRET;

use crate::faults::{happens, millis};
use crate::world::{Stream, World};

/// How long after an attempt the next one is made, as documented.
const GAPS: [u64; 5] = [2, 4, 8, 16, 32];
const PATIENCE: Duration = Duration::from_secs(5);

/// What happens to one request on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    LostBefore,
    AnswerDropped,
    /// A proxy sends a copy so much later.
    Doubled(Duration),
}

pub(crate) async fn send(world: Arc<World>, callback: usize) {
    // While there are faults, and while everything is down for a day.
    let latest = u64::try_from(world.weather.end.as_millis()).unwrap() * 3 / 4;
    let (pause, seed) = world.draw(Stream::Sender(callback), |rng| {
        (millis(rng, 0, latest), rng.u64(..))
    });
    sleep(pause).await;
    let mut request = RequestBuilder::new(SECRET, time_of_day(&world))
        .field("stream_alias", format!("c{callback}"))
        .field(
            "replay_url",
            format!("https://vod.example.com/c{callback}.mp4"),
        )
        .field("extra_params", "{}")
        .seed(seed)
        .build();
    for attempt in 0..=GAPS.len() {
        if attempt > 0 && world.weather.signs_anew {
            request = request.resigned(time_of_day(&world));
        }
        let verdict = self::attempt(&world, callback, &request).await;
        if verdict.is_some_and(Verdict::is_success) {
            return world.acknowledged(callback);
        }
        if let Some(gap) = GAPS.get(attempt) {
            sleep(Duration::from_secs(*gap)).await;
        }
    }
    world.note("zegocloud: gives up", || format!("callback {callback}"));
}

/// The answer, if one arrives in time.
async fn attempt(world: &Arc<World>, callback: usize, request: &SignedRequest) -> Option<Verdict> {
    let fault = world.draw(Stream::Sender(callback), |rng| {
        happens(rng, world.weather.network).then(|| match rng.u8(..3) {
            0 => Fault::LostBefore,
            1 => Fault::AnswerDropped,
            _ => Fault::Doubled(millis(rng, 0, 12_000)),
        })
    });
    match fault {
        Some(Fault::LostBefore) => {
            world.note("network: lost", || format!("callback {callback}"));
            return None;
        }
        Some(Fault::Doubled(after)) => {
            let (world, request) = (Arc::clone(world), request.clone());
            tokio::spawn(async move {
                sleep(after).await;
                world.note("network: doubled", || format!("callback {callback}"));
                arrive(&world, callback, &request).await
            });
        }
        _ => {}
    }
    world.latency(Stream::Sender(callback)).await;
    let answer = arrive(world, callback, request).await;
    if fault == Some(Fault::AnswerDropped) {
        world.note("network: answer dropped", || format!("callback {callback}"));
        return None;
    }
    answer
}

/// At a process, if there is one, which may die before it answers.
async fn arrive(world: &Arc<World>, callback: usize, request: &SignedRequest) -> Option<Verdict> {
    let machine = world.draw(Stream::Sender(callback), |rng| {
        rng.usize(..world.machines.len())
    });
    let process = world.machines[machine].process()?;
    let verdict = tokio::select! {
        biased;
        () = process.life.ended() => return None,
        verdict = process.receiver.accept(request.body()) => verdict,
        () = sleep(PATIENCE) => return None,
    };
    world.answered(
        callback,
        verdict,
        process.is_closing.load(Ordering::Relaxed),
    );
    Some(verdict)
}

fn time_of_day(world: &World) -> UnixSeconds {
    world.clock.now()
}

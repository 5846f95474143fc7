//! Somebody who pauses, redelivers and discards.

use std::sync::Arc;

use tokio::time::sleep;

use crate::faults::{happens, millis};
use crate::world::{Stream, World};

pub(crate) async fn operate(world: Arc<World>) {
    while !world.is_over() {
        sleep(world.draw(Stream::Operator, |rng| millis(rng, 1_000, 60_000))).await;
        let what = world.draw(Stream::Operator, |rng| {
            happens(rng, world.weather.operator).then(|| (rng.u8(..4), rng.usize(..8)))
        });
        let keys = world.state().keys.clone();
        match what {
            Some((0, _)) => world.set_paused(true),
            Some((1 | 2, which)) => {
                if let Some((key, callback)) = keys.iter().nth(which) {
                    world.redeliver(*callback, key);
                }
            }
            Some((_, which)) => {
                if let Some((key, callback)) = keys.iter().nth(which) {
                    world.discard(*callback, key);
                }
            }
            None => {}
        }
        if world.state().is_paused && world.draw(Stream::Operator, |rng| rng.bool()) {
            world.set_paused(false);
        }
    }
    if world.state().is_paused {
        world.set_paused(false);
    }
}

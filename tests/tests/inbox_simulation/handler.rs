//! What a handler does in a run.

use std::sync::Arc;

use tokio::time::sleep;
use zego_record_inbox::{Delivery, Hold};
use zego_record_receiver::HandlerError;

use crate::faults::{Behaviour, End, MINUTE, Reaction, StoreFault};
use crate::world::World;

/// A run that is under way; that it is dropped is an end as well.
struct Run {
    world: Arc<World>,
    hold: Hold,
    ends_well: bool,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.world.run_ends(&self.hold, self.ends_well);
    }
}

pub(crate) async fn handle(
    world: Arc<World>,
    process: u32,
    delivery: Delivery,
) -> Result<(), HandlerError> {
    let hold = *delivery.hold();
    let commits = world.commits(&delivery.key());
    let behaviour = world.draw_behaviour(&hold);
    let mut run = Run {
        world: Arc::clone(&world),
        hold,
        ends_well: false,
    };
    world.run_begins(&hold, process, delivery.attempt(), &behaviour);
    if world.is_handler_out() && world.weather.reaction != Reaction::ClaimsNothing {
        let error = "what every handler needs is down";
        return Err(match world.weather.reaction {
            Reaction::Postpones => HandlerError::postpone(MINUTE, error),
            _ => HandlerError::retry(error),
        });
    }
    sleep(behaviour.before).await;
    if behaviour.has_effect && commits {
        commit(&world, &delivery).await?;
    } else if behaviour.has_effect {
        world.effect(&hold);
    }
    sleep(behaviour.after).await;
    let result = end(behaviour).await;
    // A run that has committed is done whatever it returns.
    run.ends_well = result.is_ok();
    result
}

async fn end(behaviour: Behaviour) -> Result<(), HandlerError> {
    match behaviour.end {
        End::Succeeds => Ok(()),
        End::Fails => Err(HandlerError::retry("failed")),
        End::RetriesAfter(delay) => Err(HandlerError::retry_after(delay, "failed")),
        End::Postpones(delay) => Err(HandlerError::postpone(delay, "not now")),
        End::Discards => Err(HandlerError::discard("not wanted")),
        End::GivesUp => Err(HandlerError::dead_letter("hopeless")),
        // The hook for panics would print each of them.
        End::Panics => std::panic::resume_unwind(Box::new("the simulation")),
        End::Hangs => std::future::pending().await,
    }
}

/// As the stores in databases do it: the effect and the fenced Done are one step, before and after which
/// the line may fail, while the worker leaves the lease alone.
async fn commit(world: &Arc<World>, delivery: &Delivery) -> Result<(), HandlerError> {
    let hold = delivery.hold();
    let guard = delivery.begin_commit();
    let under_way = UnderWay::begin(world, *hold);
    let fault = world.store_fault(world.stream(hold));
    world.latency(world.stream(hold)).await;
    match fault {
        Some(StoreFault::Unavailable | StoreFault::Hangs) => {
            return Err(HandlerError::retry("the store cannot be reached"));
        }
        Some(StoreFault::Slow(by) | StoreFault::CarriedOutLate(by)) => sleep(by).await,
        _ => {}
    }
    if !world.commit(hold) {
        return Err(HandlerError::retry("the lease is lost"));
    }
    match fault {
        Some(StoreFault::AnswerLate(by)) => sleep(by).await,
        Some(StoreFault::AnswerLost) => {
            return Err(HandlerError::retry("nobody knows whether it was committed"));
        }
        _ => {}
    }
    guard.committed();
    drop(under_way);
    Ok(())
}

struct UnderWay {
    world: Arc<World>,
    hold: Hold,
}

impl UnderWay {
    fn begin(world: &Arc<World>, hold: Hold) -> Self {
        world.commit_is_under_way(&hold, true);
        Self {
            world: Arc::clone(world),
            hold,
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.world.commit_is_under_way(&self.hold, false);
    }
}

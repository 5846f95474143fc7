//! The line from one process to the store that all share.

use std::sync::Arc;
use std::time::Duration;

use zego_record_receiver::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, Settled, Settlement, StoreError, StoreErrorKind,
};

use crate::faults::StoreFault;
use crate::process::Life;
use crate::world::World;

/// More than a receiver's timeout for one request to its store.
const TOO_LATE: Duration = Duration::from_millis(700);

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
}

impl DeliveryStore for Line {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        let request = Request::new(self, claim, None);
        Box::pin(async {
            match self.send(request).await? {
                Response::Claim(outcome) => Ok(outcome),
                Response::Settle(_) => unreachable!(),
            }
        })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let request = Request::new(self, claim, Some(settlement));
        Box::pin(async {
            match self.send(request).await? {
                Response::Settle(settled) => Ok(settled),
                Response::Claim(_) => unreachable!(),
            }
        })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.world.store.purge(limit)
    }

    fn default_retention(&self) -> Duration {
        self.world.store.default_retention()
    }

    fn evictions(&self) -> u64 {
        self.world.store.evictions()
    }
}

impl Line {
    async fn send(&self, request: Request) -> Result<Response, StoreError> {
        self.life.while_alive(self.world.latency()).await;
        let fault = self.world.store_fault();
        if let Some(fault) = fault {
            self.world
                .store_has_fault(&request.claim, request.settlement, fault);
        }
        let answer = match fault {
            None => request.carry_out(false).await,
            Some(StoreFault::Unavailable) => Err(error(StoreErrorKind::Unavailable)),
            Some(StoreFault::Corrupt) => Err(error(StoreErrorKind::Corrupt)),
            Some(StoreFault::Hangs) => std::future::pending().await,
            Some(StoreFault::AnswerLost) => request
                .carry_out(true)
                .await
                .and(Err(error(StoreErrorKind::Unavailable))),
            Some(StoreFault::AnswerLate) => {
                let answer = request.carry_out(true).await;
                tokio::time::sleep(TOO_LATE).await;
                answer
            }
            Some(StoreFault::CarriedOutLate(delay)) => {
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = request.carry_out(true).await;
                });
                std::future::pending().await
            }
        };
        self.life.while_alive(self.world.latency()).await;
        answer
    }
}

/// A request on its way: what was sent may be carried out although its sender has died.
struct Request {
    world: Arc<World>,
    life: Arc<Life>,
    claim: Claim,
    settlement: Option<Settlement>,
}

enum Response {
    Claim(ClaimOutcome),
    Settle(Settled),
}

impl Request {
    fn new(line: &Line, claim: &Claim, settlement: Option<Settlement>) -> Self {
        Self {
            world: Arc::clone(&line.world),
            life: Arc::clone(&line.life),
            claim: claim.clone(),
            settlement,
        }
    }

    async fn carry_out(&self, is_faulty: bool) -> Result<Response, StoreError> {
        let Self {
            world,
            life,
            claim,
            settlement,
        } = self;
        match settlement {
            None => {
                let outcome = world.store.claim(claim).await?;
                world.claimed(life, claim, outcome, is_faulty);
                Ok(Response::Claim(outcome))
            }
            Some(by) => {
                let settled = world.store.settle(claim, *by).await?;
                world.settled(life, claim, *by, settled);
                Ok(Response::Settle(settled))
            }
        }
    }
}

fn error(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "as drawn")
}

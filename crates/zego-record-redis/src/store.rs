//! The store: one script for each step.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use sha2::{Digest, Sha256};
use zego_record_receiver::{
    Binding, BoxFuture, Claim, ClaimOutcome, DeliveryStore, Lease, ReplayCheck, ReplayGuard,
    Settled, Settlement, StoreError,
};

use crate::link::Link;
use crate::script::{Call, Script};
use crate::{RedisStoreBuilder, error};

/// Deliveries and signatures in Redis, for any number of processes. A clone is another handle to the same
/// store.
///
/// **A failover forgets what Redis has acknowledged**, and so does a crash, unless it runs with `appendonly yes`
/// and `appendfsync always`: the handler of such a delivery may run a second time. No delivery is lost by it, since a callback is only
/// acknowledged after its handler has run. Where effects must happen exactly once, keep deliveries in the
/// database that holds the effects.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    link: Link,
    prefix: String,
    timeout: Duration,
    retention: Duration,
    warnings: Vec<String>,
    claim: Script,
    settle: Script,
    bind: Script,
}

impl RedisStore {
    /// Opens the store at `redis://user:password@host:port/database` with the defaults of the
    /// [builder](Self::builder).
    ///
    /// # Errors
    ///
    /// See [`RedisStoreBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder().connect(url).await
    }

    /// A store to be configured.
    pub fn builder() -> RedisStoreBuilder {
        RedisStoreBuilder::new()
    }

    /// What makes the server less safe than it should be, found when the store was opened: show it to your
    /// operators. With the feature `tracing` it is logged as well.
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    pub(crate) fn new(
        link: Link,
        prefix: String,
        timeout: Duration,
        retention: Duration,
        warnings: Vec<String>,
    ) -> Self {
        Self(Arc::new(Inner {
            link,
            prefix,
            timeout,
            retention,
            warnings,
            claim: Script::claim(),
            settle: Script::settle(),
            bind: Script::bind(),
        }))
    }

    /// What claim and settle begin with.
    fn delivery(&self, claim: &Claim) -> (Vec<String>, Vec<Vec<u8>>) {
        let prefix = &self.0.prefix;
        let key = claim.key.as_bytes();
        // One slot of a cluster for all deliveries about one file. Half of the digest is enough for a name.
        let event = hex(&Sha256::digest(claim.event_id.as_bytes())[..16]);
        let keys = vec![
            format!("{prefix}:{{{event}}}:delivery:{}", hex(key)),
            format!("{prefix}:{{{event}}}:event"),
        ];
        let arguments = vec![
            key.to_vec(),
            hex(&claim.owner.get().to_be_bytes()).into_bytes(),
            milliseconds(claim.lease),
            milliseconds(claim.retention),
        ];
        (keys, arguments)
    }

    async fn run(&self, call: Call) -> Result<String, StoreError> {
        let answer = self.0.link.run(call, self.0.timeout).await;
        match answer.map_err(error::of_driver)? {
            Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Value::SimpleString(text) => Ok(text),
            _ => Ok(String::new()),
        }
    }
}

/// Without the connection, whose configuration holds a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.0.prefix)
            .field("timeout", &self.0.timeout)
            .finish_non_exhaustive()
    }
}

impl DeliveryStore for RedisStore {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        Box::pin(async move {
            let (keys, arguments) = self.delivery(claim);
            let name = keys[0].clone();
            let answer = self.run(self.0.claim.call(keys, arguments)).await?;
            match *answer.split(' ').collect::<Vec<_>>() {
                ["done"] => Ok(ClaimOutcome::Done),
                ["busy"] => Ok(ClaimOutcome::Busy),
                ["run", epoch, changed] => match epoch.parse() {
                    Ok(epoch) => Ok(ClaimOutcome::Run(Lease::new(epoch, changed == "1"))),
                    Err(_) => Err(unknown(&name)),
                },
                _ => Err(unknown(&name)),
            }
        })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        Box::pin(async move {
            let (keys, mut arguments) = self.delivery(claim);
            let name = keys[0].clone();
            let settlement: &[u8] = match settlement {
                Settlement::Done => b"done",
                Settlement::Failed => b"failed",
                Settlement::Extend => b"extend",
            };
            arguments.push(settlement.to_vec());
            let answer = self.run(self.0.settle.call(keys, arguments)).await?;
            match answer.as_str() {
                "applied" => Ok(Settled::Applied),
                "stale" => Ok(Settled::Stale),
                _ => Err(unknown(&name)),
            }
        })
    }

    /// Removes nothing: Redis does when a delivery expires.
    fn purge(&self, _: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(0) })
    }

    fn default_retention(&self) -> Duration {
        self.0.retention
    }

    /// None that this store would know of: [`warnings`](RedisStore::warnings) has a policy that evicts.
    fn evictions(&self) -> u64 {
        0
    }
}

impl ReplayGuard for RedisStore {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(async move {
            let key = format!("{}:signature:{}", self.0.prefix, hex(&check.signature));
            let content = hex(&check.content).into_bytes();
            let arguments = vec![content, milliseconds(check.keep_for)];
            let call = self.0.bind.call(vec![key], arguments);
            match self.run(call).await?.as_str() {
                "first" => Ok(Binding::First),
                "same" => Ok(Binding::Same),
                "conflict" => Ok(Binding::Conflict),
                // Without the signature: whoever reads one can send any body under it.
                _ => Err(unknown(&format!("{}:signature:..", self.0.prefix))),
            }
        })
    }

    /// Removes nothing: Redis does when a binding expires.
    fn purge(&self, _: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(0) })
    }

    /// None that this store would know of: [`warnings`](RedisStore::warnings) has a policy that evicts.
    fn evictions(&self) -> u64 {
        0
    }
}

fn unknown(key: &str) -> StoreError {
    error::corrupt(format!(
        "{key} holds what this version of the crate has not written; remove it, or choose a prefix that \
         nobody else uses"
    ))
}

/// A duration for a script, rounded up, a hundred years at most.
fn milliseconds(duration: Duration) -> Vec<u8> {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let microseconds = duration.min(LONGEST).as_micros();
    microseconds.div_ceil(1_000).to_string().into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

//! The receiver: one for a process, cheap to clone.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use zego_record_core::{CallbackSecret, ConfigError, Verifier};

use crate::background::Background;
use crate::builder::{self, ReceiverBuilder};
use crate::concurrency::ConcurrencyLimit;
use crate::config::Config;
use crate::guard::GuardClient;
use crate::missing_retry::MissingRetries;
use crate::pending::PendingCompletions;
use crate::pipeline::Pipeline;
use crate::quarantine::Quarantine;
use crate::skew::SkewWatch;
use crate::store::StoreClient;
use crate::telemetry::{Counters, Gauges, Telemetry};

/// The variable that [`Receiver::from_env`] reads.
const SECRET_VARIABLE: &str = "ZEGO_CALLBACK_SECRET";

/// Receives recording callbacks: it verifies them, checks for replays and duplicates, runs the handler
/// and decides the response.
///
/// Clones share everything: build one for a process. The crates for web frameworks drive it; an adapter
/// of your own drives its [`pipeline`](Self::pipeline).
#[derive(Clone)]
pub struct Receiver(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    verifier: RwLock<Arc<Verifier>>,
    pub(crate) guard: GuardClient,
    pub(crate) store: StoreClient,
    pub(crate) concurrency: ConcurrencyLimit,
    pub(crate) telemetry: Telemetry,
    pub(crate) pending: PendingCompletions,
    pub(crate) missing_retries: MissingRetries,
    pub(crate) quarantine: Quarantine,
    pub(crate) skew: SkewWatch,
    pub(crate) background: Background,
}

impl Receiver {
    /// Starts to configure a receiver.
    pub fn builder(verifier: Verifier) -> ReceiverBuilder {
        ReceiverBuilder::new(verifier)
    }

    /// A receiver with default settings and the secrets in the environment variable
    /// `ZEGO_CALLBACK_SECRET`: one, or several separated by commas while one is being replaced.
    ///
    /// # Errors
    ///
    /// If the variable is not set, or if one of the secrets is not usable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let secrets = CallbackSecret::list_from_env(SECRET_VARIABLE)?;
        Self::builder(Verifier::builder().secrets(secrets).build()?).build()
    }

    /// Replaces the secrets, and everything else that the verifier knows, while running. Requests that
    /// are being verified keep the old one.
    ///
    /// # Errors
    ///
    /// If the tolerances of the new verifier do not fit the retention of this receiver; nothing is
    /// replaced then.
    pub fn replace_verifier(&self, verifier: Verifier) -> Result<(), ConfigError> {
        builder::check_retention(self.0.config.retention, &verifier)?;
        let mut current = self
            .0
            .verifier
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(verifier);
        Ok(())
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.0.telemetry.read(&self.0.gauges())
    }

    /// Shuts down gracefully: further callbacks are answered with `503`, and handlers that are running
    /// may finish within the handler timeout. What is still running then is stopped and settled as
    /// failed, so that another process can take a retry at once.
    ///
    /// Call it before the server stops, or while it does, and wait for it. It may be called again. It
    /// does not wait for handlers behind an extractor alone, which only their framework knows.
    pub async fn shutdown(&self) {
        let inner = &*self.0;
        inner.concurrency.close();
        let timeout = inner.config.handler_timeout;
        if tokio::time::timeout(timeout, inner.concurrency.drained())
            .await
            .is_err()
        {
            inner.concurrency.abort();
            // A handler that blocks its thread does not notice, and is not waited for.
            let _ = tokio::time::timeout(inner.store.patience(), inner.concurrency.drained()).await;
        }
    }

    /// The pipeline of a request, for adapters to web frameworks.
    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(self)
    }

    pub(crate) fn new(verifier: Verifier, config: Config) -> Self {
        Self(Arc::new(Inner {
            verifier: RwLock::new(Arc::new(verifier)),
            guard: GuardClient::new(
                config.replay_protection.clone(),
                Arc::clone(&config.clock),
                config.store_timeout,
            ),
            store: StoreClient::new(Arc::clone(&config.store), config.store_timeout),
            concurrency: ConcurrencyLimit::new(config.max_in_flight),
            telemetry: Telemetry::new(Arc::clone(&config.clock)),
            pending: PendingCompletions::default(),
            missing_retries: MissingRetries::default(),
            quarantine: Quarantine::default(),
            skew: SkewWatch::default(),
            background: Background::default(),
            config,
        }))
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn verifier(&self) -> Arc<Verifier> {
        let verifier = self.verifier.read();
        Arc::clone(&verifier.unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn gauges(&self) -> Gauges {
        Gauges {
            in_flight: self.concurrency.in_flight(),
            guard_evictions: self.guard.evictions(),
            store_evictions: self.store.evictions(),
        }
    }
}

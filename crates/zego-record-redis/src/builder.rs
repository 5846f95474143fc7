//! How a store is configured and opened.

use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{Client, ConnectionAddr};
use zego_record_receiver::StoreError;

use crate::link::Link;
use crate::store::RedisStore;
use crate::{error, server};

/// How long opening may wait for the server.
const OPENING: Duration = Duration::from_secs(10);

/// Configures a [`RedisStore`].
#[derive(Clone, Debug)]
pub struct RedisStoreBuilder {
    prefix: String,
    timeout: Duration,
    retention: Duration,
}

impl RedisStoreBuilder {
    pub(crate) fn new() -> Self {
        Self {
            prefix: "zego_record".into(),
            timeout: Duration::from_millis(400),
            retention: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }

    /// What all keys begin with, followed by a colon: `zego_record` unless set. Letters, digits and
    /// `_`, `-`, `.`, `:`, 64 at most.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a step may take, a new connection included: 400 ms unless set. This is less than a receiver
    /// waits, so that its second try finds a connection that works.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a finished delivery is kept unless the receiver is configured otherwise, 7 days unless set.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Opens the store at `redis://user:password@host:port/database`, or with the feature `tls` at
    /// `rediss://..`, whose certificate the system's roots must vouch for.
    ///
    /// For TLS, ring is installed as the provider of the process unless it has one by then.
    ///
    /// # Errors
    ///
    /// `Config` if the URL, the login or the server does not fit, and the errors of a store.
    pub async fn connect(self, url: &str) -> Result<RedisStore, StoreError> {
        self.from_client(client(url)?).await
    }

    /// Opens the store with a client of your own, for example one with certificates of its own. The store
    /// opens one connection, which all its steps share, and replaces it when it is closed or does not
    /// answer.
    ///
    /// # Errors
    ///
    /// `Config` if the login or the server does not fit, and the errors of a store.
    pub async fn from_client(self, client: Client) -> Result<RedisStore, StoreError> {
        prepare_tls(client.get_connection_info().addr());
        self.open(Link::own(client), false).await
    }

    /// Opens the store on a connection of your own, such as the driver's connection manager or one to a
    /// cluster. Requests are sent on clones of it, and to reconnect is its task, which a multiplexed
    /// connection alone does not do. It must be cancellation-safe, as all of these are.
    ///
    /// # Errors
    ///
    /// `Config` if the server does not fit, and the errors of a store.
    pub async fn from_connection<C>(self, connection: C) -> Result<RedisStore, StoreError>
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        self.open(Link::foreign(connection), true).await
    }

    /// Opens the store in a cluster of which these nodes are known.
    ///
    /// # Errors
    ///
    /// `Config` if a URL, the login or the servers do not fit, and the errors of a store.
    #[cfg(feature = "cluster")]
    pub async fn connect_cluster(self, urls: &[&str]) -> Result<RedisStore, StoreError> {
        use redis::cluster::ClusterClient;

        let mut nodes = Vec::new();
        for url in urls {
            let node = client(url)?.get_connection_info().clone();
            prepare_tls(node.addr());
            nodes.push(node);
        }
        let client = ClusterClient::builder(nodes)
            .connection_timeout(self.timeout.max(Duration::from_secs(1)))
            .response_timeout(self.timeout)
            .retries(2)
            .build()
            .map_err(error::of_driver)?;
        let connection = client.get_async_connection().await;
        self.from_connection(connection.map_err(error::of_driver)?)
            .await
    }

    async fn open(self, link: Link, may_be_cluster: bool) -> Result<RedisStore, StoreError> {
        if !is_plain(&self.prefix) {
            return Err(error::config(
                "the prefix must be letters, digits and `_`, `-`, `.`, `:`, 64 at most, so that no \
                 brace in it changes the slot of a key",
            ));
        }
        let info = link.ask(redis::cmd("INFO"), OPENING).await;
        let warnings = server::check(info, may_be_cluster)?;
        Ok(RedisStore::new(
            link,
            self.prefix,
            self.timeout,
            self.retention,
            warnings,
        ))
    }
}

/// For a URL. The driver's error may repeat a piece of it, and with it of a password.
fn client(url: &str) -> Result<Client, StoreError> {
    if cfg!(not(feature = "tls")) && url.starts_with("rediss:") {
        return Err(error::config(
            "the URL asks for TLS; turn on the feature `tls` of zego-record-redis",
        ));
    }
    Client::open(url).map_err(|_| {
        error::config("the URL is not understood; write redis://user:password@host:port/database")
    })
}

/// The driver takes the provider of the process, and panics if there is none and several are linked.
#[cfg(feature = "tls")]
fn prepare_tls(server: &ConnectionAddr) {
    use rustls::crypto::{CryptoProvider, ring};

    if matches!(server, ConnectionAddr::TcpTls { .. }) && CryptoProvider::get_default().is_none() {
        // If another thread was quicker, there is one.
        let _ = ring::default_provider().install_default();
    }
}

#[cfg(not(feature = "tls"))]
fn prepare_tls(_: &ConnectionAddr) {}

fn is_plain(prefix: &str) -> bool {
    (1..=64).contains(&prefix.len())
        && prefix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c))
}

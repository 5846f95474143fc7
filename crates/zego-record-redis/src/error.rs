//! What went wrong, and what to do about it.

use std::error::Error;
use std::fmt;

use redis::{ErrorKind, RedisError};
use zego_record_receiver::{StoreError, StoreErrorKind};

/// The rights that a user needs besides those on its keys, for those who write ACLs.
pub(crate) const RIGHTS: &str = "+evalsha +eval +time +get +set +del +zadd +zrem +zremrangebyscore \
                                 +zrangebyscore +zrevrange +pexpireat +info";

/// What to do about an error of the driver.
#[derive(Debug)]
struct Advice {
    advice: String,
    source: RedisError,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.advice)
    }
}

impl Error for Advice {
    /// The driver's error prints its own source, so that one of the two is left out.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.source().unwrap_or(&self.source))
    }
}

pub(crate) fn config(advice: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Config, advice.into())
}

pub(crate) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, what.into())
}

pub(crate) fn of_driver(source: RedisError) -> StoreError {
    let (kind, advice) = classify(&source);
    StoreError::new(kind, Advice { advice, source })
}

fn classify(error: &RedisError) -> (StoreErrorKind, String) {
    use StoreErrorKind::{Config, Corrupt, Timeout, Unavailable};
    let (kind, advice) = match (error.code(), error.kind()) {
        (Some("WRONGTYPE"), _) => (
            Corrupt,
            "a key holds a value of another type; remove it, or choose a prefix that nobody else uses",
        ),
        (Some("OOM"), _) => (
            Unavailable,
            "Redis has reached maxmemory; raise it, or remove what is not needed",
        ),
        (Some(code), _) if code == "NOPERM" || is_denied_in_script(error) => {
            return (
                Config,
                format!("the user lacks a right; grant it ~PREFIX:* and {RIGHTS}"),
            );
        }
        (Some("NOAUTH" | "WRONGPASS"), _) | (_, ErrorKind::AuthenticationFailed) => (
            Config,
            "the login was rejected; check user and password in the URL",
        ),
        (Some("READONLY"), _) => (
            Config,
            "the server is a read-only replica; connect to the primary",
        ),
        (Some("LOADING"), _) => (
            Unavailable,
            "Redis is loading its data after a start; it answers when that is done",
        ),
        (Some("MISCONF"), _) => (
            Unavailable,
            "Redis cannot save its data and rejects writes; look at its log and at its disk",
        ),
        (Some("NOREPLICAS"), _) => (
            Unavailable,
            "fewer replicas are connected than min-replicas-to-write; look at the replicas",
        ),
        (Some("BUSY"), _) => (
            Unavailable,
            "a script of somebody else keeps Redis busy; SCRIPT KILL ends it",
        ),
        (Some("MOVED" | "ASK" | "CROSSSLOT"), _) => (
            Config,
            "the server is part of a cluster; connect with `connect_cluster`, feature `cluster`",
        ),
        (Some("CLUSTERDOWN" | "MASTERDOWN" | "TRYAGAIN"), _)
        | (_, ErrorKind::ClusterConnectionNotFound) => (
            Unavailable,
            "no primary answers for this delivery; look at the failover or at the cluster",
        ),
        (_, ErrorKind::InvalidClientConfig) => (
            Config,
            "the driver rejects its configuration; check the URL and the client",
        ),
        (Some(_), _) => (
            Unavailable,
            "Redis has rejected the request; the cause is what it answered",
        ),
        _ if error.to_string().contains("invalid peer certificate") => (
            Config,
            "the server's certificate was rejected; trust its authority, and connect by the name that it bears",
        ),
        _ if error.is_timeout() => (
            Timeout,
            "Redis did not answer in time; look at its load, at slow commands and at the network",
        ),
        _ => (
            Unavailable,
            "there is no connection to Redis; check that it runs, its address, TLS and the network",
        ),
    };
    (kind, advice.to_owned())
}

/// Redis 7.0 has no code for this.
fn is_denied_in_script(error: &RedisError) -> bool {
    let detail = error.detail().unwrap_or_default();
    detail.contains("The user executing the script can't")
}

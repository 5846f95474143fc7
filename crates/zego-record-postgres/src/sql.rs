//! The statements, for those who run them by another driver inside their own transactions.
//!
//! Each is one atomic step on the server's clock, equal to the pure transitions of
//! [`DeliveryRecord`](zego_record_receiver::DeliveryRecord), and for the inbox to those of
//! [`WorkRecord`](zego_record_inbox::WorkRecord). The tables stand in the schema `zego_record`;
//! [`in_schema`] puts in another one. Durations are microseconds as `bigint`, keys and hashes `bytea`.
//!
//! Marks a delivery as done in a transaction of sqlx (not compiled here, since sqlx would bring along
//! a second driver):
//!
//! ```text
//! let first: bool = sqlx::query_scalar(zego_record_postgres::sql::RECORD)
//!     .bind(callback.delivery_key().as_bytes().as_slice())
//!     .bind(zego_record_postgres::sql::event_hash(&callback.event_id()).as_slice())
//!     .bind(30_i64 * 24 * 60 * 60 * 1_000_000)
//!     .fetch_one(&mut *transaction)
//!     .await?;
//! ```

use sha2::{Digest, Sha256};

pub use crate::inbox::sql::{ACCEPT, COMMIT_DONE};

/// Whether a claim may run the handler: the record is forgotten, its own already, its lease is over, or it
/// has failed.
macro_rules! may_run {
    () => {
        "(d.expires <= excluded.stepped_at OR d.state = 3 OR (d.state = 1 \
         AND (d.owner = excluded.owner OR d.lease_ends <= excluded.stepped_at)))"
    };
}

/// The tables of version 1: deliveries and signatures.
macro_rules! schema_1 {
    () => {
        "\
CREATE SCHEMA IF NOT EXISTS zego_record;
CREATE TABLE IF NOT EXISTS zego_record.meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    oldest_program integer NOT NULL
);
CREATE TABLE IF NOT EXISTS zego_record.delivery (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    event_hash bytea NOT NULL CHECK (octet_length(event_hash) = 32),
    state smallint NOT NULL CHECK (state IN (1, 2, 3)),
    owner bytea CHECK (octet_length(owner) = 16),
    epoch bigint NOT NULL CHECK (epoch BETWEEN 1 AND 4294967295),
    changed boolean NOT NULL,
    lease_ends timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    stepped_at timestamptz NOT NULL,
    applied boolean NOT NULL,
    CHECK ((state = 1) = (owner IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS delivery_event_hash ON zego_record.delivery (event_hash);
CREATE INDEX IF NOT EXISTS delivery_expires ON zego_record.delivery (expires);
CREATE TABLE IF NOT EXISTS zego_record.signature (
    signature bytea PRIMARY KEY CHECK (octet_length(signature) = 20),
    content bytea NOT NULL CHECK (octet_length(content) = 16),
    expires timestamptz NOT NULL,
    stepped_at timestamptz NOT NULL,
    applied boolean NOT NULL
);
CREATE INDEX IF NOT EXISTS signature_expires ON zego_record.signature (expires);
"
    };
}

/// Creates the tables. It can be run again, and brings those of an earlier version up to date.
pub const SCHEMA: &str = concat!(schema_1!(), inbox_schema!());

/// What tables of version 1 lack. Running all of [`SCHEMA`] would lock those that are in use.
pub(crate) const FROM_VERSION_1: &str = inbox_schema!();

/// The version of the tables, and the oldest version of this crate's tables that a program must know to
/// use them. Returns `version integer, oldest_program integer`.
pub const VERSION: &str = "SELECT version, oldest_program FROM zego_record.meta";

/// Asks for the right to run a handler. Parameters: `$1` delivery key, 32 bytes; `$2` [`event_hash`];
/// `$3` owner, 16 bytes; `$4` lease; `$5` retention. Returns `state smallint, owner bytea, epoch bigint,
/// changed boolean`: state 1 with the claim's own owner means run, with another one busy; state 2 means
/// done. `changed` says whether another content about the same file was committed before the claim, so two
/// that are claimed at the same instant may both be unchanged.
pub const CLAIM: &str = concat!(
    "INSERT INTO zego_record.delivery AS d \
     (key, event_hash, state, owner, epoch, changed, lease_ends, expires, stepped_at, applied) \
     SELECT $1, $2, 1, $3, 1, \
     EXISTS (SELECT FROM zego_record.delivery AS other \
             WHERE other.event_hash = $2 AND other.key <> $1), \
     t.now + $4 * interval '1 microsecond', t.now + ($4 + $5) * interval '1 microsecond', t.now, true \
     FROM (SELECT clock_timestamp() AS now) AS t \
     ON CONFLICT (key) DO UPDATE SET \
     state = CASE WHEN ",
    may_run!(),
    " THEN 1 ELSE d.state END, \
     owner = CASE WHEN ",
    may_run!(),
    " THEN excluded.owner ELSE d.owner END, \
     epoch = CASE WHEN d.expires <= excluded.stepped_at THEN 1 \
                  WHEN d.state = 1 AND d.owner = excluded.owner THEN d.epoch \
                  WHEN ",
    may_run!(),
    " THEN least(d.epoch + 1, 4294967295) ELSE d.epoch END, \
     changed = CASE WHEN d.expires <= excluded.stepped_at THEN excluded.changed ELSE d.changed END, \
     lease_ends = CASE WHEN ",
    may_run!(),
    " THEN excluded.lease_ends ELSE d.lease_ends END, \
     expires = CASE WHEN ",
    may_run!(),
    " THEN excluded.expires ELSE d.expires END, \
     stepped_at = excluded.stepped_at, \
     applied = ",
    may_run!(),
    " \
     RETURNING state, owner, epoch, changed"
);

/// Records that the effect is done, whoever says so. Parameters: `$1` delivery key; `$2` [`event_hash`];
/// `$3` retention. Returns `applied boolean`: true for the first, false if it was done already.
pub const SETTLE_DONE: &str = "\
INSERT INTO zego_record.delivery AS d \
(key, event_hash, state, owner, epoch, changed, lease_ends, expires, stepped_at, applied) \
SELECT $1, $2, 2, NULL, 1, false, t.now, t.now + $3 * interval '1 microsecond', t.now, true \
FROM (SELECT clock_timestamp() AS now) AS t \
ON CONFLICT (key) DO UPDATE SET \
state = 2, owner = NULL, stepped_at = excluded.stepped_at, applied = d.state <> 2, \
expires = CASE WHEN d.state <> 2 THEN excluded.expires ELSE d.expires END \
RETURNING applied";

/// Marks a delivery as done inside your own transaction: the same statement as [`SETTLE_DONE`].
pub const RECORD: &str = SETTLE_DONE;

/// Records that a handler has failed. Parameters: `$1` delivery key; `$2` owner; `$3` retention. Returns
/// one row `applied boolean` if that owner holds the delivery, and none otherwise.
pub const SETTLE_FAILED: &str = "\
UPDATE zego_record.delivery AS d SET \
state = 3, owner = NULL, expires = t.now + $3 * interval '1 microsecond', stepped_at = t.now, applied = true \
FROM (SELECT clock_timestamp() AS now) AS t \
WHERE d.key = $1 AND d.state = 1 AND d.owner = $2 \
RETURNING d.applied";

/// Starts a lease anew. Parameters: `$1` delivery key; `$2` owner; `$3` retention; `$4` lease. Returns one
/// row `applied boolean` if that owner holds the delivery, and none otherwise.
pub const SETTLE_EXTEND: &str = "\
UPDATE zego_record.delivery AS d SET \
lease_ends = t.now + $4 * interval '1 microsecond', \
expires = t.now + ($4 + $3) * interval '1 microsecond', stepped_at = t.now, applied = true \
FROM (SELECT clock_timestamp() AS now) AS t \
WHERE d.key = $1 AND d.state = 1 AND d.owner = $2 \
RETURNING d.applied";

/// Binds a signature to a content. Parameters: `$1` signature, 20 bytes; `$2` content, 16 bytes; `$3` how
/// long to keep it. Returns `applied boolean, content bytea`: true if it was not bound, else what it is
/// bound to.
pub const BIND: &str = concat!(bind!(""), " RETURNING applied, content");

/// Removes deliveries that have expired. Parameter: `$1` how many at most, `bigint`. Returns one row for
/// each.
pub const PURGE_DELIVERIES: &str = "\
DELETE FROM zego_record.delivery WHERE key = ANY (ARRAY( \
SELECT key FROM zego_record.delivery WHERE expires <= (SELECT clock_timestamp()) \
ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING true";

/// Removes bindings that have expired. Parameter: `$1` how many at most, `bigint`. Returns one row for
/// each.
pub const PURGE_SIGNATURES: &str = "\
DELETE FROM zego_record.signature WHERE signature = ANY (ARRAY( \
SELECT signature FROM zego_record.signature WHERE expires <= (SELECT clock_timestamp()) \
ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING true";

/// The statement with its tables in another schema, a plain name that needs no quotes.
pub fn in_schema(statement: &str, schema: &str) -> String {
    let statement = statement.replace("zego_record.", &format!("{schema}."));
    statement.replace("EXISTS zego_record;", &format!("EXISTS {schema};"))
}

/// What the statements take for an event id: its SHA-256, since the text may hold anything.
pub fn event_hash(event_id: &str) -> [u8; 32] {
    Sha256::digest(event_id.as_bytes()).into()
}

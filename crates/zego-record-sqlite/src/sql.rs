//! The tables and statements as text, for those who migrate by themselves or write a delivery in a
//! transaction of another driver.
//!
//! All texts use tables that begin with [`DEFAULT_PREFIX`]; [`with_prefix`] changes that. Times are
//! milliseconds since 1970-01-01 00:00 UTC.

use crate::inbox::InboxStatements;

/// What the tables' names begin with unless
/// [`table_prefix`](crate::SqliteStoreBuilder::table_prefix) says otherwise.
pub const DEFAULT_PREFIX: &str = "zego_";

/// Creates the tables, all of them or none if it is run in one transaction. It may be run again, and
/// turns tables of version 1 into those of version 2.
///
/// * `zego_delivery`, a receiver without an inbox: `state` is 1 for running, 2 for done, 3 for failed;
///   `owner` and `lease_ends` are set while it is running; `epoch` counts the runs of the handler.
/// * `zego_callback`, an inbox: what was accepted, written once. `body` is what
///   [`to_stored`](zego_record_core::RecordCallback::to_stored) returns.
/// * `zego_work`: what becomes of it. `state` is 1 for done, 2 for discarded, 3 for dead, 4 for waiting, 5
///   for running; `due_at` is when the next attempt of a waiting callback is due, or when the lease of a
///   running one ends; `owner` is set while it is running; `over_at` is since when it is done, discarded or
///   dead; `renewals` is how often a new id was asked for.
/// * `zego_attempt`: the runs of the handler, of each callback the last 100.
/// * `zego_control`: `paused` is 1 while the inbox is paused.
/// * `zego_signature`: replay protection.
///
/// `event` is what [`event_hash`](crate::event_hash) returns. Texts are blobs, since a callback may contain
/// U+0000.
pub const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS zego_meta (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS zego_delivery (
    key BLOB NOT NULL PRIMARY KEY,
    key_version INTEGER NOT NULL DEFAULT 1,
    state INTEGER NOT NULL,
    owner BLOB,
    lease_ends INTEGER,
    epoch INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    event BLOB NOT NULL,
    event_id BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS zego_delivery_event ON zego_delivery (event);
CREATE INDEX IF NOT EXISTS zego_delivery_expires ON zego_delivery (expires);
CREATE TABLE IF NOT EXISTS zego_signature (
    signature BLOB NOT NULL PRIMARY KEY,
    content BLOB NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS zego_signature_expires ON zego_signature (expires);
CREATE TABLE IF NOT EXISTS zego_callback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,
    key_version INTEGER NOT NULL DEFAULT 1,
    event BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    appid BLOB NOT NULL,
    stream_alias BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS zego_callback_event ON zego_callback (event);
CREATE INDEX IF NOT EXISTS zego_callback_stream ON zego_callback (stream_alias);
CREATE TABLE IF NOT EXISTS zego_work (
    id INTEGER NOT NULL PRIMARY KEY,
    due_at INTEGER,
    attempts INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner BLOB,
    state INTEGER NOT NULL,
    over_at INTEGER,
    last_error BLOB,
    renewals INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS zego_work_due ON zego_work (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS zego_work_state ON zego_work (state);
CREATE INDEX IF NOT EXISTS zego_work_over ON zego_work (over_at) WHERE state < 3;
CREATE TABLE IF NOT EXISTS zego_attempt (
    id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT NOT NULL,
    status INTEGER,
    note BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (id, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS zego_control (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO zego_meta (name, value) VALUES ('version', 2)
ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value);
INSERT INTO zego_meta (name, value) VALUES ('compatible', 1) ON CONFLICT (name) DO NOTHING;
";

/// Marks a delivery as done, as [`SqliteStore::record_in`](crate::SqliteStore::record_in) does.
///
/// It returns one row if the delivery was not done before, and none if it was. Run it last in your
/// transaction, and roll the transaction back if no row comes. Parameters:
///
/// 1. the delivery key, a blob of 32 bytes,
/// 2. when the row may be removed: now, plus 30 days for example,
/// 3. what [`event_hash`](crate::event_hash) returns for the event id, a blob of 16 bytes,
/// 4. the event id, a blob.
pub const RECORD: &str = "\
INSERT INTO zego_delivery (key, key_version, state, epoch, changed, expires, event, event_id)
VALUES (?1, 1, 2, 1, 0, ?2, ?3, ?4)
ON CONFLICT (key) DO UPDATE
SET state = 2, owner = NULL, lease_ends = NULL, expires = excluded.expires
WHERE state <> 2
RETURNING epoch";

pub(crate) const FIND_DELIVERY: &str = "\
SELECT key_version, state, owner, lease_ends, epoch, changed, expires FROM zego_delivery WHERE key = ?1";

/// Parameters: event, key, now.
pub(crate) const KNOWS_ANOTHER: &str = "\
SELECT EXISTS (SELECT 1 FROM zego_delivery WHERE event = ?1 AND key <> ?2
AND (expires > ?3 OR (state = 1 AND lease_ends > ?3)))";

/// Parameters: all columns but the version of the key, in their order.
pub(crate) const PUT_DELIVERY: &str = "\
INSERT INTO zego_delivery
(key, key_version, state, owner, lease_ends, epoch, changed, expires, event, event_id)
VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (key) DO UPDATE SET state = excluded.state, owner = excluded.owner,
lease_ends = excluded.lease_ends, epoch = excluded.epoch, changed = excluded.changed,
expires = excluded.expires";

/// Parameters: now, limit.
pub(crate) const PURGE_DELIVERIES: &str = "\
DELETE FROM zego_delivery WHERE rowid IN (SELECT rowid FROM zego_delivery
WHERE expires <= ?1 AND NOT (state = 1 AND ifnull(lease_ends, 0) > ?1) ORDER BY expires LIMIT ?2)";

pub(crate) const FIND_SIGNATURE: &str =
    "SELECT content, expires FROM zego_signature WHERE signature = ?1";

/// Parameters: signature, content, expires.
pub(crate) const PUT_SIGNATURE: &str = "\
INSERT INTO zego_signature (signature, content, expires) VALUES (?1, ?2, ?3)
ON CONFLICT (signature) DO UPDATE SET content = excluded.content, expires = excluded.expires";

/// Parameters: now, limit.
pub(crate) const PURGE_SIGNATURES: &str = "\
DELETE FROM zego_signature WHERE signature IN
(SELECT signature FROM zego_signature WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";

pub(crate) const FIND_META: &str = "SELECT value FROM zego_meta WHERE name = ?1";

/// One of the texts of this module for tables whose names begin with `prefix`.
///
/// ```
/// use zego_record_sqlite::sql;
///
/// assert!(sql::with_prefix(sql::RECORD, "app_").starts_with("INSERT INTO app_delivery "));
/// ```
pub fn with_prefix(text: &str, prefix: &str) -> String {
    text.replace(DEFAULT_PREFIX, prefix)
}

/// Defines the statements of a store, with its prefix.
macro_rules! statements {
    ($name:ident: $($field:ident = $text:expr;)*) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            $(pub(crate) $field: String,)*
        }

        impl $name {
            pub(crate) fn new(prefix: &str) -> Self {
                Self {
                    $($field: $crate::sql::with_prefix($text, prefix),)*
                }
            }

            /// All of them.
            pub(crate) fn all(&self) -> Vec<&str> {
                vec![$(&self.$field,)*]
            }
        }
    };
}
pub(crate) use statements;

statements! { DeliveryStatements:
    record = RECORD;
    find_delivery = FIND_DELIVERY;
    knows_another = KNOWS_ANOTHER;
    put_delivery = PUT_DELIVERY;
    purge_deliveries = PURGE_DELIVERIES;
    find_signature = FIND_SIGNATURE;
    put_signature = PUT_SIGNATURE;
    purge_signatures = PURGE_SIGNATURES;
}

/// All that a store runs, with its prefix.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) schema: String,
    pub(crate) find_meta: String,
    pub(crate) delivery: DeliveryStatements,
    pub(crate) inbox: InboxStatements,
}

impl Statements {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            schema: with_prefix(SCHEMA, prefix),
            find_meta: with_prefix(FIND_META, prefix),
            delivery: DeliveryStatements::new(prefix),
            inbox: InboxStatements::new(prefix),
        }
    }

    /// All that a running store uses.
    pub(crate) fn used(&self) -> impl Iterator<Item = &str> {
        self.delivery.all().into_iter().chain(self.inbox.all())
    }
}

//! The tables and statements of the inbox, equal to the pure transitions of
//! [`WorkRecord`](zego_record_inbox::WorkRecord).

/// Binds a signature, under a condition.
macro_rules! bind {
    ($condition:literal) => {
        concat!(
            "INSERT INTO zego_record.signature AS s (signature, content, expires, stepped_at, applied) \
             SELECT $1, $2, t.now + $3 * interval '1 microsecond', t.now, true \
             FROM (SELECT clock_timestamp() AS now) AS t ",
            $condition,
            " ON CONFLICT (signature) DO UPDATE SET \
             content = CASE WHEN s.expires <= excluded.stepped_at THEN excluded.content ELSE s.content END, \
             expires = CASE WHEN s.expires <= excluded.stepped_at THEN excluded.expires ELSE s.expires END, \
             stepped_at = excluded.stepped_at, applied = s.expires <= excluded.stepped_at"
        )
    };
}

/// The tables that version 2 adds. `work` is narrow and apart from `callback`, since an update writes its
/// row anew. Texts of callbacks are bytes: they may hold U+0000, which `text` rejects. There are no foreign
/// keys: each check of one would lock and write the row that it refers to.
macro_rules! inbox_schema {
    () => {
        "\
CREATE TABLE IF NOT EXISTS zego_record.callback (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key bytea NOT NULL UNIQUE CHECK (octet_length(key) = 32),
    key_version smallint NOT NULL,
    event bytea NOT NULL CHECK (octet_length(event) = 16),
    event_id bytea NOT NULL,
    appid bytea NOT NULL,
    stream_alias bytea NOT NULL,
    received_at timestamptz NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS callback_event ON zego_record.callback (event, id);
CREATE TABLE IF NOT EXISTS zego_record.work (
    id bigint PRIMARY KEY,
    due_at timestamptz,
    attempts integer NOT NULL CHECK (attempts >= 0),
    epoch integer NOT NULL CHECK (epoch >= 0),
    owner bytea CHECK (octet_length(owner) = 16),
    over smallint CHECK (over IN (1, 2, 3)),
    over_at timestamptz,
    last_error bytea,
    renewals integer NOT NULL DEFAULT 0,
    CHECK ((over IS NULL) = (due_at IS NOT NULL)),
    CHECK ((over IS NULL) = (over_at IS NULL)),
    CHECK (over IS NULL OR owner IS NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX IF NOT EXISTS work_due ON zego_record.work (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS work_over ON zego_record.work (over, over_at) WHERE over IS NOT NULL;
CREATE TABLE IF NOT EXISTS zego_record.attempt (
    id bigint NOT NULL,
    epoch integer NOT NULL,
    owner bytea NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text NOT NULL,
    status integer,
    note bytea,
    PRIMARY KEY (id, epoch)
);
CREATE TABLE IF NOT EXISTS zego_record.control (
    name text PRIMARY KEY,
    value text NOT NULL
);
INSERT INTO zego_record.meta AS m (version, oldest_program) VALUES (2, 1)
    ON CONFLICT (one) DO UPDATE SET version = 2 WHERE m.version < 2;
"
    };
}

/// Accepts a callback. Parameters: `$1` signature, 20 bytes, or null to check for no replay; `$2` content,
/// 16 bytes or null; `$3` how long to keep the binding; `$4` delivery key, 32 bytes; `$5`
/// [`event_hash`](crate::sql::event_hash); `$6` event id, `$7` AppID and `$8` stream as `bytea`; `$9`
/// [`RecordCallback::to_stored`](zego_record_core::RecordCallback::to_stored). Returns `accepted smallint`:
/// 1 it is new; 2 it is known or done without an inbox; 3 a receiver without an inbox runs it; 4 the
/// signature is bound to other content. Nothing but 1 stores the callback. Answer only after you have seen
/// the COMMIT, with `synchronous_commit` on.
pub const ACCEPT: &str = concat!(
    "WITH direct AS ( \
     SELECT state = 2 AS is_done FROM zego_record.delivery \
     WHERE key = $4 AND expires > (SELECT clock_timestamp()) \
     AND (state = 2 OR (state = 1 AND lease_ends > (SELECT clock_timestamp())))), \
     bound AS (",
    bind!("WHERE $1 IS NOT NULL AND NOT EXISTS (SELECT FROM direct WHERE NOT is_done)"),
    " RETURNING applied OR content = $2 AS fits), \
     accepted AS ( \
     INSERT INTO zego_record.callback \
     (key, key_version, event, event_id, appid, stream_alias, received_at, body) \
     SELECT $4, 1, substring($5 FROM 1 FOR 16), $6, $7, $8, clock_timestamp(), $9 \
     WHERE NOT EXISTS (SELECT FROM bound WHERE NOT fits) AND NOT EXISTS (SELECT FROM direct) \
     ON CONFLICT (key) DO NOTHING RETURNING id, received_at), \
     begun AS ( \
     INSERT INTO zego_record.work (id, due_at, attempts, epoch) \
     SELECT id, received_at, 0, 0 FROM accepted) \
     SELECT (CASE \
     WHEN EXISTS (SELECT FROM bound WHERE NOT fits) THEN 4 \
     WHEN EXISTS (SELECT FROM direct WHERE NOT is_done) THEN \
     CASE WHEN EXISTS (SELECT FROM zego_record.signature WHERE signature = $1 AND content <> $2 \
     AND expires > (SELECT clock_timestamp())) THEN 4 ELSE 3 END \
     WHEN EXISTS (SELECT FROM accepted) THEN 1 \
     ELSE 2 END)::smallint AS accepted"
);

/// Starts runs. Parameters: `$1` owner, `$2` lease, `$3` how many at most. An attempt that was cut off is
/// not marked here: [`GET`] sees that another run has taken over.
pub(crate) const CLAIM_DUE: &str = "\
WITH due AS ( \
SELECT id, due_at FROM zego_record.work \
WHERE due_at <= (SELECT clock_timestamp()) \
AND NOT EXISTS (SELECT FROM zego_record.control WHERE name = 'paused' AND value = 'true') \
ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED), \
claimed AS ( \
UPDATE zego_record.work AS w SET due_at = clock_timestamp() + $2 * interval '1 microsecond', \
attempts = least(w.attempts, 2147483646) + 1, epoch = least(w.epoch, 2147483646) + 1, owner = $1 \
WHERE w.id = ANY (ARRAY(SELECT id FROM due)) RETURNING w.id, w.epoch, w.attempts, w.renewals), \
begun AS ( \
INSERT INTO zego_record.attempt (id, epoch, owner, started_at, outcome) \
SELECT id, epoch, $1, clock_timestamp(), 'running' FROM claimed ON CONFLICT DO NOTHING), \
forgotten AS ( \
DELETE FROM zego_record.attempt AS a USING claimed \
WHERE a.id = claimed.id AND a.epoch = claimed.epoch - 100) \
SELECT claimed.id, claimed.epoch, claimed.attempts, c.key, c.body, c.received_at, \
EXISTS (SELECT FROM zego_record.callback AS other JOIN zego_record.work AS other_work USING (id) \
WHERE other.event = c.event AND other.id <> c.id AND (other.id < c.id OR other_work.epoch > 0)), \
claimed.renewals \
FROM claimed JOIN due USING (id) LEFT JOIN zego_record.callback AS c USING (id) \
ORDER BY due.due_at, claimed.id";

/// Starts a lease anew. Parameters: `$1` id, `$2` owner, `$3` epoch, `$4` lease. Returns a row if that run
/// holds the callback.
pub(crate) const EXTEND: &str = "\
UPDATE zego_record.work SET due_at = clock_timestamp() + $4 * interval '1 microsecond' \
WHERE id = $1 AND owner = $2 AND epoch = $3 AND over IS NULL RETURNING true";

/// Ends a run. Parameters: `$1` id, `$2` owner, `$3` epoch; `$4` how it is over, or null and `$5` in what
/// time it is due; `$6` how many attempts are given back; for the history `$7` outcome, `$8` status, `$9`
/// note. Returns a row if it is recorded.
pub(crate) const SETTLE: &str = "\
WITH settled AS ( \
UPDATE zego_record.work SET due_at = clock_timestamp() + $5 * interval '1 microsecond', \
attempts = greatest(attempts - $6, 0), owner = NULL, over = $4, \
over_at = CASE WHEN $4 IS NOT NULL THEN clock_timestamp() END, \
last_error = CASE WHEN $4 = 1 THEN NULL ELSE $9 END \
WHERE id = $1 AND CASE WHEN $4 = 1 THEN over IS NULL OR over = 3 \
ELSE owner = $2 AND epoch = $3 AND over IS NULL END \
RETURNING id), \
ended AS ( \
UPDATE zego_record.attempt AS a SET ended_at = clock_timestamp(), outcome = $7, status = $8, note = $9 \
FROM settled WHERE a.id = settled.id AND a.epoch = $3) \
SELECT true FROM settled";

/// Records inside your own transaction that a run is done, if it still holds the callback. Parameters, of
/// [`Delivery::hold`](zego_record_inbox::Delivery::hold): `$1` id, `bigint`; `$2` owner, 16 bytes; `$3`
/// epoch, `bigint`. Returns a row if it does; without one roll back: another run has taken over, or the
/// callback is done. Run it first.
pub const COMMIT_DONE: &str = "\
WITH settled AS ( \
UPDATE zego_record.work SET due_at = NULL, owner = NULL, over = 1, over_at = clock_timestamp(), \
last_error = NULL WHERE id = $1 AND owner = $2 AND epoch = $3 AND over IS NULL RETURNING id), \
ended AS ( \
UPDATE zego_record.attempt AS a SET ended_at = clock_timestamp(), outcome = 'done' \
FROM settled WHERE a.id = settled.id AND a.epoch = $3) \
SELECT true FROM settled";

/// What a list shows of a callback, see [`rows::entry`](super::rows::entry).
macro_rules! entry {
    () => {
        "c.id, c.key, c.event_id, c.appid, c.stream_alias, c.received_at, w.owner IS NOT NULL, w.over, \
         w.attempts, w.due_at, w.over_at, w.last_error"
    };
}

/// Bytes with lower-case ASCII letters, whatever else they hold: what is escaped has no letters.
macro_rules! lower {
    ($bytes:literal) => {
        concat!(
            "decode(lower(encode(",
            $bytes,
            ", 'escape') COLLATE \"C\"), 'escape')"
        )
    };
}

/// What a filter asks for. Parameters: `$1` AppID, `$2` stream, `$3` a text in lower case, `$4` and `$5`
/// between which keys, `$6` and `$7` between which times; null for whatever is not asked for.
/// [`Filter`](super::filter) puts the state in.
macro_rules! matching {
    () => {
        concat!(
            "FROM zego_record.callback AS c JOIN zego_record.work AS w USING (id) \
         WHERE {state} AND ($1 IS NULL OR c.appid = $1) AND ($2 IS NULL OR c.stream_alias = $2) \
         AND ($3 IS NULL OR position($3 IN ",
            lower!("c.event_id"),
            ") > 0 OR position($3 IN ",
            lower!("c.stream_alias"),
            ") > 0 OR position($3 IN ",
            lower!("w.last_error"),
            ") > 0) \
             AND ($4 IS NULL OR c.key >= $4) AND ($5 IS NULL OR c.key < $5) \
         AND ($6 IS NULL OR c.received_at >= timestamptz 'epoch' + $6 * interval '1 microsecond') \
         AND ($7 IS NULL OR c.received_at < timestamptz 'epoch' + $7 * interval '1 microsecond')"
        )
    };
}

/// Parameters: those of the filter; `$8` before which id, or null; `$9` how many at most.
pub(crate) const LIST: &str = concat!(
    "SELECT ",
    entry!(),
    " ",
    matching!(),
    " AND ($8 IS NULL OR c.id < $8) ORDER BY c.id DESC LIMIT $9"
);

/// Parameters: those of the filter.
pub(crate) const COUNT: &str = concat!("SELECT count(*) ", matching!());

/// Parameters: those of the filter; `$8` how many at most. Always in the order of the ids, so that two of
/// these do not wait for each other.
pub(crate) const REDELIVER: &str = concat!(
    "WITH picked AS (SELECT w.id ",
    matching!(),
    " AND w.owner IS NULL ORDER BY w.id LIMIT $8 FOR UPDATE OF w), \
     redelivered AS ( \
     UPDATE zego_record.work SET due_at = clock_timestamp(), attempts = 0, over = NULL, over_at = NULL \
     WHERE id = ANY (ARRAY(SELECT id FROM picked)) RETURNING id) \
     SELECT count(*) FROM redelivered"
);

/// Parameters: those of the filter; `$8` how many at most; `$9` the reason.
pub(crate) const DISCARD: &str = concat!(
    "WITH picked AS (SELECT w.id ",
    matching!(),
    " AND w.owner IS NULL AND (w.over IS NULL OR w.over = 3) ORDER BY w.id LIMIT $8 FOR UPDATE OF w), \
     discarded AS ( \
     UPDATE zego_record.work SET due_at = NULL, over = 2, over_at = clock_timestamp(), last_error = $9 \
     WHERE id = ANY (ARRAY(SELECT id FROM picked)) RETURNING id) \
     SELECT count(*) FROM discarded"
);

/// One callback, in one row for each attempt, the latest first, and the body in the first row alone.
/// Parameter: `$1` delivery key.
pub(crate) const GET: &str = concat!(
    "SELECT ",
    entry!(),
    ", CASE WHEN row_number() OVER (ORDER BY a.epoch DESC) = 1 THEN c.body END, \
     a.epoch, a.started_at, a.ended_at, \
     CASE WHEN a.outcome = 'running' AND (w.owner IS NULL OR w.epoch <> a.epoch) THEN 'lost' \
     ELSE a.outcome END, a.status, a.note \
     FROM zego_record.callback AS c JOIN zego_record.work AS w USING (id) \
     LEFT JOIN zego_record.attempt AS a USING (id) \
     WHERE c.key = $1 ORDER BY a.epoch DESC LIMIT 100"
);

/// The oldest one that waits or runs is the one with the lowest id.
pub(crate) const STATS: &str = "\
SELECT w.waiting, w.running, w.done, w.discarded, w.dead, \
(extract(epoch FROM clock_timestamp() - c.received_at) * 1000000)::bigint, \
EXISTS (SELECT FROM zego_record.control WHERE name = 'paused' AND value = 'true') \
FROM (SELECT count(*) FILTER (WHERE over IS NULL AND owner IS NULL) AS waiting, \
count(*) FILTER (WHERE over IS NULL AND owner IS NOT NULL) AS running, \
count(*) FILTER (WHERE over = 1) AS done, count(*) FILTER (WHERE over = 2) AS discarded, \
count(*) FILTER (WHERE over = 3) AS dead, min(id) FILTER (WHERE over IS NULL) AS oldest \
FROM zego_record.work) AS w LEFT JOIN zego_record.callback AS c ON c.id = w.oldest";

/// Parameter: `$1` `true` or `false`.
pub(crate) const SET_PAUSED: &str = "\
INSERT INTO zego_record.control (name, value) VALUES ('paused', $1) \
ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Parameters: `$1` how long to keep what is done or discarded, `$2` how many to remove at most.
pub(crate) const PRUNE: &str = "\
WITH old AS ( \
SELECT id FROM zego_record.work \
WHERE over IN (1, 2) AND over_at <= (SELECT clock_timestamp()) - $1 * interval '1 microsecond' \
LIMIT $2 FOR UPDATE SKIP LOCKED), \
attempts AS (DELETE FROM zego_record.attempt WHERE id = ANY (ARRAY(SELECT id FROM old))), \
callbacks AS (DELETE FROM zego_record.callback WHERE id = ANY (ARRAY(SELECT id FROM old))), \
gone AS (DELETE FROM zego_record.work WHERE id = ANY (ARRAY(SELECT id FROM old)) RETURNING id) \
SELECT count(*) FROM gone";

/// Parameter: `$1` delivery key. Returns a row if it is there.
pub(crate) const RENEW: &str = "\
UPDATE zego_record.work SET renewals = least(renewals, 2147483646) + 1 \
WHERE id = (SELECT id FROM zego_record.callback WHERE key = $1) RETURNING true";

/// Keeps others from starting a run while a callback is erased, so that [`ERASE`] sees all its attempts.
/// Parameter: `$1` delivery key.
pub(crate) const ERASE_LOCK: &str = "\
SELECT FROM zego_record.work WHERE id = (SELECT id FROM zego_record.callback WHERE key = $1) FOR UPDATE";

/// Parameter: `$1` delivery key. Returns a row if it was there.
pub(crate) const ERASE: &str = "\
WITH gone AS (DELETE FROM zego_record.callback WHERE key = $1 RETURNING id), \
attempts AS (DELETE FROM zego_record.attempt USING gone WHERE attempt.id = gone.id), \
works AS (DELETE FROM zego_record.work USING gone WHERE work.id = gone.id) \
SELECT true FROM gone";

/// The statements in the schema of the user's choice.
pub(crate) struct InboxStatements {
    pub(crate) accept: String,
    pub(crate) claim_due: String,
    pub(crate) extend: String,
    pub(crate) settle: String,
    pub(crate) commit_done: String,
    pub(crate) list: String,
    pub(crate) count: String,
    pub(crate) redeliver: String,
    pub(crate) renew: String,
    pub(crate) discard: String,
    pub(crate) get: String,
    pub(crate) stats: String,
    pub(crate) set_paused: String,
    pub(crate) prune: String,
    pub(crate) erase_lock: String,
    pub(crate) erase: String,
}

impl InboxStatements {
    pub(crate) fn new(schema: &str) -> Self {
        let statement = |text| crate::sql::in_schema(text, schema);
        Self {
            accept: statement(ACCEPT),
            claim_due: statement(CLAIM_DUE),
            extend: statement(EXTEND),
            settle: statement(SETTLE),
            commit_done: statement(COMMIT_DONE),
            list: statement(LIST),
            count: statement(COUNT),
            redeliver: statement(REDELIVER),
            renew: statement(RENEW),
            discard: statement(DISCARD),
            get: statement(GET),
            stats: statement(STATS),
            set_paused: statement(SET_PAUSED),
            prune: statement(PRUNE),
            erase_lock: statement(ERASE_LOCK),
            erase: statement(ERASE),
        }
    }
}

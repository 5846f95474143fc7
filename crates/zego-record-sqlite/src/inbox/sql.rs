//! The statements of an inbox. The columns of a work record always come in the same order.

use crate::sql::statements;

statements! { InboxStatements:
    find_id = "SELECT id FROM zego_callback WHERE key = ?1";
    put_callback = "\
INSERT INTO zego_callback
(key, key_version, event, received_at, event_id, appid, stream_alias, body)
VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7)";
    put_work = "INSERT INTO zego_work (id, due_at, attempts, epoch) VALUES (?1, ?2, ?3, ?4)";

    is_paused = "SELECT value <> 0 FROM zego_control WHERE name = 'paused'";
    set_paused = "\
INSERT INTO zego_control (name, value) VALUES ('paused', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    // Without a limit, since its reader stops when it has enough that can be read.
    find_due = "\
SELECT w.due_at, w.attempts, w.epoch, w.owner, w.over, w.over_at,
w.id, c.key_version, c.key, c.received_at, c.body
FROM zego_work w LEFT JOIN zego_callback c ON c.id = w.id
WHERE w.due_at <= ?1 ORDER BY w.due_at, w.id";
    is_changed = "\
SELECT EXISTS (SELECT 1 FROM zego_callback c JOIN zego_callback o ON o.event = c.event
WHERE c.id = ?1 AND o.id <> c.id
AND (o.id < c.id OR EXISTS (SELECT 1 FROM zego_work w WHERE w.id = o.id AND w.epoch > 0)))";
    find_work = "\
SELECT due_at, attempts, epoch, owner, over, over_at FROM zego_work WHERE id = ?1";
    save_work = "\
UPDATE zego_work SET due_at = ?2, attempts = ?3, epoch = ?4, owner = ?5, over = ?6, over_at = ?7
WHERE id = ?1";
    set_error = "UPDATE zego_work SET last_error = ?2 WHERE id = ?1";
    bury = "\
UPDATE zego_work SET due_at = NULL, owner = NULL, over = 3, over_at = ?2, last_error = ?3
WHERE id = ?1";
    // Parameters: id, owner, epoch, now.
    finish = "\
UPDATE zego_work SET due_at = NULL, owner = NULL, over = 1, over_at = ?4, last_error = NULL
WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND over IS NULL";

    start_attempt = "\
INSERT OR REPLACE INTO zego_attempt (id, epoch, owner, started_at, outcome)
VALUES (?1, ?2, ?3, ?4, 'running')";
    cut_attempts = "DELETE FROM zego_attempt WHERE id = ?1 AND epoch <= ?2";
    end_attempt = "\
UPDATE zego_attempt SET ended_at = ?3, outcome = ?4, status = ?5, note = ?6
WHERE id = ?1 AND epoch = ?2";
    lose_attempts = "\
UPDATE zego_attempt SET outcome = 'lost' WHERE id = ?1 AND epoch <> ?2 AND outcome = 'running'";
    find_attempts = "\
SELECT epoch, started_at, ended_at, outcome, status, note FROM zego_attempt
WHERE id = ?1 ORDER BY epoch DESC LIMIT ?2";

    find_entry = "\
SELECT c.id, c.key, c.event_id, c.appid, c.stream_alias, c.received_at,
w.state, w.attempts, w.due_at, w.over_at, w.last_error, c.body
FROM zego_callback c JOIN zego_work w ON w.id = c.id WHERE c.key = ?1";
    // What is to be matched is appended to these.
    list = "\
SELECT c.id, c.key, c.event_id, c.appid, c.stream_alias, c.received_at,
w.state, w.attempts, w.due_at, w.over_at, w.last_error
FROM zego_work w JOIN zego_callback c ON c.id = w.id WHERE true";
    count = "SELECT count(*) FROM zego_work w JOIN zego_callback c ON c.id = w.id WHERE true";
    count_work = "SELECT count(*) FROM zego_work w WHERE true";
    matching_ids = "SELECT w.id FROM zego_work w JOIN zego_callback c ON c.id = w.id WHERE true";
    matching_work = "\
SELECT w.due_at, w.attempts, w.epoch, w.owner, w.over, w.over_at
FROM zego_work w JOIN zego_callback c ON c.id = w.id WHERE true";

    count_states = "SELECT state, count(*) FROM zego_work GROUP BY state";
    oldest_in_state = "\
SELECT c.received_at FROM zego_callback c
WHERE c.id = (SELECT id FROM zego_work WHERE state = ?1 ORDER BY id LIMIT 1)";

    // Parameters: over since, limit. The rows of work go last, since they say which are meant.
    prune_attempts = "\
DELETE FROM zego_attempt WHERE id IN (SELECT id FROM zego_work
WHERE over < 3 AND over_at <= ?1 ORDER BY over_at, id LIMIT ?2)";
    prune_callbacks = "\
DELETE FROM zego_callback WHERE id IN (SELECT id FROM zego_work
WHERE over < 3 AND over_at <= ?1 ORDER BY over_at, id LIMIT ?2)";
    prune_work = "\
DELETE FROM zego_work WHERE id IN (SELECT id FROM zego_work
WHERE over < 3 AND over_at <= ?1 ORDER BY over_at, id LIMIT ?2)";

    erase_attempts = "DELETE FROM zego_attempt WHERE id = ?1";
    erase_work = "DELETE FROM zego_work WHERE id = ?1";
    erase_callback = "DELETE FROM zego_callback WHERE id = ?1";
    erase_delivery = "DELETE FROM zego_delivery WHERE key = ?1";
}

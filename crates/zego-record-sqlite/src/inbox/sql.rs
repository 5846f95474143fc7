//! The statements of an inbox. The columns of a work record always come in the same order.

use crate::sql::statements;

statements! { InboxStatements:
    find_id = "SELECT id FROM zego_callback WHERE key = ?1";
    put_callback = "\
INSERT INTO zego_callback
(key, key_version, event, received_at, event_id, appid, stream_alias, body)
VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7)";
    put_work = "\
INSERT INTO zego_work (id, due_at, attempts, epoch, state) VALUES (?1, ?2, ?3, ?4, ?5)";

    is_paused = "SELECT value <> 0 FROM zego_control WHERE name = 'paused'";
    set_paused = "\
INSERT INTO zego_control (name, value) VALUES ('paused', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    // Without a limit, since its reader stops when it has enough that can be read.
    find_due = "\
SELECT w.due_at, w.attempts, w.epoch, w.owner, w.state, w.over_at,
w.id, c.key_version, c.key, c.received_at, c.body
FROM zego_work w LEFT JOIN zego_callback c ON c.id = w.id
WHERE w.due_at <= ?1 ORDER BY w.due_at, w.id";
    is_changed = "\
SELECT EXISTS (SELECT 1 FROM zego_callback c JOIN zego_callback o ON o.event = c.event
WHERE c.id = ?1 AND o.id <> c.id
AND (o.id < c.id OR EXISTS (SELECT 1 FROM zego_work w WHERE w.id = o.id AND w.epoch > 0)))";
    find_work = "\
SELECT due_at, attempts, epoch, owner, state, over_at FROM zego_work WHERE id = ?1";
    save_work = "\
UPDATE zego_work SET due_at = ?2, attempts = ?3, epoch = ?4, owner = ?5, state = ?6, over_at = ?7
WHERE id = ?1";
    find_renewals = "SELECT renewals FROM zego_work WHERE id = ?1";
    renew = "\
UPDATE zego_work SET renewals = min(renewals, 2147483646) + 1
WHERE id = (SELECT id FROM zego_callback WHERE key = ?1)";
    set_error = "UPDATE zego_work SET last_error = ?2 WHERE id = ?1";
    bury = "\
UPDATE zego_work SET due_at = NULL, owner = NULL, state = 3, over_at = ?2, last_error = ?3
WHERE id = ?1";
    // Parameters: id, owner, epoch, now.
    finish = "\
UPDATE zego_work SET due_at = NULL, owner = NULL, state = 1, over_at = ?4, last_error = NULL
WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND state = 5";

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
SELECT w.due_at, w.attempts, w.epoch, w.owner, w.state, w.over_at
FROM zego_work w JOIN zego_callback c ON c.id = w.id WHERE true";

    count_states = "SELECT state, count(*) FROM zego_work GROUP BY state";
    oldest_in_state = "\
SELECT c.received_at FROM zego_callback c
WHERE c.id = (SELECT id FROM zego_work WHERE state = ?1 ORDER BY id LIMIT 1)";

    // Parameters: over since, limit. The rows of work go last, since they say which are meant.
    prune_attempts = "\
DELETE FROM zego_attempt WHERE id IN (SELECT id FROM zego_work
WHERE state < 3 AND over_at <= ?1 ORDER BY over_at, id LIMIT ?2)";
    prune_callbacks = "\
DELETE FROM zego_callback WHERE id IN (SELECT id FROM zego_work
WHERE state < 3 AND over_at <= ?1 ORDER BY over_at, id LIMIT ?2)";
    prune_work = "\
DELETE FROM zego_work WHERE id IN (SELECT id FROM zego_work
WHERE state < 3 AND over_at <= ?1 ORDER BY over_at, id LIMIT ?2)";

    erase_attempts = "DELETE FROM zego_attempt WHERE id = ?1";
    erase_work = "DELETE FROM zego_work WHERE id = ?1";
    erase_callback = "DELETE FROM zego_callback WHERE id = ?1";
    erase_delivery = "DELETE FROM zego_delivery WHERE key = ?1";
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use zego_record_inbox::{EntryState, Filter};

    use crate::inbox::add_functions;
    use crate::inbox::filter::Conditions;
    use crate::sql::Statements;

    /// How SQLite runs a statement.
    fn plan(connection: &Connection, statement: &str) -> String {
        let mut explain = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
            .unwrap();
        for parameter in 1..=explain.parameter_count() {
            explain.raw_bind_parameter(parameter, 1).unwrap();
        }
        let (mut rows, mut plan) = (explain.raw_query(), String::new());
        while let Some(row) = rows.next().unwrap() {
            plan.push_str(&row.get::<_, String>(3).unwrap());
            plan.push('\n');
        }
        plan
    }

    fn database() -> (Connection, Statements) {
        let connection = Connection::open_in_memory().unwrap();
        let statements = Statements::new("zego_");
        connection.execute_batch(&statements.schema).unwrap();
        add_functions(&connection).unwrap();
        (connection, statements)
    }

    #[test]
    fn no_statement_reads_or_sorts_a_whole_table() {
        let (connection, statements) = database();
        for statement in statements.used() {
            let is_searched = !statement.ends_with("WHERE true");
            let plan = plan(&connection, statement);
            let plan = plan.replace("SCAN zego_work USING COVERING INDEX zego_work_state", "");
            let is_good = !plan.contains("SCAN zego_") && !plan.contains("TEMP B-TREE");
            assert!(!is_searched || is_good, "{statement}\n{plan}");
        }
    }

    #[test]
    fn lists_come_from_an_index() {
        let (connection, statements) = database();
        let list = |filter: &Filter| {
            let mut conditions = Conditions::new(filter);
            conditions.add("w.id < ?", [9]);
            let list = &statements.inbox.list;
            plan(
                &connection,
                &conditions.append_to(list, " ORDER BY w.id DESC LIMIT 9"),
            )
        };
        let newest = list(&Filter::all());
        assert!(
            newest.contains("SEARCH w USING INTEGER PRIMARY KEY"),
            "{newest}"
        );
        let dead = list(&Filter::in_state(EntryState::Dead));
        assert!(dead.contains("zego_work_state (state=?"), "{dead}");
        for plan in [newest, dead] {
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        let mut filter = Filter::in_state(EntryState::Dead);
        filter.stream_alias = Some("lesson".to_owned());
        let of_stream = list(&filter);
        assert!(of_stream.contains("zego_callback_stream"), "{of_stream}");
        filter.key_prefix = Some(vec![1]);
        filter.stream_alias = None;
        let of_key = list(&filter);
        assert!(of_key.contains("(key>? AND key<?)"), "{of_key}");
    }
}

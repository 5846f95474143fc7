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
INSERT INTO zego_meta (name, value) VALUES ('version', 1) ON CONFLICT (name) DO NOTHING;
INSERT INTO zego_meta (name, value) VALUES ('compatible', 1) ON CONFLICT (name) DO NOTHING;

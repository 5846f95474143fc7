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
INSERT INTO zego_record.meta (version, oldest_program) VALUES (1, 1) ON CONFLICT (one) DO NOTHING;

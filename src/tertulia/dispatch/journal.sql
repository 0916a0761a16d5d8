-- The dispatcher's own file. It may lose its newest transactions with the power, never a part of
-- one: then a cursor is older than the deliveries, and events are sent again.

CREATE TABLE IF NOT EXISTS epoch (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS progress (
    application_id TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL,
    waiting_since INTEGER
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS totals (
    application_id TEXT PRIMARY KEY,
    delivered INTEGER NOT NULL,
    failed INTEGER NOT NULL
) WITHOUT ROWID;

-- An application's own stream has the empty conversation: a key holds no NULL.
CREATE TABLE IF NOT EXISTS held (
    application_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    target TEXT NOT NULL,
    about TEXT NOT NULL,
    after INTEGER NOT NULL,
    position INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    failing_since INTEGER,
    not_before INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (application_id, conversation_id, target, about)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS attempts (
    number INTEGER PRIMARY KEY,
    application_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    target TEXT NOT NULL,
    purpose TEXT NOT NULL,
    event_id INTEGER,
    position INTEGER NOT NULL,
    type TEXT NOT NULL,
    url TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    status INTEGER,
    reason TEXT,
    body_head BLOB NOT NULL,
    delivered INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_of_conversation ON attempts (conversation_id, number);
CREATE INDEX IF NOT EXISTS failed_attempts ON attempts (application_id, number) WHERE NOT delivered;

CREATE TABLE IF NOT EXISTS dead_letters (
    number INTEGER PRIMARY KEY,
    application_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    target TEXT NOT NULL,
    event_id INTEGER,
    position INTEGER NOT NULL,
    type TEXT NOT NULL,
    tries INTEGER NOT NULL,
    failing_since INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (application_id, position, target)
);

CREATE TABLE IF NOT EXISTS replays (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    application_id TEXT NOT NULL,
    conversation_id TEXT,
    first INTEGER,
    last INTEGER,
    target TEXT,
    requested_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    after INTEGER,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS replays_waiting ON replays (id) WHERE state = 'waiting';

-- Version 1. What a released version contains is never edited: later ones are in migrations.py.
--
-- The big tables carry narrow integers: `application` and `conversation`/`stream` are the
-- `number` of a row here, never an id of the wire.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- An application that events name keeps its row; `application` is NULL when it is deleted, or
-- when events came before it.
CREATE TABLE applications (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL DEFAULT 0,
    application BLOB
);

CREATE TABLE users (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    application INTEGER NOT NULL,
    name TEXT NOT NULL,
    destroyed_at INTEGER,
    user BLOB NOT NULL
);
CREATE UNIQUE INDEX users_by_name ON users (application, name) WHERE destroyed_at IS NULL;
CREATE INDEX users_by_application ON users (application) WHERE destroyed_at IS NULL;

-- `place` is the time of creation with the low bits of the number (guards.place): one integer that is
-- order, cursor and range of dates.
CREATE TABLE conversations (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    application INTEGER NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    place INTEGER NOT NULL,
    sort_key TEXT NOT NULL,
    expires_at INTEGER,
    profile BLOB NOT NULL
);
CREATE UNIQUE INDEX conversations_by_name ON conversations (application, name)
    WHERE state <> 'DELETED';
CREATE INDEX conversations_by_place ON conversations (application, place)
    WHERE state <> 'DELETED';
CREATE INDEX conversations_by_sort_key ON conversations (application, sort_key)
    WHERE state <> 'DELETED';
CREATE INDEX conversations_by_expiry ON conversations (expires_at) WHERE expires_at IS NOT NULL;

-- `number` is the order of arrival. `place` is the conversation's, copied so that one index lists a
-- user's conversations in order.
CREATE TABLE members (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    state TEXT NOT NULL,
    place INTEGER NOT NULL,
    member BLOB NOT NULL
);
CREATE INDEX members_by_conversation ON members (conversation);
CREATE INDEX members_by_user ON members (user_id, place);

-- `position` is the order of commits. `stream` and `id` are NULL for events of no conversation.
CREATE TABLE log (
    position INTEGER PRIMARY KEY,
    application INTEGER NOT NULL,
    stream INTEGER,
    id INTEGER,
    type TEXT NOT NULL,
    deleted_at INTEGER,
    record BLOB NOT NULL
);
-- With the type, so that a search for a rare one goes through the index alone. Numbers are unique
-- because the writer gives them, and a writer that is behind another's is stopped by `position`.
CREATE INDEX log_by_stream ON log (stream, id, type) WHERE id IS NOT NULL;
CREATE INDEX log_by_application ON log (application);

CREATE TABLE receipts (
    stream INTEGER NOT NULL,
    event INTEGER NOT NULL,
    kind TEXT NOT NULL,
    member TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (stream, event, kind, member)
) WITHOUT ROWID;

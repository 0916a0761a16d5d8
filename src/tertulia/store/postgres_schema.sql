-- Version 1, in the schema `tertulia`. What a released version contains is never edited: later ones
-- are in postgres_migrations.py. The tables are those of SQLite (schema.sql and its successors).
--
-- Texts are compared octet by octet, as everywhere else in the program. Records and values are
-- JSON kept as text: they are put together to answers as they are, and a record may hold what
-- PostgreSQL's own JSON types refuse.

CREATE TABLE meta (
    key text PRIMARY KEY,
    value text NOT NULL
);

-- One row: where the log ends, and which batch wrote last. Whoever writes locks it first, and holds
-- it until the commit: so positions are in the order of commits, and nothing a writer has read
-- since changes under it. Half empty pages keep its versions in their page.
CREATE TABLE head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL,
    writer text NOT NULL,
    batch bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO head (position, writer, batch) VALUES (0, '', 0);

-- The last batch of every writer, noted in the batch's own transaction: how a writer that lost its
-- connection in a commit finds out what became of it.
CREATE TABLE writers (
    id text PRIMARY KEY,
    batch bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);

CREATE TABLE applications (
    number bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    created_at bigint NOT NULL DEFAULT 0,
    application text
);

CREATE TABLE users (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    application bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    destroyed_at bigint,
    "user" text NOT NULL
);
CREATE UNIQUE INDEX users_by_name ON users (application, name) WHERE destroyed_at IS NULL;
CREATE INDEX users_by_application ON users (application, number) WHERE destroyed_at IS NULL;

CREATE TABLE conversations (
    number bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    application bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    state text NOT NULL,
    place bigint NOT NULL,
    sort_key text COLLATE "C" NOT NULL,
    expires_at bigint,
    profile text NOT NULL
);
CREATE UNIQUE INDEX conversations_by_name ON conversations (application, name)
    WHERE state <> 'DELETED';
CREATE INDEX conversations_by_place ON conversations (application, place)
    WHERE state <> 'DELETED';
CREATE INDEX conversations_by_sort_key ON conversations (application, sort_key, number)
    WHERE state <> 'DELETED';
CREATE INDEX conversations_by_expiry ON conversations (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE members (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    conversation bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    state text NOT NULL,
    address text COLLATE "C",
    place bigint NOT NULL,
    member text NOT NULL
);
CREATE INDEX members_by_conversation ON members (conversation, number);
CREATE INDEX members_by_user ON members (user_id, place, number);
CREATE INDEX members_by_address ON members (address, number) WHERE address IS NOT NULL;

-- `about`: which other event the body names, if it names one.
CREATE TABLE log (
    position bigint PRIMARY KEY,
    application bigint NOT NULL,
    stream bigint,
    id bigint,
    about bigint,
    deleted_at bigint,
    type text COLLATE "C" NOT NULL,
    record text NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);
-- Unique also as the last guard of the numbering. What else is asked of many events is in the index.
CREATE UNIQUE INDEX log_by_stream ON log (stream, id) INCLUDE (type, position)
    WHERE id IS NOT NULL;
CREATE INDEX log_by_application ON log (application, position);

CREATE TABLE receipts (
    stream bigint NOT NULL,
    event bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (stream, event, kind, member)
);

CREATE TABLE legs (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    application bigint NOT NULL,
    conversation bigint,
    user_id text COLLATE "C",
    is_over boolean NOT NULL,
    started_at bigint NOT NULL,
    call_status text COLLATE "C",
    leg text NOT NULL
);
CREATE INDEX legs_by_application ON legs (application, number);
CREATE INDEX legs_by_conversation ON legs (conversation, number) WHERE conversation IS NOT NULL;
CREATE INDEX legs_open ON legs (number) WHERE NOT is_over;
CREATE INDEX calls_by_application
    ON legs (application, started_at, number) INCLUDE (call_status, user_id)
    WHERE call_status IS NOT NULL;

CREATE TABLE sendings (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    application bigint NOT NULL,
    stage bigint NOT NULL,
    due_at bigint,
    sending text NOT NULL
);
CREATE INDEX sendings_waiting ON sendings (number) WHERE stage = 0;
CREATE INDEX sendings_due ON sendings (due_at) WHERE stage = 1;

CREATE TABLE message_refs (
    carrier text COLLATE "C" NOT NULL,
    ref text COLLATE "C" NOT NULL,
    sending text COLLATE "C" NOT NULL,
    PRIMARY KEY (carrier, ref)
);

CREATE TABLE inbounds (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    application bigint NOT NULL,
    carrier text COLLATE "C" NOT NULL,
    ref text COLLATE "C" NOT NULL,
    is_waiting boolean NOT NULL,
    inbound text NOT NULL
);
CREATE INDEX inbounds_by_ref ON inbounds (carrier, ref);
CREATE INDEX inbounds_waiting ON inbounds (number) WHERE is_waiting;

CREATE TABLE bookmarks (
    name text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL
);

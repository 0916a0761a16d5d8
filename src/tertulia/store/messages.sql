-- Version 4: messages of messaging channels, whom they reach in conversations, and how far followers
-- of the log have come.
-- `stage` of a sending: 0 waits for a carrier, 1 is with one, 2 is over.

CREATE TABLE sendings (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    application INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    due_at INTEGER,
    sending BLOB NOT NULL
);
CREATE INDEX sendings_waiting ON sendings (number) WHERE stage = 0;
CREATE INDEX sendings_due ON sendings (due_at) WHERE stage = 1;

CREATE TABLE message_refs (
    carrier TEXT NOT NULL,
    ref TEXT NOT NULL,
    sending TEXT NOT NULL,
    PRIMARY KEY (carrier, ref)
) WITHOUT ROWID;

CREATE TABLE inbounds (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    application INTEGER NOT NULL,
    carrier TEXT NOT NULL,
    ref TEXT NOT NULL,
    is_waiting INTEGER NOT NULL,
    inbound BLOB NOT NULL
);
CREATE INDEX inbounds_by_ref ON inbounds (carrier, ref);
CREATE INDEX inbounds_waiting ON inbounds (is_waiting) WHERE is_waiting = 1;

ALTER TABLE members ADD COLUMN address TEXT;
UPDATE members SET address = json_extract(CAST(member AS TEXT), '$.channel.type') || ':' || ltrim(
    ifnull(json_extract(CAST(member AS TEXT), '$.channel.to.number'),
           json_extract(CAST(member AS TEXT), '$.channel.to.id')), '+')
WHERE state = 'JOINED' AND json_extract(CAST(member AS TEXT), '$.channel.type')
    IN ('sms', 'mms', 'whatsapp', 'viber', 'messenger', 'rcs');
CREATE INDEX members_by_address ON members (address) WHERE address IS NOT NULL;

CREATE TABLE bookmarks (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- What is known of the media files; their content lies beside, in files named by id.

CREATE TABLE media (
    id TEXT PRIMARY KEY,
    upload TEXT NOT NULL,
    application TEXT NOT NULL,
    size INTEGER NOT NULL,
    file TEXT NOT NULL,
    is_ready INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX media_by_upload ON media (upload);

-- Files that are being written or taken away: whoever opens the store cleans up after them.
CREATE INDEX media_unready ON media (id) WHERE NOT is_ready;

CREATE TABLE room (
    application TEXT PRIMARY KEY,
    taken INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE attached (
    media TEXT NOT NULL,
    conversation TEXT NOT NULL,
    PRIMARY KEY (media, conversation)
) WITHOUT ROWID;

CREATE TABLE secret (only INTEGER PRIMARY KEY CHECK (only = 1), value BLOB NOT NULL);

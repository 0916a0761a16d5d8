-- Version 2: legs, as their newest status event left them.

CREATE TABLE legs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    application INTEGER NOT NULL,
    conversation INTEGER,
    user_id TEXT,
    is_over INTEGER NOT NULL,
    leg BLOB NOT NULL
);
CREATE INDEX legs_by_application ON legs (application);
CREATE INDEX legs_by_conversation ON legs (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX legs_open ON legs (is_over) WHERE is_over = 0;

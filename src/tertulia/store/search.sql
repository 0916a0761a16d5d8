-- The search index: made from the log, dropped and made again when this file's version changes.
--
-- `scope` puts application and conversation among the words, so that a search is narrowed by the
-- index and not row by row. Short beginnings are indexed: looked up, they would be half of all words.

-- The line '' is the whole log.
CREATE TABLE progress (line TEXT PRIMARY KEY, epoch TEXT, upto INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO progress VALUES ('', NULL, 0);

-- Applications and conversations.
CREATE TABLE names (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);

CREATE TABLE texts (
    position INTEGER PRIMARY KEY,
    application INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    event INTEGER NOT NULL,
    author TEXT,
    text TEXT NOT NULL,
    scope TEXT GENERATED ALWAYS AS ('a' || application || ' c' || conversation) VIRTUAL
);
CREATE UNIQUE INDEX texts_by_event ON texts (conversation, event);

CREATE VIRTUAL TABLE words USING fts5(
    scope, text, content='texts', content_rowid='position',
    tokenize='unicode61 remove_diacritics 2', prefix='2 3'
);
CREATE TRIGGER texts_said AFTER INSERT ON texts BEGIN
    INSERT INTO words (rowid, scope, text) VALUES (new.position, new.scope, new.text);
END;
CREATE TRIGGER texts_removed AFTER DELETE ON texts BEGIN
    INSERT INTO words (words, rowid, scope, text)
    VALUES ('delete', old.position, old.scope, old.text);
END;
CREATE TRIGGER texts_changed AFTER UPDATE OF text ON texts BEGIN
    INSERT INTO words (words, rowid, scope, text)
    VALUES ('delete', old.position, old.scope, old.text);
    INSERT INTO words (rowid, scope, text) VALUES (new.position, new.scope, new.text);
END;

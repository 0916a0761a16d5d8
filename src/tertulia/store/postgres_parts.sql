-- Version 3: the log in parts, each of so many positions one after the other.
--
-- Events come at the end: what is written, and the indexes that are written with it, stay the size
-- of one part however long the log gets. Older parts only deletions touch, so vacuum leaves them
-- alone, and each may be on a disk of its own (docs/postgresql.md).

INSERT INTO meta VALUES ('log_part', '20000000');

-- The first position that no part has room for. Writers read it under the lock of the row, and add
-- a part in the transaction that needs it.
ALTER TABLE head ADD COLUMN log_end bigint NOT NULL DEFAULT 0;

-- Where the log ended when the conversation came: none of its events is in the parts before.
ALTER TABLE conversations ADD COLUMN since bigint NOT NULL DEFAULT 0;

ALTER TABLE log RENAME TO log_0;
ALTER INDEX log_pkey RENAME TO log_0_pkey;
ALTER INDEX log_by_application RENAME TO log_0_by_application;
ALTER INDEX log_by_stream RENAME TO log_0_by_stream;

CREATE TABLE log (LIKE log_0) PARTITION BY RANGE (position);
ALTER TABLE log ADD PRIMARY KEY (position);
CREATE INDEX log_by_application ON log (application, position);

-- Attached, not made in its place: so reading goes on meanwhile. Within a part the numbering has
-- its last guard, an index that the whole cannot have without the position in it.
CREATE FUNCTION extend_log(upto bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    size bigint := (SELECT value FROM meta WHERE key = 'log_part');
    low bigint := (SELECT log_end FROM head);
    part text;
BEGIN
    IF low > upto THEN
        RETURN low;
    END IF;
    WHILE low <= upto LOOP
        part := 'log_' || low;
        EXECUTE format('CREATE TABLE %I (LIKE log INCLUDING INDEXES)'
            ' WITH (autovacuum_vacuum_insert_scale_factor = 0.02)', part);
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (stream, id) INCLUDE (type, position)'
            ' WHERE id IS NOT NULL', part || '_by_stream', part);
        EXECUTE format('ALTER TABLE log ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            part, low, low + size);
        low := low + size;
    END LOOP;
    UPDATE head SET log_end = low;
    RETURN low;
END $$;

-- What there is becomes the first part, however long it is.
DO $$
DECLARE
    size bigint := (SELECT value FROM meta WHERE key = 'log_part');
    upto bigint := ((SELECT position FROM head) / size + 1) * size;
BEGIN
    EXECUTE format('ALTER TABLE log ATTACH PARTITION log_0 FOR VALUES FROM (0) TO (%s)', upto);
    UPDATE head SET log_end = upto;
END $$;

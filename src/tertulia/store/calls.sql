-- Version 3: legs that are calls can be counted and listed by status and time.
-- The index holds all that is asked for: rows of legs are large.

ALTER TABLE legs ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE legs ADD COLUMN call_status TEXT;
UPDATE legs SET
    started_at = json_extract(CAST(leg AS TEXT), '$.started_at'),
    call_status = CASE WHEN json_extract(CAST(leg AS TEXT), '$.is_call')
                       THEN json_extract(CAST(leg AS TEXT), '$.status') END;
CREATE INDEX calls_by_application
    ON legs (application, started_at, number, call_status, user_id) WHERE call_status IS NOT NULL;

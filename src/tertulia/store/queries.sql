-- Every query answers with one row of JSON text, put together from stored JSON without parsing it:
-- the interpreter lock is handed over once a query instead of once a row, which under load costs
-- more than the query. A `page` has a column `line` and is made one array by queries.py.
--
-- {direction} is ASC or DESC. A `fragment` is spliced where its name stands in braces.

-- ---------------------------------------------------------------- the log

-- fragment: event
'[' || json_array(l.position, a.id, c.id, l.id, l.type, l.deleted_at) || ',' || l.record || ','
    || (SELECT json_group_array(json_array(r.kind, r.member, r.at))
        FROM receipts AS r WHERE r.stream = l.stream AND r.event = l.id)
    || ']' AS line
FROM log AS l
JOIN applications AS a ON a.number = l.application
LEFT JOIN conversations AS c ON c.number = l.stream

-- page: event
SELECT {event}
WHERE l.stream = (SELECT number FROM conversations WHERE id = :conversation) AND l.id = :event

-- page: events
SELECT {event}
WHERE l.stream = (SELECT number FROM conversations WHERE id = :conversation)
  AND l.id > :after AND l.id < :before
  AND (:types IS NULL
       OR l.type IN (SELECT value FROM json_each(:types))
       OR (:custom AND l.type GLOB 'custom:*'))
  AND (:about IS NULL
       OR coalesce(CAST(l.record AS TEXT)->>'$.body.event_id',
                   CAST(l.record AS TEXT)->>'$.body.original_event_id')
           IN (SELECT value FROM json_each(:about)))
  AND NOT (:exclude_deleted AND l.deleted_at IS NOT NULL)
ORDER BY l.id {direction} LIMIT :limit

-- page: follow
SELECT {event}
WHERE l.position > :after
ORDER BY l.position LIMIT :limit

-- page: follow_application
SELECT {event}
WHERE l.application = (SELECT number FROM applications WHERE id = :application)
  AND l.position > :after
ORDER BY l.position LIMIT :limit

-- In each conversation the events behind the newest that is not newer than :after: the index holds
-- positions, so it is walked back only over what is asked for.
-- page: follow_user
SELECT {event}
WHERE l.position IN (
    SELECT n.position
    FROM (
        SELECT DISTINCT w.conversation FROM members AS w
        CROSS JOIN conversations AS c ON c.number = w.conversation
        WHERE w.user_id = :user AND c.state <> 'DELETED') AS m
    CROSS JOIN log AS n ON n.stream = m.conversation AND n.id > ifnull((
        SELECT o.id FROM log AS o
        WHERE o.stream = m.conversation AND o.id IS NOT NULL AND o.position <= :after
        ORDER BY o.id DESC LIMIT 1), 0))
ORDER BY l.position LIMIT :limit

-- name: head
SELECT json_quote(ifnull(max(position), 0)) FROM log

-- name: epoch
SELECT json_quote(value) FROM meta WHERE key = 'epoch'

-- ---------------------------------------------------------------- the directory

-- page: conversation
SELECT '[' || c.profile
    || ',[' || ifnull((SELECT group_concat(member) FROM (
        SELECT m.member FROM members AS m WHERE m.conversation = c.number ORDER BY m.number)), '')
    || '],' || ifnull((SELECT max(id) FROM log WHERE stream = c.number AND id IS NOT NULL), 0)
    || ']' AS line
FROM conversations AS c WHERE c.id = :conversation

-- fragment: profile
'[' || json_array(c.place, c.number, c.sort_key) || ',' || c.profile || ','
    || ifnull((SELECT max(id) FROM log WHERE stream = c.number AND id IS NOT NULL), 0)

-- page: profile
SELECT {profile} || ']' AS line FROM conversations AS c WHERE c.id = :conversation

-- fragment: of_application
{profile} || ']' AS line FROM conversations AS c
WHERE c.application = (SELECT number FROM applications WHERE id = :application)
  AND c.state <> 'DELETED'

-- fragment: by_place
ORDER BY c.place {direction} LIMIT :limit

-- fragment: by_sort_key
  AND c.place > :first AND c.place < :last
  AND (c.sort_key, c.number) > (:low, :low_number)
  AND (c.sort_key, c.number) < (:high, :high_number)
ORDER BY c.sort_key {direction}, c.number {direction} LIMIT :limit

-- page: conversations
SELECT {of_application} AND c.place > :low AND c.place < :high
{by_place}

-- page: conversations_by_sort_key
SELECT {of_application}
{by_sort_key}

-- At most one has the name: sorting it costs nothing.
-- page: conversations_named
SELECT {of_application} AND c.name = :name AND c.place > :low AND c.place < :high
{by_place}

-- page: conversations_named_by_sort_key
SELECT {of_application} AND c.name = :name
{by_sort_key}

-- The newest membership is the one after which none came.
-- fragment: of_user
{profile} || ',' || m.member || ']' AS line
FROM members AS m CROSS JOIN conversations AS c ON c.number = m.conversation
WHERE m.user_id = :user
  AND c.application = (SELECT number FROM applications WHERE id = :application)
  AND c.state <> 'DELETED'
  AND NOT EXISTS (
      SELECT 1 FROM members AS n
      WHERE n.user_id = m.user_id AND n.place = m.place AND n.number > m.number)
  AND (:state IS NULL OR m.state = :state)
  AND (:name IS NULL OR c.name = :name)

-- page: conversations_of_user
SELECT {of_user} AND m.place > :low AND m.place < :high
ORDER BY m.place {direction} LIMIT :limit

-- Sorts, but only the conversations of one user.
-- page: conversations_of_user_by_sort_key
SELECT {of_user}
{by_sort_key}

-- fragment: member
'[' || m.number || ',' || m.member || ',' || u.user || ']' AS line
FROM members AS m JOIN users AS u ON u.id = m.user_id
WHERE m.conversation = (SELECT number FROM conversations WHERE id = :conversation)

-- page: member
SELECT {member} AND m.id = :member

-- page: members
SELECT {member} AND m.number > :low AND m.number < :high
ORDER BY m.number {direction} LIMIT :limit

-- name: joined
SELECT '[' || ifnull((SELECT max(position) FROM log), 0) || ',['
    || ifnull(group_concat(json_array(c.id, m.id)), '') || ']]'
FROM members AS m CROSS JOIN conversations AS c ON c.number = m.conversation
WHERE m.user_id = :user AND m.state = 'JOINED' AND c.state <> 'DELETED'

-- page: leg
SELECT '[' || number || ',' || leg || ']' AS line FROM legs WHERE id = :leg

-- page: legs
SELECT '[' || l.number || ',' || l.leg || ']' AS line FROM legs AS l
WHERE l.application = (SELECT number FROM applications WHERE id = :application)
  AND (:user IS NULL OR l.user_id = :user) AND l.number > :low AND l.number < :high
ORDER BY l.number {direction} LIMIT :limit

-- page: legs_of_conversation
SELECT '[' || l.number || ',' || l.leg || ']' AS line FROM legs AS l
WHERE l.conversation = (SELECT number FROM conversations WHERE id = :conversation)
  AND (:user IS NULL OR l.user_id = :user) AND l.number > :low AND l.number < :high
ORDER BY l.number {direction} LIMIT :limit

-- fragment: call
call_status IS NOT NULL AND started_at >= :first AND started_at <= :last
  AND (:status IS NULL OR call_status = :status) AND (:user IS NULL OR user_id = :user)

-- fragment: calls_of_application
FROM legs INDEXED BY calls_by_application
WHERE application = (SELECT number FROM applications WHERE id = :application) AND {call}

-- fragment: calls_within_conversation
FROM legs INDEXED BY legs_by_conversation
WHERE conversation = (SELECT number FROM conversations WHERE id = :conversation)
  AND application = (SELECT number FROM applications WHERE id = :application) AND {call}

-- name: calls
SELECT '{"count":' || (SELECT count(*) {calls_of_application}) || ',"calls":[' || ifnull((
    SELECT group_concat('' || l.leg) FROM (
        SELECT number AS shown {calls_of_application}
        ORDER BY started_at {direction}, number {direction} LIMIT :limit OFFSET :index
    ) CROSS JOIN legs AS l ON l.number = shown
), '') || ']}'

-- name: calls_of_conversation
SELECT '{"count":' || (SELECT count(*) {calls_within_conversation}) || ',"calls":[' || ifnull((
    SELECT group_concat('' || l.leg) FROM (
        SELECT number AS shown {calls_within_conversation}
        ORDER BY started_at {direction}, number {direction} LIMIT :limit OFFSET :index
    ) CROSS JOIN legs AS l ON l.number = shown
), '') || ']}'

-- page: open_legs
SELECT '[' || number || ',' || leg || ']' AS line FROM legs WHERE is_over = 0 ORDER BY number

-- page: sending
SELECT '' || sending AS line FROM sendings WHERE id = :message

-- page: sending_of
SELECT '' || s.sending AS line FROM message_refs AS r CROSS JOIN sendings AS s ON s.id = r.sending
WHERE r.carrier = :carrier AND r.ref = :ref

-- page: unsent
SELECT '[' || number || ',' || sending || ']' AS line FROM sendings
WHERE stage = 0 AND number > :after ORDER BY number LIMIT :limit

-- page: overdue
SELECT '' || sending AS line FROM sendings
WHERE stage = 1 AND due_at <= :now ORDER BY due_at LIMIT :limit

-- page: inbound
SELECT '' || inbound AS line FROM inbounds WHERE id = :message

-- page: inbound_of
SELECT '' || inbound AS line FROM inbounds WHERE carrier = :carrier AND ref = :ref

-- page: undecided
SELECT '' || inbound AS line FROM inbounds WHERE is_waiting = 1 ORDER BY number LIMIT :limit

-- page: members_at
SELECT '' || m.member AS line FROM members AS m
CROSS JOIN conversations AS c ON c.number = m.conversation
WHERE m.address = :address AND c.state <> 'DELETED'
  AND c.application = (SELECT number FROM applications WHERE id = :application)
ORDER BY m.number DESC

-- name: bookmark
SELECT json_quote((SELECT position FROM bookmarks WHERE name = :name))

-- page: expired
SELECT json_quote(id) AS line FROM conversations
WHERE expires_at IS NOT NULL AND expires_at <= :now ORDER BY expires_at LIMIT :limit

-- name: next_expiry
SELECT json_quote(min(expires_at)) FROM conversations WHERE expires_at IS NOT NULL

-- fragment: user
'[' || number || ',' || user || ']' AS line FROM users

-- page: user
SELECT {user} WHERE id = :user

-- fragment: users_of_application
{user}
WHERE application = (SELECT number FROM applications WHERE id = :application)
  AND destroyed_at IS NULL AND number > :low AND number < :high

-- page: users
SELECT {users_of_application} ORDER BY number {direction} LIMIT :limit

-- page: users_named
SELECT {users_of_application} AND name = :name ORDER BY number {direction} LIMIT :limit

-- page: application
SELECT application AS line FROM applications
WHERE id = :application AND application IS NOT NULL

-- page: applications
SELECT application AS line FROM applications WHERE application IS NOT NULL
ORDER BY created_at, number

-- ---------------------------------------------------------------- what the writer looks up

-- name: heads
SELECT '[' || (SELECT ifnull(max(position), 0) FROM log)
    || ',' || (SELECT ifnull(max(number), 0) FROM conversations)
    || ',' || (SELECT json_group_object(id, number) FROM applications) || ']'

-- page: streams
SELECT json_array(c.id, c.number, CASE c.state WHEN 'DELETED' THEN -1 ELSE
    ifnull((SELECT max(id) FROM log WHERE stream = c.number AND id IS NOT NULL), 0) END) AS line
FROM json_each(?1) AS j CROSS JOIN conversations AS c ON c.id = j.value

-- Who holds the names that are asked for, and which names the askers hold.
-- page: conversation_names
SELECT json_array(c.id, a.id, c.name) AS line
FROM conversations AS c JOIN applications AS a ON a.number = c.application
WHERE c.state <> 'DELETED' AND c.number IN (
    SELECT k.number FROM json_each(?1) AS j CROSS JOIN conversations AS k ON k.id = j.value->>0
    UNION
    SELECT k.number FROM json_each(?1) AS j
    CROSS JOIN applications AS b ON b.id = j.value->>1
    CROSS JOIN conversations AS k
        ON k.application = b.number AND k.name = j.value->>2 AND k.state <> 'DELETED')

-- page: user_names
SELECT json_array(c.id, a.id, c.name) AS line
FROM users AS c JOIN applications AS a ON a.number = c.application
WHERE c.destroyed_at IS NULL AND c.number IN (
    SELECT k.number FROM json_each(?1) AS j CROSS JOIN users AS k ON k.id = j.value->>0
    UNION
    SELECT k.number FROM json_each(?1) AS j
    CROSS JOIN applications AS b ON b.id = j.value->>1
    CROSS JOIN users AS k
        ON k.application = b.number AND k.name = j.value->>2 AND k.destroyed_at IS NULL)

-- page: blanks
SELECT json_array(l.stream, l.id) AS line
FROM json_each(?1) AS j
CROSS JOIN log AS l ON l.stream = j.value->>0 AND l.id = j.value->>1
WHERE l.deleted_at IS NOT NULL

-- page: records
SELECT '[' || l.position || ',' || (j.value->>2) || ',' || l.record || ']' AS line
FROM json_each(?1) AS j
CROSS JOIN log AS l ON l.stream = j.value->>0 AND l.id = j.value->>1

-- ---------------------------------------------------------------- what the writer writes
-- :rows are JSON, :blobs in one piece beside; elements 0 and 1 say which part is the row's.
-- `WHERE true` keeps the parser from taking ON CONFLICT for a join.

-- name: put_applications
INSERT INTO applications (number, id, created_at, application)
SELECT value->>2, value->>3, value->>4, substr(:blobs, value->>0, value->>1)
FROM json_each(:rows) WHERE true
ON CONFLICT (number) DO UPDATE SET
    created_at = excluded.created_at, application = excluded.application

-- name: put_users
INSERT INTO users (id, application, name, destroyed_at, user)
SELECT value->>2, value->>3, value->>4, value->>5, substr(:blobs, value->>0, value->>1)
FROM json_each(:rows) WHERE true
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, destroyed_at = excluded.destroyed_at, user = excluded.user

-- name: put_conversations
INSERT INTO conversations
    (number, id, application, name, state, place, sort_key, expires_at, profile)
SELECT value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9,
    substr(:blobs, value->>0, value->>1)
FROM json_each(:rows) WHERE true
ON CONFLICT (number) DO UPDATE SET
    name = excluded.name, state = excluded.state, sort_key = excluded.sort_key,
    expires_at = excluded.expires_at, profile = excluded.profile

-- name: put_members
INSERT INTO members (id, conversation, user_id, state, address, place, member)
SELECT value->>2, c.number, value->>4, value->>5, value->>6, c.place,
    substr(:blobs, value->>0, value->>1)
FROM json_each(:rows) CROSS JOIN conversations AS c ON c.number = value->>3 WHERE true
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, address = excluded.address, member = excluded.member

-- name: put_legs
INSERT INTO legs (id, application, conversation, user_id, is_over, leg, started_at, call_status)
SELECT value->>2, value->>3, value->>4, value->>5, value->>6, substr(:blobs, value->>0, value->>1),
    value->>7, value->>8
FROM json_each(:rows) WHERE true
ON CONFLICT (id) DO UPDATE SET
    conversation = excluded.conversation, is_over = excluded.is_over, leg = excluded.leg,
    call_status = excluded.call_status

-- name: put_sendings
INSERT INTO sendings (id, application, stage, due_at, sending)
SELECT value->>2, value->>3, value->>4, value->>5, substr(:blobs, value->>0, value->>1)
FROM json_each(:rows) WHERE true
ON CONFLICT (id) DO UPDATE SET
    stage = excluded.stage, due_at = excluded.due_at, sending = excluded.sending

-- name: put_message_refs
INSERT INTO message_refs (carrier, ref, sending)
SELECT value->>2, value->>3, value->>4 FROM json_each(:rows) WHERE true
ON CONFLICT (carrier, ref) DO UPDATE SET sending = excluded.sending

-- name: put_inbounds
INSERT INTO inbounds (id, application, carrier, ref, is_waiting, inbound)
SELECT value->>2, value->>3, value->>4, value->>5, value->>6, substr(:blobs, value->>0, value->>1)
FROM json_each(:rows) WHERE true
ON CONFLICT (id) DO UPDATE SET is_waiting = excluded.is_waiting, inbound = excluded.inbound

-- name: put_bookmarks
INSERT INTO bookmarks (name, position) SELECT value->>2, value->>3
FROM json_each(:rows) WHERE true
ON CONFLICT (name) DO UPDATE SET position = excluded.position

-- name: put_log
INSERT INTO log (position, application, stream, id, type, record)
SELECT value->>2, value->>3, value->>4, value->>5, value->>6, substr(:blobs, value->>0, value->>1)
FROM json_each(:rows)

-- name: put_receipts
INSERT OR IGNORE INTO receipts (stream, event, kind, member, at)
SELECT value->>2, value->>3, value->>4, value->>5, value->>6
FROM json_each(:rows)

-- name: put_blanks
UPDATE log SET deleted_at = j.value->>3, record = substr(:blobs, j.value->>0, j.value->>1)
FROM json_each(:rows) AS j WHERE log.position = j.value->>2

-- The statements of queries.sql, by the same names, as PostgreSQL says them: each answers with one
-- JSON text, put together from stored JSON without parsing it. :names become numbered parameters
-- (postgres_queries.py); a cast says the type where nothing else does.
--
-- {direction} is ASC or DESC. A `fragment` is spliced where its name stands in braces.

-- ---------------------------------------------------------------- the log

-- The log is in parts by position: a condition on it spares looking into those that have nothing.

-- fragment: event
'[' || json_build_array(l.position, a.id, c.id, l.id, l.type, l.deleted_at) || ',' || l.record
    || ',' || coalesce((
        SELECT json_agg(json_build_array(r.kind, r.member, r.at) ORDER BY r.kind, r.member)::text
        FROM receipts AS r WHERE r.stream = l.stream AND r.event = l.id), '[]')
    || ']' AS line
FROM log AS l
JOIN applications AS a ON a.number = l.application
LEFT JOIN conversations AS c ON c.number = l.stream

-- fragment: in_conversation
l.stream = (SELECT number FROM conversations WHERE id = :conversation)
  AND l.position > (SELECT since FROM conversations WHERE id = :conversation)

-- page: event
SELECT {event}
WHERE {in_conversation} AND l.id = :event

-- page: events
SELECT {event}
WHERE {in_conversation}
  AND l.id > :after AND l.id < :before
  AND (:types::text IS NULL
       OR l.type IN (SELECT json_array_elements_text(:types::json))
       OR (:custom::boolean AND starts_with(l.type, 'custom:')))
  AND (:about::text IS NULL
       OR l.about IN (SELECT json_array_elements_text(:about::json)::bigint))
  AND NOT (:exclude_deleted::boolean AND l.deleted_at IS NOT NULL)
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

-- In each conversation the events behind the newest that is not newer than :after.
-- page: follow_user
SELECT {event}
WHERE l.position IN (
    SELECT n.position
    FROM (
        SELECT DISTINCT w.conversation, k.since FROM members AS w
        JOIN conversations AS k ON k.number = w.conversation
        WHERE w.user_id = :user AND k.state <> 'DELETED') AS m
    JOIN log AS n ON n.stream = m.conversation AND n.position > :after AND n.id > coalesce((
        SELECT o.id FROM log AS o
        WHERE o.stream = m.conversation AND o.id IS NOT NULL
          AND o.position > m.since AND o.position <= :after
        ORDER BY o.id DESC LIMIT 1), 0))
ORDER BY l.position LIMIT :limit

-- name: head
SELECT position::text FROM head

-- name: epoch
SELECT to_json(value)::text FROM meta WHERE key = 'epoch'

-- ---------------------------------------------------------------- the directory

-- fragment: sequence
coalesce((
    SELECT max(id) FROM log WHERE stream = c.number AND position > c.since AND id IS NOT NULL), 0)

-- page: conversation
SELECT '[' || c.profile || ',[' || coalesce((
        SELECT string_agg(m.member, ',' ORDER BY m.number)
        FROM members AS m WHERE m.conversation = c.number), '')
    || '],' || {sequence} || ']' AS line
FROM conversations AS c WHERE c.id = :conversation

-- fragment: profile
'[' || json_build_array(c.place, c.number, c.sort_key) || ',' || c.profile || ',' || {sequence}

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

-- page: conversations_named
SELECT {of_application} AND c.name = :name AND c.place > :low AND c.place < :high
{by_place}

-- page: conversations_named_by_sort_key
SELECT {of_application} AND c.name = :name
{by_sort_key}

-- The newest membership is the one after which none came.
-- fragment: of_user
{profile} || ',' || m.member || ']' AS line
FROM members AS m JOIN conversations AS c ON c.number = m.conversation
WHERE m.user_id = :user
  AND c.application = (SELECT number FROM applications WHERE id = :application)
  AND c.state <> 'DELETED'
  AND NOT EXISTS (
      SELECT 1 FROM members AS n
      WHERE n.user_id = m.user_id AND n.place = m.place AND n.number > m.number)
  AND (:state::text IS NULL OR m.state = :state)
  AND (:name::text IS NULL OR c.name = :name)

-- page: conversations_of_user
SELECT {of_user} AND m.place > :low AND m.place < :high
ORDER BY m.place {direction} LIMIT :limit

-- page: conversations_of_user_by_sort_key
SELECT {of_user}
{by_sort_key}

-- fragment: member
'[' || m.number || ',' || m.member || ',' || u."user" || ']' AS line
FROM members AS m JOIN users AS u ON u.id = m.user_id
WHERE m.conversation = (SELECT number FROM conversations WHERE id = :conversation)

-- page: member
SELECT {member} AND m.id = :member

-- page: members
SELECT {member} AND m.number > :low AND m.number < :high
ORDER BY m.number {direction} LIMIT :limit

-- name: joined
SELECT '[' || (SELECT position FROM head) || ',['
    || coalesce(string_agg(json_build_array(c.id, m.id)::text, ','), '') || ']]'
FROM members AS m JOIN conversations AS c ON c.number = m.conversation
WHERE m.user_id = :user AND m.state = 'JOINED' AND c.state <> 'DELETED'

-- page: leg
SELECT '[' || number || ',' || leg || ']' AS line FROM legs WHERE id = :leg

-- page: legs
SELECT '[' || l.number || ',' || l.leg || ']' AS line FROM legs AS l
WHERE l.application = (SELECT number FROM applications WHERE id = :application)
  AND (:user::text IS NULL OR l.user_id = :user) AND l.number > :low AND l.number < :high
ORDER BY l.number {direction} LIMIT :limit

-- page: legs_of_conversation
SELECT '[' || l.number || ',' || l.leg || ']' AS line FROM legs AS l
WHERE l.conversation = (SELECT number FROM conversations WHERE id = :conversation)
  AND (:user::text IS NULL OR l.user_id = :user) AND l.number > :low AND l.number < :high
ORDER BY l.number {direction} LIMIT :limit

-- fragment: call
call_status IS NOT NULL AND started_at >= :first AND started_at <= :last
  AND (:status::text IS NULL OR call_status = :status)
  AND (:user::text IS NULL OR user_id = :user)

-- fragment: calls_of_application
FROM legs
WHERE application = (SELECT number FROM applications WHERE id = :application) AND {call}

-- fragment: calls_within_conversation
FROM legs
WHERE conversation = (SELECT number FROM conversations WHERE id = :conversation)
  AND application = (SELECT number FROM applications WHERE id = :application) AND {call}

-- name: calls
SELECT '{"count":' || (SELECT count(*) {calls_of_application}) || ',"calls":[' || coalesce((
    SELECT string_agg(l.leg, ',' ORDER BY l.started_at {direction}, l.number {direction})
    FROM (
        SELECT number AS shown {calls_of_application}
        ORDER BY started_at {direction}, number {direction} LIMIT :limit OFFSET :index
    ) AS slice JOIN legs AS l ON l.number = shown
), '') || ']}'

-- name: calls_of_conversation
SELECT '{"count":' || (SELECT count(*) {calls_within_conversation}) || ',"calls":[' || coalesce((
    SELECT string_agg(l.leg, ',' ORDER BY l.started_at {direction}, l.number {direction})
    FROM (
        SELECT number AS shown {calls_within_conversation}
        ORDER BY started_at {direction}, number {direction} LIMIT :limit OFFSET :index
    ) AS slice JOIN legs AS l ON l.number = shown
), '') || ']}'

-- What is to be looked after is looked after at home.
-- fragment: at_home
(:node::text IS NULL OR application IN (
    SELECT a.number FROM homes AS h JOIN applications AS a ON a.id = h.application
    WHERE h.node = :node AND h.incarnation = :incarnation))

-- page: open_legs
SELECT '[' || number || ',' || leg || ']' AS line FROM legs
WHERE NOT is_over AND {at_home} ORDER BY number

-- page: sending
SELECT sending AS line FROM sendings WHERE id = :message

-- page: sending_of
SELECT s.sending AS line FROM message_refs AS r JOIN sendings AS s ON s.id = r.sending
WHERE r.carrier = :carrier AND r.ref = :ref

-- page: unsent
SELECT '[' || number || ',' || sending || ']' AS line FROM sendings
WHERE stage = 0 AND number > :after AND {at_home} ORDER BY number LIMIT :limit

-- page: overdue
SELECT sending AS line FROM sendings
WHERE stage = 1 AND due_at <= :now AND {at_home} ORDER BY due_at LIMIT :limit

-- page: inbound
SELECT inbound AS line FROM inbounds WHERE id = :message

-- page: inbound_of
SELECT inbound AS line FROM inbounds WHERE carrier = :carrier AND ref = :ref

-- page: undecided
SELECT inbound AS line FROM inbounds
WHERE is_waiting AND {at_home} ORDER BY number LIMIT :limit

-- page: members_at
SELECT m.member AS line FROM members AS m JOIN conversations AS c ON c.number = m.conversation
WHERE m.address = :address AND c.state <> 'DELETED'
  AND c.application = (SELECT number FROM applications WHERE id = :application)
ORDER BY m.number DESC

-- name: bookmark
SELECT coalesce((SELECT position::text FROM bookmarks WHERE name = :name), 'null')

-- page: expired
SELECT to_json(id)::text AS line FROM conversations
WHERE expires_at IS NOT NULL AND expires_at <= :now AND {at_home}
ORDER BY expires_at LIMIT :limit

-- name: next_expiry
SELECT coalesce(min(expires_at)::text, 'null') FROM conversations
WHERE expires_at IS NOT NULL AND {at_home}

-- fragment: user
'[' || number || ',' || "user" || ']' AS line FROM users

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

-- Until the commit nobody else writes.
-- name: lock
SELECT position, writer, batch, conversations, applications, homes, log_end
FROM head FOR UPDATE

-- name: extend_log
SELECT extend_log(:position)

-- name: last_batch
SELECT batch FROM writers WHERE id = :writer

-- name: heads
SELECT '[' || (SELECT position FROM head)
    || ',' || (SELECT conversations FROM head)
    || ',' || (SELECT coalesce(json_object_agg(id, number)::text, '{}') FROM applications) || ']'

-- name: application_numbers
SELECT coalesce(json_object_agg(id, number)::text, '{}') FROM applications

-- name: own_homes
SELECT coalesce(json_agg(application)::text, '[]') FROM homes
WHERE node = :node AND incarnation = :incarnation

-- page: streams
SELECT json_build_array(c.id, c.number, CASE c.state WHEN 'DELETED' THEN -1 ELSE {sequence} END
    )::text AS line
FROM conversations AS c WHERE c.id IN (SELECT json_array_elements_text(:asked::json))

-- Who holds the names that are asked for, and which names the askers hold.
-- page: conversation_names
SELECT json_build_array(c.id, a.id, c.name)::text AS line
FROM conversations AS c JOIN applications AS a ON a.number = c.application
WHERE c.state <> 'DELETED' AND c.number IN (
    SELECT k.number FROM json_array_elements(:asked::json) AS j
    JOIN conversations AS k ON k.id = j->>0
    UNION
    SELECT k.number FROM json_array_elements(:asked::json) AS j
    JOIN applications AS b ON b.id = j->>1
    JOIN conversations AS k
        ON k.application = b.number AND k.name = j->>2 AND k.state <> 'DELETED')

-- page: user_names
SELECT json_build_array(c.id, a.id, c.name)::text AS line
FROM users AS c JOIN applications AS a ON a.number = c.application
WHERE c.destroyed_at IS NULL AND c.number IN (
    SELECT k.number FROM json_array_elements(:asked::json) AS j
    JOIN users AS k ON k.id = j->>0
    UNION
    SELECT k.number FROM json_array_elements(:asked::json) AS j
    JOIN applications AS b ON b.id = j->>1
    JOIN users AS k
        ON k.application = b.number AND k.name = j->>2 AND k.destroyed_at IS NULL)

-- page: blanks
SELECT json_build_array(l.stream, l.id)::text AS line
FROM json_array_elements(:asked::json) AS j
JOIN log AS l ON l.stream = (j->>0)::bigint AND l.id = (j->>1)::bigint
WHERE l.deleted_at IS NOT NULL

-- page: records
SELECT '[' || l.position || ',' || (j->>2) || ',' || l.record || ']' AS line
FROM json_array_elements(:asked::json) AS j
JOIN log AS l ON l.stream = (j->>0)::bigint AND l.id = (j->>1)::bigint

-- ---------------------------------------------------------------- what the writer writes
-- One array a column, the value's JSON last. Rows are taken in the order of the arrays.

-- fragment: end
UPDATE head SET position = :position, conversations = :conversations,
    applications = :applications, writer = :writer, batch = :batch

-- fragment: noted
UPDATE writers SET batch = :batch, at = now() WHERE id = :writer

-- name: note
WITH ended AS ({end}) {noted}

-- name: fence
UPDATE head SET writer = :writer, batch = :batch

-- name: put_log
INSERT INTO log (position, application, stream, id, type, about, record)
SELECT * FROM unnest(:c1::bigint[], :c2::bigint[], :c3::bigint[], :c4::bigint[], :c5::text[],
    :c6::bigint[], :c7::text[])

-- All of a batch that is nothing but events, if nobody else has written since the batch :last:
-- then the answer is INSERT 0 0.
-- name: put_log_alone
WITH mine AS ({end} WHERE writer = :writer AND batch = :last RETURNING one),
    own AS ({noted} AND EXISTS (SELECT FROM mine))
INSERT INTO log (position, application, stream, id, type, about, record)
SELECT r.* FROM mine, unnest(:c1::bigint[], :c2::bigint[], :c3::bigint[], :c4::bigint[],
    :c5::text[], :c6::bigint[], :c7::text[]) AS r

-- name: put_applications
INSERT INTO applications (number, id, created_at, application)
SELECT * FROM unnest(:c1::bigint[], :c2::text[], :c3::bigint[], :c4::text[])
ON CONFLICT (number) DO UPDATE SET
    created_at = excluded.created_at, application = excluded.application

-- name: put_users
INSERT INTO users (id, application, name, destroyed_at, "user")
SELECT * FROM unnest(:c1::text[], :c2::bigint[], :c3::text[], :c4::bigint[], :c5::text[])
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, destroyed_at = excluded.destroyed_at, "user" = excluded."user"

-- name: put_conversations
INSERT INTO conversations
    (since, number, id, application, name, state, place, sort_key, expires_at, profile)
SELECT (SELECT position FROM head), r.*
FROM unnest(:c1::bigint[], :c2::text[], :c3::bigint[], :c4::text[], :c5::text[],
    :c6::bigint[], :c7::text[], :c8::bigint[], :c9::text[]) AS r
ON CONFLICT (number) DO UPDATE SET
    name = excluded.name, state = excluded.state, sort_key = excluded.sort_key,
    expires_at = excluded.expires_at, profile = excluded.profile

-- name: put_members
INSERT INTO members (id, conversation, user_id, state, address, place, member)
SELECT r.id, r.conversation, r.user_id, r.state, r.address,
    (SELECT c.place FROM conversations AS c WHERE c.number = r.conversation), r.member
FROM unnest(:c1::text[], :c2::bigint[], :c3::text[], :c4::text[], :c5::text[], :c6::text[])
    AS r (id, conversation, user_id, state, address, member)
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, address = excluded.address, member = excluded.member

-- name: put_legs
INSERT INTO legs (id, application, conversation, user_id, is_over, started_at, call_status, leg)
SELECT * FROM unnest(:c1::text[], :c2::bigint[], :c3::bigint[], :c4::text[], :c5::boolean[],
    :c6::bigint[], :c7::text[], :c8::text[])
ON CONFLICT (id) DO UPDATE SET
    conversation = excluded.conversation, is_over = excluded.is_over, leg = excluded.leg,
    call_status = excluded.call_status

-- name: put_sendings
INSERT INTO sendings (id, application, stage, due_at, sending)
SELECT * FROM unnest(:c1::text[], :c2::bigint[], :c3::bigint[], :c4::bigint[], :c5::text[])
ON CONFLICT (id) DO UPDATE SET
    stage = excluded.stage, due_at = excluded.due_at, sending = excluded.sending

-- name: put_message_refs
INSERT INTO message_refs (carrier, ref, sending)
SELECT * FROM unnest(:c1::text[], :c2::text[], :c3::text[])
ON CONFLICT (carrier, ref) DO UPDATE SET sending = excluded.sending

-- name: put_inbounds
INSERT INTO inbounds (id, application, carrier, ref, is_waiting, inbound)
SELECT * FROM unnest(:c1::text[], :c2::bigint[], :c3::text[], :c4::text[], :c5::boolean[],
    :c6::text[])
ON CONFLICT (id) DO UPDATE SET is_waiting = excluded.is_waiting, inbound = excluded.inbound

-- name: put_bookmarks
INSERT INTO bookmarks (name, position) SELECT * FROM unnest(:c1::text[], :c2::bigint[])
ON CONFLICT (name) DO UPDATE SET position = excluded.position

-- name: put_receipts
INSERT INTO receipts (stream, event, kind, member, at)
SELECT * FROM unnest(:c1::bigint[], :c2::bigint[], :c3::text[], :c4::text[], :c5::bigint[])
ON CONFLICT DO NOTHING

-- name: put_blanks
UPDATE log SET deleted_at = r.at, about = NULL, record = r.record
FROM unnest(:c1::bigint[], :c2::bigint[], :c3::text[]) AS r (position, at, record)
WHERE log.position = r.position

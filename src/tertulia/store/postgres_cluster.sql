-- Version 2: what several nodes on one store share.

-- ---------------------------------------------------------------- homes

-- What a writer need not ask for when another has written since: how many conversations and
-- applications have been numbered, and how often homes have changed.
ALTER TABLE head
    ADD COLUMN conversations bigint NOT NULL DEFAULT 0,
    ADD COLUMN applications bigint NOT NULL DEFAULT 0,
    ADD COLUMN homes bigint NOT NULL DEFAULT 0;
UPDATE head SET
    conversations = (SELECT coalesce(max(number), 0) FROM conversations),
    applications = (SELECT coalesce(max(number), 0) FROM applications);

-- Nodes, and when each last gave a sign of life, by this server's clock. A process is an
-- incarnation of its node.
CREATE TABLE nodes (
    name text COLLATE "C" PRIMARY KEY,
    incarnation text COLLATE "C" NOT NULL,
    url text NOT NULL,
    seen_at timestamptz NOT NULL,
    is_leaving boolean NOT NULL DEFAULT false
) WITH (fillfactor = 10);

-- Who alone writes an application's events. Changed only under the lock of `head`, whose `homes`
-- is counted up with it and whose `writer` is emptied: so no writer overlooks it.
CREATE TABLE homes (
    application text COLLATE "C" PRIMARY KEY,
    node text COLLATE "C" NOT NULL,
    incarnation text COLLATE "C" NOT NULL
);
CREATE INDEX homes_by_node ON homes (node);

-- ---------------------------------------------------------------- sessions

-- The live sessions of all nodes. Who has one writes its row a few times a second, all its rows at
-- once; `turn` rises whenever it changes hands, so who lost it finds out by its next writing.
-- Nothing that an acknowledgement changes is indexed: its versions stay in their page.
CREATE TABLE sessions (
    id text COLLATE "C" PRIMARY KEY,
    application text COLLATE "C" NOT NULL,
    "user" text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    record bytea NOT NULL,
    user_name bytea NOT NULL DEFAULT '',
    expires_at bigint NOT NULL DEFAULT 0,
    node text COLLATE "C" NOT NULL,
    incarnation text COLLATE "C" NOT NULL,
    turn bigint NOT NULL DEFAULT 1,
    acknowledged bigint NOT NULL,
    -- since when nobody is connected by it; null while somebody is
    left_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX sessions_by_application ON sessions (application, created_at, id);
CREATE INDEX sessions_by_user ON sessions ("user", created_at, id);
CREATE INDEX sessions_by_incarnation ON sessions (incarnation);
CREATE INDEX sessions_left ON sessions (left_at) WHERE left_at IS NOT NULL;

-- ---------------------------------------------------------------- media files

-- Files and their content, which is read in pieces without what is around them: it is not
-- compressed, and no piece of it is larger than 256 KiB.
CREATE TABLE media (
    id text COLLATE "C" PRIMARY KEY,
    upload text COLLATE "C" NOT NULL,
    application text COLLATE "C" NOT NULL,
    size bigint NOT NULL,
    file text NOT NULL
);
CREATE INDEX media_by_upload ON media (upload);
CREATE INDEX media_by_application ON media (application);

CREATE TABLE media_pieces (
    media text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (media, number)
);
ALTER TABLE media_pieces ALTER COLUMN content SET STORAGE EXTERNAL;

-- How much of its quota each application has taken.
CREATE TABLE media_room (
    application text COLLATE "C" PRIMARY KEY,
    taken bigint NOT NULL
);

-- How many events of a conversation show a file.
CREATE TABLE media_attached (
    media text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    times bigint NOT NULL,
    PRIMARY KEY (media, conversation)
);

-- ---------------------------------------------------------------- webhooks

-- The dispatchers' journal (dispatch/journal.sql, under longer names), and who may go on with it.
CREATE TABLE webhook_epoch (
    one integer PRIMARY KEY CHECK (one = 1),
    epoch text NOT NULL
);

CREATE TABLE webhook_progress (
    application_id text COLLATE "C" PRIMARY KEY,
    cursor bigint NOT NULL,
    waiting_since bigint
) WITH (fillfactor = 50);

CREATE TABLE webhook_totals (
    application_id text COLLATE "C" PRIMARY KEY,
    delivered bigint NOT NULL,
    failed bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE webhook_held (
    application_id text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    about text COLLATE "C" NOT NULL,
    after bigint NOT NULL,
    position bigint NOT NULL,
    tries bigint NOT NULL,
    failing_since bigint,
    not_before bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (application_id, conversation_id, target, about)
) WITH (fillfactor = 70);

CREATE TABLE webhook_attempts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    purpose text NOT NULL,
    event_id bigint,
    position bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    url text NOT NULL,
    attempt bigint NOT NULL,
    at bigint NOT NULL,
    latency_ms bigint NOT NULL,
    status bigint,
    reason text,
    body_head bytea NOT NULL,
    delivered boolean NOT NULL
);
CREATE INDEX webhook_attempts_of_conversation ON webhook_attempts (conversation_id, number);
CREATE INDEX webhook_attempts_failed ON webhook_attempts (application_id, number)
    WHERE NOT delivered;

CREATE TABLE webhook_dead_letters (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    event_id bigint,
    position bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    tries bigint NOT NULL,
    failing_since bigint NOT NULL,
    at bigint NOT NULL,
    reason text NOT NULL,
    UNIQUE (application_id, position, target)
);

CREATE TABLE webhook_replays (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C",
    first bigint,
    last bigint,
    target text COLLATE "C",
    requested_at bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    after bigint,
    delivered bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0
);
CREATE INDEX webhook_replays_waiting ON webhook_replays (application_id, id)
    WHERE state = 'waiting';

-- Whose dispatcher works on an application, until when by this server's clock. The token is of one
-- taking: by it, what is written under a lease that was lost is told from what is not.
CREATE TABLE webhook_leases (
    application text COLLATE "C" PRIMARY KEY,
    node text COLLATE "C" NOT NULL,
    token text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- ---------------------------------------------------------------- phones

-- Contacts of softphones, each with the node that it last registered with: that node alone has its
-- connection. Call id and sequence tell which of two registrations is older. Changed under an
-- advisory lock of the user.
CREATE TABLE softphones (
    application text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    contact text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    call_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (application, name, contact)
);
CREATE INDEX softphones_by_node ON softphones (node);

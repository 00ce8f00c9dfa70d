-- The room log: one row for each log, and its entries clustered by log and place. The number of a log stands
-- in every entry in place of the room's name; the head saves every append a search for the end.
CREATE TABLE room_logs (
    log     INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL,
    room    TEXT NOT NULL,
    head    INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    UNIQUE (kind, room)
) STRICT;

CREATE TABLE room_entries (
    log    INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    author TEXT NOT NULL,
    id     TEXT NOT NULL,
    at     INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX room_entries_by_id ON room_entries (log, author, id);

-- The directory.
CREATE TABLE rooms (
    kind       TEXT NOT NULL,
    room       TEXT NOT NULL,
    name       TEXT NOT NULL,
    firm       TEXT NOT NULL,
    visibility TEXT NOT NULL CHECK (visibility IN ('public', 'private')),
    PRIMARY KEY (kind, room)
) STRICT, WITHOUT ROWID;

CREATE INDEX rooms_by_firm ON rooms (kind, firm, room);

CREATE TABLE room_members (
    kind      TEXT NOT NULL,
    room      TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    role      TEXT NOT NULL,
    name      TEXT,
    user_type TEXT NOT NULL CHECK (user_type IN ('employee', 'guest', 'supervisor')),
    PRIMARY KEY (kind, room, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX room_members_by_user ON room_members (user_id, kind, room);

-- Guided documents. A template without a firm is everyone's; its questions are JSON.
CREATE TABLE document_templates (
    id        TEXT NOT NULL PRIMARY KEY,
    name      TEXT NOT NULL,
    firm      TEXT,
    questions TEXT NOT NULL,
    body      TEXT NOT NULL
) STRICT;

CREATE INDEX document_templates_by_firm ON document_templates (firm, id);

CREATE TABLE chat_sessions (
    id             TEXT NOT NULL PRIMARY KEY,
    user_id        TEXT NOT NULL,
    firm           TEXT NOT NULL,
    template       TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('open', 'complete', 'abandoned')),
    awaiting_since INTEGER,
    created_at     INTEGER NOT NULL,
    touched_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX chat_sessions_one_open ON chat_sessions (firm, user_id, template) WHERE state = 'open';

CREATE INDEX chat_sessions_awaiting ON chat_sessions (awaiting_since, id)
    WHERE state = 'open' AND awaiting_since IS NOT NULL;

CREATE TABLE generated_documents (
    id            TEXT NOT NULL PRIMARY KEY,
    session       TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    firm          TEXT NOT NULL,
    template      TEXT NOT NULL,
    template_name TEXT NOT NULL,
    title         TEXT NOT NULL,
    markdown      TEXT,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX generated_documents_by_user ON generated_documents (firm, user_id, created_at, id);

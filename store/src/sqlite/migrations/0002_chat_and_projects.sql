-- The one order in which entries were appended, over all logs. A place is given once: the last one that was given
-- stays when entries go with their room. Entries that were there before are put in the order of their times, which within a log is
-- the order of the log.
ALTER TABLE room_entries ADD COLUMN place INTEGER NOT NULL DEFAULT 0;

UPDATE room_entries SET place = ordered.place
FROM (SELECT log, seq, row_number() OVER (ORDER BY at, log, seq) AS place FROM room_entries) AS ordered
WHERE room_entries.log = ordered.log AND room_entries.seq = ordered.seq;

CREATE UNIQUE INDEX room_entries_by_place ON room_entries (place);

CREATE TABLE appended (
    only  INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    place INTEGER NOT NULL
) STRICT;

INSERT INTO appended (only, place) SELECT 1, count(*) FROM room_entries;

CREATE TABLE marks (
    name  TEXT NOT NULL PRIMARY KEY,
    place INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What goes with a room.
CREATE TABLE room_cursors (
    kind    TEXT NOT NULL,
    room    TEXT NOT NULL,
    user_id TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (kind, room, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE room_prompts (
    kind    TEXT NOT NULL,
    room    TEXT NOT NULL,
    id      TEXT NOT NULL,
    user_id TEXT NOT NULL,
    since   INTEGER NOT NULL,
    tries   INTEGER NOT NULL,
    PRIMARY KEY (kind, room, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX room_prompts_by_age ON room_prompts (since, kind, room, id);

CREATE TABLE room_escalations (
    id         TEXT NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    room       TEXT NOT NULL,
    firm       TEXT NOT NULL,
    by_user    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    announced  INTEGER NOT NULL,
    resolved   INTEGER NOT NULL CHECK (resolved IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX room_escalations_by_room ON room_escalations (kind, room);

CREATE INDEX room_escalations_open ON room_escalations (firm, created_at, id) WHERE resolved = 0;

CREATE TABLE room_files (
    id         TEXT NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    room       TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    mime_type  TEXT NOT NULL,
    size       INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX room_files_by_room ON room_files (kind, room);

-- The pieces of files, too large to lie in a tree that is searched. They are stored before their file; until then an
-- upload says when the last of them came.
CREATE TABLE file_parts (
    file  TEXT NOT NULL,
    part  INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (file, part)
) STRICT;

CREATE TABLE file_uploads (
    file       TEXT NOT NULL PRIMARY KEY,
    touched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX file_uploads_by_age ON file_uploads (touched_at, file);

-- What the logs of rooms were folded to: which snapshot is whole, and the pieces of it and of one that is being stored.
CREATE TABLE room_snapshots (
    kind  TEXT NOT NULL,
    room  TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    PRIMARY KEY (kind, room)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_parts (
    kind  TEXT NOT NULL,
    room  TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (kind, room, seq, part)
) STRICT;

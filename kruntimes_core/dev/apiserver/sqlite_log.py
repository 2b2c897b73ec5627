"""Objects on disk: a batch of changes is written whole or not at all; it never reads after the start."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  bucket TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
  version INTEGER NOT NULL, content BLOB NOT NULL,
  PRIMARY KEY (bucket, namespace, name));
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO counters VALUES ('version', 0), ('format', 1);
"""
_PUT = """INSERT INTO objects VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET version = excluded.version, content = excluded.content"""
_DROP = "DELETE FROM objects WHERE bucket = ? AND namespace = ? AND name = ?"


@dataclass(frozen=True)
class Row:
    """One object as it is on disk; without content it is gone."""

    bucket: str
    namespace: str
    name: str
    version: int
    content: bytes | None


class SqliteLog:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        # Autocommit mode: the transactions are our own. The thread that opens is not the one that writes.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        # What survives the death of every process is what was promised, not the loss of power: ADR 0010.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint = 4000")
        self._db.executescript(_SCHEMA)

    def version(self) -> int:
        """The highest version ever given out and kept."""
        found = self._db.execute("SELECT value FROM counters WHERE name = 'version'").fetchone()
        return int(found[0])

    def rows(self) -> Iterator[Row]:
        """Every object, for the start."""
        yield from (Row(*found) for found in self._db.execute("SELECT * FROM objects ORDER BY version"))

    def append(self, rows: Iterable[Row]) -> None:
        """Make the changes durable together; of one object only the last counts."""
        last = {(row.bucket, row.namespace, row.name): row for row in rows}
        puts = [(r.bucket, r.namespace, r.name, r.version, r.content) for r in last.values() if r.content]
        drops = [(r.bucket, r.namespace, r.name) for r in last.values() if r.content is None]
        top = max(row.version for row in last.values())
        self._db.execute("BEGIN")
        try:
            self._db.executemany(_PUT, puts)
            self._db.executemany(_DROP, drops)
            self._db.execute("UPDATE counters SET value = max(value, ?) WHERE name = 'version'", (top,))
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        self._db.close()

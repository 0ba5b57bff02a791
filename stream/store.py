"""The store: all alerts of a site in one SQLite file, which this module alone touches.

One process writes, any number read at the same time. Knows nothing of pictures but their paths.
"""

import contextlib
import itertools
import json
import os
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import platformdirs

from stream.clock import utc_text
from stream.messages import Region

SCHEMA = 2
FILE_NAME = "alerts.sqlite"
EVIDENCE = "evidence"
"""Folder of pictures beside the store, with one of each camera in it."""
FOOTAGE = "footage"
"""Folder beside it for what was kept of the pictures' features, unless the configuration says otherwise."""

_BUSY_S = 1.0  # for another process to finish writing; the sink must not stand still for longer
_COLUMNS = (
    "id",
    "camera",
    "kind",
    "state",
    "started_utc",
    "ended_utc",
    "started_s",
    "peaked_s",
    "ended_s",
    "score",
    "threshold",
    "region",
    "evidence",
    "reason",
)
_TABLE = """
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    started_utc TEXT NOT NULL,
    ended_utc TEXT,
    started_s REAL NOT NULL,
    peaked_s REAL NOT NULL,
    ended_s REAL,
    score REAL NOT NULL,
    threshold REAL NOT NULL,
    region TEXT,
    evidence TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (started_utc);
CREATE TABLE IF NOT EXISTS feedback (
    alert_id TEXT NOT NULL,
    verdict TEXT NOT NULL,
    utc TEXT NOT NULL,
    undone_utc TEXT
);
CREATE INDEX IF NOT EXISTS feedback_by_alert ON feedback (alert_id);
"""
_SAVE = (
    f"INSERT OR REPLACE INTO alerts ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of this module only
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM alerts"  # noqa: S608 - names of this module only


class StoreError(Exception):
    """Alerts cannot be kept or read; the message says what, where and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """One alert as it is kept. UTC stamps read `2026-01-31T12:00:00.120Z`; seconds are stream time."""

    id: str
    camera: str
    kind: Literal["anomaly", "camera", "drift"]
    state: Literal["open", "ended"]
    started_utc: str
    ended_utc: str | None = None
    started_s: float
    peaked_s: float
    ended_s: float | None = None
    """None while it is open, and where nobody saw its end."""
    score: float
    """The peak so far ..."""
    threshold: float
    """... and the threshold at that moment."""
    region: Region | None = None
    evidence: tuple[str, ...] = ()
    """Paths of pictures."""
    reason: str = ""
    """Why it ended, where that was not its score; of one about the camera itself what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What somebody said of an alert."""

    alert_id: str
    verdict: Literal["normal"]
    utc: str
    undone_utc: str | None = None


class Store:
    """An open store. Make it with `open`, give it back with `close`. For one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._inode = path.stat().st_ino

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """The store in this folder; both are made, for this user only, where they are missing.

        Raises:
            StoreError: Unwritable, full, damaged, not a store, or written by a newer version.
        """
        path = folder / FILE_NAME
        connection: sqlite3.Connection | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # its log takes over the mode
            connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            _prepare(connection, path)
            return cls(path, connection)
        except OSError as error:
            raise StoreError(_unusable(folder, error.strerror or str(error))) from error
        except sqlite3.Error as error:
            _close(connection)
            raise _explained(path, error) from error
        except StoreError:
            _close(connection)
            raise

    def save(self, *records: AlertRecord) -> None:
        """Keep these as they are now, in place of what was kept under their ids; all or none of them.

        Blocks for the disk, and up to a second while another process writes.

        Raises:
            StoreError: They are not kept.
        """
        self._check_place()
        rows = [_to_row(record) for record in records]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_SAVE, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise _explained(self.path, error) from error

    def close_open(self, utc: str, reason: str) -> list[str]:
        """End the alerts that are still open, as a crash leaves them; their ids, oldest first.

        An alert that is in truth still going on comes right when it is saved next.

        Raises:
            StoreError: They are not ended.
        """
        self._check_place()
        try:
            rows = self._connection.execute(
                "UPDATE alerts SET state = 'ended', ended_utc = ?, reason = ? WHERE state = 'open' RETURNING id",
                (utc, reason),
            ).fetchall()
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error
        return sorted(row[0] for row in rows)

    def add_feedback(self, feedback: Feedback) -> None:
        """Keep what was said of an alert, beside what was said before.

        Raises:
            StoreError: It is not kept.
        """
        self._check_place()
        try:
            self._connection.execute(
                "INSERT INTO feedback (alert_id, verdict, utc, undone_utc) VALUES (?, ?, ?, ?)",
                (feedback.alert_id, feedback.verdict, feedback.utc, feedback.undone_utc),
            )
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error

    def undo_feedback(self, alert_id: str, utc: str) -> bool:
        """Take back what was said of an alert; False where nothing was.

        Raises:
            StoreError: It is not taken back.
        """
        self._check_place()
        try:
            changed = self._connection.execute(
                "UPDATE feedback SET undone_utc = ? WHERE alert_id = ? AND undone_utc IS NULL", (utc, alert_id)
            )
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error
        return changed.rowcount > 0

    def feedback(self, alert_id: str | None = None) -> list[Feedback]:
        """All that was said, of one alert or of any, in order, what was taken back included.

        Raises:
            StoreError: It cannot be read.
        """
        where, values = ("", ()) if alert_id is None else (" WHERE alert_id = ?", (alert_id,))
        query = f"SELECT alert_id, verdict, utc, undone_utc FROM feedback{where} ORDER BY rowid"  # noqa: S608 - no input
        try:
            rows = self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error
        return [Feedback(alert_id=row[0], verdict=row[1], utc=row[2], undone_utc=row[3]) for row in rows]

    def get(self, id: str) -> AlertRecord | None:  # noqa: A002 - the word of the command line
        """The alert, None where there is none of this id.

        Raises:
            StoreError: It cannot be read.
        """
        records = self._read(f"{_SELECT} WHERE id = ?", (id,))
        return records[0] if records else None

    def find(
        self,
        *,
        camera: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[AlertRecord]:
        """Alerts, newest first.

        Args:
            since: With its time zone; alerts that started at this time or later.

        Raises:
            StoreError: They cannot be read.
        """
        wanted = {
            "camera = ?": camera,
            "kind = ?": kind,
            "started_utc >= ?": None if since is None else utc_text(since),
        }
        wanted = {condition: value for condition, value in wanted.items() if value is not None}
        where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
        order = " ORDER BY started_utc DESC, id DESC LIMIT ?"
        return self._read(_SELECT + where + order, (*wanted.values(), -1 if limit is None else limit))

    def oldest(self, limit: int, before: datetime | None = None) -> list[AlertRecord]:
        """Alerts that have ended, oldest first.

        Args:
            before: With its time zone; only alerts that started before.

        Raises:
            StoreError: They cannot be read.
        """
        condition = "" if before is None else " AND started_utc < ?"
        values = () if before is None else (utc_text(before),)
        query = f"{_SELECT} WHERE state = 'ended'{condition} ORDER BY started_utc, id LIMIT ?"
        return self._read(query, (*values, limit))

    def remove(self, *ids: str) -> None:
        """Forget these alerts and what was said of them; all or none.

        Raises:
            StoreError: They are still there.
        """
        self._check_place()
        rows = [(name,) for name in ids]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM feedback WHERE alert_id = ?", rows)
            self._connection.executemany("DELETE FROM alerts WHERE id = ?", rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise _explained(self.path, error) from error

    def close(self) -> None:
        """Safe to call twice."""
        _close(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, query: str, values: tuple[Any, ...]) -> list[AlertRecord]:
        try:
            return [_from_row(row) for row in self._connection.execute(query, values)]
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error

    def _check_place(self) -> None:
        """Refuse to write to a file that nobody will find: SQLite would go on writing to a removed one."""
        try:
            there = self.path.stat().st_ino == self._inode
        except OSError:
            there = False
        if not there:
            raise StoreError(
                f"store: {self.path} was moved or removed while in use: put it back, or let it be made anew"
            )

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # where it has not begun, or the error has already undone it
            self._connection.execute("ROLLBACK")


def default_folder() -> Path:
    """Where alerts are kept unless the configuration says otherwise."""
    return platformdirs.user_state_path("mulde-stream")


_suffix = itertools.count(secrets.randbelow(256))


def new_id(camera: str, started: datetime) -> str:
    """An id like `20261125-004512-gate-3f`, which sorts by time.

    Unique for 256 alerts of the same camera within a second.
    """
    return f"{started.astimezone(UTC):%Y%m%d-%H%M%S}-{camera}-{next(_suffix) % 256:02x}"


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the table, or refuse what another version made."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA:
        raise StoreError(
            f"store: {path} has schema {version}, this program knows {SCHEMA}: update it or take another store.folder"
        )
    connection.execute("PRAGMA journal_mode = WAL")  # who reads never holds up who writes
    # One flush to disk more than NORMAL, for which alerts are rare enough: what was announced outlives a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    if version < SCHEMA:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLE} PRAGMA user_version = {SCHEMA}; COMMIT;")


def _to_row(record: AlertRecord) -> tuple[Any, ...]:
    values = {name: getattr(record, name) for name in _COLUMNS}
    values["region"] = None if record.region is None else json.dumps(record.region)
    values["evidence"] = json.dumps(record.evidence)
    return tuple(values.values())


def _from_row(row: tuple[Any, ...]) -> AlertRecord:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["region"] = None if values["region"] is None else tuple(json.loads(values["region"]))
    values["evidence"] = tuple(json.loads(values["evidence"]))
    return AlertRecord(**values)


def _explained(path: Path, error: sqlite3.Error) -> StoreError:
    """What SQLite says, with the way out."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest is detail
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreError(f"store: {path} is damaged or not a store ({error}): move it away, a new one will be made")
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"store: no space left for {path}: free some")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"store: {path} is held by another process for too long: end it")
    return StoreError(_unusable(path, str(error)))


def _unusable(path: Path, problem: str) -> str:
    return f"store: {path} cannot be used: {problem}: correct that or take another store.folder"


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(sqlite3.Error):  # a damaged file is not made better by failing here
            connection.close()

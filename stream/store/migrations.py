"""The tables, as the steps that lead from each version of them to the next.

A step that was published is never changed: a new version is a new step at the end.
"""

import contextlib
import sqlite3
from pathlib import Path

from stream.store.error import StoreError

_ALERTS = (
    """
    CREATE TABLE alerts (
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
    )
    """,
    "CREATE INDEX alerts_by_time ON alerts (started_utc)",
)
_FEEDBACK = (
    "CREATE TABLE feedback (alert_id TEXT NOT NULL, verdict TEXT NOT NULL, utc TEXT NOT NULL, undone_utc TEXT)",
    "CREATE INDEX feedback_by_alert ON feedback (alert_id)",
)
_EVIDENCE_AND_HISTORY = (
    "ALTER TABLE alerts ADD COLUMN words TEXT NOT NULL DEFAULT ''",
    # One row for each file; bytes is null until the file is as it stays.
    """
    CREATE TABLE evidence (
        alert_id TEXT NOT NULL, position INTEGER NOT NULL, path TEXT NOT NULL, bytes INTEGER,
        PRIMARY KEY (alert_id, position)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO evidence (alert_id, position, path)
    SELECT alerts.id, file.key, file.value FROM alerts, json_each(alerts.evidence) AS file
    """,
    "ALTER TABLE alerts DROP COLUMN evidence",
    "CREATE INDEX evidence_unmeasured ON evidence (alert_id) WHERE bytes IS NULL",
    "DROP INDEX alerts_by_time",
    "CREATE INDEX alerts_by_time ON alerts (started_utc, id)",
    "CREATE INDEX alerts_by_camera ON alerts (camera, started_utc, id)",
    "CREATE INDEX alerts_open ON alerts (id) WHERE state = 'open'",
    # Of several verdicts about one alert the latest holds; before, all of them did.
    """
    UPDATE feedback SET undone_utc = utc WHERE undone_utc IS NULL AND EXISTS (
        SELECT 1 FROM feedback AS later
        WHERE later.alert_id = feedback.alert_id AND later.undone_utc IS NULL AND later.rowid > feedback.rowid
    )
    """,
    "CREATE UNIQUE INDEX feedback_that_holds ON feedback (alert_id) WHERE undone_utc IS NULL",
    "CREATE TABLE camera_states (camera TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, utc TEXT NOT NULL)",
    "CREATE INDEX camera_states_by_time ON camera_states (camera, utc)",
    """
    CREATE TABLE minutes (
        camera TEXT NOT NULL, minute TEXT NOT NULL, scores INTEGER NOT NULL, level REAL NOT NULL,
        live_s REAL NOT NULL, PRIMARY KEY (camera, minute)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE days (
        camera TEXT NOT NULL, day TEXT NOT NULL, scores INTEGER NOT NULL, level REAL NOT NULL,
        live_s REAL NOT NULL, PRIMARY KEY (camera, day)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE day_alerts (
        camera TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL, alerts INTEGER NOT NULL,
        PRIMARY KEY (camera, day, kind)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO day_alerts (camera, day, kind, alerts)
    SELECT camera, substr(started_utc, 1, 10), kind, count(*) FROM alerts GROUP BY 1, 2, 3
    """,
)

STEPS: tuple[tuple[str, ...], ...] = (_ALERTS, _FEEDBACK, _EVIDENCE_AND_HISTORY)
"""Statements; those at index n lead from schema n to schema n + 1, of which 0 is an empty file."""

SCHEMA = len(STEPS)


def bring_up(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, bring those of an older version up, or refuse what a newer one made. Sets up the connection.

    Raises:
        StoreError: Written by a newer version; it is left as it is.
        sqlite3.Error: Not possible; the steps that were done whole stay done.
    """
    if (version := _version(connection)) > SCHEMA:
        raise StoreError(
            f"store: {path} has schema {version}, this program knows {SCHEMA}: update it or take another store.folder"
        )
    connection.execute("PRAGMA journal_mode = WAL")  # who reads never holds up who writes
    # One flush to disk more than NORMAL, for which alerts are rare enough: what was announced outlives a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    for number, statements in enumerate(STEPS[version:], start=version + 1):
        _take_step(connection, number, statements)


def _take_step(connection: sqlite3.Connection, number: int, statements: tuple[str, ...]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) < number:  # or another process has just taken it
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):  # the error may have undone it already
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)

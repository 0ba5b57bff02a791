"""What people said of alerts, as rows. All of it is kept; of each alert at most one verdict holds."""

import json
import sqlite3
from collections.abc import Iterable

from stream.store.database import Database
from stream.store.records import Feedback, Verdict


def add(connection: sqlite3.Connection, feedback: Feedback) -> None:
    """Keep it in place of the verdict that held."""
    undo(connection, feedback.alert_id, feedback.utc)
    connection.execute(
        "INSERT INTO feedback (alert_id, verdict, utc, undone_utc) VALUES (?, ?, ?, ?)",
        (feedback.alert_id, feedback.verdict, feedback.utc, feedback.undone_utc),
    )


def undo(connection: sqlite3.Connection, alert_id: str, utc: str) -> bool:
    """Take back the verdict that holds; whether there was one."""
    changed = connection.execute(
        "UPDATE feedback SET undone_utc = ? WHERE alert_id = ? AND undone_utc IS NULL", (utc, alert_id)
    )
    return changed.rowcount > 0


def said(database: Database, alert_id: str | None) -> list[Feedback]:
    """All of it, of one alert or of any, in order."""
    where, values = ("", ()) if alert_id is None else (" WHERE alert_id = ?", (alert_id,))
    query = f"SELECT alert_id, verdict, utc, undone_utc FROM feedback{where} ORDER BY rowid"  # noqa: S608 - no input
    return [
        Feedback(alert_id=row[0], verdict=row[1], utc=row[2], undone_utc=row[3])
        for row in database.read(query, values)
    ]


def verdicts(database: Database, ids: Iterable[str]) -> dict[str, Verdict]:
    """Those that hold, by alert."""
    rows = database.read(
        "SELECT alert_id, verdict FROM feedback "
        "WHERE undone_utc IS NULL AND alert_id IN (SELECT value FROM json_each(?))",
        (json.dumps([*ids]),),
    )
    return dict(rows)

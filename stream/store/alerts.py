"""Alerts as rows, and the questions that are asked of them."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from stream.clock import utc_text
from stream.store.database import Database
from stream.store.records import AlertRecord, Verdict

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
    "reason",
    "words",
)
_SAVE = (
    f"INSERT OR REPLACE INTO alerts ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of this module only
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_COUNT = """
INSERT INTO day_alerts (camera, day, kind, alerts)
SELECT :camera, substr(:started_utc, 1, 10), :kind, 1 WHERE NOT EXISTS (SELECT 1 FROM alerts WHERE id = :id)
ON CONFLICT DO UPDATE SET alerts = alerts + 1
"""
_FILES = "(SELECT json_group_array(path) FROM (SELECT path FROM evidence WHERE alert_id = id ORDER BY position))"
_VERDICT = "(SELECT verdict FROM feedback WHERE alert_id = id AND undone_utc IS NULL)"
_SELECT = f"SELECT {', '.join(_COLUMNS)}, {_FILES} FROM alerts"  # noqa: S608 - names of this module only


def save(connection: sqlite3.Connection, record: AlertRecord) -> None:
    """Keep it in place of what was kept under its id; one that is new counts for its day."""
    values = {name: getattr(record, name) for name in _COLUMNS}
    values["region"] = None if record.region is None else json.dumps(record.region)
    connection.execute(_COUNT, {name: values[name] for name in ("camera", "started_utc", "kind", "id")})
    connection.execute(_SAVE, tuple(values.values()))
    connection.execute("DELETE FROM evidence WHERE alert_id = ?", (record.id,))
    connection.executemany(
        "INSERT INTO evidence (alert_id, position, path) VALUES (?, ?, ?)",
        ((record.id, position, path) for position, path in enumerate(record.evidence)),
    )


def remove(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    """Forget them and what was said of them; the counts of their days stay."""
    rows = [(name,) for name in ids]
    for query in (
        "DELETE FROM feedback WHERE alert_id = ?",
        "DELETE FROM evidence WHERE alert_id = ?",
        "DELETE FROM alerts WHERE id = ?",
    ):
        connection.executemany(query, rows)


def get(database: Database, alert_id: str) -> AlertRecord | None:
    """The alert of this id."""
    records = _read(database, f"{_SELECT} WHERE id = ?", (alert_id,))
    return records[0] if records else None


def find(
    database: Database,
    *,
    camera: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    min_score: float | None,
    verdict: Verdict | Literal["none"] | None,
    limit: int | None,
    before_id: str | None,
) -> list[AlertRecord]:
    """Newest first."""
    wanted = {
        "camera = ?": camera,
        "kind = ?": kind,
        "started_utc >= ?": None if since is None else utc_text(since),
        "started_utc < ?": None if until is None else utc_text(until),
        "kind = 'anomaly' AND score >= ?": min_score,
        f"ifnull({_VERDICT}, 'none') = ?": verdict,
        "(started_utc, id) < (SELECT started_utc, id FROM alerts WHERE id = ?)": before_id,
    }
    wanted = {condition: value for condition, value in wanted.items() if value is not None}
    where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
    order = " ORDER BY started_utc DESC, id DESC LIMIT ?"
    return _read(database, _SELECT + where + order, (*wanted.values(), -1 if limit is None else limit))


def oldest(database: Database, limit: int, before: datetime | None) -> list[AlertRecord]:
    """Of those that have ended."""
    condition = "" if before is None else " AND started_utc < ?"
    values = () if before is None else (utc_text(before),)
    query = f"{_SELECT} WHERE state = 'ended'{condition} ORDER BY started_utc, id LIMIT ?"
    return _read(database, query, (*values, limit))


def close_open(connection: sqlite3.Connection, utc: str, reason: str) -> list[str]:
    """End all that are open; their ids."""
    rows = connection.execute(
        "UPDATE alerts SET state = 'ended', ended_utc = ?, reason = ? WHERE state = 'open' RETURNING id",
        (utc, reason),
    ).fetchall()
    return sorted(row[0] for row in rows)


def _read(database: Database, query: str, values: tuple[Any, ...]) -> list[AlertRecord]:
    return [_from_row(row) for row in database.read(query, values)]


def _from_row(row: tuple[Any, ...]) -> AlertRecord:
    values = dict(zip((*_COLUMNS, "evidence"), row, strict=True))
    values["region"] = None if values["region"] is None else tuple(json.loads(values["region"]))
    values["evidence"] = tuple(json.loads(values["evidence"]))
    return AlertRecord(**values)

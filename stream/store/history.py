"""What became of each camera: its states, how unusual each minute was, and a line for each day."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from stream.clock import utc_text
from stream.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """From when on a camera was in a state."""

    camera: str
    state: str
    """As on the bus, and "unwatched" where nobody looks at it any more."""
    reason: str
    utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """A camera's scores within a minute, or a part of one."""

    camera: str
    minute: str
    """`2026-01-31T12:34Z`, UTC."""
    scores: int
    level: float
    """The highest, as a multiple of the threshold; 0 where there was none."""
    live_s: float
    """In how many of its seconds there were scores, at most 60."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A camera's day by UTC. It stays when its alerts are removed."""

    camera: str
    day: str
    """`2026-01-31`."""
    scores: int = 0
    level: float = 0.0
    live_s: float = 0.0
    alerts: dict[str, int] = field(default_factory=dict)
    """How many began, by kind; kinds without any are left out."""


class History:
    """The part of an open store that remembers cameras."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, minutes: Iterable[Minute] = (), states: Iterable[StateChange] = ()) -> None:
        """Keep these, all or none. To a minute that is kept already it is added; a state that lasts is no change.

        Raises:
            StoreError: They are not kept.
        """
        with self._database.transaction() as connection:
            for one in minutes:
                values = (one.scores, one.level, one.live_s)
                for table, time, text in (("minutes", "minute", one.minute), ("days", "day", one.minute[:10])):
                    connection.execute(
                        f"INSERT INTO {table} (camera, {time}, scores, level, live_s) VALUES (?, ?, ?, ?, ?) "  # noqa: S608 - names of this module only
                        "ON CONFLICT DO UPDATE SET scores = scores + excluded.scores, "
                        "level = max(level, excluded.level), live_s = live_s + excluded.live_s",
                        (one.camera, text, *values),
                    )
            for change in states:
                connection.execute(
                    "INSERT INTO camera_states (camera, state, reason, utc) SELECT :camera, :state, :reason, :utc "
                    "WHERE (:state, :reason) IS NOT (SELECT state, reason FROM camera_states "
                    "WHERE camera = :camera ORDER BY rowid DESC LIMIT 1)",
                    {"camera": change.camera, "state": change.state, "reason": change.reason, "utc": change.utc},
                )

    def minutes(self, camera: str, since: datetime, until: datetime) -> list[Minute]:
        """The camera's minutes that began in this time, in order; those without any score are left out.

        Raises:
            StoreError: They cannot be read.
        """
        rows = self._database.read(
            "SELECT minute, scores, level, live_s FROM minutes "
            "WHERE camera = ? AND minute >= ? AND minute < ? ORDER BY minute",
            (camera, minute_of(utc_text(since)), minute_of(utc_text(until))),
        )
        return [Minute(camera=camera, minute=row[0], scores=row[1], level=row[2], live_s=row[3]) for row in rows]

    def states(self, camera: str, since: datetime, until: datetime) -> list[StateChange]:
        """The camera's changes in this time, in order; before them the one that held when it began, if it is known.

        Raises:
            StoreError: They cannot be read.
        """
        columns = "SELECT state, reason, utc FROM camera_states WHERE camera = ?"
        begin, end = utc_text(since), utc_text(until)
        rows = [
            *self._database.read(f"{columns} AND utc < ? ORDER BY utc DESC, rowid DESC LIMIT 1", (camera, begin)),
            *self._database.read(f"{columns} AND utc >= ? AND utc < ? ORDER BY utc, rowid", (camera, begin, end)),
        ]
        return [StateChange(camera=camera, state=row[0], reason=row[1], utc=row[2]) for row in rows]

    def days(self, camera: str | None = None) -> list[Day]:
        """All days of a camera, or of all cameras, in order.

        Raises:
            StoreError: They cannot be read.
        """
        where, values = ("", ()) if camera is None else (" WHERE camera = ?", (camera,))
        alerts: dict[tuple[str, str], dict[str, int]] = {}
        for name, day, kind, count in self._database.read(
            f"SELECT camera, day, kind, alerts FROM day_alerts{where}",  # noqa: S608 - no input
            values,
        ):
            alerts.setdefault((day, name), {})[kind] = count
        rows = {
            (day, name): (scores, level, live_s)
            for name, day, scores, level, live_s in self._database.read(
                f"SELECT camera, day, scores, level, live_s FROM days{where}",  # noqa: S608 - no input
                values,
            )
        }
        days = []
        for day, name in sorted(alerts.keys() | rows.keys()):
            scores, level, live_s = rows.get((day, name), (0, 0.0, 0.0))
            counts = alerts.get((day, name), {})
            days.append(Day(camera=name, day=day, scores=scores, level=level, live_s=live_s, alerts=counts))
        return days

    def forget(self, before: datetime) -> None:
        """Remove minutes and states from before, except of each camera the latest state. Days stay.

        Raises:
            StoreError: They are still there.
        """
        text = utc_text(before)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM minutes WHERE minute < ?", (minute_of(text),))
            connection.execute(
                "DELETE FROM camera_states WHERE utc < ? "
                "AND rowid NOT IN (SELECT max(rowid) FROM camera_states GROUP BY camera)",
                (text,),
            )


def minute_of(utc: str) -> str:
    """The minute of a UTC stamp."""
    return f"{utc[:16]}Z"

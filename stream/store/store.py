"""An open store, as everybody else uses it."""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from stream.messages import AlertKind
from stream.store import alerts, feedback, outbox
from stream.store.database import Database
from stream.store.error import StoreError
from stream.store.history import History
from stream.store.measured import Files
from stream.store.outbox import Outbox
from stream.store.records import AlertRecord, Feedback, Verdict


class Store:
    """Alerts, and what was said of them. Make it with `open`, give it back with `close`. For one thread."""

    def __init__(self, database: Database, *, notices: bool = False) -> None:
        self._database = database
        self._notices = notices
        self.history = History(database)
        """What became of each camera."""
        self.files = Files(database)
        """How large the evidence is."""
        self.outbox = Outbox(database)
        """What is to be told of alerts."""

    @classmethod
    def open(cls, folder: Path, *, notices: bool = False) -> "Store":
        """The store in this folder; both are made, for this user only, where they are missing.

        Args:
            notices: Whether the start and end of each alert that is saved go into the outbox, too.

        Raises:
            StoreError: Unwritable, full, damaged, not a store, or written by a newer version.
        """
        return cls(Database.open(folder), notices=notices)

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def transaction(self) -> AbstractContextManager[object]:
        """A `with` in which several calls are kept together, all or none of them.

        Raises:
            StoreError: At its end: nothing of them is kept.
        """
        return self._database.transaction()

    def save(self, *records: AlertRecord) -> None:
        """Keep these as they are now, in place of what was kept under their ids; all or none of them.

        Blocks for the disk, and up to a second while another process writes.

        Raises:
            StoreError: They are not kept.
        """
        with self._database.transaction() as connection:
            for record in records:
                if self._notices:
                    outbox.put(connection, record, alerts.state_of(connection, record.id), time.time())
                alerts.save(connection, record)

    def close_open(self, utc: str, reason: str) -> list[str]:
        """End the alerts that are still open, as a crash leaves them; their ids, oldest first.

        An alert that is in truth still going on comes right when it is saved next.

        Raises:
            StoreError: They are not ended.
        """
        with self._database.transaction() as connection:
            ids = alerts.close_open(connection, utc, reason)
            for record in filter(None, map(self.get, ids)) if self._notices else ():
                outbox.put(connection, record, "open", time.time())
            return ids

    def open_alerts(self) -> list[tuple[str, AlertKind]]:
        """Camera and kind of each alert that has not ended.

        Raises:
            StoreError: They cannot be read.
        """
        return alerts.open_ones(self._database)

    def get(self, id: str) -> AlertRecord | None:  # noqa: A002 - the word of the command line
        """The alert, None where there is none of this id.

        Raises:
            StoreError: It cannot be read.
        """
        return alerts.get(self._database, id)

    def known(self, id: str) -> AlertRecord:  # noqa: A002 - the word of the command line
        """The alert.

        Raises:
            StoreError: There is none of this id, or it cannot be read.
        """
        record = self.get(id)
        if record is None:
            raise StoreError(f"alert {id}: there is none of this id: see `alerts list`")
        return record

    def find(
        self,
        *,
        camera: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        min_score: float | None = None,
        verdict: Verdict | Literal["none"] | None = None,
        limit: int | None = None,
        before_id: str | None = None,
    ) -> list[AlertRecord]:
        """Alerts, newest first.

        Args:
            since: With its time zone; alerts that started at this time or later.
            until: With its time zone; alerts that started before.
            min_score: Anomalies whose peak reached this score, as the list shows it.
            verdict: What was last said of them; "none" finds those nobody said anything of.
            before_id: Those that come after this alert in this order, for the next page; none where it is not there.

        Raises:
            StoreError: They cannot be read.
        """
        return alerts.find(
            self._database,
            camera=camera,
            kind=kind,
            since=since,
            until=until,
            min_score=min_score,
            verdict=verdict,
            limit=limit,
            before_id=before_id,
        )

    def oldest(self, limit: int, before: datetime | None = None) -> list[AlertRecord]:
        """Alerts that have ended, oldest first.

        Args:
            before: With its time zone; only alerts that started before.

        Raises:
            StoreError: They cannot be read.
        """
        return alerts.oldest(self._database, limit, before)

    def remove(self, *ids: str) -> None:
        """Forget these alerts and what was said of them, not their files; all or none.

        Raises:
            StoreError: They are still there.
        """
        with self._database.transaction() as connection:
            alerts.remove(connection, ids)

    def add_feedback(self, one: Feedback) -> None:
        """Keep what was said of an alert. It takes the place of what was said before, which stays known.

        Raises:
            StoreError: It is not kept.
        """
        with self._database.transaction() as connection:
            feedback.add(connection, one)

    def undo_feedback(self, alert_id: str, utc: str) -> bool:
        """Take back what was said of an alert; False where nothing was.

        Raises:
            StoreError: It is not taken back.
        """
        with self._database.transaction() as connection:
            return feedback.undo(connection, alert_id, utc)

    def feedback(self, alert_id: str | None = None) -> list[Feedback]:
        """All that was said, of one alert or of any, in order, what was taken back included.

        Raises:
            StoreError: It cannot be read.
        """
        return feedback.said(self._database, alert_id)

    def verdicts(self, ids: Iterable[str]) -> dict[str, Verdict]:
        """What holds of these alerts, by their ids; those nobody said anything of are left out.

        Raises:
            StoreError: It cannot be read.
        """
        return feedback.verdicts(self._database, ids)

    def close(self) -> None:
        """Safe to call twice."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

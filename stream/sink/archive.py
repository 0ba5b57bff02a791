"""The sink's way to the store: what cannot be stored now waits in memory and is offered again.

Trouble is logged once and never raised, because an alert that is not stored must still be announced.
"""

import logging
import time
from pathlib import Path

from stream.clock import utc_now
from stream.sink.history import Notes
from stream.sink.retention import Limits, Retention
from stream.store import AlertRecord, Store, StoreError

logger = logging.getLogger(__name__)

INTERRUPTED = "interrupted"
"""Reason of an alert that was open when its sink was killed."""

_RETRY_EVERY_S = 5.0
_NOTES_EVERY_S = 60.0  # each time costs a flush of the disk
_MOST_UNSAVED = 1000  # alerts; about a megabyte


class Archive:
    """The store, whose trouble is logged once and then waited out: what it did not take is offered again.

    Args:
        notices: Whether alerts go into the outbox, too.
    """

    def __init__(self, folder: Path, limits: Limits, *, notices: bool = False) -> None:
        self._folder = folder
        self._notices = notices
        self._retention = Retention(folder, limits)
        self._store: Store | None = None
        self._unsaved: dict[str, AlertRecord] = {}
        self._interrupted: list[AlertRecord] = []
        self._looked_back = False
        self._fault = ""
        self._retry_s = 0.0
        self._noted_s = time.monotonic()
        self.notes = Notes()
        """Of the cameras, kept once a minute."""
        self.errors = 0
        """Tries that failed."""
        self.given_up = 0
        """Alerts that more than could wait; they were announced all the same."""

    @property
    def waiting(self) -> int:
        """Alerts that are not stored as they are now."""
        return len(self._unsaved)

    def save(self, record: AlertRecord) -> str:
        """Store the record now, or when that is possible again.

        Returns:
            Why it is not stored yet; empty where it is.
        """
        self._unsaved[record.id] = record
        if len(self._unsaved) > _MOST_UNSAVED:
            del self._unsaved[next(iter(self._unsaved))]
            self.given_up += 1
        self.flush()
        return self._fault if self._unsaved else ""

    def flush(self, *, at_once: bool = False) -> None:
        """Store what waits, where there is something and it is time for another try. Blocks up to about a second.

        Args:
            at_once: Whether it is time for it or not, the notes included.
        """
        noting = at_once or time.monotonic() - self._noted_s >= _NOTES_EVERY_S
        idle = self._store is not None and not self._unsaved and not noting
        if idle or (time.monotonic() < self._retry_s and not at_once):
            return
        try:
            if self._store is None:
                self._store = Store.open(self._folder, notices=self._notices)
            self._look_back(self._store)
            if self._unsaved:
                self._store.save(*self._unsaved.values())
                self._unsaved.clear()
            if noting:
                self._store.history.add(*self.notes.waiting())
                self.notes.kept()
                self._noted_s = time.monotonic()
        except StoreError as error:
            self._fail(error)
            return
        if self._fault:
            self._fault = ""
            logger.info("alerts are stored again")

    @property
    def removed(self) -> int:
        """Alerts that had to go because they were too old or too much."""
        return self._retention.removed

    def tidy(self) -> None:
        """Remove what is too old or too much, a little at a time."""
        if self._store is not None and not self._fault:
            try:
                self._retention.step(self._store)
            except StoreError as error:
                self._fail(error)

    def change_notices(self, notices: bool) -> None:
        """Go on with or without the outbox."""
        if notices != self._notices:
            self._notices = notices
            self.close()  # the next flush opens it again

    def take_interrupted(self) -> list[AlertRecord]:
        """Alerts that a killed process had left open, each once."""
        interrupted, self._interrupted = self._interrupted, []
        return interrupted

    def close(self) -> None:
        """What waits is given up. Safe to call twice."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _fail(self, error: StoreError) -> None:
        self.errors += 1
        if not self._fault:
            logger.error("%s; alerts go on without being stored", error)
        self._fault = str(error)
        self._retry_s = time.monotonic() + _RETRY_EVERY_S
        self.close()

    def _look_back(self, store: Store) -> None:
        """End what an earlier process left open: once, before this one's own alerts come into the store."""
        if not self._looked_back:
            ids = store.close_open(utc_now(), INTERRUPTED)
            self._looked_back = True
            self._interrupted = [record for name in ids if (record := store.get(name)) is not None]

"""Keeps a store within its limits: the oldest alerts go, with their pictures; an open one never does."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream.store import EVIDENCE, AlertRecord, Store

_EVERY_S = 60.0
_AT_ONCE = 50  # alerts; some milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is kept."""

    days: float
    megabytes: float
    """Of pictures; of a thousand alerts the rest takes a megabyte."""


class Retention:
    """Looks after one store, once a minute and in small steps; call `step` as often as is convenient."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._evidence = folder.absolute() / EVIDENCE
        self._limits = limits
        self._due_s = 0.0
        self.removed = 0
        """Alerts so far."""

    def step(self, store: Store, now: datetime | None = None) -> None:
        """Remove some of what is too much. Blocks for some milliseconds.

        Args:
            now: With its time zone; the time by default.

        Raises:
            StoreError: The store cannot be read or written.
        """
        if time.monotonic() < self._due_s:
            return
        before = (now or datetime.now(UTC)) - timedelta(days=self._limits.days)
        records = store.oldest(_AT_ONCE, before=before)
        if not records:
            excess = self._bytes() - self._limits.megabytes * 1e6
            records = list(_worth(store.oldest(_AT_ONCE), excess))
        for record in records:
            self._remove_pictures(record)
        store.remove(*(record.id for record in records))
        self.removed += len(records)
        if not records:
            self._due_s = time.monotonic() + _EVERY_S

    def _bytes(self) -> int:
        return sum(size for folder in _folders(self._evidence) for size in _sizes(folder))

    def _remove_pictures(self, record: AlertRecord) -> None:
        for name in record.evidence:
            path = Path(os.path.normpath(Path(name).absolute()))
            if path.is_relative_to(self._evidence):  # nothing else is ours to remove
                with contextlib.suppress(OSError):  # gone already, or to be found by whoever looks at the disk
                    path.unlink()


def _worth(records: list[AlertRecord], excess: float) -> Iterator[AlertRecord]:
    """As many of the oldest as give back so many bytes."""
    for record in records:
        if excess <= 0.0:
            return
        yield record
        for name in record.evidence:
            with contextlib.suppress(OSError):
                excess -= Path(name).stat().st_size


def _folders(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:  # there is none yet
        return []


def _sizes(folder: Path) -> Iterator[int]:
    """Of the files right in it, bytes."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        with contextlib.suppress(OSError):
            if entry.is_file(follow_symlinks=False):
                yield entry.stat(follow_symlinks=False).st_size

"""Keeps a store within its limits: the oldest alerts go, with their pictures; an open one never does."""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream.sink.strays import Stray, strays
from stream.store import EVIDENCE, AlertRecord, Store

_EVERY_S = 60.0
_STRAYS_EVERY_S = 86_400.0
_AT_ONCE = 50  # alerts; some milliseconds
_MEASURED_AT_ONCE = 500  # files; some milliseconds
_LATE = timedelta(minutes=2)  # after its end an alert's clip still grows, and is put in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is kept."""

    days: float
    megabytes: float
    """Of evidence; of a thousand alerts the rest takes a megabyte."""


class Retention:
    """Looks after one store, once a minute and in small steps; call `step` as often as is convenient."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._due_s = 0.0
        self._strays: list[Stray] = []
        self._strays_due_s = 0.0
        self.removed = 0
        """Alerts so far."""

    def step(self, store: Store, now: datetime | None = None) -> bool:
        """Remove some of what is too much. Blocks for some milliseconds.

        Args:
            now: With its time zone; the time by default.

        Returns:
            Whether there may be more to do at once.

        Raises:
            StoreError: The store cannot be read or written.
        """
        if time.monotonic() < self._due_s:
            return False
        now = now or datetime.now(UTC)
        growing = self._measure(store, now)
        if growing is None:
            return True
        if time.monotonic() >= self._strays_due_s:
            self._strays, self._strays_due_s = strays(store, self._folder), time.monotonic() + _STRAYS_EVERY_S
        before = now - timedelta(days=self._limits.days)
        records = store.oldest(_AT_ONCE, before=before)
        if not records:
            known = store.files.bytes() + growing + sum(stray.bytes for stray in self._strays)
            excess = known - self._limits.megabytes * 1e6
            if self._remove_strays(before.timestamp(), excess):
                return True
            records = list(_worth(store.oldest(_AT_ONCE), excess))
        if records:
            remove(store, self._folder, records)
            self.removed += len(records)
            return True
        store.history.forget(before)
        self._due_s = time.monotonic() + _EVERY_S
        return False

    def _remove_strays(self, before_s: float, excess: float) -> bool:
        """Remove some files that no alert names, where they are too old or too much; whether there were any."""
        count = 0
        for stray in self._strays[:_MEASURED_AT_ONCE]:
            if stray.modified_s >= before_s and excess <= 0.0:
                break
            with contextlib.suppress(OSError):  # gone already, or to be found by whoever looks at the disk
                stray.path.unlink()
            excess -= stray.bytes
            count += 1
        del self._strays[:count]
        return count > 0

    def _measure(self, store: Store, now: datetime) -> int | None:
        """Bytes of the files that still grow; None where there are more to measure than is done at once."""
        files = store.files.unmeasured(ended_before=now - _LATE)
        final = [file for file in files if file.final]
        if final:
            store.files.measured((file, _size(file.path)) for file in final[:_MEASURED_AT_ONCE])
        if len(final) > _MEASURED_AT_ONCE:
            return None
        return sum(_size(file.path) for file in files if not file.final)


def remove(store: Store, folder: Path, records: Iterable[AlertRecord]) -> None:
    """Remove alerts with their evidence from the store in this folder; files elsewhere stay.

    Raises:
        StoreError: The alerts are still there, though files may be gone.
    """
    evidence = folder.absolute() / EVIDENCE
    records = list(records)
    for record in records:
        for name in record.evidence:
            path = Path(os.path.normpath(Path(name).absolute()))
            if path.is_relative_to(evidence):  # nothing else is ours to remove
                with contextlib.suppress(OSError):  # gone already, or to be found by whoever looks at the disk
                    path.unlink()
    store.remove(*(record.id for record in records))


def _worth(records: list[AlertRecord], excess: float) -> Iterator[AlertRecord]:
    """As many of the oldest as give back so many bytes."""
    for record in records:
        if excess <= 0.0:
            return
        yield record
        excess -= sum(map(_size, record.evidence))


def _size(path: str) -> int:
    """Bytes of the file; 0 where there is none (yet)."""
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0

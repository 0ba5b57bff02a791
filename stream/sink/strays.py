"""Files of evidence that no stored alert names: of a crash, of a clip that came late, or of a store moved away."""

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from stream.store import EVIDENCE, Store

_SETTLED_S = 3600.0  # a younger file may be of an alert that is still to be stored
_OURS = re.compile(r"\.?[0-9]{8}-[0-9]{6}-.+-[0-9a-f]{2}[-.]")  # begins with an alert's id


@dataclass(frozen=True, slots=True, order=True)
class Stray:
    """One such file."""

    modified_s: float
    """Seconds since the epoch."""
    path: Path
    bytes: int


def strays(store: Store, folder: Path) -> list[Stray]:
    """All of the store in this folder, oldest first. Looks through the whole folder: a second for some 100,000 files.

    Raises:
        StoreError: The store cannot be read.
    """
    named = store.files.names()
    found = []
    for entry in (entry for below in _entries(folder / EVIDENCE) for entry in _entries(Path(below.path))):
        if entry.name in named or not _OURS.match(entry.name):
            continue
        with contextlib.suppress(OSError):  # gone by now
            if entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                if time.time() - status.st_mtime > _SETTLED_S:
                    found.append(Stray(status.st_mtime, Path(entry.path), status.st_size))
    return sorted(found)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # there is none, or it is no folder
        return []

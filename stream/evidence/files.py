"""How evidence gets to the disk: at once and whole, for this user only."""

import contextlib
import os
from pathlib import Path


class EvidenceError(Exception):
    """The evidence cannot be written; the message says where and why."""


def write_file(data: bytes, path: Path) -> None:
    """Write it in place of an older file. Blocks for the disk.

    Args:
        path: Its folder is made if it is missing.

    Raises:
        EvidenceError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write(temporary, data)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise EvidenceError(f"evidence: {path} cannot be written: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)  # the store, which names it, outlives a power cut, so it must, too

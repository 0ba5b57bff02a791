"""A file that is there whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(data: bytes, path: Path, mode: int, *, sync: bool = True) -> None:
    """Put the data at `path`; a file that was there stays until the new one is on disk.

    Args:
        mode: Who may read it, as for `chmod`.
        sync: Wait until it is on the disk; without, a power cut may leave it empty.

    Raises:
        OSError: It cannot be written.
    """
    part: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        part = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    finally:
        if part is not None:
            with suppress(OSError):
                part.unlink(missing_ok=True)

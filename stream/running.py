"""Which watch has a store: a file in its folder, locked for as long as the watch runs, says where the bus is.

A lock ends with its process, however that ends, so a file that was left behind is recognised. The sockets are in a
private folder that leads back to the store: that is how all watches of a user are found.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from stream.bus import Endpoints

FILE_NAME = "watch.json"

_SOCKETS = "mulde-"  # how the folders of sockets begin
_STORE = "store"  # the link in such a folder
_PATIENCE_S = 1.0  # with a watch that is just ending, and with whoever looks, who locks the file for a moment
_LOOK_S = 0.02


class RunningError(Exception):
    """A store is taken, or its file cannot be read; the message says which and the way out."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A watch that runs, as its file describes it."""

    process: int
    """Of its supervisor."""
    store: str
    cameras: tuple[str, ...]
    endpoints: Endpoints


@contextmanager
def claim(store: Path, cameras: tuple[str, ...]) -> Iterator[Endpoints]:
    """Take the store for a watch of this process and make a private folder for its bus; gone afterwards.

    Args:
        store: A folder that is there.

    Raises:
        RunningError: Another watch has this store. Both would write, and end each other's alerts.
        BusError: No folder for sockets can be had.
    """
    store = store.absolute()
    path = store / FILE_NAME
    with ExitStack() as stack:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, file)
            _take(file, store)
            endpoints = stack.enter_context(_sockets(store))
            running = Running(process=os.getpid(), store=str(store), cameras=cameras, endpoints=endpoints)
            os.truncate(file, 0)
            os.write(file, msgspec.json.encode(running))
        except OSError as error:
            raise RunningError(f"{error.filename or path}: cannot be written or locked: {error.strerror}") from error
        yield endpoints


def find(store: Path) -> Running | None:
    """The watch that has this store, None where none has.

    Raises:
        RunningError: One has, but its file cannot be read.
    """
    path = store / FILE_NAME
    try:
        with path.open("rb") as file:
            if _lock(file.fileno(), fcntl.LOCK_SH):
                return None
            return msgspec.json.decode(file.read(), type=Running)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunningError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise RunningError(f"{path}: the watch that has it is of another version, or just starting") from error


def stores() -> list[Path]:
    """Stores that watches of this user have or had, as far as their sockets are found from this environment."""
    found = set()
    for base in {_base(), tempfile.gettempdir()}:
        for link in Path(base).glob(f"{_SOCKETS}*/{_STORE}"):
            with suppress(OSError):  # gone, or another user's
                if link.parent.stat().st_uid == os.getuid():
                    found.add(link.readlink())
    return sorted(found)


@contextmanager
def _sockets(store: Path) -> Iterator[Endpoints]:
    folder = Path(tempfile.mkdtemp(prefix=_SOCKETS, dir=_base()))
    try:
        (folder / _STORE).symlink_to(store)
        yield Endpoints.in_folder(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _base() -> str:
    base = os.environ.get("XDG_RUNTIME_DIR")
    return base if base and Path(base).is_dir() else tempfile.gettempdir()


def _take(file: int, store: Path) -> None:
    """Lock the file for good."""
    until_s = time.monotonic() + _PATIENCE_S
    while not _lock(file, fcntl.LOCK_EX):
        if time.monotonic() >= until_s:
            raise RunningError(f"store {store}: another watch has it: stop that, or name another with --store")
        time.sleep(_LOOK_S)


def _lock(file: int, kind: int) -> bool:
    """Whether the lock could be had, without waiting for it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

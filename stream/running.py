"""Which watch has a store: a file in its folder, locked for as long as the watch runs, says where the bus is.

A lock ends with its process, however that ends, so a file that was left behind is recognised. The sockets are in a
private folder that leads back to the store: that is how all watches of a user are found. To connect to the socket for
requests there is to ask for a reload; what comes back is the answer.
"""

import fcntl
import os
import shutil
import socket
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
_REQUESTS = "requests.ipc"  # the socket there
_PATIENCE_S = 1.0  # with a watch that is just ending, and with whoever looks, who locks the file for a moment
_LOOK_S = 0.02
_ANSWER_S = 120.0  # a process that is being replaced is waited for, and the worker may have models to load


class RunningError(Exception):
    """A store is taken, nobody has it, or whoever has refuses; the message says which and the way out."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A watch that runs, as its file describes it."""

    process: int
    """Of its supervisor."""
    store: str
    cameras: tuple[str, ...]
    endpoints: Endpoints
    requests: str
    """Socket that takes them."""


class _Answer(msgspec.Struct, frozen=True):
    refused: bool
    text: str


class Claim:
    """This process's hold on a store, and where others ask it; made by `claim`."""

    def __init__(self, file: int, requests: socket.socket, running: Running) -> None:
        self._file = file
        self._requests = requests
        self._running = running
        self._waiting: list[socket.socket] = []
        self.tell(running.cameras)

    @property
    def endpoints(self) -> Endpoints:
        """Of the bus."""
        return self._running.endpoints

    def tell(self, cameras: tuple[str, ...]) -> None:
        """Say in the file which cameras are watched.

        Raises:
            OSError: It cannot be written.
        """
        self._running = msgspec.structs.replace(self._running, cameras=cameras)
        os.truncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(self._running), 0)

    def asked(self) -> bool:
        """Whether somebody has asked for a reload since the last call. Never waits."""
        before = len(self._waiting)
        with suppress(OSError):  # nobody, or no room for one more just now
            while True:
                self._waiting.append(self._requests.accept()[0])
        return len(self._waiting) > before

    def answer(self, text: str, *, refused: bool) -> None:
        """Tell all who have asked; who is no longer there is passed over."""
        for asker in self._waiting:
            with asker, suppress(OSError):
                asker.setblocking(False)  # a new socket has room for it
                asker.sendall(msgspec.json.encode(_Answer(refused, text)))
        self._waiting.clear()

    def close(self) -> None:
        """Hang up on all who still wait for an answer."""
        for asker in self._waiting:
            asker.close()
        self._waiting.clear()


@contextmanager
def claim(store: Path, cameras: tuple[str, ...]) -> Iterator[Claim]:
    """Take the store for a watch of this process and make a private folder for its sockets; gone afterwards.

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
            folder = stack.enter_context(sockets(store))
            endpoints = Endpoints.in_folder(folder)  # first: it says where a path is too long for a socket
            requests = stack.enter_context(socket.socket(socket.AF_UNIX))
            requests.bind(str(folder / _REQUESTS))
            requests.listen()
            requests.setblocking(False)
            running = Running(
                process=os.getpid(),
                store=str(store),
                cameras=cameras,
                endpoints=endpoints,
                requests=str(folder / _REQUESTS),
            )
            made = Claim(file, requests, running)
        except OSError as error:
            raise RunningError(f"{error.filename or path}: cannot be written or locked: {error.strerror}") from error
        stack.callback(made.close)
        yield made


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


def ask_to_reload(store: Path) -> str:
    """Ask the watch that has this store to read its site file again; what has changed. Blocks until it is done.

    Raises:
        RunningError: Nobody watches with it, the new site cannot be used, or no answer came.
    """
    running = find(store)
    if running is None:
        raise RunningError(f"no watch has the store {store}: name that of a running watch with --store or --config")
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(_ANSWER_S)
        try:
            asker.connect(running.requests)
            received = b"".join(iter(lambda: asker.recv(65536), b""))
            answer = msgspec.json.decode(received, type=_Answer)
        except TimeoutError as error:
            raise RunningError(
                f"no answer of process {running.process} within {_ANSWER_S:g} s: see its log"
            ) from error
        except (OSError, msgspec.DecodeError) as error:
            raise RunningError(f"process {running.process} ended before it answered: see its log") from error
    if answer.refused:
        raise RunningError(answer.text)
    return answer.text


@contextmanager
def sockets(store: Path | None = None) -> Iterator[Path]:
    """A private folder for sockets that is gone afterwards, with a link to a store where they are a watch's."""
    folder = Path(tempfile.mkdtemp(prefix=_SOCKETS, dir=_base()))
    try:
        if store is not None:
            (folder / _STORE).symlink_to(store)
        yield folder
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

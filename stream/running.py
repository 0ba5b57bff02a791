"""The one `watch` of a store: nobody else watches with it, and it can be found and asked to read its site file again.

A file in the store's folder is locked while the application runs, and says where its sockets are. To connect to the
one here is to ask for a reload; what comes back is the answer.
"""

import contextlib
import fcntl
import json
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

FILE_NAME = "watch.pid"
SOCKET_NAME = "reload.socket"

_ANSWER_S = 120.0  # a process that is being replaced is waited for, and the worker may have models to load


class RunningError(Exception):
    """A store is in use, nobody uses it, or whoever does refuses; the message says which and the way out."""


class Running:
    """This process's claim to a store, and where others ask it. Given up by `close` or at the end of a `with` block.

    Args:
        store: The store's folder, which is there.
        sockets: A folder that only this user may enter; its path is short enough for a socket.

    Raises:
        RunningError: Another process watches with this store, or the file in it cannot be written.
    """

    def __init__(self, store: Path, sockets: Path) -> None:
        self._waiting: list[socket.socket] = []
        with ExitStack() as stack:
            _claim(stack, store, sockets)
            self._socket = stack.enter_context(socket.socket(socket.AF_UNIX))
            self._socket.bind(str(sockets / SOCKET_NAME))
            self._socket.listen()
            self._socket.setblocking(False)
            self._open = stack.pop_all()

    def asked(self) -> bool:
        """Whether somebody has asked for a reload since the last call. Never waits."""
        before = len(self._waiting)
        with contextlib.suppress(OSError):  # nobody, or no room for one more just now
            while True:
                self._waiting.append(self._socket.accept()[0])
        return len(self._waiting) > before

    def answer(self, text: str, *, refused: bool) -> None:
        """Tell all who have asked; who is no longer there is passed over."""
        for asker in self._waiting:
            with asker, contextlib.suppress(OSError):
                asker.setblocking(False)  # a new socket has room for it
                asker.sendall(json.dumps({"refused": refused, "text": text}).encode())
        self._waiting.clear()

    def close(self) -> None:
        """Let others watch with the store. Safe to call twice."""
        for asker in self._waiting:
            asker.close()
        self._waiting.clear()
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ask_to_reload(store: Path) -> str:
    """Ask whoever watches with this store to read its site file again; what has changed. Blocks until it is done.

    Raises:
        RunningError: Nobody watches with it, the new site cannot be used, or no answer came.
    """
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(_ANSWER_S)
        try:
            told = json.loads((store / FILE_NAME).read_text(encoding="utf-8"))
            asker.connect(str(Path(told["sockets"]) / SOCKET_NAME))
        except (OSError, ValueError) as error:
            raise RunningError(
                f"nobody watches with the store {store}: name the one of a running watch with --store or --config"
            ) from error
        try:
            received = b"".join(iter(lambda: asker.recv(65536), b""))
            answer = json.loads(received)
        except TimeoutError as error:
            raise RunningError(f"no answer of process {told['pid']} within {_ANSWER_S:g} s: see its log") from error
        except (OSError, ValueError) as error:
            raise RunningError(f"process {told['pid']} ended before it answered: see its log") from error
    if answer["refused"]:
        raise RunningError(answer["text"])
    return str(answer["text"])


def _claim(stack: ExitStack, store: Path, sockets: Path) -> None:
    """Lock the store's file for as long as the stack is open, and write into it who this is."""
    path = store / FILE_NAME
    try:
        file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate()
        json.dump({"pid": os.getpid(), "sockets": str(sockets)}, file)
        file.flush()
    except BlockingIOError as error:
        raise RunningError(
            f"{store}: another process watches with this store: stop that one, or name another folder with --store"
        ) from error
    except OSError as error:
        raise RunningError(f"{path}: cannot be written: {error.strerror}") from error

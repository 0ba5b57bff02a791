"""What every child process has in common: its line to the parent, its logging and its one broad except.

A child is a free function `run(spec, parent)` named by an import string, so that the parent stays light. It calls
`parent.ready()` once it works, returns when its task is over or `parent.stopping()` turns true, and raises on
trouble. One that can change its task while it works looks at `parent.new_spec()` and answers each with
`parent.ready()` or `parent.refuse()`.
"""

import importlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from stream import logs

logger = logging.getLogger(__name__)

READY, REFUSED, ERROR, FINAL, QUIT = "ready", "refused", "error", "final", "quit"
"""What a child says, each with a text that may be empty; a replacement would meet a final error, too ..."""
STOP, CHANGE = "stop", "change"
"""... and what a parent says; a change comes with the new specification."""
TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGHUP)
"""What a terminal sends to all its processes at once; children leave it to the parent, which decides the order."""

_ORPHAN_EXIT_S = 1.5
_LONGEST_REASON = 1000  # characters


class ChildError(Exception):
    """A child cannot do its task; the message is the one line an operator sees."""


class FinalError(ChildError):
    """The same, and a replacement could not do it either."""


class Parent:
    """A child's line to its supervisor. A closed line (the parent is gone) reads as "stop"."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stopping = False
        self._new_spec: Any = None

    def ready(self) -> None:
        """Say that start-up is over, or that the new specification has been taken up."""
        self._send(READY)

    def refuse(self, reason: str) -> None:
        """Say why the new specification cannot be taken up; this process goes on with the one it has."""
        self._send(REFUSED, _line(reason))

    def ask_to_quit(self) -> None:
        """Ask the parent to end the whole application."""
        self._send(QUIT)

    def fail(self, reason: str, *, final: bool = False) -> None:
        """Say why this process cannot go on, and if so a replacement; the parent gets one line without passwords."""
        self._send(FINAL if final else ERROR, _line(reason))

    def stopping(self) -> bool:
        """Whether this process shall end. Never waits."""
        self._listen()
        return self._stopping

    def new_spec(self) -> Any:
        """The specification to go on with from now on, once; None where it has not changed. Never waits."""
        self._listen()
        spec, self._new_spec = self._new_spec, None
        return spec

    def _listen(self) -> None:
        try:
            while not self._stopping and self._connection.poll():
                said = self._connection.recv()
                if said == STOP:
                    self._stopping = True
                else:
                    _, self._new_spec = said
        except (EOFError, OSError):
            self._stopping = True

    def _send(self, word: str, text: str = "") -> None:
        try:
            self._connection.send((word, text))
        except OSError:
            self._stopping = True


def main(name: str, target: str, spec: Any, connection: Connection, log_file: Path | None) -> None:
    """Run `target` ("module:function") as the child `name`; the entry of every spawned process."""
    os.umask(0o077)  # what it makes is for this user only: pictures and their folders, features, logs
    for number in TERMINAL_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL_SIGNALS)  # the parent held them back while it spawned us
    threading.Thread(target=_leave_with_parent, name="leave-with-parent", daemon=True).start()
    logs.configure(name, log_file)
    parent = Parent(connection)
    try:
        module, function = target.split(":")
        getattr(importlib.import_module(module), function)(spec, parent)
    except ChildError as error:
        parent.fail(str(error), final=isinstance(error, FinalError))
        sys.exit(1)
    except MemoryError:
        logger.exception("%s stopped working", name)
        parent.fail("out of memory: raise its limit, watch fewer cameras, or lower analysis.long_side_px")
        sys.exit(1)
    except Exception as error:
        logger.exception("%s stopped working", name)
        parent.fail(f"{type(error).__name__}: {error}")
        sys.exit(1)


def _line(reason: str) -> str:
    return " ".join(logs.without_passwords(reason).split())[:_LONGEST_REASON]


def _leave_with_parent() -> None:
    """End this process soon after its parent, also where it is stuck in a call and never asks `stopping`."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only spawned processes run main"
    multiprocessing.connection.wait([parent.sentinel])
    time.sleep(_ORPHAN_EXIT_S)
    os._exit(1)

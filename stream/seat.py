"""A child process's place in the table: what runs there, in which state it is, and how often it may be replaced.

Knows one process at a time; what is done about it is the supervisor's to decide.
"""

import logging
import multiprocessing
import signal
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Literal

from configs.settings import SupervisorSettings
from stream import child

logger = logging.getLogger(__name__)

_SPAWN = multiprocessing.get_context("spawn")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_LAST_WORDS_S = 1.0  # from a child's error to its exit
_LEAVE_S = 3.0  # from being told to end to SIGKILL, as at the end of the application
_UNKILLABLE_S = 10.0  # a process that outlives SIGKILL for so long is stuck in the system


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A line of the table: what to run. Stages are started in ascending order and stopped in descending order."""

    name: str
    """Unique; the child sends its `Health` under it."""
    target: str
    """`module:function`, run as `function(spec, parent)`."""
    spec: Any = field(repr=False)
    stage: int
    adapts: bool = False
    """Whether it takes up another spec while it works, instead of being replaced for it."""


@dataclass(slots=True, kw_only=True)
class RestartBudget:
    """How often a child may be replaced: `restarts` times within `window_s`, with growing pauses."""

    restarts: int
    window_s: float
    _spent_s: deque[float] = field(default_factory=deque, init=False)

    def spend(self, now_s: float) -> float | None:
        """Pause in seconds before the replacement (0 for the first in a while), or None where none is left."""
        while self._spent_s and now_s - self._spent_s[0] >= self.window_s:
            self._spent_s.popleft()
        recent = len(self._spent_s)
        if recent >= self.restarts:
            return None
        self._spent_s.append(now_s)
        return min(_FIRST_PAUSE_S * 2.0 ** min(recent - 1, 32), _LONGEST_PAUSE_S) if recent else 0.0


State = Literal["waiting", "starting", "working", "offered", "failed", "leaving", "killed", "pausing", "finished"]
"""waiting: for its stage; starting: not ready yet; offered: its answer to another spec is due; failed: it said so,
its exit is due; leaving: told to end because of another table; killed: its exit is due; pausing: before its start
or replacement."""


class Seat:
    """A child's place in the table, with the process that has it at the moment."""

    def __init__(self, child: Child, settings: SupervisorSettings) -> None:
        self.child = child
        self.budget = RestartBudget(restarts=settings.restarts, window_s=settings.restart_window_s)
        self.process: SpawnProcess | None = None
        self.state: State = "waiting"
        self.since_s = 0.0
        """When it entered its state or last showed that it works."""
        self.due_s = 0.0
        self.was_ready = False
        self.restarts = 0
        self.fault = ""
        self.final = False
        """A replacement would fail in the same way."""
        self.refusal = ""
        """Why it did not take up the latest spec it was offered."""
        self.leaves = False
        """Whether another table has no place for it ..."""
        self.heir: Child | None = None
        """... and what comes into its own instead."""
        self._line: Connection | None = None
        self._patience_s = {
            "starting": settings.ready_timeout_s,
            "working": settings.heartbeat_timeout_s,
            "offered": settings.ready_timeout_s,
            "failed": _LAST_WORDS_S,
            "leaving": _LEAVE_S,
            "killed": _UNKILLABLE_S,
        }

    def start(self, log_file: Path | None) -> None:
        """Run a process for this seat.

        Raises:
            OSError: The system has no room for one more.
        """
        name, target, spec = self.child.name, self.child.target, self.child.spec
        here, there = _SPAWN.Pipe()
        with there:  # its only other holder is the child, so that the line reads as closed when that is gone
            process = _SPAWN.Process(
                target=child.main,
                args=(name, target, spec, there, log_file),
                name=f"mulde-{name}",
                daemon=True,  # where this process ends by an exception, they are ended with it
            )
            # A Ctrl-C before the child can ignore it would print a traceback; it inherits what is held back here.
            signal.pthread_sigmask(signal.SIG_BLOCK, child.TERMINAL_SIGNALS)
            try:
                process.start()
            except OSError:
                here.close()
                raise
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, child.TERMINAL_SIGNALS)
        self.process, self._line, self.fault = process, here, ""
        self.enter("starting", time.monotonic())
        logger.debug("%s started, process %d", name, process.pid)

    def enter(self, state: State, now_s: float) -> None:
        """Go over to a state, whose time begins now."""
        self.state, self.since_s = state, now_s

    def is_well(self) -> bool:
        """Whether it does its work, or has done it."""
        return self.state in ("working", "offered", "finished")

    def overdue(self, now_s: float) -> bool:
        """Whether its state has lasted for longer than it may."""
        return now_s - self.since_s > self._patience_s.get(self.state, float("inf"))

    @property
    def silence(self) -> str:
        """What has not come in time, in words."""
        seconds = f"{self._patience_s[self.state]:g} s"
        if self.state == "leaving":
            return f"did not stop within {seconds}"
        return f"no sign of work for {seconds}" if self.state == "working" else f"not ready within {seconds}"

    def waitables(self) -> list[Connection | int]:
        """What turns readable when the child says something or ends."""
        if self.process is None:
            return []
        return [self.process.sentinel, *([self._line] if self._line else [])]

    def words(self) -> list[tuple[str, str]]:
        """What the child has said since the last time."""
        words: list[tuple[str, str]] = []
        try:
            while self._line is not None and self._line.poll():
                words.append(self._line.recv())
        except (EOFError, OSError):
            self._hang_up()
        return words

    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.exitcode is None

    def ask_to_stop(self) -> None:
        """Tell the process to end, in a way that lets it finish what it does."""
        if self.state == "starting" and self.process is not None:
            self.process.terminate()  # it may import for seconds before it listens, and holds nothing yet
        self._say(child.STOP)

    def offer(self, spec: Any, now_s: float) -> None:
        """Ask the process to go on with another spec; it answers that it is ready, or refuses."""
        self.refusal = ""
        self.enter("offered", now_s)
        self._say((child.CHANGE, spec))

    def leave(self, heir: Child | None, now_s: float) -> None:
        """Tell the process to end, because another table has no place for it, or has another child in it."""
        self.ask_to_stop()
        self.leaves, self.heir = True, heir
        self.enter("leaving", now_s)

    def terminate(self) -> None:
        """End a process that did not stop when asked."""
        assert self.process is not None
        logger.warning("%s did not stop when asked, terminating it", self.child.name)
        self.process.terminate()

    def kill(self) -> None:
        """End a process that did not even stop when terminated."""
        assert self.process is not None
        logger.warning("%s did not stop when terminated, killing it", self.child.name)
        self.process.kill()

    def bury(self) -> int | None:
        """Give the process back; its exit status, negative for a signal, or None where it still lives."""
        assert self.process is not None
        self._hang_up()
        status = self.process.exitcode
        if status is not None:
            self.process.close()
        self.process = None
        return status

    def _say(self, words: Any) -> None:
        try:
            if self._line is not None:
                self._line.send(words)
        except OSError:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

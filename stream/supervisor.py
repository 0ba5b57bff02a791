"""Starts the child processes stage by stage, watches that they live and work, replaces those that do not, stops them.

Knows a table of import strings and nothing of what the children do; one loop does all of it.
"""

import logging
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Literal

from configs.schema import SupervisorSettings
from stream import child
from stream.bus import Broker, Endpoints, Publisher, Subscriber
from stream.clock import utc_now
from stream.messages import Health
from stream.stopping import Patience, StopSignals

logger = logging.getLogger(__name__)

NAME = "supervisor"

_SPAWN = multiprocessing.get_context("spawn")
_TICK_S = 0.05  # also how long a signal waits for its answer
_REPORT_EVERY_S = 1.0
_BEATS_PER_TICK = 1000  # so that a flood of them cannot hold the loop
_SUSPENDED_S = 2.0  # a tick this long means that this process itself stood still
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_LAST_WORDS_S = 1.0  # from a child's error to its exit
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


class Supervisor:
    """Runs a table of children until its end.

    Args:
        children: A child without a stage above its own is a source: it may finish (exit status 0, or with a final
            fault), and when all of them have, so has the application. Any other child is expected to run until it
            is told to stop.
        endpoints: Of the bus, whose broker runs in this process.
        log_file: Where the children log, None = standard error.
    """

    def __init__(
        self,
        settings: SupervisorSettings,
        children: Sequence[Child],
        endpoints: Endpoints,
        log_file: Path | None,
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._log_file = log_file
        self._seats = [_Seat(child, settings) for child in sorted(children, key=lambda child: child.stage)]
        self._ending: _Ending | None = None
        self._ready_s: float | None = None
        self._ended_s = 0.0

    @property
    def worked_s(self) -> float:
        """Time from the moment when all children were ready to the end, 0 where that never came."""
        return 0.0 if self._ready_s is None else self._ended_s - self._ready_s

    @property
    def reason(self) -> str:
        """Why the application ended, one line without passwords; empty while it runs."""
        return self._ending.reason if self._ending else ""

    def run(self, seconds: float | None = None) -> int:
        """Run until the sources are over, a child gives up, a child asks to quit, a signal or the end of `seconds`.

        SIGINT, SIGTERM and SIGHUP end it within 3 s, a second one at once. Call it in the main thread, once.

        Args:
            seconds: Time to run from the moment when all children are ready; None = no end.

        Returns:
            Exit status: 0 for every end that was wanted, Ctrl-C included, because that is how people end a monitor;
            1 where a child could not start or its restarts are used up, with `reason` and one line in the log.

        Raises:
            BusError: The bus cannot be opened.
        """
        with ExitStack() as stack:
            signals = stack.enter_context(StopSignals())
            stack.enter_context(Broker(self._endpoints))
            publisher = stack.enter_context(Publisher(self._endpoints))
            beats = stack.enter_context(Subscriber(self._endpoints, (b"health/",)))
            resource_tracker.ensure_running()  # its first start would let through the signals held back in `start`
            try:
                self._watch(seconds, signals, publisher, beats)
            finally:
                self._stop(signals)
        assert self._ending is not None, "the loop ends with a reason"
        return self._ending.status

    def _watch(self, seconds: float | None, signals: StopSignals, publisher: Publisher, beats: Subscriber) -> None:
        reported_s = 0.0
        ticked_s = time.monotonic()
        while self._ending is None:
            connection.wait([waitable for seat in self._seats for waitable in seat.waitables()], _TICK_S)
            now_s = time.monotonic()
            if signals.presses:
                self._end(0, f"{signals.last_name} received")
                break
            if now_s - ticked_s > _SUSPENDED_S:
                for seat in self._seats:
                    seat.since_s = min(seat.since_s + now_s - ticked_s, now_s)
            ticked_s = now_s
            self._hear(beats, now_s)
            for seat in self._seats:
                self._look_at(seat, now_s)
            self._start_due(now_s, signals)
            if self._ready_s is None and all(seat.was_ready for seat in self._seats):
                self._ready_s = now_s
            if now_s - reported_s >= _REPORT_EVERY_S:
                reported_s = now_s
                publisher.send(self._health())
            if seconds is not None and self._ready_s is not None and now_s >= self._ready_s + seconds:
                self._end(0, f"{seconds:g} s are over")

    def _end(self, status: int, reason: str, *, drain: bool = False) -> None:
        """Leave the loop after this tick. The first reason counts."""
        if self._ending is None:
            self._ended_s = time.monotonic()
            self._ending = _Ending(status=status, reason=reason, drain=drain)
            logger.log(logging.ERROR if status else logging.INFO, "stopping: %s", reason)

    def _hear(self, beats: Subscriber, now_s: float) -> None:
        seats = {seat.child.name: seat for seat in self._seats}
        for _ in range(_BEATS_PER_TICK):
            received = beats.receive(0.0)
            if received is None:
                return
            message, _ = received
            seat = seats.get(message.process) if isinstance(message, Health) else None
            if seat is not None and seat.state == "working":
                seat.since_s = now_s

    def _look_at(self, seat: "_Seat", now_s: float) -> None:
        """Act on what the child said, on its end and on its silence."""
        if seat.process is None:
            return
        ended = seat.process.exitcode is not None  # asked first, so that its last words are all in the line
        for word, text in seat.words():
            self._listen(seat, word, text, now_s)
        if ended:
            self._replace(seat, now_s)
        elif seat.overdue(now_s):
            if seat.state == "killed":
                self._end(1, f"{seat.child.name}: {seat.fault}, and cannot be killed: restart the machine")
                return
            if seat.state != "failed":
                seat.fault = seat.silence
            seat.process.kill()
            seat.enter("killed", now_s)

    def _listen(self, seat: "_Seat", word: str, text: str, now_s: float) -> None:
        name = seat.child.name
        if word == child.READY and seat.state == "starting":
            logger.info("%s ready after %.1f s", name, now_s - seat.since_s)
            seat.was_ready = True
            seat.enter("working", now_s)
        elif word in (child.ERROR, child.FINAL):
            seat.fault, seat.final = text, word == child.FINAL
            seat.enter("failed", now_s)
        elif word == child.QUIT:
            self._end(0, f"{name} asked to quit")

    def _replace(self, seat: "_Seat", now_s: float) -> None:
        """Decide what follows on the end of a child: nothing more to do, a replacement, or the end of everything."""
        name, state, status = seat.child.name, seat.state, seat.bury()
        if self._ending is not None:
            return
        sources = [other for other in self._seats if other.child.stage == self._seats[-1].child.stage]
        if seat in sources and seat.was_ready and (seat.final or (status == 0 and state == "working")):
            seat.enter("finished", now_s)
            if seat.final:
                logger.error("%s: %s", name, seat.fault)
            else:
                logger.info("%s finished", name)
            if all(source.state == "finished" for source in sources):
                faults = [f"{source.child.name}: {source.fault}" for source in sources if source.final]
                self._end(1 if faults else 0, "; ".join(faults) or "all sources are over", drain=True)
            return
        reason = seat.fault or _describe(status)
        if not seat.was_ready:
            self._end(1, f"{name}: {reason}")
            return
        pause_s = seat.budget.spend(now_s)
        limit = f"{self._settings.restarts} restarts in {self._settings.restart_window_s:g} s"
        if pause_s is None:
            self._end(1, f"{name}: {reason}; given up after {limit}")
            return
        when = f"in {pause_s:g} s" if pause_s else "at once"
        logger.warning("%s: %s; restarting it %s", name, reason, when)
        seat.restarts += 1
        seat.enter("pausing", now_s)
        seat.due_s = now_s + pause_s

    def _start_due(self, now_s: float, signals: StopSignals) -> None:
        """Start replacements whose pause is over, and the next stage where all stages before it are ready."""
        behind = [seat.child.stage for seat in self._seats if not seat.was_ready]
        for seat in self._seats:
            if self._ending is not None or signals.presses:
                return
            first = seat.state == "waiting" and seat.child.stage == min(behind)
            if first or (seat.state == "pausing" and now_s >= seat.due_s):
                try:
                    seat.start(self._log_file)
                except OSError as error:
                    self._end(1, f"{seat.child.name}: cannot be started: {error.strerror}")

    def _health(self) -> Health:
        counters = {f"restarts/{seat.child.name}": float(seat.restarts) for seat in self._seats}
        return Health(process=NAME, utc=utc_now(), counters=counters)

    def _stop(self, signals: StopSignals) -> None:
        """End all children, the last stage first, each asked, then terminated, then killed."""
        started_s = time.monotonic()
        patience = Patience(signals, drain=self._ending is not None and self._ending.drain)
        stages = sorted({seat.child.stage for seat in self._seats if seat.process is not None})
        while stages:
            stage = stages.pop()
            seats = [seat for seat in self._seats if seat.child.stage == stage]
            for seat in seats:
                seat.ask_to_stop()
            stubborn = _outlast(seats, partial(patience.to_ask_until_s, time.monotonic(), len(stages)))
            for seat in stubborn:
                seat.terminate()
            for seat in _outlast(stubborn, partial(patience.to_terminate_until_s, time.monotonic())):
                seat.kill()
        _outlast(self._seats, patience.to_kill_until_s)
        for seat in self._seats:
            if seat.process is not None and seat.bury() is None:
                logger.error("%s: still there after SIGKILL", seat.child.name)
        logger.info("stopped after %.1f s", time.monotonic() - started_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    status: int
    reason: str
    drain: bool


_State = Literal["waiting", "starting", "working", "failed", "killed", "pausing", "finished"]
"""waiting: for its stage; starting: not ready yet; failed: it said so, its exit is due; killed: its exit is due;
pausing: before its replacement."""


class _Seat:
    """A child's place in the table, with the process that has it at the moment."""

    def __init__(self, child: Child, settings: SupervisorSettings) -> None:
        self.child = child
        self.budget = RestartBudget(restarts=settings.restarts, window_s=settings.restart_window_s)
        self.process: SpawnProcess | None = None
        self.state: _State = "waiting"
        self.since_s = 0.0
        """When it entered its state or last showed that it works."""
        self.due_s = 0.0
        self.was_ready = False
        self.restarts = 0
        self.fault = ""
        self.final = False
        """A replacement would fail in the same way."""
        self._line: Connection | None = None
        self._patience_s = {
            "starting": settings.ready_timeout_s,
            "working": settings.heartbeat_timeout_s,
            "failed": _LAST_WORDS_S,
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

    def enter(self, state: _State, now_s: float) -> None:
        self.state, self.since_s = state, now_s

    def overdue(self, now_s: float) -> bool:
        return now_s - self.since_s > self._patience_s.get(self.state, float("inf"))

    @property
    def silence(self) -> str:
        seconds = f"{self._patience_s[self.state]:g} s"
        return f"not ready within {seconds}" if self.state == "starting" else f"no sign of work for {seconds}"

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
        return self.process is not None and self.process.exitcode is None

    def ask_to_stop(self) -> None:
        if self.state == "starting" and self.process is not None:
            self.process.terminate()  # it may import for seconds before it listens, and holds nothing yet
        try:
            if self._line is not None:
                self._line.send(child.STOP)
        except OSError:
            self._hang_up()

    def terminate(self) -> None:
        assert self.process is not None
        logger.warning("%s did not stop when asked, terminating it", self.child.name)
        self.process.terminate()

    def kill(self) -> None:
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

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def _outlast(seats: Sequence[_Seat], until_s: Callable[[], float]) -> list[_Seat]:
    """Those still alive at a time that may be brought forward while this waits for it."""
    while (living := [seat for seat in seats if seat.alive()]) and time.monotonic() < until_s():
        connection.wait([seat.process.sentinel for seat in living if seat.process is not None], _TICK_S)
    return living


def _describe(status: int | None) -> str:
    if status is not None and status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return "ended without being told to" if status == 0 else f"ended with exit status {status}"

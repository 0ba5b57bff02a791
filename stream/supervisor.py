"""Starts the child processes stage by stage, watches that they live and work, replaces those that do not, stops them.

Knows a table of import strings and nothing of what the children do; one loop does all of it.
"""

import logging
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, resource_tracker
from pathlib import Path

from configs.settings import SupervisorSettings
from stream import child
from stream.bus import Broker, Endpoints, Publisher, Subscriber
from stream.clock import utc_now
from stream.messages import Health
from stream.reload import Reload, ReloadError, Tables
from stream.seat import Child, Seat
from stream.service import tell
from stream.stopping import Patience, StopSignals

logger = logging.getLogger(__name__)

NAME = "supervisor"

_TICK_S = 0.05  # also how long a signal waits for its answer
_REPORT_EVERY_S = 1.0
_SUSPENDED_S = 2.0  # a tick this long means that this process itself stood still


class Supervisor:
    """Runs a table of children until its end.

    Args:
        children: A child without a stage above its own is a source: it may finish (exit status 0, or with a final
            fault), and when all of them have, so has the application. Any other child is expected to run until it
            is told to stop.
        endpoints: Of the bus, whose broker runs in this process.
        log_file: Where the children log, None = standard error.
        tables: Where another table comes from while this one runs, None = from nowhere.
        hangup_reloads: Whether SIGHUP asks for it, instead of ending everything.
    """

    def __init__(
        self,
        settings: SupervisorSettings,
        children: Sequence[Child],
        endpoints: Endpoints,
        log_file: Path | None,
        tables: Tables | None = None,
        *,
        hangup_reloads: bool = False,
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._log_file = log_file
        self._tables = tables
        self._hangup_reloads = hangup_reloads
        self._reload: Reload | None = None
        self._reload_is_due = False
        self._seats = [Seat(child, settings) for child in sorted(children, key=lambda child: child.stage)]
        self._ending: _Ending | None = None
        self._started_s = 0.0
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

        SIGINT, SIGTERM and, unless it asks for a reload, SIGHUP end it within 3 s, a second one at once. Call it in
        the main thread, once.

        Args:
            seconds: Time to run from the moment when all children are ready; None = no end.

        Returns:
            Exit status: 0 for every end that was wanted, Ctrl-C included, because that is how people end a monitor;
            1 where a child could not start or its restarts are used up, with `reason` and one line in the log.

        Raises:
            BusError: The bus cannot be opened.
        """
        with ExitStack() as stack:
            signals = stack.enter_context(StopSignals(hangup_reloads=self._hangup_reloads))
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
        self._started_s = ticked_s = time.monotonic()
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
            for seat in [*self._seats]:
                self._look_at(seat, now_s)
            self._go_on_with_reload(signals, now_s)
            self._start_due(now_s, signals)
            if self._ready_s is None and all(seat.was_ready for seat in self._seats):
                self._ready_s = now_s
                tell(READY=1)
            if now_s - reported_s >= _REPORT_EVERY_S:
                reported_s = now_s
                publisher.send(self._health(now_s))
                tell(WATCHDOG=1, STATUS=self._summary())
            if seconds is not None and self._ready_s is not None and now_s >= self._ready_s + seconds:
                self._end(0, f"{seconds:g} s are over")

    def _end(self, status: int, reason: str, *, drain: bool = False) -> None:
        """Leave the loop after this tick. The first reason counts."""
        if self._ending is None:
            self._ended_s = time.monotonic()
            self._ending = _Ending(status=status, reason=reason, drain=drain)
            logger.log(logging.ERROR if status else logging.INFO, "stopping: %s", reason)
            tell(STOPPING=1, STATUS=f"stopping: {reason}")

    def _hear(self, beats: Subscriber, now_s: float) -> None:
        seats = {seat.child.name: seat for seat in self._seats}
        for message in beats.batch(0.0):
            seat = seats.get(message.process) if isinstance(message, Health) else None
            if seat is not None and seat.state == "working":
                seat.since_s = now_s

    def _look_at(self, seat: Seat, now_s: float) -> None:
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

    def _listen(self, seat: Seat, word: str, text: str, now_s: float) -> None:
        name = seat.child.name
        if word in (child.READY, child.REFUSED) and seat.state == "offered":
            seat.refusal = text
            seat.enter("working", now_s)
        elif word == child.READY and seat.state == "starting":
            logger.info("%s ready after %.1f s", name, now_s - seat.since_s)
            seat.was_ready = True
            seat.enter("working", now_s)
        elif word in (child.ERROR, child.FINAL):
            seat.fault, seat.final = text, word == child.FINAL
            seat.enter("failed", now_s)
        elif word == child.QUIT:
            self._end(0, f"{name} asked to quit")

    def _replace(self, seat: Seat, now_s: float) -> None:
        """Decide what follows on the end of a child: nothing more to do, a replacement, or the end of everything."""
        name, state, status = seat.child.name, seat.state, seat.bury()
        if self._ending is not None:
            return
        if seat.leaves:
            if seat.fault:
                logger.warning("%s: %s", name, seat.fault)
            self._clear(seat, now_s)
            return
        is_source = seat.child.stage == self._seats[-1].child.stage
        if is_source and seat.was_ready and (seat.final or (status == 0 and state == "working")):
            seat.enter("finished", now_s)
            if seat.final:
                logger.error("%s: %s", name, seat.fault)
            else:
                logger.info("%s finished", name)
            self._end_with_sources()
            return
        seat.fault = reason = seat.fault or _describe(status)
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

    def _end_with_sources(self) -> None:
        sources = [seat for seat in self._seats if seat.child.stage == self._seats[-1].child.stage]
        if all(source.state == "finished" for source in sources):
            faults = [f"{source.child.name}: {source.fault}" for source in sources if source.final]
            self._end(1 if faults else 0, "; ".join(faults) or "all sources are over", drain=True)

    def _go_on_with_reload(self, signals: StopSignals, now_s: float) -> None:
        """Begin a reload that was asked for once everyone who has to adapt works, and follow it to its end."""
        if self._tables is None or self._ready_s is None:
            return
        if self._reload is None:
            asked = self._tables.asked()
            self._reload_is_due = signals.take_reload() or asked or self._reload_is_due
            if not self._reload_is_due or any(map(_is_unsettled, self._seats)):
                return
            self._reload_is_due = False
        try:
            if self._reload is None:
                self._reload = Reload(self._seats, self._tables.draw_up())
            if not self._reload.go_on(now_s):
                return
        except ReloadError as error:
            self._reload = None
            self._tables.settle(str(error))
            return
        for new in self._reload.added():  # first, because without any source that is not over everything ends
            self._add(new, now_s)
        for seat in self._reload.leaving():
            seat.leave(self._reload.table.get(seat.child.name), now_s)
            if seat.process is None:
                self._clear(seat, now_s)
        self._reload = None
        self._tables.settle("")

    def _clear(self, seat: Seat, now_s: float) -> None:
        """The place of a child that has left is its heir's, or no longer there."""
        self._seats.remove(seat)
        if seat.heir is not None:
            self._add(seat.heir, now_s)
        self._end_with_sources()

    def _add(self, new: Child, now_s: float) -> None:
        """A child that comes later starts at once and is, from its start on, treated like a replacement."""
        seat = Seat(new, self._settings)
        seat.was_ready, seat.due_s = True, now_s
        seat.enter("pausing", now_s)
        self._seats.append(seat)
        self._seats.sort(key=lambda seat: seat.child.stage)

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

    def _health(self, now_s: float) -> Health:
        counters = {"uptime_s": round(now_s - self._started_s, 3)}
        counters |= {f"restarts/{seat.child.name}": float(seat.restarts) for seat in self._seats}
        counters |= {f"ready/{seat.child.name}": float(seat.is_well()) for seat in self._seats}
        return Health(process=NAME, utc=utc_now(), counters=counters)

    def _summary(self) -> str:
        ready = sum(seat.is_well() for seat in self._seats)
        return f"{ready} of {len(self._seats)} processes ready, {sum(seat.restarts for seat in self._seats)} restarts"

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


def _is_unsettled(seat: Seat) -> bool:
    """Whether a reload has to wait for it: it could not answer, or it is still on its way out."""
    return seat.leaves or (seat.child.adapts and seat.state != "working")


def _outlast(seats: Sequence[Seat], until_s: Callable[[], float]) -> list[Seat]:
    """Those still alive at a time that may be brought forward while this waits for it."""
    while (living := [seat for seat in seats if seat.alive()]) and time.monotonic() < until_s():
        connection.wait([seat.process.sentinel for seat in living if seat.process is not None], _TICK_S)
    return living


def _describe(status: int | None) -> str:
    if status is not None and status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return "ended without being told to" if status == 0 else f"ended with exit status {status}"

"""How the application is told to end, or to reload, and how much time an end leaves to its processes.

A signal's handler only notes it; ordinary code looks at the notes and acts.
"""

import itertools
import math
import signal
import time
from types import FrameType
from typing import Any, Self

_STOP_S = 2.4  # for all processes together; leaves the rest of 3 s for bus and shared memory
_DRAIN_S = 10.0  # the same where the sources are over and what they sent shall still be worked off
_TERMINATE_S = 0.2  # from SIGTERM to SIGKILL
_KILL_S = 0.2  # from SIGKILL to the end of a process
_STAGE_S = 0.6  # what is kept back for each stage that is stopped later
_SAME_PRESS_S = 0.3  # a launcher may pass on the Ctrl-C that the terminal has already sent


class StopSignals:
    """SIGINT, SIGTERM and SIGHUP inside a `with` block of the main thread; the handlers before come back after it.

    Args:
        hangup_reloads: Whether SIGHUP asks for a reload, as daemons take it, and not for the end, as a closing
            terminal means it.
    """

    def __init__(self, *, hangup_reloads: bool = False) -> None:
        self._hangup_reloads = hangup_reloads
        self._reload_asked = False
        self._received: list[tuple[int, float]] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and self._hangup_reloads:
            self._reload_asked = True
        else:
            self._received.append((number, time.monotonic()))

    def take_reload(self) -> bool:
        """Whether a reload was asked for since the last call."""
        asked, self._reload_asked = self._reload_asked, False
        return asked

    @property
    def presses(self) -> int:
        """How often someone asked for the end; signals in quick succession are one."""
        times_s = [-math.inf, *(time_s for _, time_s in self._received)]
        return sum(after - before >= _SAME_PRESS_S for before, after in itertools.pairwise(times_s))

    @property
    def last_name(self) -> str:
        """What arrived last, for example "SIGINT". Only where `presses` is not 0."""
        return signal.Signals(self._received[-1][0]).name


class Patience:
    """Until when, on the monotonic clock, the processes may take to stop. Each further Ctrl-C shortens it.

    Args:
        drain: Nobody waits for the end: leave time to work off what is under way.
    """

    def __init__(self, signals: StopSignals, *, drain: bool) -> None:
        self._signals = signals
        self._drain = drain
        self._heard = signals.presses
        self._end_s = time.monotonic() + (_DRAIN_S if drain else _STOP_S)

    def to_ask_until_s(self, asked_s: float, stages_after: int) -> float:
        """When a stage asked to stop at `asked_s` is terminated, so that each stage after it has its share, too."""
        end_s = self._end()
        share_s = max(0.0, min(_STAGE_S, (end_s - asked_s) / (stages_after + 1)))
        return end_s - stages_after * share_s - min(_TERMINATE_S, share_s)

    def to_terminate_until_s(self, terminated_s: float) -> float:
        """When what was terminated at `terminated_s` is killed."""
        return min(terminated_s + _TERMINATE_S, self._end())

    def to_kill_until_s(self) -> float:
        """When what was killed, and is still there, is left to the system."""
        return self._end() + _KILL_S

    def _end(self) -> float:
        if self._signals.presses > self._heard:
            self._heard = self._signals.presses
            self._end_s = min(self._end_s, time.monotonic() + (_STOP_S if self._drain else 0.0))
            self._drain = False
        return self._end_s

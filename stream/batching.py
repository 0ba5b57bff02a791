"""Which frames are scored next, and together: the newest of all cameras, waited for a little, dropped when stale.

Reads rings, counts every frame that is never handed on, and knows nothing of what becomes of a batch.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from configs.settings import WorkerSettings
from stream.ring import Frame, Ring

_POLL_S = 0.002
_SMOOTHING = 0.2  # weight of the newest interval or run in a running mean
_UNSHARED_BATCH = 2  # where batches gain nothing, a large one only takes memory and delays whoever is in it
_LONGEST_PERIOD_S = 5.0  # a camera that is silent for longer is not waited for


class Intake:
    """One camera's frames in their order, each handed on at most once, also by one that takes another's place.

    `drops` counts the others by cause: `overwritten` before they were read, `stale` when their turn came.
    """

    def __init__(self, camera: str, ring: Ring) -> None:
        self.camera = camera
        self.drops: Counter[str] = Counter({"overwritten": 0, "stale": 0})
        self.period_s = 0.0
        """Running mean of the time between frames, 0 = not known yet."""
        self._ring = ring
        self._captured_s: float | None = None

    def take(self, now_s: float, staleness_s: float) -> Frame | None:
        """The oldest frame that is not stale, None where there is none. Never waits."""
        while (seq := self._ring.taken + 1) <= self._ring.newest:
            lost = self._ring.oldest - seq
            if lost > 0:
                self.drops["overwritten"] += lost
                seq += lost
            frame = self._ring.read(seq)
            self._ring.taken = seq
            if frame is None:
                self.drops["overwritten"] += 1
                continue
            self._note_period(frame.captured_at_s)
            if now_s - frame.captured_at_s > staleness_s:
                self.drops["stale"] += 1
                continue
            return frame
        return None

    @property
    def waiting(self) -> int:
        """Frames in the ring whose turn is still to come."""
        return self._ring.newest + 1 - max(self._ring.taken + 1, self._ring.oldest)

    def close(self) -> None:
        """Let go of the ring."""
        self._ring.close()

    def is_expected(self, now_s: float) -> bool:
        """Whether its next frame may come soon."""
        return self._captured_s is not None and now_s - self._captured_s < _LONGEST_PERIOD_S

    def _note_period(self, captured_s: float) -> None:
        if self._captured_s is not None:
            passed_s = captured_s - self._captured_s
            self.period_s += (passed_s - self.period_s) * (_SMOOTHING if self.period_s else 1.0)
        self._captured_s = captured_s


@dataclass(frozen=True, slots=True)
class Item:
    """A frame and the camera it is from."""

    camera: str
    frame: Frame


class Batcher:
    """Gathers frames of all cameras into batches.

    The first frame of a batch waits for others no longer than the fastest camera leaves time for, within the
    settings' bounds, and not at all once every camera has one in it.

    Args:
        share: Whether a batch costs less than its frames one by one, as on a GPU; otherwise only the shortest wait
            is taken and batches stay small.
    """

    def __init__(self, intakes: Sequence[Intake], settings: WorkerSettings, *, share: bool) -> None:
        self._intakes = intakes
        self._settings = settings
        self._share = share
        self._max_batch = settings.max_batch if share else min(settings.max_batch, _UNSHARED_BATCH)
        self._first = 0  # whose turn it is, so that a full batch is not always full of the same cameras
        self._run_s = 0.0

    def gather(self, timeout_s: float) -> list[Item]:
        """The next batch, in each camera's order; empty after `timeout_s` without a frame, for which it blocks."""
        deadline_s = time.monotonic() + timeout_s
        batch = self._ready([])
        while not batch:
            if time.monotonic() >= deadline_s:
                return []
            time.sleep(_POLL_S)
            batch = self._ready([])
        window_s = time.monotonic() + self.window_s()
        while not self._is_complete(batch) and time.monotonic() < window_s:
            time.sleep(_POLL_S)
            batch = self._ready(batch)
        self._first = (self._first + 1) % len(self._intakes)
        return batch

    def window_s(self) -> float:
        """How long a first frame waits for others."""
        low_s, high_s = self._settings.min_wait_ms / 1000.0, self._settings.max_wait_ms / 1000.0
        if not self._share:
            return low_s
        periods_s = [intake.period_s for intake in self._intakes if intake.period_s]
        return min(max(min(periods_s, default=0.0) - self._run_s, low_s), high_s)

    def ran(self, seconds: float) -> None:
        """Say how long the latest batch took to be scored."""
        self._run_s += (seconds - self._run_s) * (_SMOOTHING if self._run_s else 1.0)

    def _ready(self, batch: list[Item]) -> list[Item]:
        """The batch with what is there now, one frame per camera in turn."""
        now_s = time.monotonic()
        order = [*self._intakes[self._first :], *self._intakes[: self._first]]
        while order and len(batch) < self._max_batch:
            left = []
            for intake in order:
                if len(batch) == self._max_batch:
                    break
                frame = intake.take(now_s, self._settings.staleness_s)
                if frame is not None:
                    batch.append(Item(intake.camera, frame))
                    left.append(intake)
            order = left
        return batch

    def _is_complete(self, batch: list[Item]) -> bool:
        if len(batch) >= self._max_batch:
            return True
        there = {item.camera for item in batch}
        now_s = time.monotonic()
        return all(intake.camera in there or not intake.is_expected(now_s) for intake in self._intakes)

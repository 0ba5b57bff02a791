"""The application at work on some cameras for a while: how soon, how many, what was dropped, and what it cost."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import _cost
from benchmarks._application import Watch, latest_counters
from stream.messages import Score

START_S = 60.0
"""Time the application may take until every camera has a score."""
LAST_SCORES_S = 1.0
"""For scores of frames captured before the end of the measurement."""
CAUSES = ("damaged", "late", "overwritten", "stale")
"""For which frames are dropped: not decodable; behind a file's clock; before they were read; before their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What was measured."""

    cameras: int
    seconds: float
    latencies_ms: list[float]
    """Of all scores, from the moment a picture was there to that when its score was sent."""
    slowest_fps: float
    """Scores a second of the camera with fewest."""
    drops: dict[str, int]
    """Frames of all cameras by cause."""
    gaps: int
    """Sequence numbers of frames captured without a score printed."""
    cpu_cores: dict[str, float]
    """By process."""
    memory: dict[str, _cost.Memory]
    """By process."""

    def latency_ms(self, percent: float) -> float:
        """A percentile."""
        return float(np.percentile(self.latencies_ms, percent))

    @property
    def cores(self) -> float:
        """CPU of all processes."""
        return sum(self.cpu_cores.values())

    @property
    def pss_mib(self) -> float:
        """Memory of all processes."""
        return sum(one.pss_mib for one in self.memory.values())

    @property
    def dropped_share(self) -> float:
        """Of all frames that were to be scored."""
        dropped = sum(self.drops.values())
        return dropped / (dropped + len(self.latencies_ms))


def watch_live(sources: Sequence[str], model: Path, *options: str, warm_up_s: float, seconds: float) -> Live:
    """Run the application on these sources, called cam1, cam2 ...

    Raises:
        SystemExit: It fails, or a camera gets no score.
    """
    seen: list[Score] = []
    with Watch(sources, model, *options) as watch:
        _wait_for_all(watch, len(sources))
        processes = _cost.names(watch.pid, len(sources))
        with watch.counters() as subscriber:
            _read(watch, time.monotonic() + warm_up_s)
            before = latest_counters(subscriber, {})
            cpu_before, started_s = _cost.cpu_s(processes), time.monotonic()
            seen += _read(watch, started_s + seconds)
            cpu_after, ended_s = _cost.cpu_s(processes), time.monotonic()
            memory = {name: _cost.memory(process.pid) for name, process in processes.items()}
            after = latest_counters(subscriber, before)
        seen += _read(watch, ended_s + LAST_SCORES_S)
        watch.finish()
    seen = [score for score in seen if started_s <= score.captured_at_s < ended_s]
    by_camera = Counter(score.camera for score in seen)
    if len(by_camera) < len(sources):
        raise watch.failure("a camera has no scores")
    measured_s = ended_s - started_s
    return Live(
        cameras=len(sources),
        seconds=measured_s,
        latencies_ms=[score.latency_ms for score in seen],
        slowest_fps=min(by_camera.values()) / measured_s,
        drops={cause: round(_sum(after, cause) - _sum(before, cause)) for cause in CAUSES},
        gaps=_gaps(seen),
        cpu_cores={name: (cpu_after[name] - cpu_before[name]) / measured_s for name in processes},
        memory=memory,
    )


def _wait_for_all(watch: Watch, cameras: int) -> None:
    """Return once each camera has a score."""
    there = set()
    for message in watch.messages(time.monotonic() + START_S):
        if isinstance(message, Score):
            there.add(message.camera)
        if len(there) == cameras:
            return
    raise watch.failure(f"only {len(there)} of {cameras} cameras have scores after {START_S:g} s")


def _read(watch: Watch, until_s: float) -> list[Score]:
    """Scores as they come until that time."""
    seen = [message for message in watch.messages(until_s) if isinstance(message, Score)]
    if watch.over:
        raise watch.failure("watch ended too early")
    return seen


def _sum(counters: dict[str, dict[str, float]], cause: str) -> float:
    """Frames dropped for this cause, over all processes and cameras."""
    return sum(
        count
        for process in counters.values()
        for name, count in process.items()
        if name.startswith("drop/") and name.endswith(f"/{cause}")
    )


def _gaps(seen: Sequence[Score]) -> int:
    """Missing sequence numbers between each camera's first score and its last."""
    numbers: dict[str, list[int]] = {}
    for score in seen:
        numbers.setdefault(score.camera, []).append(score.seq)
    return sum(max(seqs) - min(seqs) + 1 - len(set(seqs)) for seqs in numbers.values())

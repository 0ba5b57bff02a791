"""How soon a frame is scored and what the application costs, against one plain loop that does the same work.

Cameras are drawn scenes or, with --rtsp, clients of one RTSP server that plays a drawn clip. Latency runs from the
moment a picture is there, decoded and scaled, to the moment its score is sent. Linux only.

    python -m benchmarks.latency [--cameras 1 4] [--rates 5 10] [--seconds 60] [--rtsp] [--json FILE]
"""

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import _cost
from benchmarks._application import Watch, calibrate, latest_counters, write_config
from benchmarks._footage import drawn_clip
from benchmarks._loop import LoopCost, loop_cost
from benchmarks._rtsp import need_server, serve
from benchmarks._table import print_table
from stream.messages import Score

_START_S = 60.0
"""Time the application may take until every camera has a score."""
_WARM_UP_S = 10.0
_LAST_SCORES_S = 1.0
"""For scores of frames captured before the end of the measurement."""
_LEARN_S = 60.0
_LEARN_STEPS = 50
"""Optimiser steps: the model need not be good here, only of its usual size."""
_CAUSES = ("damaged", "late", "overwritten", "stale")
"""For which frames are dropped: not decodable; behind a file's clock; before they were read; before their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One setting's numbers."""

    cameras: int
    rate_fps: float
    seconds: float
    latency_p50_ms: float
    latency_p95_ms: float
    analysed_fps: float
    """Per camera, the slowest one's."""
    frames: int
    """Scores of all cameras."""
    drops: dict[str, int]
    """Frames of all cameras by cause."""
    gaps: int
    """Sequence numbers of frames captured without a score printed."""
    cpu_cores: dict[str, float]
    """By process."""
    memory: dict[str, _cost.Memory]
    """By process."""
    loop: LoopCost

    @property
    def cpu_ms_per_frame(self) -> float:
        """Of the whole application, for each score."""
        return sum(self.cpu_cores.values()) * self.seconds * 1000.0 / self.frames

    @property
    def loop_ms_per_frame(self) -> float:
        """CPU time of the plain loop."""
        return self.loop.cpu_s * 1000.0 / self.loop.frames


def main() -> None:
    """Measure all settings and print tables."""
    arguments = _arguments()
    if arguments.rtsp:
        need_server()
    load = os.getloadavg()[0]
    print(f"{len(os.sched_getaffinity(0))} cores, load average {load:.1f} before the start", flush=True)
    results = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        # Scenes and clips go on for as long as the slowest start takes, so that none ends under measurement.
        length_s = _START_S + _WARM_UP_S + arguments.seconds + _LAST_SCORES_S
        clip = drawn_clip(_scene(1, length_s), folder / "street.mp4") if arguments.rtsp else None
        for rate_fps in arguments.rates:
            model = folder / f"{rate_fps:g}.mulde"
            config = write_config(folder, analysis={"rate_fps": rate_fps}, calibration={"steps": _LEARN_STEPS})
            normal = str(clip) if clip else _scene(1, length_s)
            calibrate([normal], model, "--minutes", str(_LEARN_S / 60.0), "--config", str(config))
            for count in arguments.cameras:
                scenes = [_scene(2 + number, length_s) for number in range(count)]
                with _live(clip, count, scenes) as sources:
                    results.append(
                        _measure(
                            sources,
                            [str(clip)] * count if clip else scenes,
                            model,
                            rate_fps=rate_fps,
                            seconds=arguments.seconds,
                        )
                    )
                _print_processes(results[-1])
    print()
    _print_results(results)
    if arguments.json:
        arguments.json.write_text(json.dumps([_plain(result) for result in results], indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Latency, CPU and memory of the application.")
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 4], help="how many at once")
    parser.add_argument("--rates", type=float, nargs="+", default=[5.0, 10.0], help="analysed frames/s per camera")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured time of each setting")
    parser.add_argument("--rtsp", action="store_true", help="cameras behind an RTSP server instead of drawn ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    return parser.parse_args()


def _scene(seed: int, length_s: float) -> str:
    return f"demo://street?seed={seed}&seconds={length_s:g}"


@contextmanager
def _live(clip: Path | None, count: int, scenes: list[str]) -> Iterator[list[str]]:
    """What the application is told to watch."""
    if clip is None:
        yield scenes
        return
    with serve([clip], loop=True, shared=True) as url:
        yield [url] * count


def _measure(
    sources: Sequence[str], same_from_file: Sequence[str], model: Path, *, rate_fps: float, seconds: float
) -> Result:
    """Run the application on these sources, then the loop on as many frames of the same."""
    seen: list[Score] = []
    with Watch(sources, model) as watch:
        _wait_for_all(watch, len(sources))
        processes = _cost.names(watch.pid, len(sources))
        with watch.counters() as subscriber:
            _read(watch, time.monotonic() + _WARM_UP_S)
            before = latest_counters(subscriber, {})
            cpu_before, started_s = _cost.cpu_s(processes), time.monotonic()
            seen += _read(watch, started_s + seconds)
            cpu_after, ended_s = _cost.cpu_s(processes), time.monotonic()
            memory = {name: _cost.memory(process.pid) for name, process in processes.items()}
            after = latest_counters(subscriber, before)
        seen += _read(watch, ended_s + _LAST_SCORES_S)
        watch.finish()
    seen = [score for score in seen if started_s <= score.captured_at_s < ended_s]
    by_camera = Counter(score.camera for score in seen)
    if len(by_camera) < len(sources):
        raise watch.failure("a camera has no scores")
    measured_s = ended_s - started_s
    latencies_ms = [score.latency_ms for score in seen]
    drops = {cause: round(_sum(after, cause) - _sum(before, cause)) for cause in _CAUSES}
    return Result(
        cameras=len(sources),
        rate_fps=rate_fps,
        seconds=measured_s,
        latency_p50_ms=float(np.percentile(latencies_ms, 50)),
        latency_p95_ms=float(np.percentile(latencies_ms, 95)),
        analysed_fps=min(by_camera.values()) / measured_s,
        frames=len(seen),
        drops=drops,
        gaps=_gaps(seen),
        cpu_cores={name: (cpu_after[name] - cpu_before[name]) / measured_s for name in processes},
        memory=memory,
        loop=loop_cost(
            same_from_file, model, skip=round(_WARM_UP_S * rate_fps), frames=round(len(seen) / len(sources))
        ),
    )


def _wait_for_all(watch: Watch, cameras: int) -> None:
    """Return once each camera has a score."""
    there = set()
    for message in watch.messages(time.monotonic() + _START_S):
        if isinstance(message, Score):
            there.add(message.camera)
        if len(there) == cameras:
            return
    raise watch.failure(f"only {len(there)} of {cameras} cameras have scores after {_START_S:g} s")


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


def _print_processes(result: Result) -> None:
    print(f"\n{result.cameras} camera(s) at {result.rate_fps:g} frames/s, by process")
    rows = [
        [name, f"{cores:.3f}", f"{result.memory[name].pss_mib:.0f}", f"{result.memory[name].shared_mib:.1f}"]
        for name, cores in result.cpu_cores.items()
    ]
    rows.append(
        [
            "all",
            f"{sum(result.cpu_cores.values()):.3f}",
            f"{sum(one.pss_mib for one in result.memory.values()):.0f}",
            f"{sum(one.shared_mib for one in result.memory.values()):.1f}",
        ]
    )
    rows.append(["plain loop", "", f"{result.loop.pss_mib:.0f}", ""])
    print_table(("process", "CPU cores", "memory MiB (PSS)", "of it shared memory"), rows)


def _print_results(results: Sequence[Result]) -> None:
    """A column for each setting."""
    rows: dict[str, list[str]] = {
        "capture to score, p50 ms": [f"{result.latency_p50_ms:.0f}" for result in results],
        "capture to score, p95 ms": [f"{result.latency_p95_ms:.0f}" for result in results],
        "analysed frames/s, slowest camera": [f"{result.analysed_fps:.2f}" for result in results],
        **{f"dropped: {cause}": [str(result.drops[cause]) for result in results] for cause in _CAUSES},
        "captured, no score printed": [str(result.gaps) for result in results],
        "CPU cores": [f"{sum(result.cpu_cores.values()):.2f}" for result in results],
        "memory MiB (PSS)": [f"{sum(one.pss_mib for one in result.memory.values()):.0f}" for result in results],
        "CPU ms per frame": [f"{result.cpu_ms_per_frame:.1f}" for result in results],
        "CPU ms per frame, plain loop": [f"{result.loop_ms_per_frame:.1f}" for result in results],
        "ratio to the plain loop": [
            f"{result.cpu_ms_per_frame / result.loop_ms_per_frame:.2f}" for result in results
        ],
    }
    print_table(
        ("cameras × frames/s", *(f"{result.cameras} × {result.rate_fps:g}" for result in results)),
        [[name, *cells] for name, cells in rows.items()],
    )


def _plain(result: Result) -> dict[str, object]:
    """For JSON."""
    ratio = result.cpu_ms_per_frame / result.loop_ms_per_frame
    return {
        **asdict(result),
        "cpu_ms_per_frame": result.cpu_ms_per_frame,
        "loop_ms_per_frame": result.loop_ms_per_frame,
        "ratio": ratio,
    }


if __name__ == "__main__":
    main()

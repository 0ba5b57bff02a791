"""How soon a fault of the network is noticed, and how soon a camera is back after it, with the default settings.

Between GStreamer's RTSP server and a real capture process stands the tests' proxy. Beside that: how long a camera
takes from a new connection to its first frame, and the application from its start to the first score.

    python -m benchmarks.recovery [--repeats 5] [--outage 12] [--json FILE]
"""

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from benchmarks._application import Watch, calibrate, write_config
from benchmarks._faults import FAULTS, Proxy, capture
from benchmarks._footage import drawn_clip
from benchmarks._rtsp import need_server, serve
from benchmarks._table import print_table
from configs.settings import ConnectionSettings
from stream.messages import Camera, Score

_SCENE = "demo://street?seed=1&seconds=60"
_KNOWN_S = 3.0
"""Until a camera's rate is known, without which nothing is a stall."""
_SPREAD_S = 5.0
"""Outages differ by so much, so that they do not end at the same place of a pause."""
_PATIENCE_S = 120.0
_LEARN_STEPS = 50
"""Optimiser steps: the model need not be good here, only of its usual size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One fault's times, a number for each repetition, s."""

    fault: str
    noticed_s: list[float]
    """From its beginning to the first state that is not live."""
    noticed_as: str
    lost_s: list[float]
    """From its beginning to "lost"."""
    back_s: list[float]
    """From its end to "live"."""
    connected_s: list[float]
    """From the connection that worked to its first frame, part of the one before."""


def main() -> None:
    """Measure all faults and print tables."""
    parser = argparse.ArgumentParser(description="How soon faults of the network are noticed and got over.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--outage", type=float, default=12.0, help="least length of an outage, s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    arguments = parser.parse_args()
    need_server()
    print(f"{len(os.sched_getaffinity(0))} cores, load average {os.getloadavg()[0]:.1f} before the start", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        clip = drawn_clip(_SCENE, folder / "street.mp4")
        with serve([clip], loop=True) as url:
            first_scores_s = _first_scores_s(url, clip, folder, arguments.repeats)
            results = [
                _measure(fault, url, folder / str(number), arguments.repeats, arguments.outage)
                for number, fault in enumerate(FAULTS)
            ]
    print()
    print_table(
        ("fault", "noticed as", "after", "lost after", "live after its end", "connection to frame"),
        [
            [one.fault, one.noticed_as, *map(_told, (one.noticed_s, one.lost_s, one.back_s, one.connected_s))]
            for one in results
        ],
    )
    print(f"start of the application to the first score: {_told(first_scores_s)}")
    lengths = f"{arguments.outage:g} to {arguments.outage + _SPREAD_S:g} s"
    print(f"seconds, median (shortest to longest) of {arguments.repeats}; outages of {lengths}")
    if arguments.json:
        numbers = {"first_scores_s": first_scores_s, "faults": [asdict(result) for result in results]}
        arguments.json.write_text(json.dumps(numbers, indent=1) + "\n")


def _first_scores_s(url: str, clip: Path, folder: Path, repeats: int) -> list[float]:
    """From the start of `watch` to the first score of a camera that is up."""
    model = folder / "street.mulde"
    config = write_config(folder, calibration={"steps": _LEARN_STEPS})
    calibrate([str(clip)], model, "--config", str(config))
    times_s = []
    for _ in range(repeats):
        started_s = time.monotonic()
        with Watch([url], model) as watch:
            if not any(isinstance(message, Score) for message in watch.messages(started_s + _PATIENCE_S)):
                raise watch.failure("no score")
            times_s.append(time.monotonic() - started_s)
            watch.finish()
    return times_s


def _measure(fault: Any, url: str, folder: Path, repeats: int, outage_s: float) -> Result:
    spread = random.Random(0)
    result = Result(fault=fault.name, noticed_as=fault.states[0], noticed_s=[], lost_s=[], back_s=[], connected_s=[])
    for number in range(repeats):
        with (
            Proxy(urlsplit(url).port or 0) as proxy,
            capture(folder / str(number), proxy.url(url), ConnectionSettings()) as camera,
        ):
            camera.wait_for_state("live", _PATIENCE_S)
            camera.listen(_KNOWN_S)
            began_s = time.monotonic()
            fault.begin(proxy)
            camera.wait_for(lambda one: isinstance(one, Camera) and one.state != "live", _PATIENCE_S)
            result.noticed_s.append(time.monotonic() - began_s)
            if camera.cameras()[-1].state != "lost":
                camera.wait_for_state("lost", _PATIENCE_S)
            result.lost_s.append(time.monotonic() - began_s)
            if fault.lasts:
                until_s = began_s + outage_s + spread.uniform(0.0, _SPREAD_S)
                camera.listen(until_s - time.monotonic())
                proxy.heal()
            healed_s = time.monotonic() if fault.lasts else began_s
            camera.wait_for_state("live", _PATIENCE_S)
            result.back_s.append(time.monotonic() - healed_s)
            camera.listen(1.0)
            frames = camera.frames()
            connected_s = max(proxy.accepted_s)
            result.connected_s.append(
                next(frame.captured_at_s for frame in frames if frame.captured_at_s > connected_s) - connected_s
            )
    print(f"{fault.name}: live again after {_told(result.back_s)}", flush=True)
    return result


def _told(times_s: Sequence[float]) -> str:
    return f"{median(times_s):.1f} ({min(times_s):.1f} to {max(times_s):.1f})"


if __name__ == "__main__":
    main()

"""How many cameras this machine sustains, against what one would write by hand, and how the cost of one grows.

    python -m benchmarks.capacity [--most 16] [--seconds 20] [--growth 1 4 16 64]

Cameras are clients of an RTSP server that sends a drawn street, 1080p25 in H.264 at 4 Mbit/s, as it is in the file;
5 pictures a second of each are analysed. Cameras are added as long as the 95th percentile of latency is within 500 ms
and less than 1 % of the pictures to be analysed are lost, first for the pipeline by hand (`_by_hand`), then for the
application. The server's own CPU time is told apart. Growth is measured on small drawn cameras, one picture a second.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil

from benchmarks._application import REPOSITORY, calibrate, write_config
from benchmarks._live import Live, watch_live
from benchmarks._rtsp import need_server, serve
from benchmarks._table import print_table
from stream.scene import open_scene

_RATE_FPS = 5.0
_SOURCE_FPS = 25
_CLIP_S = 40.0
_BIT_RATE = 4_000_000
_WARM_UP_S = 8.0
_LATENCY_MS = 500.0
_LOST = 0.01
_BY_HAND_EVERY = 1  # camera, and of the application:
_EVERY = 2
_SMALL = "demo://street?width=320&height=180"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One number of cameras."""

    cameras: int
    latency_ms: tuple[float, float, float]
    """Percentiles 50, 95, 99."""
    fps: float
    """Analysed of the slowest camera."""
    lost: float
    """Share of the pictures that were to be analysed."""
    cores: float
    pss_mib: float
    server_cores: float

    @property
    def sustained(self) -> bool:
        """Whether the machine keeps up."""
        return self.latency_ms[1] <= _LATENCY_MS and self.lost < _LOST


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Cameras this machine sustains.")
    parser.add_argument("--most", type=int, default=16, help="cameras to try at most")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured time of each number of cameras")
    parser.add_argument("--growth", type=int, nargs="*", default=[1, 4, 16, 64], help="small cameras")
    arguments = parser.parse_args()
    need_server()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        clip = drawn_camera(folder / "street.mp4")
        model = folder / "street.mulde"
        config = write_config(folder, analysis={"rate_fps": _RATE_FPS}, calibration={"steps": 50, "folds": 2})
        calibrate([str(clip)], model, "--config", str(config))

        def by_hand(cameras: int) -> Try:
            with serve([clip], codec="copy", shared=True) as url:
                return _try_by_hand(url, cameras, model, arguments.seconds)

        lives: dict[int, Live] = {}

        def ours(cameras: int) -> Try:
            with serve([clip], codec="copy", shared=True) as url:
                made, lives[cameras] = _try_ours(url, cameras, model, arguments.seconds)
                return made

        hand = _climb(by_hand, range(1, arguments.most + 1, _BY_HAND_EVERY))
        app = _climb(ours, (1, *range(_EVERY, arguments.most + 1, _EVERY)))
        _print_tries("by hand", hand)
        _print_tries("application", app)
        best = [max((one.cameras for one in tries if one.sustained), default=0) for tries in (hand, app)]
        print(f"\nsustained: {best[0]} by hand, {best[1]} by the application: {best[1] / max(1, best[0]):.1f} times")
        if best[1]:
            _print_where(lives[best[1]])
        if arguments.growth:
            _print_growth(folder, arguments.growth, arguments.seconds)


def drawn_camera(path: Path, seconds: float = _CLIP_S) -> Path:
    """What a camera sends: a key frame every two seconds, no pictures that refer to later ones."""
    scene = open_scene(f"demo://street?width=1920&height=1080&fps={_SOURCE_FPS}&seconds={seconds:g}&seed=3")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(_SOURCE_FPS))
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = scene.width, scene.height, "yuv420p", _BIT_RATE
        stream.options = {"preset": "veryfast", "g": "50", "x264-params": "scenecut=0:bframes=0:sliced-threads=0"}
        for number in range(round(seconds * _SOURCE_FPS)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene.frame(number), format="bgr24")))
        container.mux(stream.encode())
    return path


def _climb(measure: Callable[[int], Try], numbers: Sequence[int]) -> list[Try]:
    """Up to the first number that is too many, which is tried twice: other programs may have had the machine."""
    tries = []
    for cameras in numbers:
        made = measure(cameras)
        if not made.sustained:
            again = measure(cameras)
            made = again if again.sustained else made
        tries.append(made)
        print(f"{cameras}: p95 {made.latency_ms[1]:.0f} ms, lost {made.lost:.1%}", file=sys.stderr, flush=True)
        if not made.sustained:
            break
    return tries


def _try_by_hand(url: str, cameras: int, model: Path, seconds: float) -> Try:
    command = [sys.executable, "-m", "benchmarks._by_hand", url, "--cameras", str(cameras), "--model", str(model)]
    before_s = _server_s()
    finished = subprocess.run(
        [*command, "--seconds", str(seconds)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        # As the application has it: threads that wait by spinning made a picture take up to 60 times as long.
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )
    made = json.loads(finished.stdout)
    p50, p95, p99 = (float(one) for one in np.percentile(made["latencies_ms"], (50, 95, 99)))
    return Try(
        cameras=cameras,
        latency_ms=(p50, p95, p99),
        fps=made["fps"],
        lost=max(0.0, 1.0 - made["fps"] / _RATE_FPS),
        cores=made["cpu_cores"],
        pss_mib=made["pss_mib"],
        server_cores=(_server_s() - before_s) / (seconds + _WARM_UP_S),
    )


def _try_ours(url: str, cameras: int, model: Path, seconds: float) -> tuple[Try, Live]:
    before_s = _server_s()
    live = watch_live([url] * cameras, model, warm_up_s=_WARM_UP_S, seconds=seconds)
    made = Try(
        cameras=cameras,
        latency_ms=(live.latency_ms(50), live.latency_ms(95), live.latency_ms(99)),
        fps=live.slowest_fps,
        lost=max(live.dropped_share, 1.0 - live.slowest_fps / _RATE_FPS - 1.0 / (seconds * _RATE_FPS)),
        cores=live.cores,
        pss_mib=live.pss_mib,
        server_cores=(_server_s() - before_s) / (seconds + _WARM_UP_S),
    )
    return made, live


def _server() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if any("rtsp_server" in word for word in one.cmdline())]


def _server_s() -> float:
    return sum(sum(one.cpu_times()[:2]) for one in _server())


def _print_tries(name: str, tries: Sequence[Try]) -> None:
    print()
    print_table(
        (name, "p50 / p95 / p99 ms", "frames/s", "lost", "cores", "MiB (PSS)", "MiB a camera", "server's cores"),
        [
            (
                f"{one.cameras} camera(s)",
                " / ".join(f"{latency:.0f}" for latency in one.latency_ms),
                f"{one.fps:.2f}",
                f"{one.lost:.1%}",
                f"{one.cores:.2f}",
                f"{one.pss_mib:.0f}",
                f"{one.pss_mib / one.cameras:.0f}",
                f"{one.server_cores:.2f}",
            )
            for one in tries
        ],
    )


def _print_where(live: Live) -> None:
    """CPU time of a camera by process, at the most that is sustained."""
    parts = {"capture (network, decoding, scaling)": 0.0, "worker (features, densities)": 0.0, "all others": 0.0}
    for name, cores in live.cpu_cores.items():
        key = 0 if name.startswith("capture") else 1 if name == "worker" else 2
        parts[list(parts)[key]] += cores
    print()
    print_table(
        ("where the time goes", "ms a second and camera", "share"),
        [
            (name, f"{1000.0 * cores / live.cameras:.0f}", f"{cores / live.cores:.0%}")
            for name, cores in parts.items()
        ],
    )


def _print_growth(folder: Path, numbers: Sequence[int], seconds: float) -> None:
    model = folder / "small.mulde"
    small = folder / "small"
    small.mkdir()
    config = write_config(
        small, analysis={"rate_fps": 1.0, "long_side_px": 320}, calibration={"steps": 50, "folds": 2}
    )
    calibrate([f"{_SMALL}&fps=2&seconds=60"], model, "--config", str(config))
    rows = []
    for cameras in numbers:
        # Rates that differ a little, so that their pictures do not all come at the same moment, as no cameras' do.
        scenes = [
            f"{_SMALL}&fps={2.0 + 0.13 * (number % 8):g}&seed={number}&seconds=3600" for number in range(cameras)
        ]
        live = watch_live(scenes, model, warm_up_s=_WARM_UP_S, seconds=seconds)
        rows.append(
            (
                str(cameras),
                f"{1000.0 * live.cores / cameras:.1f}",
                f"{live.pss_mib / cameras:.0f}",
                f"{live.latency_ms(50):.0f} / {live.latency_ms(95):.0f}",
                str(sum(live.drops.values())),
            )
        )
    print()
    print_table(
        ("small cameras", "CPU ms a second and camera", "MiB (PSS) a camera", "p50 / p95 ms", "dropped"), rows
    )


if __name__ == "__main__":
    main()

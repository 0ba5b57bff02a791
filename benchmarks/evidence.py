"""What evidence costs the sink for each camera, and how soon an alert's picture is on the disk.

A real sink process is sent scores and frames of drawn cameras at their rate, first with evidence switched off, which
is the baseline, then with it. Alerts come at a steady pace and last some seconds. Linux only.

    python -m benchmarks.evidence [--cameras 4] [--seconds 60] [--every 20] [--store FOLDER]
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from benchmarks._cost import memory
from benchmarks._table import print_table
from configs.evidence import EvidenceSettings
from configs.settings import ConnectionSettings, PolicySettings
from stream import child
from stream.bus import Broker, Endpoints, ScoreSender, Subscriber
from stream.clock import utc_text
from stream.messages import Alert, Score
from stream.ring import Ring
from stream.sink.camera import SinkCamera
from stream.sink.process import SinkSpec
from stream.sink.retention import Limits
from stream.source import open_source
from stream.store import Store, role_of

_RATE_FPS = 10.0
_LASTS_S = 5.0  # an alert's scores above the threshold
_SLOTS, _FRAMES = 40, 50
_WIDTH, _HEIGHT = 640, 352
_THRESHOLD = 4.0
_WARM_UP_S = 5.0
_READY_S, _STOP_S = 30.0, 10.0
_HEAT = np.zeros((_HEIGHT // 16, _WIDTH // 16), np.uint8)
_HEAT[8:14, 12:18] = 255

SETTINGS = {
    "without": EvidenceSettings(pictures=False, clips=False),
    "with": EvidenceSettings(clips=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One setting's numbers."""

    cpu_s: float
    seconds: float
    own_mib: float
    """Memory without the rings, of which it maps what it reads."""
    announced_ms: list[float]
    """From the score that opens an alert to its announcement, of each alert."""
    pictured_ms: list[float]
    """The same to its picture on the disk."""
    kilobytes: dict[str, float]
    """Of each file of an alert, in the mean."""


def main() -> None:
    """Measure both settings and print a table."""
    parser = argparse.ArgumentParser(description="What evidence costs the sink, and how soon it is on the disk.")
    parser.add_argument("--cameras", type=int, default=4, help="how many")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured time of each setting")
    parser.add_argument("--every", type=float, default=20.0, help="seconds from one alert of a camera to its next")
    parser.add_argument("--store", type=Path, metavar="FOLDER", help="on the disk to be measured; default: temporary")
    arguments = parser.parse_args()
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(
        f"{cores} cores, load average {load:.1f} before the start; {arguments.cameras} cameras of {_WIDTH}×{_HEIGHT} "
        f"at {_RATE_FPS:g} frames/s, each with an alert every {arguments.every:g} s",
        flush=True,
    )
    frames = _frames()
    results = {}
    for name, settings in SETTINGS.items():
        with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.store) as folder:
            results[name] = _measured(Path(folder), settings, frames, arguments)
    _print(results, arguments.cameras)


def _frames() -> list[npt.NDArray[np.uint8]]:
    with open_source(
        "demo://street", size=(_WIDTH, _HEIGHT), rate_fps=_RATE_FPS, connection=ConnectionSettings()
    ) as source:
        return [frame.image.copy() for frame, _ in zip(source, range(_FRAMES), strict=False)]


def _measured(
    folder: Path, settings: EvidenceSettings, frames: list[npt.NDArray[np.uint8]], arguments: argparse.Namespace
) -> Result:
    endpoints = Endpoints.in_folder(folder / "bus")
    with ExitStack() as stack:
        stack.enter_context(Broker(endpoints))
        heard = stack.enter_context(Subscriber(endpoints, (b"alert/",)))
        sender = stack.enter_context(ScoreSender(endpoints))
        rings = [stack.enter_context(Ring.create(_SLOTS, _HEIGHT, _WIDTH)) for _ in range(arguments.cameras)]
        spec = SinkSpec(
            endpoints=endpoints,
            folder=folder / "store",
            cameras=tuple(
                SinkCamera(name=f"cam{number}", ring=ring.spec, policy=_policy(), trouble_after_s=86400.0)
                for number, ring in enumerate(rings)
            ),
            limits=Limits(days=90.0, megabytes=2000.0),
            evidence=settings,
        )
        process, line = _started(spec, folder / "log")
        try:
            return _observed(psutil.Process(process.pid), sender, heard, rings, frames, arguments, spec.folder)
        finally:
            line.send(child.STOP)
            process.join(_STOP_S)
            if process.is_alive():
                process.kill()
                process.join()
            line.close()


def _policy() -> PolicySettings:
    return PolicySettings(hold_s=1.0, merge_gap_s=1.0, cooldown_s=0.0)


def _started(spec: SinkSpec, log: Path) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    line, there = context.Pipe()
    process = context.Process(
        target=child.main, args=("sink", "stream.sink.process:run", spec, there, log), daemon=True
    )
    process.start()
    there.close()
    if not line.poll(_READY_S) or line.recv() != (child.READY, ""):
        raise SystemExit(f"the sink did not start: {log.read_text()}")
    return process, line


def _observed(
    sink: psutil.Process,
    sender: ScoreSender,
    heard: Subscriber,
    rings: list[Ring],
    frames: list[npt.NDArray[np.uint8]],
    arguments: argparse.Namespace,
    folder: Path,
) -> Result:
    began_s = time.monotonic()
    until_s = began_s + _WARM_UP_S + arguments.seconds
    opened_s: dict[str, list[float]] = {f"cam{number}": [] for number in range(len(rings))}
    highs = [0] * len(rings)
    announced_ms, pictured_ms = [], []
    cpu_began_s, measured_s, tick = None, began_s, 0
    while (now_s := time.monotonic()) < until_s:
        if cpu_began_s is None and now_s >= began_s + _WARM_UP_S:
            cpu_began_s, measured_s = _cpu_s(sink), now_s
        for number, ring in enumerate(rings):
            # Alerts of different cameras do not begin together.
            age_s = (tick / _RATE_FPS + number * arguments.every / len(rings)) % arguments.every
            high = 0.0 <= age_s - arguments.every / 2.0 < _LASTS_S
            highs[number] = highs[number] + 1 if high else 0
            if highs[number] == _policy().enter_count:  # which opens it
                opened_s[f"cam{number}"].append(time.time())
            _see(sender, ring, number, frames[tick % len(frames)], tick, 2.0 * _THRESHOLD if high else 0.5)
        tick += 1
        while time.monotonic() < began_s + tick / _RATE_FPS:
            received = heard.receive(max(0.0, began_s + tick / _RATE_FPS - time.monotonic()))
            if received is None or not isinstance(alert := received[0], Alert) or alert.event != "start":
                continue
            sent_s = opened_s[alert.camera].pop(0)
            announced_ms.append((time.time() - sent_s) * 1000.0)
            pictures = [Path(path) for path in alert.evidence if role_of(alert.id, path) == "picture"]
            pictured_ms += [(picture.stat().st_mtime - sent_s) * 1000.0 for picture in pictures]
    assert cpu_began_s is not None, "the warm-up is over before the end"
    used = memory(sink.pid)
    return Result(
        cpu_s=_cpu_s(sink) - cpu_began_s,
        seconds=time.monotonic() - measured_s,
        own_mib=used.pss_mib - used.shared_mib,
        announced_ms=announced_ms,
        pictured_ms=pictured_ms,
        kilobytes=_kilobytes(folder),
    )


def _see(sender: ScoreSender, ring: Ring, number: int, image: npt.NDArray[np.uint8], tick: int, level: float) -> None:
    seq = ring.write(image, tick / _RATE_FPS, time.monotonic(), time.time())
    score = Score(
        camera=f"cam{number}",
        seq=seq,
        stream_time_s=tick / _RATE_FPS,
        utc=utc_text(datetime.now(UTC)),
        score=level,
        threshold=_THRESHOLD,
        latency_ms=50.0,
        captured_at_s=time.monotonic(),
        region=(0.3, 0.36, 0.45, 0.64),
        families={"motion": level / 2, "texture": level / 4, "shape": level / 4, "stay": 0.0},
        words="moving 3.4× as fast as normal here" if level > _THRESHOLD else "",
        heat_shape=(_HEAT.shape[0], _HEAT.shape[1]),
    )
    sender.send(score, _HEAT.tobytes())


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _kilobytes(folder: Path) -> dict[str, float]:
    sizes: dict[str, list[int]] = {}
    with Store.open(folder) as store:
        for record in store.find():
            for role, path in record.files().items():
                if Path(path).exists():
                    sizes.setdefault(role, []).append(Path(path).stat().st_size)
    return {role: sum(some) / len(some) / 1000.0 for role, some in sizes.items()}


def _print(results: dict[str, Result], cameras: int) -> None:
    cpu = [one.cpu_s / one.seconds / cameras * 1e3 for one in results.values()]
    rows: dict[str, list[str]] = {
        "sink CPU, ms per camera and second": [f"{ms:.2f}" for ms in cpu],
        "sink memory without rings, MiB (PSS)": [f"{one.own_mib:.1f}" for one in results.values()],
        "alerts": [str(len(one.announced_ms)) for one in results.values()],
        "opening score to picture on disk, p50 ms": [_percentile(one.pictured_ms, 50) for one in results.values()],
        "opening score to picture on disk, p95 ms": [_percentile(one.pictured_ms, 95) for one in results.values()],
        "opening score to announced, p50 ms": [_percentile(one.announced_ms, 50) for one in results.values()],
        "opening score to announced, p95 ms": [_percentile(one.announced_ms, 95) for one in results.values()],
    }
    for role in ("picture", "clean", "strip", "trace"):
        rows[f"{role}, kB"] = [
            f"{one.kilobytes[role]:.1f}" if role in one.kilobytes else "" for one in results.values()
        ]
    print_table(("evidence", *results), [[name, *cells] for name, cells in rows.items()])
    without, with_ = results["without"], results["with"]
    cpu_ms = (with_.cpu_s / with_.seconds - without.cpu_s / without.seconds) / cameras * 1e3
    mib = with_.own_mib - without.own_mib
    print(
        f"\nwith evidence {cpu_ms:.2f} ms of CPU more per camera and second, {mib:.1f} MiB more for {cameras} cameras"
    )


def _percentile(values: list[float], share: float) -> str:
    return f"{np.percentile(values, share):.0f}" if values else ""


if __name__ == "__main__":
    main()

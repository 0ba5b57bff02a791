"""Clips of alerts: on UCSD Ped2 as a live camera whether each has what it promises, and what a camera's clips cost.

    python -m benchmarks.clips [--data FOLDER] [--model FILE] [--longest-alert 10] [--seconds 30] [--rounds 2]
                               [--only alerts|cost]

The alerts are those of the whole application, calibrated on the training clips and watching eight test clips one
after the other over RTSP; of each clip is told where it begins, whether the peak's frame is in it at its time, by its
picture, whether ffprobe reads all of it, and whether Chromium, where there is one, plays it to its end. Alerts are
cut off soon, so that there are more of them. The cost is that of one capture process at 1080p25, H.264 at 4 Mbit/s, 5
pictures a second analysed: without clips, with the memory for them, and while one is being written all the time.
Exit status 1 where a clip breaks its promise.
"""

import argparse
import importlib
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import psutil

from benchmarks import _cost
from benchmarks._application import Watch, calibrate, write_config
from benchmarks._footage import DATA, need
from benchmarks._rtsp import need_server, serve
from benchmarks._table import print_table
from benchmarks.capacity import drawn_camera
from benchmarks.live_ped2 import TEST_CLIPS, truth
from configs.evidence import EvidenceSettings
from stream.bus import Publisher
from stream.clips import ClipSpec, start_of
from stream.clock import utc_now
from stream.messages import Alert, Camera
from stream.store import AlertRecord, Store

_LAYOUT = "ped2/labels.json, ped2/train/NN.mp4 and ped2/test/NN.mp4"
_BUDGET = ("--alerts-per-day", "480")
_START_S = 60.0
_FRAMES_AROUND = 5  # among which the peak's frame must be found by its picture
_TIME_S = 0.001
_NO_CHROMIUM = "not here"
_SETTINGS = EvidenceSettings()
_DRAWN_S = 12.0
_RATE_FPS = 5.0
_WARM_UP_S = 20.0  # longer than what is kept

_PLAYED_S = 30.0  # at 16 times its speed

_capture: Callable[..., AbstractContextManager[Any]] = importlib.import_module("tests.faults.capture").capture
_browser = importlib.import_module("tests.stream.review.browser")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found in a clip."""

    alert: AlertRecord
    key_interval_s: float
    """The longest."""
    offset_s: float
    """Of the first picture from the alert's start less the pre-roll."""
    peak: str
    """How far from its time the peak's frame is, by its picture."""
    has_peak: bool
    length_s: float
    size: int
    """Bytes."""
    ffprobe: str
    chromium: str

    @property
    def is_right(self) -> bool:
        """Whether it holds what is promised. Before the stream began, there is nothing to show."""
        earliest_s = -min(self.alert.started_s, _SETTINGS.pre_roll_s)
        begins = (
            -self.key_interval_s - _TIME_S <= self.offset_s <= max(0.0, _SETTINGS.pre_roll_s + earliest_s) + _TIME_S
        )
        return begins and self.has_peak and self.ffprobe == "plays" and self.chromium in ("plays", _NO_CHROMIUM)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What is in the clips of alerts, and what clips cost.")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {_LAYOUT}")
    parser.add_argument("--model", type=Path, help="calibrated by an earlier run, instead of calibrating")
    parser.add_argument("--longest-alert", type=float, default=10.0, help="policy.max_length_s")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured time of each cost")
    parser.add_argument("--rounds", type=int, default=2, help="of costs, of which the median is told")
    parser.add_argument("--only", choices=("alerts", "cost"), help="one of the two parts")
    arguments = parser.parse_args()
    need_server()
    right = True
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if arguments.only != "cost":
            right = _alerts(Path(folder), arguments.data, arguments.model, arguments.longest_alert)
        if arguments.only != "alerts":
            _cost_of_a_camera(Path(folder), arguments.seconds, arguments.rounds)
    if not right:
        sys.exit(1)


# What is in the clips


def _alerts(folder: Path, data: Path, model: Path | None, longest_s: float) -> bool:
    """Watch the test clips and print a table of the alerts; whether every clip is right."""
    if shutil.which("ffprobe") is None:
        raise SystemExit("ffprobe is missing: apt-get install ffmpeg")
    (labels_file,) = need(data, ["ped2/labels.json"], _LAYOUT)
    labels = json.loads(labels_file.read_text())
    train = need(data, [f"ped2/train/{name}" for name in sorted(labels["train"])], _LAYOUT)
    test = need(data, [f"ped2/test/{name}" for name in TEST_CLIPS], _LAYOUT)
    fps = float(labels["fps"])
    if model is None:
        model = folder / "ped2.mulde"
        calibrate([str(file) for file in train], model, *_BUDGET)
    config = write_config(folder, policy={"max_length_s": longest_s})
    length_s = truth(labels, TEST_CLIPS).length_s
    with serve(test, fps=fps) as url, Watch([url], model, "--config", str(config)) as watch:
        for message in watch.messages(time.monotonic() + length_s + _START_S):
            if isinstance(message, Camera) and message.state == "lost":
                break
        else:
            raise watch.failure(f"the stream is not over after {length_s + _START_S:.0f} s")
        watch.finish()
        played = [image for file in test for _, image in _pictures(file)]
        with Store.open(watch.store) as kept:
            records = sorted(kept.find(), key=lambda record: record.started_s)
        clips = [(record, path) for record in records if (path := _clip_of(record)) is not None]
        plays = _in_chromium([path for _, path in clips], folder / "chromium")
        checks = [_check(record, path, played, fps, plays[path]) for record, path in clips]
    return _print_checks(checks, len(records))


def _clip_of(record: AlertRecord) -> Path | None:
    return next((Path(name) for name in record.evidence if name.endswith(".mp4")), None)


def _check(record: AlertRecord, path: Path, played: list[npt.NDArray[np.uint8]], fps: float, plays: str) -> Check:
    start_s = start_of(path)
    if start_s is None:
        raise SystemExit(f"{path} is no clip")
    found = _pictures(path)
    with av.open(str(path)) as container:
        keys_s = [
            float(packet.pts * packet.time_base)
            for packet in container.demux(video=0)
            if packet.is_keyframe and packet.pts is not None
        ]
    steps_s = [after - before for before, after in itertools.pairwise(keys_s)]
    wanted = played[round(record.peaked_s * fps)]
    near = [
        (time_s, image) for time_s, image in found if abs(start_s + time_s - record.peaked_s) <= _FRAMES_AROUND / fps
    ]
    most_like_s = min(near, key=lambda one: float(np.abs(one[1].astype(int) - wanted).mean()))[0] if near else None
    off_s = None if most_like_s is None else start_s + most_like_s - record.peaked_s
    return Check(
        alert=record,
        key_interval_s=max(steps_s, default=0.0),
        offset_s=start_s - (record.started_s - _SETTINGS.pre_roll_s),
        peak="not there" if off_s is None else f"{off_s:+.3f} s",
        has_peak=off_s is not None and abs(off_s) < 0.5 / fps,
        length_s=found[-1][0],
        size=path.stat().st_size,
        ffprobe=_ffprobe(path, len(found)),
        chromium=plays,
    )


def _pictures(path: Path) -> list[tuple[float, npt.NDArray[np.uint8]]]:
    """Time and picture, grey, of each frame."""
    with av.open(str(path)) as container:
        return [
            (frame.time or 0.0, np.asarray(frame.to_ndarray(format="gray"), np.uint8))
            for frame in container.decode(video=0)
        ]


def _ffprobe(path: Path, frames: int) -> str:
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
    probed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if probed.returncode or probed.stderr:
        return probed.stderr.strip().splitlines()[0]
    (stream,) = json.loads(probed.stdout)["streams"]
    return "plays" if int(stream["nb_read_frames"]) == frames else f"{stream['nb_read_frames']} of {frames} frames"


def _in_chromium(paths: list[Path], profile: Path) -> dict[Path, str]:
    """Of each clip whether the browser plays it from its first picture to its last."""
    if _browser.missing():
        return dict.fromkeys(paths, _NO_CHROMIUM)
    play = (
        "const video = document.querySelector('video'), done = arguments[0];"
        "video.onended = () => done('plays'); video.onerror = () => done(video.error.message);"
        "video.muted = true; video.currentTime = 0; video.playbackRate = 16;"
        "video.play().catch(why => done('' + why));"
    )
    found = {}
    with _browser.chromium(profile) as driver:
        driver.set_script_timeout(_PLAYED_S)
        for path in paths:
            driver.get(path.as_uri())
            found[path] = str(driver.execute_async_script(play))
    return found


def _print_checks(checks: list[Check], alerts: int) -> bool:
    print(f"\n{alerts} alerts, {len(checks)} clips; pre-roll {_SETTINGS.pre_roll_s:g} s\n")
    print_table(
        (
            "alert starts",
            "peak",
            "ends",
            "key interval",
            "offset",
            "peak's frame off by",
            "length",
            "size",
            "ffprobe",
            "Chromium",
            "right",
        ),
        [
            [
                f"{check.alert.started_s:.1f} s",
                f"{check.alert.peaked_s:.1f} s",
                f"{check.alert.ended_s or 0.0:.1f} s",
                f"{check.key_interval_s:.2f} s",
                f"{check.offset_s:+.2f} s",
                check.peak,
                f"{check.length_s:.1f} s",
                f"{check.size / 1e6:.1f} MB",
                check.ffprobe,
                check.chromium,
                "yes" if check.is_right else "NO",
            ]
            for check in checks
        ],
    )
    right = sum(check.is_right for check in checks)
    print(f"\nright: {right} of {alerts}")
    return right == alerts > 0


# What they cost


def _cost_of_a_camera(folder: Path, seconds: float, rounds: int) -> None:
    film = drawn_camera(folder / "street.mp4", _DRAWN_S)
    spec = ClipSpec(
        pre_roll_s=_SETTINGS.pre_roll_s,
        post_roll_s=_SETTINGS.post_roll_s,
        longest_s=10_000.0,
        memory_bytes=round(_SETTINGS.clip_megabytes * 1e6),
    )
    kinds: dict[str, tuple[ClipSpec | None, bool]] = {
        "without clips": (None, False),
        "kept in memory": (spec, False),
        "a clip is written": (spec, True),
    }
    costs: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in kinds}
    with serve([film], codec="copy", shared=True) as url:
        for number in range(rounds):
            for kind, (clips, writes) in kinds.items():
                place = folder / f"{number}-{len(costs[kind])}-{writes}-{clips is None}"
                place.mkdir(mode=0o700)
                costs[kind].append(_measure(place, url, clips, seconds, writes=writes))
    rows = []
    before = [statistics.median(column) for column in zip(*costs["without clips"], strict=True)]
    for kind, measured in costs.items():
        cores, mib, kept_mb = (statistics.median(column) for column in zip(*measured, strict=True))
        spread = " to ".join(f"{cost[0]:.1%}" for cost in (min(measured), max(measured)))
        rows.append(
            [
                kind,
                f"{cores:.1%}",
                spread,
                f"{cores - before[0]:+.1%}",
                f"{mib:.1f}",
                f"{mib - before[1]:+.1f}",
                f"{kept_mb:.1f}",
            ]
        )
    print(f"\none capture process, 1080p25, {_RATE_FPS:g} pictures a second analysed, {rounds} x {seconds:g} s\n")
    print_table(("", "CPU of a core", "from to", "more", "memory MiB", "more", "kept MB"), rows)


def _measure(
    folder: Path, url: str, clips: ClipSpec | None, seconds: float, *, writes: bool
) -> tuple[float, float, float]:
    """Cores, MiB and MB of packets of a capture process."""
    with (
        _capture(folder, url, clips=clips, rate_fps=_RATE_FPS) as camera,
        Publisher(camera.spec.endpoints) as publisher,
    ):
        camera.listen(_WARM_UP_S)
        if writes:
            time_s = camera.frames()[-1].stream_time_s
            publisher.send(
                Alert(
                    event="start",
                    id="bench",
                    kind="anomaly",
                    camera=camera.spec.camera,
                    stream_time_s=time_s,
                    utc=utc_now(),
                    score=2.0,
                    threshold=1.0,
                    evidence=(str(folder / "bench.mp4"),),
                )
            )
            camera.listen(1.0)
        process = psutil.Process(camera.process.pid)
        before_s, started_s = _cost.cpu_s({"capture": process})["capture"], time.monotonic()
        camera.listen(seconds)
        used_s = _cost.cpu_s({"capture": process})["capture"] - before_s
        lasted_s = time.monotonic() - started_s
        if writes and start_of(folder / "bench.mp4") is None:
            raise SystemExit("no clip was written")
        kept = camera.counter("clip_memory_bytes") / 1e6 if clips else 0.0
        return used_s / lasted_s, _cost.memory(process.pid).pss_mib, kept


if __name__ == "__main__":
    main()

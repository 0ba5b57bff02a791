"""What an anomaly in the normal footage costs, and whether calibration names it: UCSD Ped2.

    python -m benchmarks.contaminated [--data FOLDER] [--clips 01 04 06]

Learned from the training clips alone, then each time with a stretch of a test clip's anomaly among them that is 2 %
of the whole. The other test clips are watched at 20 false alerts an hour.
"""

import argparse
import json
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import torch

from benchmarks._footage import DATA, need
from benchmarks._table import print_table
from calibrate import footage
from calibrate.backtest.outcome import Level, Outcome, Span, outcome
from calibrate.backtest.replay import Setup, watch
from calibrate.calibration import Calibration, calibrate
from calibrate.report.moments import exceedances, moments
from configs.schema import Config
from configs.settings import CalibrationSettings
from detector.features.network import Network

_LAYOUT = "ped2/labels.json, ped2/train/NN.mp4 and ped2/test/NN.mp4"
_SHARE = 0.02
_PER_DAY = 480.0
_FPS = 10
_CONFIG = Config()


def main() -> None:
    """Learn, watch, and print what it costs."""
    parser = argparse.ArgumentParser(description="What an anomaly in the normal footage costs.")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {_LAYOUT}")
    parser.add_argument("--clips", nargs="+", default=["01", "04", "06"], help="test clips to take an anomaly from")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    (labels_file,) = need(arguments.data, ["ped2/labels.json"], _LAYOUT)
    labels = json.loads(labels_file.read_text())
    train = need(arguments.data, [f"ped2/train/{name}" for name in sorted(labels["train"])], _LAYOUT)
    test = need(arguments.data, [f"ped2/test/{name}" for name in sorted(labels["test"])], _LAYOUT)
    spans = {
        file: [
            Span(video=file.name, start_s=first / _FPS, end_s=last / _FPS)
            for first, last in labels["test"][file.name]["anomalous"]
        ]
        for file in test
    }
    taken = {file: file.stem in arguments.clips for file in test}
    watched = {file: spans[file] for file in test if not taken[file]}
    rows = [_row("none", learn(train), watched, None)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for file in (file for file in test if taken[file]):
            piece = Path(folder) / f"anomaly-{file.name}"
            length_s = cut(file, spans[file][0].start_s, _SHARE * len(train) * 16.0, piece)
            rows.append(_row(f"{length_s:.0f} s of clip {file.stem}", learn([*train, piece]), watched, len(train)))
    print_table(
        (
            "anomaly in the footage",
            "called suspicious",
            "others",
            "place among moments",
            "threshold",
            "caught",
            "false",
        ),
        rows,
    )


def learn(files: list[Path]) -> Calibration:
    """All that calibration makes of recordings."""
    plan = footage.plan(
        [str(file) for file in files],
        long_side_px=_CONFIG.analysis.long_side_px,
        rate_fps=_CONFIG.analysis.rate_fps,
        minutes=_CONFIG.calibration.minutes,
        connection=_CONFIG.connection,
    )
    return calibrate(
        plan,
        mask=(),
        policy=_CONFIG.policy,
        settings=CalibrationSettings(alerts_per_day=_PER_DAY),
        device="cpu",
        threads=1,
        on_progress=lambda *_: None,
    )


def cut(clip: Path, start_s: float, most_s: float, path: Path) -> float:
    """Write that much of a clip, or as much as there is, from a time on; its length in seconds."""
    count = 0
    with av.open(str(clip)) as source, av.open(str(path), "w") as written:
        seen = source.streams.video[0]
        stream = written.add_stream("libx264", rate=Fraction(_FPS))
        stream.width, stream.height, stream.pix_fmt = seen.width, seen.height, "yuv420p"
        stream.options = {"crf": "15"}
        for frame in source.decode(seen):
            assert frame.time is not None, "a video file has times"
            if frame.time >= start_s and count < most_s * _FPS:
                image = frame.to_ndarray(format="bgr24")
                written.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
                count += 1
        written.mux(stream.encode())
    return count / _FPS


def _row(name: str, made: Calibration, watched: dict[Path, list[Span]], segment: int | None) -> list[str]:
    suspicious = [peak.segment for peak in made.threshold.suspicious]
    named = [*suspicious, *(peak.segment for peak in made.threshold.doubtful)]
    shown = moments(exceedances(made.held_out, made.threshold.suspicious), made.threshold.suspicious, ())
    places = [place for place, one in enumerate(shown, 1) if one.peak.segment == segment]
    found = _watch(made, watched)
    return [
        name,
        "-" if segment is None else "suspicious" if segment in suspicious else "yes" if segment in named else "no",
        str(sum(one != segment for one in named)),
        "-" if segment is None else f"{places[0]} of {len(shown)}" if places else "not shown",
        f"{made.threshold.budget.threshold:.2f}",
        f"{found.caught} of {len(found.catches)}",
        str(len(found.outside)),
    ]


def _watch(made: Calibration, watched: dict[Path, list[Span]]) -> Outcome:
    level = Level(thresholds={made.bundle.regime: made.threshold.budget.threshold}, alerts_per_day=_PER_DAY)
    setup = Setup(
        bundles=(made.bundle,),
        where="model",
        device="cpu",
        network=Network("cpu", 1),
        clip_network=None,
        policy=_CONFIG.policy,
        connection=_CONFIG.connection,
        drift_days=_CONFIG.worker.drift_days,
        thresholds=level.thresholds,
    )
    videos = [watch(file.name, str(file), setup) for file in watched]
    return outcome(videos, _CONFIG.policy, level, [span for spans in watched.values() for span in spans])


if __name__ == "__main__":
    main()

"""A camera moves, loses focus, is covered, freezes or gets another light: how soon that is named, and how rightly.

    python -m benchmarks.drift [--data FOLDER] [--minutes 30]

Real normal footage; some is learned, the rest is played over and over, first unchanged for `--minutes` and then with
each trouble planted in it after half a minute. Where too little is learned for a test of drift, only the picture is
watched. Blur and covers get a sensor's noise anew. Exit status 1 where something is missed, misnamed or made up.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks._footage import DATA, cut_in_halves, need
from benchmarks._table import print_table
from calibrate import footage
from calibrate.calibration import calibrate
from configs.schema import Config
from detector import drift
from detector.bundle import Bundle
from detector.condition import ConditionName
from detector.detector import Sighting, features, from_bundle
from detector.features.network import Network
from detector.fusion import Evidence
from detector.standing import Standing
from stream.source import open_source

Image = npt.NDArray[np.uint8]

_CLIPS = ("vtest_480x360.mp4", "intel_one-by-one-person-detection.mp4")
_PED2_LEARNED, _PED2_CLIPS = 12, 16
_RATE_FPS = 5.0
_BEGIN_S = 30.0
_WATCH_S = 150.0
_RAMP_S = 60.0
_NOISE = 2.0  # grey levels
_LAYOUT = "ped2/train/NN.mp4 and clips/"

_generator = np.random.default_rng(0)


def _noisy(image: Image) -> Image:
    return np.clip(image + _generator.normal(0.0, _NOISE, image.shape), 0, 255).astype(np.uint8)


def _moved(image: Image, _: float) -> Image:
    height, width = image.shape[:2]
    by = np.array([[1, 0, round(0.05 * width)], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(image, by, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def _blurred(image: Image, share: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), image.shape[1] * share), np.uint8)


def _light(image: Image, passed_s: float) -> Image:
    return (image * (1.0 - 0.5 * min(1.0, passed_s / _RAMP_S))).astype(np.uint8)


Plant = Callable[[Image, float], Image]
PLANTS: dict[str, tuple[ConditionName, Plant | None]] = {
    "light down to half in 60 s": ("changed", _light),
    "moved by 5 % of the width": ("moved", _moved),
    "blur, σ 0.5 % of the width": ("defocused", lambda image, _: _noisy(_blurred(image, 0.005))),
    "cover": ("covered", lambda image, _: _noisy((0.25 * _blurred(image, 0.12)).astype(np.uint8))),
    "freeze": ("frozen", None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The conditions in turn, and what telling them cost."""

    entered: tuple[tuple[float, ConditionName], ...]
    """When, seconds from the start."""
    ms: float
    """CPU time of each picture, without the detector's own."""


def watch(bundle: Bundle, pictures: Iterator[Image], network: Network) -> Watched:
    """Follow pictures as a worker does."""
    detector, observer = from_bundle(bundle, "model", "cpu")
    standing = Standing(bundle, "model", Config().worker.drift_days)
    entered: list[tuple[float, ConditionName]] = []
    count, took_s, now = 0, 0.0, "ok"
    for count, image in enumerate(pictures, 1):
        time_s = (count - 1) / _RATE_FPS
        evidence: dict[str, Evidence] = {}
        if tests_drift(bundle):
            (seen,) = features(network, [Sighting(observer=observer, image=image, time_s=time_s)])
            evidence, _ = detector.evidence(seen)
        began_s = time.process_time()
        condition = standing.step(image, evidence, time_s)
        took_s += time.process_time() - began_s
        if condition != now:
            entered.append((time_s, condition))
            now = condition
    return Watched(entered=tuple(entered), ms=1000.0 * took_s / max(1, count))


def tests_drift(bundle: Bundle) -> bool:
    """Whether enough blocks were learned from."""
    start = f"{drift.PREFIX}."
    return any(len(one) >= drift.FEWEST_BLOCKS for name, one in bundle.arrays.items() if name.startswith(start))


def planted(images: Sequence[Image], plant: Plant | None) -> Iterator[Image]:
    """The footage over and over, with this in it from `_BEGIN_S` on; None freezes it."""
    before = images[0]
    for number, image in enumerate(islice(cycle(images), round(_WATCH_S * _RATE_FPS))):
        passed_s = number / _RATE_FPS - _BEGIN_S
        if passed_s >= 0.0:
            image = before if plant is None else plant(image, passed_s)
        yield image
        before = image


def learn(files: Sequence[Path]) -> Bundle:
    """A bundle from recordings."""
    config = Config()
    plan = footage.plan(
        [str(file) for file in files],
        long_side_px=config.analysis.long_side_px,
        rate_fps=_RATE_FPS,
        minutes=config.calibration.minutes,
        connection=config.connection,
    )
    made = calibrate(
        plan,
        mask=(),
        policy=config.policy,
        settings=config.calibration,
        device="cpu",
        threads=1,
        on_progress=lambda *_: None,
    )
    return made.bundle


def load(files: Sequence[Path], bundle: Bundle) -> list[Image]:
    """All pictures of recordings, as the bundle prepares them."""
    size = (bundle.preparation.width, bundle.preparation.height)

    def of(file: Path) -> Iterator[Image]:
        with open_source(str(file), size=size, rate_fps=_RATE_FPS, connection=Config().connection) as source:
            for picture in source:
                yield picture.image

    return list(chain.from_iterable(map(of, files)))


def measure(
    name: str, learned: Sequence[Path], played: Sequence[Path], minutes: float
) -> tuple[list[list[str]], bool]:
    """Rows of the table, and whether all is as it should be."""
    network = Network("cpu", 1)
    bundle = learn(learned)
    images = load(played, bundle)
    normal = watch(bundle, islice(cycle(images), round(60.0 * minutes * _RATE_FPS)), network)
    watches = "picture and families" if tests_drift(bundle) else "picture"
    rows = [[name, watches, f"nothing, {minutes:g} min", "-", "-", _names(normal), f"{normal.ms:.2f}"]]
    right = not normal.entered
    for what, (expected, plant) in PLANTS.items():
        seen = watch(bundle, planted(images, plant), network)
        at = [time_s - _BEGIN_S for time_s, condition in seen.entered if condition == expected]
        others = [condition for _, condition in seen.entered if condition != expected]
        right = right and bool(at) and not others and at[0] > 0.0
        after = f"{at[0]:.0f} s" if at else "-"
        rows.append(
            [name, watches, what, expected if at else "missed", after, ", ".join(others) or "-", f"{seen.ms:.2f}"]
        )
    return rows, right


def _names(watched: Watched) -> str:
    return ", ".join(f"{condition} at {time_s:.0f} s" for time_s, condition in watched.entered) or "-"


def main() -> None:
    """Learn, watch and print."""
    parser = argparse.ArgumentParser(description="How soon and how rightly a camera's troubles are named.")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {_LAYOUT}")
    parser.add_argument("--minutes", type=float, default=30.0, help="of unchanged footage")
    parser.add_argument("--only", help="one footage of: ped2, " + ", ".join(_CLIPS))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rows: list[list[str]] = []
    right = True
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in ("ped2", *_CLIPS):
            if arguments.only not in (None, name):
                continue
            if name == "ped2":
                names = [f"ped2/train/{number:02}.mp4" for number in range(1, _PED2_CLIPS + 1)]
                files = need(arguments.data, names, _LAYOUT)
                learned, played = files[:_PED2_LEARNED], files[_PED2_LEARNED:]
            else:
                (file,) = need(arguments.data, [f"clips/{name}"], _LAYOUT)
                (first, _), (second, _) = cut_in_halves(file, Path(folder))
                learned, played = [first], [second]
            some, fine = measure(name.removesuffix(".mp4"), learned, played, arguments.minutes)
            rows += some
            right = right and fine
    print_table(("footage", "watched", "planted", "named", "after", "other names", "ms a picture"), rows)
    if not right:
        sys.exit(1)


if __name__ == "__main__":
    main()

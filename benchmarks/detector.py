"""How many analysed frames a second the whole detector does on one core, and where the time goes.

    python -m benchmarks.detector [--data FOLDER] [--frames 300] [--json FILE]

CPU time per frame, a decoder's own threads included. By hand is what one would write first: every frame through the
network in plain torch, and every cell of the picture through the densities of all families, noise scale after noise
scale with the gradient by automatic differentiation; to find what moves and to make vectors of what the network gives
would come on top. Both take turns; frames/s and the ratio leave decoding out on both sides. What benchmarks.network
says of memory holds for plain torch here too.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from benchmarks._by_hand import ByHand
from benchmarks._footage import DATA
from benchmarks._table import print_table
from calibrate import footage
from calibrate.blocks import collect
from calibrate.calibration import empty_scene_of
from calibrate.train import Learned, learn
from configs.schema import Config
from detector.detector import Features, Sighting, features
from detector.family import Family
from detector.features.grid import Grid
from detector.features.network import Layers, Network
from detector.fusion import Evidence, fuse
from detector.observer import Activity, Observer
from stream.source import Picture, open_source

STAGES = ("decode", "motion, background", "network", "vectors", "densities", "fusion")

_CONFIG = Config()
_PED2_TRAIN = range(1, 6)  # a minute
_STEPS = 100  # of the optimiser: weights do not change what a frame costs
_BY_HAND_EVERY = 20  # frames


@dataclass(slots=True, kw_only=True)
class Cost:
    """Seconds by stage, and what they were for."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    frames: int = 0
    quiet: int = 0
    """Frames in which nothing is."""
    quiet_s: float = 0.0
    """Of these together, without decoding."""
    cells: int = 0
    """Active, over all frames."""
    by_hand_s: float = 0.0
    """Of one frame, the mean of some."""

    @property
    def detector_s(self) -> float:
        """Of one frame, without its decoding."""
        return (sum(self.seconds.values()) - self.seconds["decode"]) / self.frames


@contextmanager
def _stage(cost: Cost, name: str) -> Iterator[None]:
    """Adds the CPU time of the block."""
    start_s = time.thread_time()
    yield
    cost.seconds[name] += time.thread_time() - start_s


class _TimedObserver(Observer):
    cost: Cost

    def step(self, image: npt.NDArray[np.uint8], time_s: float) -> Activity:
        with _stage(self.cost, "motion, background"):
            return super().step(image, time_s)


class _TimedNetwork(Network):
    cost: Cost

    def __call__(self, images: npt.NDArray[np.uint8]) -> Layers:
        with _stage(self.cost, "network"):
            return super().__call__(images)


def main() -> None:
    """Measure all footage and print the tables."""
    parser = argparse.ArgumentParser(description="Analysed frames a second on one core.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with ped2/train and ped2/test")
    parser.add_argument("--frames", type=int, default=300, help="to watch, of each footage")
    parser.add_argument("--json", type=Path, help="write the results there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    street = "demo://street?camera=1&width=640&height=360&fps=10"
    cases = {
        f"drawn street 640×352{who}": ([f"{street}{people}&seconds=60"], f"{street}{people}&seed=2")
        for who, people in (("", ""), (", people=1", "&people=1"), (", people=0.3", "&people=0.3"))
    }
    train = [arguments.data / "ped2" / "train" / f"{number:02d}.mp4" for number in _PED2_TRAIN]
    test = arguments.data / "ped2" / "test" / "01.mp4"
    missing = [file for file in (*train, test) if not file.is_file()]
    if missing:
        print(f"{missing[0]} is missing: without UCSD Ped2, see --data")
    else:
        cases = {"UCSD Ped2 360×240": ([str(file) for file in train], str(test)), **cases}
    costs = {name: measure(*sources, arguments.frames) for name, sources in cases.items()}
    print_table(
        ("footage", "frames/s", "by hand", "ratio", "active cells", "quiet frames", "ms each"),
        [_row(*item) for item in costs.items()],
    )
    print()
    print_table(("ms a frame", *STAGES), [_stages(*item) for item in costs.items()])
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({key: asdict(cost) for key, cost in costs.items()}, indent=1) + "\n")


def measure(normal: Sequence[str], watched: str, frames: int) -> Cost:
    """Learn from sources of normal footage, watch another."""
    analysis = _CONFIG.analysis
    plan = footage.plan(
        normal,
        long_side_px=analysis.long_side_px,
        rate_fps=analysis.rate_fps,
        minutes=_CONFIG.calibration.minutes,
        connection=_CONFIG.connection,
    )
    grid = Grid(plan.size[1], plan.size[0])
    cost = Cost()
    network = _TimedNetwork("cpu", 1)
    network.cost = Cost()
    scene = empty_scene_of([one.image for one in footage.preview(plan)], grid)
    blocks = collect(footage.shots(plan), Observer(grid, plan.rate_fps, (), scene), network, 1_000_000).blocks
    learned = learn(blocks, grid, folds=2, steps=_STEPS, seed=0, device="cpu", on_progress=lambda _: None)
    network.cost = cost
    observer = _TimedObserver(grid, plan.rate_fps, (), scene)
    observer.cost = cost
    by_hand = ByHand(grid, learned.families)
    by_hand_s = []
    with open_source(watched, size=plan.size, rate_fps=plan.rate_fps, connection=_CONFIG.connection) as source:
        pictures = islice(source, frames)
        process_s, thread_s = time.process_time(), time.thread_time()
        while True:
            with _stage(cost, "decode"):
                picture = next(pictures, None)
            if picture is None:
                break
            if cost.frames % _BY_HAND_EVERY == 0:
                start_s = time.thread_time()
                by_hand.judge(picture.image)
                by_hand_s.append(time.thread_time() - start_s)
            _watch(picture, observer, network, learned, cost)
        cost.seconds["decode"] += (time.process_time() - process_s) - (time.thread_time() - thread_s)
    cost.by_hand_s = sum(by_hand_s) / len(by_hand_s)
    return cost


def _watch(picture: Picture, observer: Observer, network: Network, learned: Learned, cost: Cost) -> None:
    """As `Detector.judge`, with its stages told apart."""
    within_s = cost.seconds["motion, background"] + cost.seconds["network"]
    start_s = time.thread_time()
    (seen,) = features(network, [Sighting(observer=observer, image=picture.image, time_s=picture.stream_time_s)])
    passed_s = time.thread_time() - start_s
    cost.seconds["vectors"] += passed_s - (cost.seconds["motion, background"] + cost.seconds["network"] - within_s)
    with _stage(cost, "densities"):
        evidence = {family.settings.name: found for family in learned.families if (found := _evidence(family, seen))}
    with _stage(cost, "fusion"):
        fuse(evidence, observer.grid)
    cost.frames += 1
    cost.cells += len(seen.cells)
    if not len(seen.cells):
        cost.quiet += 1
        cost.quiet_s += time.thread_time() - start_s


def _evidence(family: Family, seen: Features) -> Evidence | None:
    sample = seen.samples.get(family.settings.name)
    if sample is None:
        return None
    return Evidence(sample.cells, family.decades(family.levels(sample.vectors)))


def _row(name: str, cost: Cost) -> tuple[str, ...]:
    return (
        name,
        f"{1.0 / cost.detector_s:.0f}",
        f"{1.0 / cost.by_hand_s:.1f}",
        f"{cost.by_hand_s / cost.detector_s:.1f}",
        f"{cost.cells / cost.frames:.0f}",
        f"{cost.quiet / cost.frames:.0%}",
        f"{1e3 * cost.quiet_s / cost.quiet:.1f}" if cost.quiet else "",
    )


def _stages(name: str, cost: Cost) -> tuple[str, ...]:
    return name, *(f"{1e3 * cost.seconds[stage] / cost.frames:.1f}" for stage in STAGES)


if __name__ == "__main__":
    main()

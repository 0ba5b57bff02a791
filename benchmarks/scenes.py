"""What the densities add, over drawn scenes and kinds of anomaly, against simple detectors on the same features.

    python -m benchmarks.scenes [--scenes "street 1" road ...] [--steps 1000] [--json FILE]

Four minutes without anomalies are learned, five with all kinds planted one after the other are scored; product's
default settings, the same for every scene. Area under the ROC curve over frames, causal, of

MULDE             as the product scores
Gaussian          each family's density replaced by the distance to one Gaussian
1-NN              by the distance to the nearest of 4000 normal vectors
frame difference  grey difference to the picture before in 3×3 cells at its largest, nothing learned

and, in a second table, of each of MULDE's families alone. A kind's area is that of its frames against all normal
ones. The two seconds after an anomaly count as neither: it is still there in part.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score

from benchmarks._simple import SimpleDetector, nearest_neighbour, one_gaussian
from benchmarks._table import print_table
from calibrate import footage
from calibrate.blocks import collect
from calibrate.calibration import empty_scene_of
from calibrate.train import Taught, learn
from configs.schema import Config
from detector.detector import Detector, Features, Sighting, features
from detector.features.grid import Grid
from detector.features.network import Network
from detector.observer import Observer
from stream.policy import Smoother
from stream.scene import Event, open_scene
from stream.source import open_source

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]
"""Of each frame."""

_STREET = "runner,cyclist,vehicle,wrong-place,fallen,loitering,left-object"
_ROAD = "wrong-way,crossing,creeping,stopped-car,speeding"
_ROOM = "runner,fallen,left-object,climbing"
SCENES = {
    "street 1": ("street?camera=1&width=640&height=360&fps=10", _STREET),
    "street 2": ("street?camera=2&width=640&height=360&fps=10", _STREET),
    "street 3, 320×180, 5/s": ("street?camera=3&width=320&height=180&fps=5", _STREET),
    "street 1, dark, 30/s": ("street?camera=1&width=640&height=360&fps=30&dark=1", _STREET),
    "road": ("road?width=640&height=360&fps=10", _ROAD),
    "road, 480×270, 15/s": ("road?width=480&height=270&fps=15", _ROAD),
    "room": ("room?width=640&height=360&fps=10", _ROOM),
    "room, 128×64": ("room?width=128&height=64&fps=10", _ROOM),
}
"""Normal footage without the seed and length, and kinds of anomaly."""

DETECTORS = ("MULDE", "Gaussian", "1-NN", "frame difference")

_AFTER_S = 2.0
_BATCH = 8
_CELLS = (3, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Areas under the curve in one scene."""

    scene: str
    kind: str
    """Of anomaly, or "all"."""
    events: int
    share: float
    """Of the frames that are anomalous."""
    auc: dict[str, float]
    """By detector."""
    alone: dict[str, float]
    """By family, of MULDE with no other."""


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="What the densities add, over drawn scenes and kinds of anomaly.")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=list(SCENES), metavar="NAME")
    parser.add_argument("--seed", type=int, default=0, help="of the densities")
    parser.add_argument("--steps", type=int, help="of the optimiser, for each density; the product's by default")
    parser.add_argument("--train-s", type=float, default=240.0, help="length of the normal footage")
    parser.add_argument("--test-s", type=float, default=300.0, help="length of the labelled footage")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    config = Config()
    steps = config.calibration.steps if arguments.steps is None else arguments.steps
    results: list[Result] = []
    for name in arguments.scenes:
        where, kinds = SCENES[name]
        normal = f"demo://{where}&seed=1&seconds={arguments.train_s:g}"
        labelled = f"demo://{where}&seed=2&seconds={arguments.test_s:g}&anomalies=1&kinds={kinds}"
        results += measure(name, normal, labelled, config, steps, arguments.seed, arguments.threads)
    print_results(results)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def print_results(results: Sequence[Result]) -> None:
    """The table of detectors by scene and kind, then that of families by scene."""
    overall = [one for one in results if one.kind == "all"]
    by_kind = [one for one in results if one.kind != "all"]
    rows = [
        (f"{one.scene}: {one.kind}", str(one.events), f"{one.share:.0%}", *_numbers(one.auc, DETECTORS))
        for one in results
    ]
    rows.append(("mean of scenes", "", "", *_numbers(_mean([one.auc for one in overall]), DETECTORS)))
    rows.append(("mean of kinds and scenes", "", "", *_numbers(_mean([one.auc for one in by_kind]), DETECTORS)))
    print_table(("scene: anomaly", "events", "frames", *DETECTORS), rows)
    families = list(overall[0].alone)
    alone = [(one.scene, *_numbers(one.alone, families)) for one in overall]
    alone.append(("mean of scenes", *_numbers(_mean([one.alone for one in overall]), families)))
    print()
    print_table(("alone", *families), alone)


def measure(
    name: str, normal: str, labelled: str, config: Config, steps: int, seed: int, threads: int
) -> list[Result]:
    """Learn from one source, score the other, and compare: all anomalies first, then each kind."""
    _say(name, "features of the normal footage")
    plan = footage.plan(
        [normal],
        long_side_px=config.analysis.long_side_px,
        rate_fps=config.analysis.rate_fps,
        minutes=config.calibration.minutes,
        connection=config.connection,
    )
    grid = Grid(plan.size[1], plan.size[0])
    network = Network("cpu", threads)
    observer = Observer(grid, plan.rate_fps, (), empty_scene_of([one.image for one in footage.preview(plan)], grid))
    blocks = collect(footage.shots(plan), observer, network, config.calibration.max_vectors).blocks
    _say(name, "densities")
    simple = {"Gaussian": SimpleDetector(one_gaussian, grid), "1-NN": SimpleDetector(nearest_neighbour, grid)}

    def take(taught: Taught) -> None:
        for one in simple.values():
            one.take(taught)

    learned = learn(
        blocks,
        grid,
        folds=config.calibration.folds,
        steps=steps,
        seed=seed,
        device="cpu",
        on_progress=lambda _: None,
        on_taught=take,
    )
    _say(name, "labelled footage")
    fresh = Observer(grid, plan.rate_fps, (), observer.scene)
    times_s, seen, differences = _watch(labelled, plan, config, fresh, network)
    judged = {"MULDE": _judged(Detector(learned.families, grid), seen)}
    judged |= {key: one.scores(seen) for key, one in simple.items()}
    judged["frame difference"] = differences
    alone = {one.settings.name: _judged(Detector([one], grid), seen) for one in learned.families}
    smoothed, smoothed_alone = (
        {key: _smoothed(times_s, scores, config.policy.smoothing_s) for key, scores in of.items()}
        for of in (judged, alone)
    )
    events = open_scene(labelled).events
    kind_of, counted = _labels(events, times_s)

    def areas(scores: Mapping[str, Array], chosen: Chosen) -> dict[str, float]:
        compared = counted & (chosen | (kind_of == ""))
        return {key: float(roc_auc_score(chosen[compared], one[compared])) for key, one in scores.items()}

    results = []
    for kind in ("all", *sorted({*kind_of.tolist()} - {""})):
        chosen = kind_of != "" if kind == "all" else kind_of == kind
        results.append(
            Result(
                scene=name,
                kind=kind,
                events=sum(kind in ("all", one.kind) for one in events),
                share=float(np.mean(chosen)),
                auc=areas(smoothed, chosen),
                alone=areas(smoothed_alone, chosen),
            )
        )
    return results


def _watch(
    labelled: str, plan: footage.Plan, config: Config, observer: Observer, network: Network
) -> tuple[Array, list[Features], Array]:
    """Times, features and frame differences of the source's pictures."""
    times_s: list[float] = []
    seen: list[Features] = []
    differences: list[float] = []
    before: npt.NDArray[np.float32] | None = None
    batch: list[Sighting] = []
    with open_source(labelled, size=plan.size, rate_fps=plan.rate_fps, connection=config.connection) as source:
        for picture in source:
            gray = cv2.cvtColor(picture.image, cv2.COLOR_BGR2GRAY).astype(np.float32)
            change = np.zeros_like(gray) if before is None else np.abs(gray - before)
            cells = cv2.resize(change, (observer.grid.columns, observer.grid.rows), interpolation=cv2.INTER_AREA)
            differences.append(float(cv2.blur(cells, _CELLS).max()))
            before = np.asarray(gray, np.float32)
            times_s.append(picture.stream_time_s)
            batch.append(Sighting(observer=observer, image=picture.image, time_s=picture.stream_time_s))
            if len(batch) == _BATCH:
                seen += features(network, batch)
                batch = []
    seen += features(network, batch)
    return np.array(times_s), seen, np.array(differences)


def _labels(events: Sequence[Event], times_s: Array) -> tuple[npt.NDArray[np.str_], Chosen]:
    """The kind of anomaly of each picture, "" for none, and which pictures count."""
    kind_of = np.full(len(times_s), "", dtype="<U32")
    after = np.zeros(len(times_s), np.bool_)
    for event in events:
        kind_of[(times_s >= event.start_s) & (times_s <= event.end_s)] = event.kind
        after |= (times_s > event.end_s) & (times_s < event.end_s + _AFTER_S)
    return kind_of, ~after | (kind_of != "")


def _judged(detector: Detector, seen: Sequence[Features]) -> Array:
    return np.array([detector.judge(one).score for one in seen])


def _smoothed(times_s: Array, scores: Array, time_constant_s: float) -> Array:
    smoother = Smoother(time_constant_s)
    return np.array(
        [smoother.step(float(time_s), float(score)) for time_s, score in zip(times_s, scores, strict=True)]
    )


def _mean(areas: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in areas])) for name in areas[0]}


def _numbers(areas: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [f"{areas[name]:.3f}" for name in names]


def _say(scene: str, what: str) -> None:
    print(f"{scene}: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""Whether a threshold keeps its false-alert budget on real normal footage that nobody has seen.

    python -m benchmarks.budget_footage [--data FOLDER] [--splits 6]

The footage is cut into stretches of time; each split draws half of them, learns and chooses thresholds on those, and
counts alerts on the rest. All families are learned anew each time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks._footage import DATA, need
from benchmarks._table import print_table
from calibrate import footage
from calibrate.blocks import Block, collect
from calibrate.calibration import empty_scene_of
from calibrate.episodes import peaks, runs
from calibrate.threshold import choose
from calibrate.train import Scored, learn
from configs.schema import Config
from detector.detector import Detector
from detector.features.grid import Grid
from detector.features.network import Network
from detector.observer import Observer

_LAYOUT = "ped2/train/NN.mp4 and clips/vtest_480x360.mp4"
_PER_HOUR = (60.0, 120.0, 240.0, 480.0)
_CONFIG = Config()


def main() -> None:
    """Measure both recordings and print a table."""
    parser = argparse.ArgumentParser(description="Do thresholds keep their budgets, on real normal footage?")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {_LAYOUT}")
    parser.add_argument("--splits", type=int, default=6)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train = sorted((arguments.data / "ped2" / "train").glob("*.mp4")) or need(arguments.data, ["ped2/train"], _LAYOUT)
    (vtest,) = need(arguments.data, ["clips/vtest_480x360.mp4"], _LAYOUT)
    rows = []
    for name, files in (("UCSD Ped2, training clips", train), ("vtest", [vtest])):
        rows += _measure(name, [str(file) for file in files], arguments.splits)
    print_table(("footage", "asked /h", "alerts on unseen time", "allowed", "achieved/asked", "splits over"), rows)


def _measure(name: str, sources: Sequence[str], splits: int) -> list[tuple[str, ...]]:
    analysis = _CONFIG.analysis
    plan = footage.plan(
        sources,
        long_side_px=analysis.long_side_px,
        rate_fps=analysis.rate_fps,
        minutes=_CONFIG.calibration.minutes,
        connection=_CONFIG.connection,
    )
    grid = Grid(plan.size[1], plan.size[0])
    scene = empty_scene_of([one.image for one in footage.preview(plan)], grid)
    blocks = collect(
        footage.shots(plan),
        Observer(grid, plan.rate_fps, (), scene),
        Network("cpu", 1),
        _CONFIG.calibration.max_vectors,
    ).blocks
    counts = np.zeros((splits, len(_PER_HOUR)))
    allowed = np.zeros((splits, len(_PER_HOUR)))
    for split in range(splits):
        seen = np.random.default_rng(split).permutation(len(blocks)) < len(blocks) // 2
        known, unseen = (
            [block for block, own in zip(blocks, seen, strict=True) if own == of] for of in (True, False)
        )
        thresholds, scored = _learn_and_score(known, unseen, grid, split)
        rest = runs(scored, _CONFIG.policy)
        unseen_s = sum(_seconds(block) for block in unseen)
        for column, threshold in enumerate(thresholds):
            counts[split, column] = len(peaks(rest, threshold))
            allowed[split, column] = _PER_HOUR[column] * unseen_s / 3600.0
    return [
        (
            name,
            f"{per_hour:g}",
            f"{counts[:, column].sum():g}",
            f"{allowed[:, column].sum():.1f}",
            f"{counts[:, column].sum() / allowed[:, column].sum():.2f}",
            f"{int((counts[:, column] > np.ceil(allowed[:, column])).sum())} of {splits}",
        )
        for column, per_hour in enumerate(_PER_HOUR)
    ]


def _learn_and_score(
    known: Sequence[Block], unseen: Sequence[Block], grid: Grid, seed: int
) -> tuple[list[float], list[Scored]]:
    calibration = _CONFIG.calibration
    learned = learn(
        known,
        grid,
        folds=calibration.folds,
        steps=calibration.steps,
        seed=seed,
        device="cpu",
        on_progress=lambda _: None,
    )
    known_s = sum(_seconds(block) for block in known)
    chosen = choose(learned.held_out, _CONFIG.policy, _PER_HOUR[0] * 24.0, known_s, [24.0 * one for one in _PER_HOUR])
    detector = Detector(learned.families, grid)
    scored = [
        Scored(
            segment=block.segment,
            times_s=np.array(block.times_s),
            scores=np.array([detector.judge(one).score for one in block.seen]),
        )
        for block in unseen
    ]
    return [budget.threshold for budget in chosen.others], scored


def _seconds(block: Block) -> float:
    return float(block.times_s[-1] - block.times_s[0]) if len(block.times_s) > 1 else 0.0


if __name__ == "__main__":
    main()

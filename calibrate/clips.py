"""Clips in normal footage: each counts once, however many pictures it stands for."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calibrate.blocks import Block
from calibrate.footage import FootageError
from detector.detector import Features
from detector.family import FEWEST_VECTORS, Vectors


def numbers(seen: Sequence[Features]) -> list[int | None]:
    """Which clip stands for each of some pictures that follow each other, counted from 0; None where none does."""
    found: list[int | None] = []
    count, end_s = 0, None
    for one in seen:
        if one.whole is None:
            found.append(None)
            continue
        count += one.whole.end_s != end_s
        end_s = one.whole.end_s
        found.append(count - 1)
    return found


def vectors(seen: Sequence[Features]) -> list[Vectors]:
    """What the network saw in each clip, (1, D) each."""
    clips = {number: one.whole for number, one in zip(numbers(seen), seen, strict=True) if one.whole is not None}
    return [whole.vectors for whole in clips.values()]


def held(seen: Sequence[Features], values: npt.NDArray[np.float64]) -> list[float | None]:
    """The value of the clip that stands for each picture, from one value per clip."""
    return [None if number is None else float(values[number]) for number in numbers(seen)]


def width(blocks: Sequence[Block]) -> int | None:
    """Length of the clips' vectors; None where there are no clips."""
    of_clips = (one.whole.vectors.shape[1] for block in blocks for one in block.seen if one.whole is not None)
    return next(of_clips, None)


def check(blocks: Sequence[Block], folds: int) -> None:
    """See that each fold leaves enough clips to learn from.

    Raises:
        FootageError: There are too few.
    """
    counts = [len(vectors(block.seen)) for block in blocks]
    fewest = min(sum(counts) - sum(counts[fold::folds]) for fold in range(folds))
    if fewest < FEWEST_VECTORS:
        needed = math.ceil(FEWEST_VECTORS * folds / (folds - 1))
        raise FootageError(
            f"footage: its {sum(counts)} clips are too few for the clip network: about {needed} are needed; take "
            "more footage or a shorter analysis.clip.stride_s, or set analysis.clip.network to null"
        )

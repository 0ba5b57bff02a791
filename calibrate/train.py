"""Learns the densities of all families, and what scores normal footage gets from densities that never saw it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from calibrate.blocks import Block
from detector.detector import WIDTHS
from detector.family import FAMILIES, Family, FamilySettings, Vectors
from detector.features.grid import Grid
from detector.fusion import fuse

MOST_TRAINING_VECTORS = 40_000
"""Per family, drawn evenly from all of the footage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Raw scores of one block of normal footage."""

    times_s: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What training gives."""

    families: tuple[Family, ...]
    """Taught on all blocks, with rarities from held-out ones."""
    held_out: tuple[Scored, ...]
    """Every block, scored by densities taught on the other folds."""


def learn(
    blocks: Sequence[Block],
    grid: Grid,
    *,
    folds: int,
    steps: int,
    seed: int,
    device: str,
    on_progress: Callable[[float], None],
) -> Learned:
    """Teach all families on blocks of normal footage.

    Args:
        blocks: In the order of time, at least as many as folds. Block i is held out in fold i mod `folds`.
        steps: Of the optimiser, for each density.
        on_progress: Called with the share that is done, 0 to 1.
    """
    families = []
    decades: list[list[dict[str, npt.NDArray[np.float64]]]] = [[{} for _ in block.seen] for block in blocks]
    rounds = (folds + 1) * len(FAMILIES)
    for number, default in enumerate(FAMILIES):
        settings = replace(default, training=replace(default.training, steps=steps))
        levels: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(blocks)
        for fold in range(folds):
            on_progress((number * (folds + 1) + fold) / rounds)
            others = [block for index, block in enumerate(blocks) if index % folds != fold]
            family = _teach(settings, others, seed, device)
            for index in range(fold, len(blocks), folds):
                levels[index] = family.levels(_vectors(blocks[index], settings.name))
        on_progress((number * (folds + 1) + folds) / rounds)
        family = _teach(settings, blocks, seed, device).with_rarity(np.concatenate(levels))
        families.append(family)
        for block, of_block, values in zip(blocks, decades, levels, strict=True):
            ends = np.cumsum([len(one.cells) for one in block.seen])
            for of_picture, part in zip(of_block, np.split(family.decades(values), ends[:-1]), strict=True):
                of_picture[settings.name] = part
    on_progress(1.0)
    held_out = [_fuse(block, of_block, grid) for block, of_block in zip(blocks, decades, strict=True)]
    return Learned(families=tuple(families), held_out=tuple(held_out))


def _teach(settings: FamilySettings, blocks: Sequence[Block], seed: int, device: str) -> Family:
    total = sum(block.vectors for block in blocks)
    share = min(1.0, MOST_TRAINING_VECTORS / max(1, total))
    generator = np.random.default_rng(seed)
    parts = []
    for block in blocks:
        vectors = _vectors(block, settings.name)
        parts.append(vectors[generator.random(len(vectors)) < share])
    return Family.learn(settings, np.concatenate(parts), seed=seed, device=device)


def _vectors(block: Block, name: str) -> Vectors:
    """A family's vectors of all pictures of the block, (N, D)."""
    parts = [one.vectors[name] for one in block.seen if len(one.cells)]
    return np.concatenate([np.empty((0, WIDTHS[name])), *parts]).astype(np.float32)


def _fuse(block: Block, decades: list[dict[str, npt.NDArray[np.float64]]], grid: Grid) -> Scored:
    verdicts = [fuse(of_picture, one.cells, grid) for of_picture, one in zip(decades, block.seen, strict=True)]
    return Scored(times_s=np.array(block.times_s), scores=np.array([verdict.score for verdict in verdicts]))

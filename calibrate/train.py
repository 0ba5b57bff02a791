"""Learns the densities of all families, and what scores normal footage gets from densities that never saw it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from calibrate.blocks import Block
from detector.detector import WIDTHS, Features
from detector.family import FAMILIES, Family, FamilySettings, Vectors
from detector.features.grid import Grid
from detector.fusion import Evidence, fuse

MOST_TRAINING_VECTORS = 40_000
"""Per family, drawn evenly from all of the footage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Raw scores of one block of normal footage."""

    times_s: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A density as soon as it is taught, for who wants to study more of it than its levels."""

    family: Family
    """Without its rarity."""
    learned_from: Vectors
    """(N, D)"""
    held_out: Sequence[Block]
    """What it has not seen; nothing after the last round, in which it has seen all."""


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
    on_taught: Callable[[Taught], None] | None = None,
) -> Learned:
    """Teach all families on blocks of normal footage.

    Args:
        blocks: In the order of time, at least as many as folds. Block i is held out in fold i mod `folds`.
        steps: Of the optimiser, for each density.
        on_progress: Called with the share that is done, 0 to 1.
        on_taught: Called with every density: of each family those of the folds in turn, then the one taught on all.
    """
    families = []
    decades: list[dict[str, npt.NDArray[np.float64]]] = [{} for _ in blocks]
    rounds = (folds + 1) * len(FAMILIES)
    for number, default in enumerate(FAMILIES):
        settings = replace(default, training=replace(default.training, steps=steps))
        levels: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(blocks)
        for fold in range(folds):
            on_progress((number * (folds + 1) + fold) / rounds)
            others = [block for index, block in enumerate(blocks) if index % folds != fold]
            family = _teach(settings, others, seed, device, blocks[fold::folds], on_taught)
            for index in range(fold, len(blocks), folds):
                levels[index] = family.levels(stacked(blocks[index].seen, settings.name))
        on_progress((number * (folds + 1) + folds) / rounds)
        family = _teach(settings, blocks, seed, device, (), on_taught).with_rarity(np.concatenate(levels))
        families.append(family)
        for of_block, values in zip(decades, levels, strict=True):
            of_block[settings.name] = family.decades(values)
    on_progress(1.0)
    held_out = [
        Scored(times_s=np.array(block.times_s), scores=fused(block.seen, of_block, grid))
        for block, of_block in zip(blocks, decades, strict=True)
    ]
    return Learned(families=tuple(families), held_out=tuple(held_out))


def stacked(seen: Sequence[Features], name: str) -> Vectors:
    """A family's vectors of pictures, one picture after the other, (N, D)."""
    parts = [one.samples[name].vectors for one in seen if name in one.samples]
    return np.concatenate([np.empty((0, WIDTHS[name])), *parts]).astype(np.float32)


def fused(
    seen: Sequence[Features], decades: Mapping[str, npt.NDArray[np.float64]], grid: Grid
) -> npt.NDArray[np.float64]:
    """Raw scores of pictures (P,) from each family's decades, stacked as its vectors are."""
    evidence: list[dict[str, Evidence]] = [{} for _ in seen]
    for name, values in decades.items():
        at = 0
        for one, of_picture in zip(seen, evidence, strict=True):
            if name in one.samples:
                cells = one.samples[name].cells
                of_picture[name] = Evidence(cells, values[at : at + len(cells)])
                at += len(cells)
    return np.array([fuse(of_picture, grid).score for of_picture in evidence])


def _teach(
    settings: FamilySettings,
    blocks: Sequence[Block],
    seed: int,
    device: str,
    held_out: Sequence[Block],
    on_taught: Callable[[Taught], None] | None,
) -> Family:
    total = sum(block.vectors for block in blocks)
    share = min(1.0, MOST_TRAINING_VECTORS / max(1, total))
    generator = np.random.default_rng(seed)
    parts = []
    for block in blocks:
        vectors = stacked(block.seen, settings.name)
        parts.append(vectors[generator.random(len(vectors)) < share])
    learned_from = np.concatenate(parts)
    family = Family.learn(settings, learned_from, seed=seed, device=device)
    if on_taught is not None:
        on_taught(Taught(family=family, learned_from=learned_from, held_out=held_out))
    return family

"""Learns the densities of all families, and what scores normal footage gets from densities that never saw it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt

from calibrate import clips
from calibrate.blocks import Block
from detector import drift
from detector.detector import WIDTHS, Features, Sample
from detector.family import CLIP, FAMILIES, Family, FamilySettings, Vectors
from detector.features import stay
from detector.features.grid import Grid
from detector.fusion import Evidence, fuse

MOST_TRAINING_VECTORS = 40_000
"""Per family, drawn evenly from all of the footage."""

_STRETCHES_PER_FOLD = 4
_LONG_STRETCH = 4  # blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Raw scores of one block of normal footage."""

    segment: int
    """Which recording or unbroken stretch of it."""
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
    share: float
    """Of active cells of which the family says something; of a family of the whole picture 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What training gives."""

    families: tuple[Family, ...]
    """Taught on all blocks, with rarities from held-out ones."""
    held_out: tuple[Scored, ...]
    """Every block, scored by densities taught on the other folds."""
    block_means: Mapping[str, npt.NDArray[np.float64]]
    """By family, mean decades of each block in which it says enough, by the same densities."""


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
    """Teach all families on blocks of normal footage, that of clips where there are some.

    Args:
        blocks: In the order of time, at least as many as folds. Each is held out once.
        steps: Of the optimiser, for each density.
        on_progress: Called with the share that is done, 0 to 1.
        on_taught: Called with every density: of each family those of the folds in turn, then the one taught on all.
    """
    families = []
    pauses = _pauses(blocks, grid, folds, seed)
    known = [*blocks, *pauses]
    fold_of = [*fold_of_blocks(len(blocks), folds), *range(len(pauses))]
    decades: list[dict[str, npt.NDArray[np.float64]]] = [{} for _ in known]
    clip_width = clips.width(blocks)
    widths = WIDTHS if clip_width is None else {**WIDTHS, CLIP.name: clip_width}
    defaults = [settings for settings in (*FAMILIES, CLIP) if settings.name in widths]
    rounds = (folds + 1) * len(defaults)
    for number, default in enumerate(defaults):
        settings = replace(default, training=replace(default.training, steps=steps))
        width = widths[settings.name]
        share = _share(known, settings.name)
        levels: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(known)
        for fold in range(folds):
            on_progress((number * (folds + 1) + fold) / rounds)
            held_out = [index for index, own in enumerate(fold_of) if own == fold]
            others = [known[index] for index in _taught_in(fold, fold_of, known)]
            held_out_blocks = [known[index] for index in held_out]
            family = _teach(settings, others, width, seed, device, on_taught, held_out=held_out_blocks, share=share)
            for index in held_out:
                levels[index] = family.levels(stacked(known[index].seen, settings.name, width))
        on_progress((number * (folds + 1) + folds) / rounds)
        family = _teach(settings, known, width, seed, device, on_taught, share=share)
        family = family.with_rarity(np.concatenate(levels), share)
        families.append(family)
        for of_block, values in zip(decades, levels, strict=True):
            of_block[settings.name] = family.decades(values)
    on_progress(1.0)
    scored = [
        Scored(segment=block.segment, times_s=np.array(block.times_s), scores=fused(block.seen, of_block, grid))
        for block, of_block in zip(blocks, decades, strict=False)  # without those that were made up
    ]
    means = {
        name: np.array([of[name].mean() for of in decades[: len(blocks)] if len(of[name]) >= drift.FEWEST_CELLS])
        for name in WIDTHS  # a clip's decades are not of cells
    }
    return Learned(families=tuple(families), held_out=tuple(scored), block_means=means)


def fold_of_blocks(count: int, folds: int) -> list[int]:
    """In which fold each of so many blocks is held out: stretches of time in turn, some of them in each fold."""
    stretch = max(1, count // (folds * _STRETCHES_PER_FOLD))
    return [index // stretch % folds for index in range(count)]


def _taught_in(fold: int, fold_of: Sequence[int], blocks: Sequence[Block]) -> list[int]:
    """Blocks that a fold's densities learn from.

    Where stretches are long enough, those next to what is held out are left out as well: what stands on the border
    would be in both.
    """
    long = any(len(list(same)) >= _LONG_STRETCH for _, same in groupby(fold_of))

    def borders(index: int) -> bool:
        return any(
            0 <= other < len(blocks) and fold_of[other] == fold and blocks[other].segment == blocks[index].segment
            for other in (index - 1, index + 1)
        )

    return [index for index, own in enumerate(fold_of) if own != fold and not (long and borders(index))]


def stacked(seen: Sequence[Features], name: str, width: int) -> Vectors:
    """A family's vectors of pictures, one picture after the other, those of a clip once, (N, D).

    Args:
        width: D.
    """
    return np.concatenate([np.empty((0, width)), *_parts(seen, name)]).astype(np.float32)


def _parts(seen: Sequence[Features], name: str) -> list[Vectors]:
    if name == CLIP.name:
        return clips.vectors(seen)
    return [one.samples[name].vectors for one in seen if name in one.samples]


def fused(
    seen: Sequence[Features], decades: Mapping[str, npt.NDArray[np.float64]], grid: Grid
) -> npt.NDArray[np.float64]:
    """Raw scores of pictures (P,) from each family's decades, stacked as its vectors are."""
    evidence: list[dict[str, Evidence]] = [{} for _ in seen]
    whole: list[dict[str, float]] = [{} for _ in seen]
    for name, values in decades.items():
        if name == CLIP.name:
            for value, of_whole in zip(clips.held(seen, values), whole, strict=True):
                of_whole |= {} if value is None else {name: value}
            continue
        at = 0
        for one, of_picture in zip(seen, evidence, strict=True):
            if name in one.samples:
                cells = one.samples[name].cells
                of_picture[name] = Evidence(cells, values[at : at + len(cells)])
                at += len(cells)
    pictures = zip(evidence, whole, strict=True)
    return np.array([fuse(of_cells, grid, of_whole).score for of_cells, of_whole in pictures])


def _pauses(blocks: Sequence[Block], grid: Grid, folds: int, seed: int) -> list[Block]:
    """A block for each fold of what normal footage may be too short to show; none where it shows nothing at all."""
    active = [one.cells for block in blocks for one in block.seen]
    cells = np.concatenate(active) if active else np.empty(0, np.int64)
    if not len(cells):
        return []
    generator = np.random.default_rng(seed)
    made_up = []
    for places in np.array_split(generator.choice(cells, stay.PAUSES), folds):
        sample = Sample(places, stay.pauses(places, grid, generator))
        made_up.append(Block(segment=-1, seen=[Features(cells=places, samples={"stay": sample})]))
    return made_up


def _share(blocks: Sequence[Block], name: str) -> float:
    """Of active cells of which the family says something, 0 to 1; of a family of the whole picture 1."""
    if name == CLIP.name:
        return 1.0
    return count(blocks, name) / max(1, sum(block.vectors for block in blocks))


def count(blocks: Sequence[Block], name: str) -> int:
    """How many vectors of a family there are."""
    return sum(len(part) for block in blocks for part in _parts(block.seen, name))


def _teach(
    settings: FamilySettings,
    blocks: Sequence[Block],
    width: int,
    seed: int,
    device: str,
    on_taught: Callable[[Taught], None] | None,
    *,
    held_out: Sequence[Block] = (),
    share: float,
) -> Family:
    kept = min(1.0, MOST_TRAINING_VECTORS / max(1, count(blocks, settings.name)))
    generator = np.random.default_rng(seed)
    parts = []
    for block in blocks:
        vectors = stacked(block.seen, settings.name, width)
        parts.append(vectors[generator.random(len(vectors)) < kept])
    learned_from = np.concatenate(parts)
    family = Family.learn(settings, learned_from, seed=seed, device=device)
    if on_taught is not None:
        on_taught(Taught(family=family, learned_from=learned_from, held_out=held_out, share=share))
    return family

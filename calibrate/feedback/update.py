"""A model learned anew from what watching has kept: features of normal time and of alerts that were marked as normal.

No picture is read. The empty scene and how pictures are prepared stay as they are, and so do the marks; densities,
rarities and thresholds are new.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from calibrate import clips
from calibrate.activity import usual_of
from calibrate.blocks import BLOCK_S, Block, within
from calibrate.calibration import SHORTEST_FOOTAGE_S, OnProgress
from calibrate.footage import FootageError
from calibrate.threshold import Threshold, choose
from calibrate.train import learn
from configs.settings import CalibrationSettings, PolicySettings
from detector import drift, usual
from detector.bundle import Bundle, under
from detector.detector import contents
from detector.features.background import Scene
from detector.features.grid import Grid
from detector.stretch import MARKED, NORMAL, Kind, Stretch, StretchError, about, files, read

_MOST_PERIODS_APART = 3.0  # pictures further apart belong to other segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was kept of one camera."""

    normal: tuple[Stretch, ...]
    marked: tuple[Stretch, ...]
    """Of alerts that were marked as normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """The outcome."""

    bundle: Bundle
    threshold: Threshold
    normal_s: float
    marked: int
    """Alerts that were learned as normal."""


def kept_for(model: Path, bundle: Bundle, footage: Path, camera: str | None = None) -> Kept:
    """What was kept of the camera that this model watched.

    Args:
        model: The bundle's file.
        footage: Folder with one for each camera.
        camera: The camera's name, None = whichever this very file watched.

    Raises:
        FootageError: Nothing was.
    """
    made = bundle.preparation

    def of(kind: Kind) -> tuple[Stretch, ...]:
        found = []
        for path in (path for folder in sorted(footage.glob(camera or "*")) for path in files(folder, kind)):
            try:
                known = about(path)
                is_of_camera = camera is not None or Path(known.model) == model.absolute()
                same = (known.width, known.height, known.regime) == (made.width, made.height, bundle.regime)
                if is_of_camera and same:
                    found.append(read(path))
            except StretchError:  # cut off, or another version's: as good as not kept
                continue
        return tuple(sorted(found, key=lambda one: one.about.started_utc))

    kept = Kept(normal=of(NORMAL), marked=of(MARKED))
    if not kept.normal:
        raise FootageError(
            f"{model}: no normal time of its camera is kept in {footage}: `watch` keeps some (memory.normal_minutes) "
            "while nothing is unusual; or name the camera with --camera"
        )
    return kept


def update(
    bundle: Bundle,
    kept: Kept,
    *,
    policy: PolicySettings,
    settings: CalibrationSettings,
    device: str,
    on_progress: OnProgress,
) -> Updated:
    """The bundle learned anew.

    Args:
        policy: With the bundle's own smoothing.

    Raises:
        FootageError: Too little is kept.
    """
    normal = _blocks(kept.normal)
    segments = normal[-1].segment + 1
    marked = [replace(block, segment=segments + block.segment) for block in _blocks(kept.marked)]
    seconds = sum(_duration_s(block, bundle.preparation.rate_fps) for block in normal)
    least_s = max(SHORTEST_FOOTAGE_S, settings.folds * BLOCK_S)
    if seconds < least_s or len(normal) < settings.folds:
        raise FootageError(
            f"footage: {seconds:.0f} s of normal time are kept, too short to learn from: at least {least_s:.0f} s "
            "are needed, some ten minutes are good"
        )
    if bundle.preparation.clip is not None:
        clips.check(normal, settings.folds)
    grid = Grid(bundle.preparation.height, bundle.preparation.width)
    learned = learn(
        [*normal, *marked],
        grid,
        folds=settings.folds,
        steps=settings.steps,
        seed=settings.seed,
        device=device,
        on_progress=lambda share: on_progress("densities", share),
    )
    on_progress("threshold", 0.0)
    # What was marked is no footage of usual time; held out, it is what alerted.
    held_out = [one for one in learned.held_out if one.segment < segments]
    threshold = choose(held_out, policy, settings.alerts_per_day, seconds)
    on_progress("threshold", 1.0)
    scene = Scene(bundle.arrays["scene.background"], bundle.arrays["scene.spread"])
    families, arrays = contents(learned.families, scene)
    arrays |= under(drift.PREFIX, learned.block_means)
    arrays |= under(usual.PREFIX, usual_of([*normal, *marked], grid).arrays())
    names = (
        f"{drift.PREFIX}.",
        f"{usual.PREFIX}.",
        *(f"{family['name']}." for family in (*bundle.families, *families)),
    )
    others = {name: array for name, array in bundle.arrays.items() if not name.startswith(names)}
    provenance = replace(
        bundle.provenance,
        code_version=version("mulde-stream"),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        footage=tuple(sorted({f"features kept of camera {one.about.camera}" for one in kept.normal})),
        footage_fingerprint=_fingerprint([*kept.normal, *kept.marked]),
        footage_s=seconds,
        seed=settings.seed,
    )
    made = replace(
        bundle,
        provenance=provenance,
        budget=threshold.budget,
        others=threshold.others,
        families=families,
        arrays={**others, **arrays},
    )
    return Updated(bundle=made, threshold=threshold, normal_s=seconds, marked=len(kept.marked))


def _blocks(stretches: Sequence[Stretch]) -> list[Block]:
    """Stretches in blocks; those that follow each other without a gap are one segment."""
    blocks: list[Block] = []
    segment = -1
    for stretch in stretches:
        gap_s = stretch.times_s[0] - blocks[-1].times_s[-1] if blocks else -1.0
        segment += not 0.0 < gap_s <= _MOST_PERIODS_APART / stretch.about.rate_fps
        block = Block(segment=segment)
        blocks.append(block)
        for time_s, seen in zip(stretch.times_s, stretch.seen, strict=True):
            if block.times_s and time_s - block.times_s[0] >= BLOCK_S:
                block = Block(segment=segment)
                blocks.append(block)
            block.times_s.append(time_s)
            block.seen.append(replace(seen, whole=within(block, seen.whole)))
    return blocks


def _duration_s(block: Block, rate_fps: float) -> float:
    return block.times_s[-1] - block.times_s[0] + 1.0 / rate_fps


def _fingerprint(stretches: Sequence[Stretch]) -> str:
    """Hash of all features, hexadecimal."""
    hashed = hashlib.sha256()
    for stretch in stretches:
        hashed.update(np.array(stretch.times_s).tobytes())
        for seen in stretch.seen:
            hashed.update(seen.cells.tobytes())
            for name in sorted(seen.samples):
                hashed.update(seen.samples[name].vectors.tobytes())
    return hashed.hexdigest()

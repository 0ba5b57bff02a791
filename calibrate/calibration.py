"""Calibration from sources to bundle: collect features, learn, choose the threshold, write."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain

import cv2
import numpy as np
import numpy.typing as npt

from calibrate import clips as clips_of_footage
from calibrate.activity import usual_of
from calibrate.blocks import BLOCK_S, Footage, Thumbnail, collect
from calibrate.episodes import Run, runs
from calibrate.footage import FootageError, Plan, Shot, preview, shots
from calibrate.threshold import Threshold, choose
from calibrate.train import Learned, learn
from configs.settings import CalibrationSettings, PolicySettings
from detector import bundle, condition, drift, regime, usual
from detector.clips import ClipView
from detector.condition import Study
from detector.detector import contents
from detector.features.background import Scene, empty_scene
from detector.features.grid import Grid, Polygons
from detector.features.network import Network
from detector.observer import Observer
from detector.regime import SignatureStudy
from detector.usual import Usual
from stream.source import redact

SHORTEST_FOOTAGE_S = 30.0
"""Less is no basis for anything."""

_LIVE_PREVIEW_SHARE = 0.2  # of a camera's footage, kept as pictures until its empty scene is known
_LONGEST_LIVE_PREVIEW_S = 30.0

STAGES = ("footage", "densities", "threshold")

OnProgress = Callable[[str, float], None]
"""Called with a stage's name and the share of it that is done, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The outcome of a calibration."""

    bundle: bundle.Bundle
    threshold: Threshold
    pictures: int
    quiet_share: float
    """Share of the pictures in which nothing was."""
    thinned: bool
    """There was more footage than is kept at once: every second stretch or more was left out."""
    held_out: tuple[Run, ...] = field(repr=False)
    """Smoothed scores of the footage by densities that had not seen it."""
    thumbnails: tuple[Thumbnail, ...] = field(repr=False)
    """In the order of time within each segment."""
    activity: Usual = field(repr=False)


def calibrate(
    plan: Plan,
    *,
    mask: Polygons,
    policy: PolicySettings,
    settings: CalibrationSettings,
    device: str,
    threads: int,
    on_progress: OnProgress,
    clips: ClipView | None = None,
) -> Calibration:
    """Learn what is normal from the plan's footage.

    Args:
        clips: How its whole pictures are looked at in clips, None = not at all.

    Raises:
        FootageError: Too little of it.
        SourceError: A source fails.
    """
    width, height = plan.size
    grid = Grid(height, width)
    on_progress("footage", 0.0)
    pictures = _reporting(shots(plan), on_progress)
    if plan.live:
        head = _head(pictures, min(_LIVE_PREVIEW_SHARE * plan.minutes * 60.0, _LONGEST_LIVE_PREVIEW_S))
        spread = [shot.picture.image for shot in head[:: max(1, round(plan.rate_fps))]]
        pictures = chain(head, pictures)
    else:
        spread = [picture.image for picture in preview(plan)]
    scene, studies = empty_scene_of(spread, grid), (Study(spread), SignatureStudy())
    observer = Observer(grid, plan.rate_fps, mask, scene, clips)
    footage = collect(_studied(pictures, studies), observer, Network(device, threads), settings.max_vectors)
    _check_length(footage, settings.folds)
    if clips is not None:
        clips_of_footage.check(footage.blocks, settings.folds)
    learned = learn(
        footage.blocks,
        grid,
        folds=settings.folds,
        steps=settings.steps,
        seed=settings.seed,
        device=device,
        on_progress=lambda share: on_progress("densities", share),
    )
    on_progress("threshold", 0.0)
    threshold = choose(learned.held_out, policy, settings.alerts_per_day, footage.seconds)
    on_progress("threshold", 1.0)
    assert observer.scene is not None, "there were pictures"
    activity = usual_of(footage.blocks, grid)
    made = _bundle(plan, mask, clips, policy, settings, footage, learned, threshold, observer.scene, studies)
    return Calibration(
        bundle=replace(made, arrays={**made.arrays, **bundle.under(usual.PREFIX, activity.arrays())}),
        threshold=threshold,
        pictures=footage.pictures,
        quiet_share=_quiet_share(footage),
        thinned=footage.thinned,
        held_out=tuple(runs(learned.held_out, policy)),
        thumbnails=tuple(one for block in footage.blocks for one in block.thumbnails),
        activity=activity,
    )


def _head(pictures: Iterator[Shot], seconds: float) -> list[Shot]:
    """The first pictures of a camera."""
    head = []
    for shot in pictures:
        head.append(shot)
        if shot.picture.stream_time_s >= seconds:
            break
    return head


def _reporting(pictures: Iterator[Shot], on_progress: OnProgress) -> Iterator[Shot]:
    for shot in pictures:
        on_progress("footage", shot.done)
        yield shot


def _studied(pictures: Iterator[Shot], studies: tuple[Study, SignatureStudy]) -> Iterator[Shot]:
    for shot in pictures:
        for study in studies:
            study.step(shot.picture.image, shot.picture.stream_time_s)
        yield shot


def empty_scene_of(images: list[npt.NDArray[np.uint8]], grid: Grid) -> Scene:
    """The empty scene from some pictures spread over time, (H, W, 3) BGR each, at least one."""
    return empty_scene([np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8) for image in images], grid)


def _check_length(footage: Footage, folds: int) -> None:
    least_s = max(SHORTEST_FOOTAGE_S, folds * BLOCK_S)
    if footage.seconds < least_s or len(footage.blocks) < folds:
        raise FootageError(
            f"footage: {footage.seconds:.0f} s are too short to learn from: at least {least_s:.0f} s are needed, "
            "some ten minutes are good, and more for rare things"
        )


def _quiet_share(footage: Footage) -> float:
    empty = [not len(seen.cells) for block in footage.blocks for seen in block.seen]
    return sum(empty) / max(1, len(empty))


def _bundle(
    plan: Plan,
    mask: Polygons,
    clips: ClipView | None,
    policy: PolicySettings,
    settings: CalibrationSettings,
    footage: Footage,
    learned: Learned,
    threshold: Threshold,
    scene: Scene,
    studies: tuple[Study, SignatureStudy],
) -> bundle.Bundle:
    width, height = plan.size
    families, arrays = contents(learned.families, scene)
    study, colours = studies
    arrays |= bundle.under(condition.PREFIX, study.reference().arrays())
    arrays |= bundle.under(regime.PREFIX, colours.signature().arrays())
    arrays |= bundle.under(drift.PREFIX, learned.block_means)
    return bundle.Bundle(
        preparation=bundle.Preparation(
            width=width,
            height=height,
            rate_fps=plan.rate_fps,
            smoothing_s=policy.smoothing_s,
            mask=mask,
            clip=None if clips is None else clips.preparation(),
        ),
        provenance=bundle.Provenance(
            code_version=version("mulde-stream"),
            created_utc=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            footage=tuple(redact(source) for source in plan.sources),
            footage_fingerprint=footage.fingerprint,
            footage_s=footage.seconds,
            seed=settings.seed,
        ),
        budget=threshold.budget,
        others=threshold.others,
        families=families,
        arrays=arrays,
    )

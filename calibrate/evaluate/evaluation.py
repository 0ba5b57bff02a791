"""Judges a detector on labelled videos: learns from normal footage as calibration does, then watches as live.

Labels are for measuring only: nothing here is chosen by them.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from calibrate import clips, footage
from calibrate.blocks import BLOCK_S, collect
from calibrate.calibration import OnProgress, empty_scene_of
from calibrate.evaluate.judging import Judged, Watcher, judge
from calibrate.evaluate.labels import Dataset
from calibrate.evaluate.variants import Variants
from calibrate.footage import FootageError, Plan
from calibrate.train import Learned, learn
from configs.schema import Config
from detector.clips import ClipView
from detector.detector import Detector
from detector.features.grid import Grid
from detector.features.network import Network
from detector.observer import Observer

STAGES = ("footage", "densities", "videos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to learn, watch and compute."""

    config: Config
    device: str
    threads: int
    seeds: tuple[int, ...]
    """Densities are taught with each; the first is the one that is reported in full."""
    ablation: bool
    """Whether families, scales and aggregates are also looked at one by one."""
    clips: ClipView | None = None
    """How whole pictures are looked at in clips, None = not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All that was scored, and how long it took."""

    dataset: Dataset
    settings: Settings
    videos: tuple[Judged, ...]
    seconds: Mapping[str, float]
    """By stage."""


@dataclass(slots=True)
class _Progress:
    """Seconds by stage, and progress over all cameras."""

    on_progress: OnProgress
    cameras: int
    camera: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    _since_s: float = field(default_factory=time.monotonic)

    def tell(self, stage: str, share: float) -> None:
        now_s = time.monotonic()
        self.seconds[stage] += now_s - self._since_s
        self._since_s = now_s
        self.on_progress(stage, (self.camera + min(1.0, share)) / self.cameras)


def evaluate(dataset: Dataset, settings: Settings, on_progress: OnProgress) -> Evaluation:
    """Learn each camera's normal footage, then score its labelled videos.

    Raises:
        FootageError: Too little normal footage.
        LabelsError: Masks cannot be read.
        SourceError: A recording cannot be read.
    """
    config = settings.config
    plans = []
    for camera in dataset.cameras:
        _plan([camera.train[0], *(video.source for video in camera.test)], config)  # all of one shape
        plans.append(_plan(camera.train, config))
    network = Network(settings.device, settings.threads)
    progress = _Progress(on_progress, len(plans))
    videos: list[Judged] = []
    for number, (camera, plan) in enumerate(zip(dataset.cameras, plans, strict=True)):
        progress.camera = number
        watcher = _learn(plan, settings, network, progress)
        for index, video in enumerate(camera.test):
            videos.append(judge(video, watcher))
            progress.tell("videos", (index + 1) / len(camera.test))
    return Evaluation(dataset=dataset, settings=settings, videos=tuple(videos), seconds=progress.seconds)


def _plan(sources: Sequence[str], config: Config) -> Plan:
    return footage.plan(
        sources,
        long_side_px=config.analysis.long_side_px,
        rate_fps=config.analysis.rate_fps,
        minutes=config.calibration.minutes,
        connection=config.connection,
    )


def _learn(plan: Plan, settings: Settings, network: Network, progress: _Progress) -> Watcher:
    calibration, mask = settings.config.calibration, settings.config.analysis.mask
    width, height = plan.size
    grid = Grid(height, width)
    scene = empty_scene_of([one.image for one in footage.preview(plan)], grid)
    observer = Observer(grid, plan.rate_fps, mask, scene, settings.clips)
    blocks = collect(_told(footage.shots(plan), progress), observer, network, calibration.max_vectors).blocks
    if len(blocks) < calibration.folds:
        raise FootageError(
            f"{plan.sources[0]}: normal footage must have at least {calibration.folds} recordings, "
            f"or as many stretches of {BLOCK_S:g} s, not {len(blocks)}"
        )
    if settings.clips is not None:
        clips.check(blocks, calibration.folds)
    variants = Variants(settings.seeds[0]) if settings.ablation else None
    learned: list[Learned] = []
    for number, seed in enumerate(settings.seeds):

        def on_progress(share: float, number: int = number) -> None:
            progress.tell("densities", (number + share) / len(settings.seeds))

        learned.append(
            learn(
                blocks,
                grid,
                folds=calibration.folds,
                steps=calibration.steps,
                seed=seed,
                device=settings.device,
                on_progress=on_progress,
                on_taught=variants.take if variants is not None and number == 0 else None,
            )
        )
    assert observer.scene is not None, "there were pictures"
    alone = learned[0].families if settings.ablation else ()
    return Watcher(
        plan=plan,
        config=settings.config,
        grid=grid,
        scene=observer.scene,
        network=network,
        clips=settings.clips,
        detectors=tuple(Detector(one.families, grid) for one in learned),
        families={family.settings.name: Detector([family], grid) for family in alone},
        variants=variants,
    )


def _told(shots: Iterator[footage.Shot], progress: _Progress) -> Iterator[footage.Shot]:
    for shot in shots:
        yield shot
        progress.tell("footage", shot.done)

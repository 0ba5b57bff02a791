"""One camera's detector: pictures in, verdicts out. Live scoring and calibration both come through here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.bundle import Bundle, BundleError, Preparation, below, under
from detector.clips import ClipCall, ClipView, Whole, look_at
from detector.family import CLIP, FAMILIES, Family, FamilySettings, Vectors
from detector.features import appearance, motion, stay
from detector.features.background import Scene
from detector.features.grid import Cells, Grid
from detector.features.network import COARSE_CHANNELS, FINE_CHANNELS, Network
from detector.fusion import Evidence, Verdict, fuse
from detector.harmless import PREFIX, Harmless, Mark, Standardiser
from detector.mulde import Training
from detector.observer import Activity, Look, Observer

WIDTHS = {"motion": 1, "texture": FINE_CHANNELS, "shape": COARSE_CHANNELS, "stay": 3}
"""Length D of each family's vectors; those of the clip family are as long as its network makes them."""

_LEAST_DECADES = 1.0  # cells below it are as common as one in ten: there is nothing to forgive


@dataclass(frozen=True, slots=True)
class Sample:
    """What one family sees in a picture."""

    cells: Cells
    """(n,) where."""
    vectors: Vectors
    """(n, D)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What a picture is judged by."""

    cells: Cells
    """(N,) in which something moves or differs from the empty scene."""
    samples: Mapping[str, Sample]
    """Of each family, for some or all of these cells; none where there are no cells."""
    whole: Whole | None = None
    """What the clip family judges; None where it is off, or has no clip yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A picture and the camera it is from."""

    observer: Observer
    image: npt.NDArray[np.uint8]
    """(H, W, 3) BGR."""
    time_s: float
    """Stream time, s."""


def features(network: Network, sightings: Sequence[Sighting]) -> list[Features]:
    """Features of pictures of any cameras, a camera's in the order of their time.

    The image network runs once per size of picture, and not at all on pictures in which nothing is or whose camera
    had one go through it a moment ago. The clip network runs where a camera's next clip is due.
    """
    glances = [one.observer.glance(one.image, one.time_s) for one in sightings]
    look_at(glances)
    seen = [(one, one.observer.step(one.image, one.time_s)) for one in sightings]
    waiting: dict[tuple[int, ...], list[tuple[npt.NDArray[np.uint8], Look]]] = {}
    looks = []
    for one, activity in seen:
        look = one.observer.latest_look(one.time_s)
        if look is None and len(activity.cells):
            look = one.observer.begin_look(one.time_s)
            waiting.setdefault(one.image.shape, []).append((one.image, look))
        looks.append(look)
    for group in waiting.values():
        fine, coarse = network(np.stack([image for image, _ in group]))
        for row, (_, look) in enumerate(group):
            look.layers = (fine[row], coarse[row])
    return [
        _features(one.observer.grid, activity, look, None if glance is None else glance.whole)
        for (one, activity), look, glance in zip(seen, looks, glances, strict=True)
    ]


def _features(grid: Grid, activity: Activity, look: Look | None, whole: Whole | None) -> Features:
    cells = activity.cells
    if not len(cells):
        return Features(cells=cells, samples={}, whole=whole)
    assert look is not None
    assert look.layers is not None, "every look that was begun went through the network"
    fine, coarse = look.layers
    moves = activity.speed > 0.0
    samples = {
        "motion": Sample(cells[moves], motion.vectors(activity.speed[moves])),
        "texture": Sample(cells, appearance.directions(fine, cells)),
        "shape": Sample(cells, appearance.directions(coarse, cells)),
        "stay": Sample(cells[~moves], stay.vectors(cells[~moves], activity.still_s[~moves], grid)),
    }
    return Features(cells=cells, samples=samples, whole=whole)


class Detector:
    """What a camera's bundle knows, ready to judge.

    Args:
        families: With their rarities.
        marks: What was marked as harmless.
    """

    def __init__(self, families: Iterable[Family], grid: Grid, marks: Iterable[Mark] = ()) -> None:
        self.families = tuple(families)
        self.grid = grid
        standardise = {one.settings.name: Standardiser(one.mean, one.projection) for one in self.families}
        clip = standardise.pop(CLIP.name, None)
        self._harmless = Harmless(marks, standardise, grid, clip)

    def judge(self, seen: Features) -> Verdict:
        """The verdict on one picture."""
        return self.judge_by(seen, *self.evidence(seen))

    def judge_by(self, seen: Features, evidence: dict[str, Evidence], whole: dict[str, float]) -> Verdict:
        """The verdict on one picture by what `evidence` gave for it."""
        if self._harmless:
            evidence = self._forgive(seen, evidence)
            if seen.whole is not None and self._harmless.forgives_clip(seen.whole.vectors):
                whole = dict.fromkeys(whole, 0.0)
        return fuse(evidence, self.grid, whole)

    def evidence(self, seen: Features) -> tuple[dict[str, Evidence], dict[str, float]]:
        """What each family holds against a picture's cells and the picture as a whole, with nothing forgiven."""
        evidence, whole = {}, {}
        for family in self.families:
            name = family.settings.name
            sample = seen.samples.get(name)
            if sample is not None:
                evidence[name] = Evidence(sample.cells, family.decades(family.levels(sample.vectors)))
            elif name == CLIP.name and seen.whole is not None:
                whole[name] = float(family.decades(family.levels(seen.whole.vectors))[0])
        return evidence, whole

    def _forgive(self, seen: Features, evidence: Mapping[str, Evidence]) -> dict[str, Evidence]:
        """The evidence without that against cells that resemble something harmless."""
        total = sum_of(evidence, self.grid)
        questioned = seen.cells[total[seen.cells] >= _LEAST_DECADES]
        samples = {name: (sample.cells, sample.vectors) for name, sample in seen.samples.items()}
        forgiven = questioned[self._harmless.forgives(questioned, samples)]
        return {
            name: Evidence(one.cells, np.where(np.isin(one.cells, forgiven), 0.0, one.decades))
            for name, one in evidence.items()
        }


def sum_of(evidence: Mapping[str, Evidence], grid: Grid) -> npt.NDArray[np.float64]:
    """Decades of every cell (rows * columns,), summed over families."""
    total = np.zeros(grid.rows * grid.columns)
    for one in evidence.values():
        total[one.cells] += one.decades
    return total


def contents(families: Iterable[Family], scene: Scene) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """Settings and arrays of a detector, for a bundle; `from_bundle` is the inverse."""
    arrays: dict[str, Any] = {"scene.background": scene.background, "scene.spread": scene.spread}
    settings = []
    for family in families:
        settings.append(asdict(family.settings))
        arrays |= under(family.settings.name, family.arrays())
    return tuple(settings), arrays


def from_bundle(
    bundle: Bundle, where: str, device: str, clip_network: ClipCall | None = None
) -> tuple[Detector, Observer]:
    """A camera's detector and a fresh observer for its pictures.

    Args:
        where: The bundle's file, for messages.
        clip_network: The one it was calibrated with, where it was with one.

    Raises:
        BundleError: It was made for other families, settings or weights than this program has; says which.
    """
    observer = observer_of(bundle, where, clip_network)
    return detector_of(bundle, where, device), observer


def observer_of(bundle: Bundle, where: str, clip_network: ClipCall | None = None) -> Observer:
    """A fresh observer for a camera's pictures.

    Raises:
        BundleError: As `from_bundle`.
    """
    preparation = bundle.preparation
    clips = _clips(preparation, where, clip_network)
    try:
        scene = Scene(bundle.arrays["scene.background"], bundle.arrays["scene.spread"])
    except KeyError as error:
        raise _unfitting(where, error) from error
    grid = Grid(preparation.height, preparation.width)
    return Observer(grid, preparation.rate_fps, preparation.mask, scene, clips)


def detector_of(bundle: Bundle, where: str, device: str) -> Detector:
    """A camera's detector by itself, for features that are there already.

    Raises:
        BundleError: As `from_bundle`.
    """
    preparation = bundle.preparation
    known = {settings.name for settings in (FAMILIES if preparation.clip is None else (*FAMILIES, CLIP))}
    families = []
    try:
        for plain in bundle.families:
            settings = _settings(plain)
            if settings.name not in known:
                raise BundleError(f"{where}: has a family {settings.name} that this program does not know")
            families.append(Family.from_arrays(settings, below(settings.name, bundle.arrays), device))
        return Detector(families, Grid(preparation.height, preparation.width), marks_of(bundle))
    except (KeyError, RuntimeError, TypeError) as error:
        raise _unfitting(where, error) from error


def _unfitting(where: str, error: Exception) -> BundleError:
    why = " ".join(str(error).split())  # torch says it in several lines
    return BundleError(f"{where}: its arrays do not fit its settings ({why}): calibrate again")


def marks_of(bundle: Bundle) -> list[Mark]:
    """What was marked as harmless and not undone.

    Raises:
        KeyError: Arrays are missing.
    """
    return [
        Mark.from_arrays(below(f"{PREFIX}.{marking.alert}", bundle.arrays))
        for marking in bundle.markings
        if marking.undone_utc is None
    ]


def _clips(preparation: Preparation, where: str, network: ClipCall | None) -> ClipView | None:
    """How the bundle's clip family is fed, None without it."""
    made = preparation.clip
    if made is None:
        return None
    if network is None or network.name != made.network:
        given = "none" if network is None else network.name
        raise BundleError(f"{where}: needs the clip network {made.network}, there is {given}: see analysis.clip")
    if network.weights_sha256 != made.weights_sha256:
        raise BundleError(
            f"{where}: the clip network's weights have the SHA-256 {network.weights_sha256}, it was calibrated with "
            f"{made.weights_sha256}: name those in analysis.clip.weights, or calibrate again"
        )
    return ClipView(network=network, stride_s=made.stride_s)


def _settings(plain: Mapping[str, Any]) -> FamilySettings:
    training = dict(plain["training"])
    training["units"] = tuple(training["units"])
    return FamilySettings(**{**plain, "training": Training(**training)})

"""Marking an alert as harmless: its unusual cells become part of what a bundle knows as normal, and undoing that.

The networks and the threshold stay as they are, which is why it takes no time; `calibrate --update` learns anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from calibrate.feedback.error import MarkingError
from detector.bundle import Bundle, Marking, under
from detector.detector import Detector, Features, detector_of, sum_of
from detector.features.grid import Cells
from detector.fusion import fuse
from detector.harmless import MOST_CELLS, MOST_MARKS, PREFIX, Mark
from detector.stretch import Stretch
from stream.policy import Smoother

_UNUSUAL_PICTURE = 0.7  # of the threshold; in pictures below it nothing needs to be forgiven
_UNUSUAL_CELL = 0.3  # the same of a cell: what passes by meanwhile stays out of the mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What marking changes."""

    bundle: Bundle
    cells: int
    """That were taken as harmless."""
    before: float
    """The alert's highest smoothed score ..."""
    after: float
    """... and what it would be from now on."""


def mark(bundle: Bundle, where: str, stretch: Stretch, *, alert: str, threshold: float, utc: str) -> Marked:
    """The bundle with what an alert was about as harmless.

    Args:
        where: The bundle's file, for messages.
        stretch: The alert's features.
        threshold: Of the alert.
        utc: Now.

    Raises:
        BundleError: It cannot be used.
        MarkingError: It is marked already, too many are, or nothing in the stretch is unusual for this model.
    """
    if is_marked(bundle, alert):
        raise MarkingError(f"{where}: alert {alert} is marked already: see `alerts undo`")
    if sum(marking.undone_utc is None for marking in bundle.markings) >= MOST_MARKS:
        raise MarkingError(
            f"{where}: has {MOST_MARKS} marks already: learn them with `calibrate --update {where}`, or undo some"
        )
    _check_fit(bundle, where, stretch)
    detector = detector_of(bundle, where, "cpu")
    made = _mark_of(stretch, detector, threshold)
    if not len(made.cells):
        raise MarkingError(f"{where}: nothing about alert {alert} is unusual for this model: it needs no mark")
    arrays = under(f"{PREFIX}.{alert}", made.arrays())
    marked = replace(
        bundle,
        arrays={**bundle.arrays, **arrays},
        markings=(*bundle.markings, Marking(alert=alert, marked_utc=utc)),
    )
    return Marked(
        bundle=marked,
        cells=len(made.cells),
        before=_highest(stretch, detector, bundle.preparation.smoothing_s),
        after=_highest(stretch, detector_of(marked, where, "cpu"), bundle.preparation.smoothing_s),
    )


def is_marked(bundle: Bundle, alert: str) -> bool:
    """Whether what this alert was about counts as harmless."""
    return any(marking.alert == alert and marking.undone_utc is None for marking in bundle.markings)


def undo(bundle: Bundle, *, alert: str, utc: str) -> Bundle:
    """The bundle without the mark of this alert, in whose history it stays."""
    start = f"{PREFIX}.{alert}."
    return replace(
        bundle,
        arrays={name: array for name, array in bundle.arrays.items() if not name.startswith(start)},
        markings=tuple(
            replace(marking, undone_utc=utc) if marking.alert == alert and marking.undone_utc is None else marking
            for marking in bundle.markings
        ),
    )


def _check_fit(bundle: Bundle, where: str, stretch: Stretch) -> None:
    made, about = bundle.preparation, stretch.about
    if (made.width, made.height, made.rate_fps) != (about.width, about.height, about.rate_fps):
        raise MarkingError(
            f"{where}: looks at {made.width}×{made.height} at {made.rate_fps:g}/s, the alert was seen at "
            f"{about.width}×{about.height} at {about.rate_fps:g}/s: the model is another one by now"
        )


def _mark_of(stretch: Stretch, detector: Detector, threshold: float) -> Mark:
    """The unusual cells of unusual pictures, and the clips seen with them."""
    unusual: list[tuple[float, Features, Cells]] = []
    for time_s, seen in zip(stretch.times_s, stretch.seen, strict=True):
        evidence, whole = detector.evidence(seen)
        if fuse(evidence, detector.grid, whole).score >= _UNUSUAL_PICTURE * threshold:
            total = sum_of(evidence, detector.grid)
            unusual.append((time_s, seen, seen.cells[total[seen.cells] >= _UNUSUAL_CELL * threshold]))
    count = sum(len(cells) for _, _, cells in unusual)
    kept = np.zeros(count, np.bool_)
    kept[np.linspace(0, count - 1, min(count, MOST_CELLS)).astype(np.int64)] = True
    times_s = np.repeat([time_s for time_s, _, _ in unusual], [len(cells) for _, _, cells in unusual])[kept]
    parts = np.split(kept, np.cumsum([len(cells) for _, _, cells in unusual])[:-1]) if unusual else []
    unusual = [(time_s, seen, cells[part]) for (time_s, seen, cells), part in zip(unusual, parts, strict=True)]
    clips = {seen.whole.end_s: seen.whole.vectors for _, seen, _ in unusual if seen.whole is not None}
    names = sorted({name for _, seen, _ in unusual for name in seen.samples})
    rows, vectors = {}, {}
    for name in names:
        rows[name], vectors[name] = _of_family(name, unusual)
    return Mark(
        times_s=times_s.astype(np.float64),
        cells=np.concatenate([np.empty(0, np.int64), *(cells for _, _, cells in unusual)]),
        rows=rows,
        vectors=vectors,
        clip_ends_s=np.array(list(clips), np.float64),
        clips=np.concatenate(list(clips.values())).astype(np.float16) if clips else np.empty((0, 0), np.float16),
    )


def _of_family(
    name: str, unusual: Sequence[tuple[float, Features, Cells]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """Which of all cells the family speaks of, and its vectors."""
    rows, vectors, first = [], [], 0
    for _, seen, cells in unusual:
        if name in seen.samples:
            sample = seen.samples[name]
            _, here, there = np.intersect1d(cells, sample.cells, assume_unique=True, return_indices=True)
            rows.append(first + here)
            vectors.append(sample.vectors[there].astype(np.float16))
        first += len(cells)
    return np.concatenate(rows).astype(np.int64), np.concatenate(vectors)


def _highest(stretch: Stretch, detector: Detector, smoothing_s: float) -> float:
    smoother = Smoother(smoothing_s)
    return max(
        smoother.step(time_s, detector.judge(seen).score)
        for time_s, seen in zip(stretch.times_s, stretch.seen, strict=True)
    )

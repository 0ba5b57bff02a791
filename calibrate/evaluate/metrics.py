"""How well scores tell anomalous frames from normal ones, without a threshold. Pure: knows no videos and no files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

LOOKAHEAD_FRAMES = 3.0
"""σ of the smoothing that most papers apply before they measure. It sees the future, which a monitor cannot."""

Flags = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]
_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Measures of one set of scores; each from 0 to 1."""

    micro_auc: float
    """Area under the ROC curve of the frames of all videos together: a score must mean the same in each."""
    macro_auc: float | None
    """Mean of the videos' own; None where no video has both kinds of frames."""
    macro_videos: int
    """How many have."""
    average_precision: float
    equal_error_rate: float
    """Share of normal frames called anomalous where it is equal to the share of anomalous ones missed."""


def ranking(anomalous: Sequence[Flags], scores: Sequence[Scores]) -> Ranking:
    """The measures over videos with flags and scores (frames,) each; both kinds of frames must be there."""
    flags, values = np.concatenate(anomalous), np.concatenate(scores)
    own = [auc(*video) for video in zip(anomalous, scores, strict=True)]
    known = [one for one in own if one is not None]
    return Ranking(
        micro_auc=float(roc_auc_score(flags, values)),
        macro_auc=float(np.mean(known)) if known else None,
        macro_videos=len(known),
        average_precision=float(average_precision_score(flags, values)),
        equal_error_rate=equal_error_rate(flags, values),
    )


def auc(anomalous: Flags, scores: Scores) -> float | None:
    """Area under the ROC curve of frames (N,), None where they are all of one kind."""
    if anomalous.all() or not anomalous.any():
        return None
    return float(roc_auc_score(anomalous, scores))


def roc(anomalous: Flags, scores: Scores) -> tuple[Scores, Scores]:
    """The ROC curve: shares of normal and of anomalous frames above each threshold, (T,) from 0 to 1 each."""
    false_alarms, hits, _ = roc_curve(anomalous, scores)
    return false_alarms, hits


def equal_error_rate(anomalous: Flags, scores: Scores) -> float:
    """Where the ROC curve meets the line from upper left to lower right."""
    false_alarms, hits = roc(anomalous, scores)
    surplus = false_alarms - (1.0 - hits)  # ascends from -1 to 1
    after = int(np.argmax(surplus >= 0.0))
    before = max(0, after - 1)
    step = surplus[after] - surplus[before]
    share = 0.0 if step == 0.0 else -surplus[before] / step
    return float(false_alarms[before] + share * (false_alarms[after] - false_alarms[before]))


def held(values: npt.NDArray[_Value], at: npt.NDArray[np.int64], frames: int) -> npt.NDArray[_Value]:
    """Values of all frames from those of some: each holds until the next, the first also before it.

    Args:
        values: (N, ...), N ≥ 1.
        at: Their frames, counted from 0, (N,) ascending.

    Returns:
        (frames, ...)
    """
    latest = np.searchsorted(at, np.arange(frames), side="right") - 1
    return values[np.maximum(latest, 0)]


def looking_ahead(scores: Scores) -> Scores:
    """A video's scores (frames,) smoothed with a Gaussian of 3 frames to both sides."""
    return np.asarray(gaussian_filter1d(scores, LOOKAHEAD_FRAMES), np.float64)

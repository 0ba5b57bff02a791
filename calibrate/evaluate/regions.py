"""Whether the place that stands out is where the anomaly is, by masks of its pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.fusion import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Counts over frames that have an anomalous pixel."""

    frames: int
    overlapping: int
    """Frames whose region shares a pixel with the mask."""
    centred: int
    """Frames whose region has its centre in the mask."""
    area: float
    """Sum of the regions' areas in fractions of the frame: a region that is everywhere always hits."""


def hits(regions: Sequence[Region | None], masks: Iterable[npt.NDArray[np.bool_]]) -> Hits:
    """The counts over a video's regions and masks (H, W), one of each per frame. No region is a miss."""
    frames = overlapping = centred = 0
    area = 0.0
    for region, mask in zip(regions, masks, strict=True):
        if not mask.any():
            continue
        frames += 1
        if region is None:
            continue
        x0, y0, x1, y1 = region
        area += (x1 - x0) * (y1 - y0)
        height, width = mask.shape
        left, top = int(x0 * width), int(y0 * height)
        right, bottom = (max(start + 1, round(end)) for start, end in ((left, x1 * width), (top, y1 * height)))
        overlapping += bool(mask[top:bottom, left:right].any())
        centre = min(height - 1, int((y0 + y1) / 2 * height)), min(width - 1, int((x0 + x1) / 2 * width))
        centred += bool(mask[centre])
    return Hits(frames=frames, overlapping=overlapping, centred=centred, area=area)


def total(parts: Iterable[Hits]) -> Hits:
    """The counts of several videos together."""
    parts = list(parts)
    return Hits(
        frames=sum(one.frames for one in parts),
        overlapping=sum(one.overlapping for one in parts),
        centred=sum(one.centred for one in parts),
        area=sum(one.area for one in parts),
    )

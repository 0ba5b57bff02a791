"""Five moments of an alert side by side: before it, its start, its peak, between, its end or the latest."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import cv2
import numpy as np

from stream.evidence.drawing import Image, as_jpeg, with_caption
from stream.evidence.track import Thumbnail

_BEFORE_S = 2.0
_NEAR_S = 1.0  # a picture this far from the start or the peak does not show it
_AFTER_S = 0.5  # what comes later shows nothing of the alert
_GAP_PX, _LEAST_WIDTH_PX = 4, 200


def strip(
    thumbnails: Sequence[Thumbnail],
    *,
    started_s: float,
    peaked_s: float,
    ended_s: float | None,
    started: datetime,
) -> bytes | None:
    """The moments with their times below, a JPEG; None where there are no pictures.

    Two that would be the same picture are one.

    Args:
        thumbnails: In the order of time.
        ended_s: None while it is open: the latest picture is the last then.
        started: When it started, of which the times are told.
    """
    if ended_s is not None:
        thumbnails = [one for one in thumbnails if one.time_s <= ended_s + _AFTER_S]
    if not thumbnails:
        return None
    moments = _moments(thumbnails, started_s, peaked_s, ended_s)
    tiles = []
    for thumbnail in sorted(moments):
        offset_s = thumbnail.time_s - started_s
        clock = f"{started + timedelta(seconds=offset_s):%H:%M:%S}"
        label = f"{', '.join(moments[thumbnail])} {offset_s:+.1f} s"
        tiles.append(with_caption(_decoded(thumbnail), (label, clock), _LEAST_WIDTH_PX))
    height = max(tile.shape[0] for tile in tiles)
    padded = [np.pad(tile, ((0, height - len(tile)), (0, _GAP_PX), (0, 0))) for tile in tiles]
    return as_jpeg(np.hstack(padded)[:, :-_GAP_PX])


def _moments(
    thumbnails: Sequence[Thumbnail], started_s: float, peaked_s: float, ended_s: float | None
) -> dict[Thumbnail, list[str]]:
    """Which thumbnails to show, and as what."""
    last_s = thumbnails[-1].time_s if ended_s is None else ended_s
    first, second = max(
        pairwise(sorted((started_s, peaked_s, max(last_s, peaked_s)))), key=lambda gap: gap[1] - gap[0]
    )
    wanted = {
        "start": started_s,
        "peak": peaked_s,
        "latest" if ended_s is None else "end": last_s,
        "between": (first + second) / 2.0,
    }
    moments: dict[Thumbnail, list[str]] = {}
    earlier = [one for one in thumbnails if one.time_s < started_s]
    if earlier:
        moments[_nearest(earlier, started_s - _BEFORE_S)] = ["before"]
    for name, time_s in wanted.items():
        thumbnail = _nearest(thumbnails, time_s)
        if name in ("start", "peak") and abs(thumbnail.time_s - time_s) > _NEAR_S:
            continue
        if name != "between" or thumbnail not in moments:
            moments.setdefault(thumbnail, []).append(name)
    return moments


def _nearest(thumbnails: Sequence[Thumbnail], time_s: float) -> Thumbnail:
    return min(thumbnails, key=lambda one: abs(one.time_s - time_s))


def _decoded(thumbnail: Thumbnail) -> Image:
    image: Image = cv2.imdecode(np.frombuffer(thumbnail.jpeg, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return image

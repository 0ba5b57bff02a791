"""What is remembered of one camera's latest seconds, and of an open alert from before its start on; bounded."""

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from itertools import zip_longest

import cv2

from stream.evidence.drawing import Image, as_jpeg
from stream.messages import Score

_MOST_POINTS = 2000  # of the curve; some hundred kilobytes
_MOST_THUMBNAILS = 40  # about 10 kB each
_THUMBNAIL_EVERY_S = 0.5
_THUMBNAIL_PX = 240  # longer side


@dataclass(frozen=True, slots=True)
class Point:
    """A score."""

    time_s: float
    """Stream time."""
    score: float
    threshold: float
    families: dict[str, float]


@dataclass(frozen=True, slots=True, order=True)
class Thumbnail:
    """A small picture."""

    time_s: float
    jpeg: bytes = field(compare=False, repr=False)
    lasting: bool = field(compare=False)
    """Never thinned out."""


class Track:
    """Scores and small pictures of one camera, in the order of time."""

    def __init__(self) -> None:
        self.points: deque[Point] = deque()
        self.thumbnails: list[Thumbnail] = []

    def add(self, score: Score) -> None:
        """Remember a score. One that is older than the last begins anew: its source has started again."""
        if self.points and score.stream_time_s < self.points[-1].time_s:
            self.points.clear()
            self.thumbnails.clear()
        self.points.append(Point(score.stream_time_s, score.score, score.threshold, score.families))
        if len(self.points) > _MOST_POINTS:
            pairs = zip_longest(*[iter(self.points)] * 2)
            self.points = deque(max(filter(None, pair), key=lambda point: point.score) for pair in pairs)

    def wants_picture(self, time_s: float) -> bool:
        """Whether the last small picture is long enough ago."""
        return not self.thumbnails or time_s - self.thumbnails[-1].time_s >= _THUMBNAIL_EVERY_S

    def add_picture(self, time_s: float, image: Image, *, lasting: bool = False) -> None:
        """Remember the frame of this time, small; in place of one of the same time.

        Args:
            lasting: As one of the moments that count.
        """
        scale = min(1.0, _THUMBNAIL_PX / max(image.shape[:2]))
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        self.thumbnails = [one for one in self.thumbnails if one.time_s != time_s]
        insort(self.thumbnails, Thumbnail(time_s, as_jpeg(small), lasting))
        if len(self.thumbnails) > _MOST_THUMBNAILS:
            last = len(self.thumbnails) - 1
            self.thumbnails = [
                one for at, one in enumerate(self.thumbnails) if at % 2 == 0 or one.lasting or at == last
            ]

    def forget_before(self, time_s: float) -> None:
        """Let go of what is older."""
        while self.points and self.points[0].time_s < time_s:
            self.points.popleft()
        while self.thumbnails and self.thumbnails[0].time_s < time_s:
            self.thumbnails.pop(0)

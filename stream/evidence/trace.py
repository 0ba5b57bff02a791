"""An alert's scores over time and the heat map of its peak, as JSON for pages and programs."""

import json
from collections.abc import Iterable

from stream.evidence.picture import Heat
from stream.evidence.track import Point
from stream.messages import Region

VERSION = 1


def trace(points: Iterable[Point], *, peaked_s: float, heat: Heat | None, region: Region | None, words: str) -> bytes:
    """One JSON object.

    Times are seconds of stream time. `thresholds` and each list of `families` are as long as `times_s`; a family has
    its part in the score at the hottest place. `heat` holds bytes, row-major: 0 = normal, 255 = the threshold or
    more.
    """
    points = list(points)
    names = sorted({name for point in points for name in point.families})
    value = {
        "version": VERSION,
        "times_s": [round(point.time_s, 3) for point in points],
        "scores": [round(point.score, 4) for point in points],
        "thresholds": [round(point.threshold, 4) for point in points],
        "families": {name: [round(point.families.get(name, 0.0), 3) for point in points] for name in names},
        "peaked_s": round(peaked_s, 3),
        "heat": None if heat is None else {"shape": list(heat.shape), "values": heat.ravel().tolist()},
        "region": region,
        "words": words,
    }
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()

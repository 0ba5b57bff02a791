import json

import numpy as np

from stream.evidence import trace
from stream.evidence.track import Point


def test_the_trace_has_the_curve_and_the_heat_of_the_peak():
    points = [Point(1.0, 0.5, 4.0, {}), Point(1.1, 5.25, 4.0, {"motion": 3.0}), Point(1.2, 2.0, 4.5, {"shape": 1.0})]
    heat = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    made = trace(points, peaked_s=1.1, heat=heat, region=(0.1, 0.2, 0.3, 0.4), words="moving 3.4× as fast")
    assert json.loads(made) == {
        "version": 1,
        "times_s": [1.0, 1.1, 1.2],
        "scores": [0.5, 5.25, 2.0],
        "thresholds": [4.0, 4.0, 4.5],
        "families": {"motion": [0.0, 3.0, 0.0], "shape": [0.0, 0.0, 1.0]},
        "peaked_s": 1.1,
        "heat": {"shape": [2, 3], "values": [0, 1, 2, 3, 4, 255]},
        "region": [0.1, 0.2, 0.3, 0.4],
        "words": "moving 3.4× as fast",
    }


def test_what_is_not_known_is_null():
    made = json.loads(trace([], peaked_s=0.0, heat=None, region=None, words=""))
    assert (made["heat"], made["region"], made["times_s"], made["families"]) == (None, None, [], {})

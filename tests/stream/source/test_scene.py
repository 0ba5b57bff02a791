import math
import time

import numpy as np
import pytest

from stream.source import Source
from stream.source.scene import SceneBackend


class DrawnScene:
    """One grey level per frame."""

    width, height, fps = 96, 64, 10.0

    def __init__(self, duration_s):
        self.duration_s, self.drawn = duration_s, []

    def frame(self, index):
        self.drawn.append(index)
        return np.full((64, 96, 3), index, np.uint8)


def test_a_scene_is_read_to_its_end_and_only_drawn_where_it_is_kept():
    scene = DrawnScene(duration_s=2.0)

    pictures = list(Source(SceneBackend(scene, "here"), where="here", size=(48, 32), rate_fps=5, paced=False))

    assert scene.drawn == list(range(0, 20, 2))
    assert [picture.stream_time_s for picture in pictures] == pytest.approx([number / 5 for number in range(10)])
    assert [picture.image.shape for picture in pictures] == [(32, 48, 3)] * 10
    assert [picture.image[0, 0, 0] for picture in pictures] == scene.drawn


def test_an_endless_scene_is_paced_by_the_clock():
    source = Source(SceneBackend(DrawnScene(math.inf), "here"), where="here", size=(96, 64), rate_fps=10, paced=True)
    started_s = time.monotonic()

    times = [source.read().stream_time_s for _ in range(6)]

    assert source.live
    assert times == pytest.approx([number / 10 for number in range(6)])
    assert time.monotonic() - started_s > 0.45

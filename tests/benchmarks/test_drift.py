import numpy as np
import pytest

from benchmarks.drift import PLANTS, planted


def pictures():
    generator = np.random.default_rng(0)
    return [generator.integers(50, 200, (96, 160, 3), np.uint8) for _ in range(7)]


@pytest.mark.parametrize("what", PLANTS)
def test_half_a_minute_is_as_it_was_before_the_trouble_begins(what):
    images = pictures()
    seen = list(planted(images, PLANTS[what][1]))
    assert len(seen) == 750
    assert all(np.array_equal(one, images[number % 7]) for number, one in enumerate(seen[:150]))
    assert not np.array_equal(seen[-1], images[749 % 7])


def test_a_frozen_picture_is_the_last_one_before():
    images = pictures()
    seen = list(planted(images, None))
    assert all(np.array_equal(one, images[149 % 7]) for one in seen[150:])

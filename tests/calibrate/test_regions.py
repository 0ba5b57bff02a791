import numpy as np
import pytest

from calibrate.evaluate.regions import hits, total


def mask(*, rows=slice(0), columns=slice(0)):
    made = np.zeros((20, 40), np.bool_)
    made[rows, columns] = True
    return made


BLOB = mask(rows=slice(10, 20), columns=slice(20, 40))
"""The lower right quarter."""
NOTHING = mask()


@pytest.mark.parametrize(
    ("region", "overlapping", "centred"),
    [
        ((0.5, 0.5, 1.0, 1.0), 1, 1),
        ((0.4, 0.4, 0.6, 0.55), 1, 0),
        ((0.0, 0.0, 0.5, 0.5), 0, 0),
        ((0.98, 0.98, 1.0, 1.0), 1, 1),
        ((0.6, 0.6, 0.601, 0.601), 1, 1),  # smaller than a pixel
        (None, 0, 0),
    ],
)
def test_a_region_overlaps_or_is_centred(region, overlapping, centred):
    made = hits([region], [BLOB])

    assert (made.frames, made.overlapping, made.centred) == (1, overlapping, centred)


def test_frames_without_an_anomaly_do_not_count():
    made = hits([(0.0, 0.0, 1.0, 1.0)] * 3, iter([NOTHING, BLOB, NOTHING]))

    assert made.frames == 1
    assert made.area == 1.0


def test_regions_and_masks_must_be_of_the_same_frames():
    with pytest.raises(ValueError, match="zip"):
        hits([None, None], iter([BLOB]))


def test_videos_are_counted_together():
    parts = [hits([(0.5, 0.5, 1.0, 1.0)], [BLOB]), hits([None, (0.0, 0.0, 0.5, 0.5)], [BLOB, BLOB])]

    made = total(parts)

    assert (made.frames, made.overlapping, made.centred, made.area) == (3, 1, 1, 0.5)

import hashlib

import cv2
import numpy as np
import pytest

from calibrate import blocks
from calibrate.blocks import BLOCK_S, Footage, collect
from calibrate.footage import Shot
from detector.detector import Features, Sample
from detector.features.background import Scene
from detector.features.grid import Grid
from detector.observer import Observer
from stream.source import Picture

RATE_FPS = 5.0
IMAGE = np.zeros((16, 16, 3), np.uint8)


def shot(time_s, segment=0, image=IMAGE):
    return Shot(segment, Picture(image, time_s), 0.0)


def seen(count):
    cells = np.arange(count)
    return Features(cells=cells, samples={"motion": Sample(cells, np.full((count, 1), 0.1, np.float32))})


def fill(footage, seconds, *, segment=0, vectors=2, on_picture=None):
    for number in range(round(seconds * RATE_FPS)):
        footage.take(shot(number / RATE_FPS, segment), seen(vectors))
        if on_picture is not None:
            on_picture()
    return footage


def test_footage_is_cut_into_blocks_of_time():
    footage = fill(Footage(1000), 2.5 * BLOCK_S)

    assert [len(block.seen) for block in footage.blocks] == [50, 50, 25]
    assert [block.times_s[0] for block in footage.blocks] == [0.0, 10.0, 20.0]
    assert [block.vectors for block in footage.blocks] == [100, 100, 50]
    assert footage.pictures == 125
    assert footage.seconds == pytest.approx(25.0)
    assert not footage.thinned


def test_a_block_never_spans_segments():
    footage = Footage(1000)
    fill(footage, 4.0, segment=0)
    fill(footage, 13.0, segment=1)
    fill(footage, 3.0, segment=2)

    assert [(block.segment, len(block.seen)) for block in footage.blocks] == [(0, 20), (1, 50), (1, 15), (2, 15)]
    assert footage.seconds == pytest.approx(20.0)


def test_no_footage_has_no_length():
    assert Footage(1000).seconds == 0.0
    assert fill(Footage(1000), 0.2).seconds == 0.0


def test_the_time_between_blocks_is_not_covered():
    footage = Footage(1000)
    for time_s in (0.0, 0.2, 0.4, 100.0, 100.2, 100.4):
        footage.take(shot(time_s), seen(1))

    assert footage.seconds == pytest.approx(1.2)


def test_too_many_vectors_are_thinned_to_every_other_block_over_the_whole_time():
    most = 1000
    held = []
    footage = Footage(most)
    fill(footage, 100 * BLOCK_S, vectors=2, on_picture=lambda: held.append(sum(b.vectors for b in footage.blocks)))

    starts = [round(block.times_s[0] / BLOCK_S) for block in footage.blocks[:-1]]  # the last one is always kept
    steps = set(np.diff(starts))
    assert footage.thinned
    assert len(steps) == 1
    assert steps.pop() in (8, 16)
    assert starts[0] == 0
    assert starts[-1] > 100 - 16
    assert all(len(block.seen) == 50 for block in footage.blocks)
    assert max(held) <= most + 2 * 100  # the block that made it too many, and the one being filled
    assert footage.pictures == 5000
    assert footage.seconds == pytest.approx(BLOCK_S * len(footage.blocks))


def test_quiet_footage_is_never_thinned():
    assert len(fill(Footage(1000), 50 * BLOCK_S, vectors=0).blocks) == 50


def test_the_fingerprint_is_of_every_picture_kept_or_not():
    def fingerprint(*pictures, most=1000):
        footage = Footage(most)
        for number, picture in enumerate(pictures):
            footage.take(shot(10.0 * number, image=picture), seen(1))
        return footage.fingerprint

    other = IMAGE + np.uint8(1)
    assert fingerprint(IMAGE, other) == fingerprint(IMAGE, other)
    assert fingerprint(IMAGE, other, IMAGE, IMAGE) == fingerprint(IMAGE, other, IMAGE, IMAGE, most=1)
    assert len({fingerprint(IMAGE), fingerprint(other), fingerprint(IMAGE, other), fingerprint(other, IMAGE)}) == 4
    assert len(fingerprint(IMAGE)) == hashlib.sha256().digest_size * 2


def thumbnail_times(footage):
    return [one.time_s for block in footage.blocks for one in block.thumbnails]


def test_there_is_a_thumbnail_a_second_while_there_is_something_to_see():
    footage = Footage(100_000)
    fill(footage, 3.0, segment=0)
    fill(footage, 3.0, segment=1, vectors=0)
    fill(footage, 12.0, segment=2)

    assert [one.segment for block in footage.blocks for one in block.thumbnails] == [0] * 3 + [2] * 12
    assert thumbnail_times(footage) == pytest.approx([*range(3), *range(12)])


def test_a_thumbnail_is_the_picture_at_its_time_and_small():
    footage = Footage(1000)
    for number in range(3):
        footage.take(shot(float(number), image=np.full((480, 960, 3), 60 * number, np.uint8)), seen(1))

    for number, one in enumerate(footage.blocks[0].thumbnails):
        picture = cv2.imdecode(np.frombuffer(one.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (120, 240, 3)
        assert picture.mean() == pytest.approx(60 * number, abs=2)


def test_thumbnails_go_with_the_blocks_that_are_given_up():
    footage = fill(Footage(1000), 100 * BLOCK_S)

    assert footage.thinned
    assert all(len(block.thumbnails) == 10 for block in footage.blocks)


def test_too_many_thumbnails_are_thinned_evenly(monkeypatch):
    one = len(fill(Footage(1000), 0.2).blocks[0].thumbnails[0].jpeg)
    monkeypatch.setattr(blocks, "_MOST_THUMBNAIL_BYTES", 100 * one)
    most = []
    footage = Footage(100_000)
    fill(footage, 50 * BLOCK_S, on_picture=lambda: most.append(len(thumbnail_times(footage))))

    assert not footage.thinned
    assert max(most) <= 110  # and those of a block that is being filled
    times_s = [10.0 * number for number in range(50)]
    assert len(thumbnail_times(footage)) >= 50
    for time_s in times_s:
        assert min(abs(other - time_s) for other in thumbnail_times(footage)) <= 8.0


class FakeNetwork:
    """Obeys the call of `Network`, and records how many pictures came together.

    The first two channels hold 1 and the last pixel's grey level, so that a vector tells which picture it is of.
    """

    def __init__(self):
        self.batches = []

    def __call__(self, images):
        count, height, width, _ = images.shape
        self.batches.append(count)
        layers = []
        for channels in (40, 112):
            layer = np.zeros((count, channels, height // 16, width // 16), np.float32)
            layer[:, 0] = 1.0
            layer[:, 1] = images[:, -1, -1, 0, None, None]
            layers.append(layer)
        return tuple(layers)


def test_every_picture_is_collected_in_order_and_in_batches():
    grid = Grid(64, 96)
    scene = Scene(np.full((16, 24), 90, np.float32), np.ones((16, 24), np.float32))
    network = FakeNetwork()
    pictures = []
    for number in range(19):
        image = np.full((64, 96, 3), 90, np.uint8)
        image[16:48, 2 * number : 2 * number + 40] = 220
        image[-1, -1] = number
        pictures.append(shot(number / RATE_FPS, image=image))

    footage = collect(pictures, Observer(grid, RATE_FPS, scene=scene), network, 100_000)

    (block,) = footage.blocks
    assert network.batches == [8, 8, 3]
    assert block.times_s == pytest.approx([number / RATE_FPS for number in range(19)])
    for number, one in enumerate(block.seen):
        assert one.samples["shape"].vectors.shape == (len(one.cells), 112)
        assert one.samples["shape"].vectors.dtype == np.float16
        assert one.samples["shape"].vectors[0, 1] / one.samples["shape"].vectors[0, 0] == pytest.approx(
            number, rel=0.01
        )


def test_no_shots_give_no_blocks():
    footage = collect([], Observer(Grid(64, 96), RATE_FPS), FakeNetwork(), 1000)

    assert (footage.blocks, footage.pictures, footage.seconds) == ([], 0, 0.0)

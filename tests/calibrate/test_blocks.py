import hashlib

import numpy as np
import pytest

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

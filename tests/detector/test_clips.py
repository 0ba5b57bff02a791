"""The optional clip family from pictures to verdicts, by a network that needs no package."""

from dataclasses import replace

import numpy as np
import pytest

from detector.bundle import Budget, Bundle, BundleError, ClipPreparation, Preparation, Provenance, read, write
from detector.clips import ClipView, ClipWatch, Whole, look_at
from detector.detector import Detector, Features, Sighting, contents, features, from_bundle
from detector.family import CLIP, Family
from detector.features.background import Scene
from detector.features.grid import Grid
from detector.observer import Observer
from tests.clip_network import WIDTH, FakeClipNetwork

GRID = Grid(96, 160)
SCENE = Scene(np.full((24, 40), 90, np.float32), np.ones((24, 40), np.float32))
RATE_FPS = 10.0


def unused(images):
    raise AssertionError("nothing is in these pictures")


def view(network, stride_s=0.5):
    return ClipView(network=network, stride_s=stride_s)


def empty_picture():
    return np.full((96, 160, 3), 90, np.uint8)


def watched(view, times_s):
    """When the clip ended that stands for each picture, None where there is none; the networks see all of them."""
    watch, ends = ClipWatch(view, RATE_FPS, ()), []
    for time_s in times_s:
        glance = watch.step(empty_picture(), time_s)
        look_at([glance])
        ends.append(None if glance is None else glance.whole.end_s)
    return ends


def test_a_clip_stands_for_every_picture_until_the_next_one():
    network = FakeClipNetwork()

    ends = watched(view(network), [number / RATE_FPS for number in range(31)])

    assert ends[:20] == [None] * 20
    assert ends[20:] == [2.0] * 5 + [2.5] * 5 + [3.0]
    assert network.calls == [1, 1, 1]


@pytest.mark.parametrize("stride_s", [0.5, 3.0])
def test_a_clip_is_forgotten_after_a_gap(stride_s):
    """Also where the next one would not have been due yet."""
    before = [number / RATE_FPS for number in range(24)]
    after = [3.3 + number / RATE_FPS for number in range(21)]

    ends = watched(view(FakeClipNetwork(), stride_s), before + after)

    assert ends[20:24] == [2.0] * 4
    assert ends[24:44] == [None] * 20
    assert ends[44] == pytest.approx(5.3)


def test_clips_of_several_cameras_are_seen_together_and_each_once():
    network, other = FakeClipNetwork(), FakeClipNetwork()
    watches = [ClipWatch(view(of, 0.1), RATE_FPS, ()) for of in [network] * 5 + [other]]
    for number in range(20):
        assert [watch.step(empty_picture(), number / RATE_FPS) for watch in watches] == [None] * 6

    glances = [watch.step(empty_picture(), 2.0) for watch in watches]
    look_at([*glances, *glances, None])
    look_at(glances)

    assert (network.calls, other.calls) == ([4, 1], [1])
    assert all(glance.whole.vectors.shape == (1, WIDTH) for glance in glances)
    assert all(glance.clip is None for glance in glances)  # two megabytes each


def test_features_hold_the_whole_picture_also_where_nothing_is_in_it():
    observer = Observer(GRID, RATE_FPS, (), SCENE, view(FakeClipNetwork()))
    sightings = [Sighting(observer=observer, image=empty_picture(), time_s=number / RATE_FPS) for number in range(24)]

    batches = [features(unused, sightings[:22]), features(unused, sightings[22:])]

    seen = [one for batch in batches for one in batch]
    assert [len(one.cells) for one in seen] == [0] * 24
    assert [one.whole is None for one in seen] == [True] * 20 + [False] * 4
    assert seen[20].whole is seen[23].whole
    assert seen[20].whole.vectors == pytest.approx(90 / 255)


def test_without_clips_there_is_no_whole_picture():
    observer = Observer(GRID, RATE_FPS, (), SCENE)
    sightings = [Sighting(observer=observer, image=empty_picture(), time_s=number / RATE_FPS) for number in range(30)]

    assert all(one.whole is None for one in features(unused, sightings))


@pytest.fixture(scope="module")
def family():
    quick = replace(CLIP, training=replace(CLIP.training, units=(32, 32), steps=200))
    generator = np.random.default_rng(0)
    taught = Family.learn(quick, generator.normal(size=(600, WIDTH)).astype(np.float32), seed=0)
    held_out = generator.normal(size=(400, WIDTH)).astype(np.float32)
    return taught.with_rarity(taught.levels(held_out), share=1.0)


def whole(shift, cells=()):
    """A picture in which nothing is, of which the clip network saw something, normal or shifted."""
    vectors = np.random.default_rng(1).normal(size=(1, WIDTH)) + shift
    cells = np.array(cells, np.int64)
    return Features(cells=cells, samples={}, whole=Whole(vectors=vectors.astype(np.float32), end_s=2.0))


def test_a_whole_picture_that_is_odd_scores_where_nothing_is_in_it(family):
    detector = Detector([family], GRID)

    normal, odd = detector.judge(whole(0.0)), detector.judge(whole(4.0))

    assert normal.score < 1.5
    assert odd.score > 2.5
    assert odd.families == {"clip": odd.score}
    assert odd.region is None
    assert not odd.heat.any()


def test_a_picture_without_a_clip_has_nothing_from_the_clip_family(family):
    verdict = Detector([family], GRID).judge(Features(cells=np.empty(0, np.int64), samples={}))

    assert (verdict.score, verdict.families) == (0.0, {})


@pytest.fixture
def model(family):
    settings, arrays = contents([family], SCENE)
    network = FakeClipNetwork()
    return Bundle(
        preparation=Preparation(
            width=160,
            height=96,
            rate_fps=RATE_FPS,
            smoothing_s=0.2,
            clip=ClipPreparation(network=network.name, weights_sha256=network.weights_sha256, stride_s=0.3),
        ),
        provenance=Provenance(
            code_version="0",
            created_utc="2026-01-31T12:00:00Z",
            footage=("clip.mp4",),
            footage_fingerprint="0",
            footage_s=60.0,
            seed=0,
        ),
        budget=Budget(alerts_per_day=1.0, threshold=4.0, low=3.0, high=5.0),
        families=settings,
        arrays=arrays,
    )


def test_the_clip_family_survives_in_a_bundle(family, model, tmp_path):
    path = tmp_path / "gate.mulde"
    write(model, path)

    restored, observer = from_bundle(read(path), str(path), "cpu", FakeClipNetwork())

    assert read(path).preparation == model.preparation
    for shift in (0.0, 1.0, 4.0):
        assert restored.judge(whole(shift)).score == Detector([family], GRID).judge(whole(shift)).score
    sightings = [Sighting(observer=observer, image=empty_picture(), time_s=number / RATE_FPS) for number in range(24)]
    assert [one.whole and one.whole.end_s for one in features(unused, sightings)][20:] == [2.0] * 3 + [2.3]


def test_a_bundle_keeps_what_clips_are_looked_at_with(model):
    assert view(FakeClipNetwork(), 0.3).preparation() == model.preparation.clip


def test_a_bundle_needs_its_clip_network_and_its_weights(model):
    other = FakeClipNetwork()
    other.weights_sha256 = "cd" * 32
    larger = FakeClipNetwork()
    larger.name = "hiera_large_16x224"

    for network, why in (
        (None, r"^gate\.mulde: needs the clip network hiera_base_16x224, there is none: see analysis\.clip$"),
        (larger, r"^gate\.mulde: needs the clip network hiera_base_16x224, there is hiera_large_16x224: "),
        (other, rf"^gate\.mulde: the clip network's weights have .* {'cd' * 32}, it was calibrated with {'ab' * 32}"),
    ):
        with pytest.raises(BundleError, match=why):
            from_bundle(model, "gate.mulde", "cpu", network)


def test_a_clip_family_that_nothing_feeds_is_refused(model):
    unfed = replace(model, preparation=replace(model.preparation, clip=None))

    with pytest.raises(BundleError, match="has a family clip that this program does not know"):
        from_bundle(unfed, "gate.mulde", "cpu")

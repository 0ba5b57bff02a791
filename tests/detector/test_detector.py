from dataclasses import replace

import numpy as np
import pytest

from detector.bundle import Budget, Bundle, BundleError, Preparation, Provenance, read, write
from detector.detector import Detector, Features, Sample, Sighting, contents, features, from_bundle
from detector.family import FAMILIES, Family
from detector.features.background import Scene
from detector.features.grid import Grid
from detector.observer import Observer

GRID = Grid(96, 160)
DIMS = {"motion": 1, "texture": 40, "shape": 112, "stay": 3}


class FakeNetwork:
    """Obeys the call of `Network`: layers that depend on each picture's own colours, and a record of the calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, images):
        assert images.dtype == np.uint8
        self.calls.append(images.shape)
        count, height, width, _ = images.shape
        cells = images.reshape(count, height // 16, 16, width // 16, 16, 3).mean(axis=(2, 4)) + 1.0  # (B, r, c, 3)
        layers = []
        for channels in (40, 112):
            mix = np.random.default_rng(channels).normal(size=(channels, 3))
            layers.append(np.einsum("kc,brjc->bkrj", mix, cells).astype(np.float32))
        return tuple(layers)


def picture(grid=GRID, thing_at=None):
    image = np.full((grid.height, grid.width, 3), 90, np.uint8)
    if thing_at is not None:
        image[32:80, thing_at : thing_at + 48] = np.random.default_rng(0).integers(120, 256, (48, 48, 3))
    return image


def observer(grid=GRID):
    """Of a scene known to be empty."""
    size = (grid.height // 4, grid.width // 4)
    return Observer(grid, 5.0, scene=Scene(np.full(size, 90, np.float32), np.full(size, 1, np.float32)))


def sighting(of, thing_at, time_s):
    return Sighting(observer=of, image=picture(of.grid, thing_at), time_s=time_s)


def alike(one, other):
    return (
        np.array_equal(one.cells, other.cells)
        and one.samples.keys() == other.samples.keys()
        and all(
            np.array_equal(one.samples[name].cells, other.samples[name].cells)
            and np.array_equal(one.samples[name].vectors, other.samples[name].vectors)
            for name in one.samples
        )
    )


def test_pictures_without_activity_cost_nothing():
    network, camera = FakeNetwork(), observer()

    seen = features(network, [sighting(camera, None, number / 5) for number in range(4)])

    assert network.calls == []
    assert [len(one.cells) for one in seen] == [0, 0, 0, 0]


def test_only_pictures_with_activity_go_through_the_network_and_all_of_them_at_once():
    network, quiet, busy = FakeNetwork(), observer(), observer()
    batch = [sighting(quiet, None, 0.0), sighting(busy, 32, 0.0), sighting(quiet, None, 0.2), sighting(busy, 40, 0.2)]

    seen = features(network, batch)

    assert network.calls == [(2, 96, 160, 3)]
    assert [len(one.cells) > 0 for one in seen] == [False, True, False, True]


def test_pictures_of_the_same_moment_share_a_look():
    network, camera = FakeNetwork(), observer()

    batch = features(network, [sighting(camera, 32 + 8 * index, index / 10) for index in range(4)])
    later = features(network, [sighting(camera, 64, 0.35)])

    assert network.calls == [(2, 96, 160, 3)]  # those at 0 and 0.2 s
    assert all(len(one.cells) for one in (*batch, *later))
    assert all(one.samples["shape"].vectors.shape == (len(one.cells), 112) for one in (*batch, *later))


def test_every_active_cell_has_looks_and_either_moves_or_stays():
    camera = observer()

    _, walks, stops = features(FakeNetwork(), [sighting(camera, at, 0.2 * n) for n, at in enumerate((32, 40, 40))])

    for seen in (walks, stops):
        assert len(seen.cells) > 4
        assert {name: sample.vectors.shape for name, sample in seen.samples.items()} == {
            name: (len(seen.samples[name].cells), dims) for name, dims in DIMS.items()
        }
        assert all(np.array_equal(seen.samples[name].cells, seen.cells) for name in ("texture", "shape"))
        assert sorted([*seen.samples["motion"].cells, *seen.samples["stay"].cells]) == seen.cells.tolist()
    assert len(walks.samples["motion"].cells)
    assert len(stops.samples["stay"].cells)
    assert np.linalg.norm(walks.samples["shape"].vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_cameras_of_different_sizes_share_a_batch_and_keep_their_order():
    small, large = GRID, Grid(128, 224)
    alone = [features(FakeNetwork(), [sighting(observer(grid), 32, 0.0)])[0] for grid in (small, large, small)]
    network = FakeNetwork()

    together = features(network, [sighting(observer(grid), 32, 0.0) for grid in (small, large, small)])

    assert sorted(network.calls) == [(1, 128, 224, 3), (2, 96, 160, 3)]
    assert all(map(alike, together, alone))
    assert not np.array_equal(together[0].cells, together[1].cells)


def test_a_batch_sees_what_single_pictures_see():
    times = [number / 5 for number in range(6)]
    one, other = observer(), observer()
    single = [
        features(FakeNetwork(), [sighting(one, 16 + 8 * index, time_s)])[0] for index, time_s in enumerate(times)
    ]

    batch = features(FakeNetwork(), [sighting(other, 16 + 8 * index, time_s) for index, time_s in enumerate(times)])

    assert all(map(alike, batch, single))


def test_an_empty_batch_has_no_features():
    assert features(FakeNetwork(), []) == []


def seen(count, seed, shift=0.0):
    """Vectors of some cells of a picture, normal ones or shifted."""
    generator = np.random.default_rng(seed)
    cells = np.sort(generator.choice(GRID.rows * GRID.columns, count, replace=False))
    vectors = {name: (generator.normal(size=(count, dims)) + shift).astype(np.float32) for name, dims in DIMS.items()}
    return Features(cells=cells, samples={name: Sample(cells, of_family) for name, of_family in vectors.items()})


@pytest.fixture(scope="module")
def families():
    taught = []
    for settings in FAMILIES:
        quick = replace(settings, training=replace(settings.training, units=(16, 16), steps=40, batch_size=64))
        vectors = np.concatenate([seen(20, seed).samples[settings.name].vectors for seed in range(20)])
        family = Family.learn(quick, vectors, seed=0)
        taught.append(family.with_rarity(family.levels(vectors), share=1.0))
    return tuple(taught)


@pytest.fixture
def bundle(families):
    scene = Scene(np.full((24, 40), 90, np.float32), np.full((24, 40), 1.5, np.float32))
    settings, arrays = contents(families, scene)
    return Bundle(
        preparation=Preparation(
            width=160,
            height=96,
            rate_fps=5.0,
            smoothing_s=0.4,
            mask=(((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0)),),
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


def test_a_picture_without_anything_in_it_scores_nothing(families):
    verdict = Detector(families, GRID).judge(Features(cells=np.empty(0, np.int64), samples={}))

    assert (verdict.score, verdict.region) == (0.0, None)


def test_what_was_never_seen_scores_higher_than_what_was(families):
    detector = Detector(families, GRID)

    normal = [detector.judge(seen(20, seed)).score for seed in range(100, 110)]
    strange = [detector.judge(seen(20, seed, shift=6.0)).score for seed in range(100, 110)]

    assert min(strange) > max(normal)


def test_a_detector_survives_in_a_bundle(families, bundle, tmp_path):
    detector = Detector(families, GRID)
    path = tmp_path / "gate.mulde"
    write(bundle, path)

    restored, camera = from_bundle(read(path), str(path), "cpu")

    assert restored.grid == GRID
    assert [family.settings for family in restored.families] == [family.settings for family in families]
    for seed in range(5):
        before, after = (each.judge(seen(20, seed, shift=0.5 * seed)) for each in (detector, restored))
        assert (before.score, before.region, before.families) == (after.score, after.region, after.families)
        assert np.array_equal(before.heat, after.heat)
    assert np.array_equal(camera.scene.background, np.full((24, 40), 90))
    assert np.array_equal(camera.scene.spread, np.full((24, 40), 1.5, np.float32))


def test_the_observer_of_a_bundle_ignores_what_calibration_ignored(bundle):
    _, camera = from_bundle(bundle, "gate.mulde", "cpu")

    cells = camera.step(picture(thing_at=24), 0.0).cells

    assert len(cells)
    assert (cells % GRID.columns >= 3).all()


def test_a_family_that_is_not_known_is_refused_by_name(bundle):
    families = (bundle.families[0] | {"name": "pose"}, *bundle.families[1:])

    with pytest.raises(BundleError, match=r"gate\.mulde: has a family pose that this program does not know"):
        from_bundle(replace(bundle, families=families), "gate.mulde", "cpu")


def _without(name):
    def damage(bundle):
        return replace(bundle, arrays={key: value for key, value in bundle.arrays.items() if key != name})

    return damage


def _setting(name, value):
    def damage(bundle):
        first = bundle.families[0]
        training = first["training"] | {name: value}
        return replace(bundle, families=(first | {"training": training}, *bundle.families[1:]))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _without("scene.background"),
        _without("motion.mean"),
        _without("shape.net.first.weight"),
        _without("texture.aggregate.std"),
        _setting("units", [17, 16]),
        _setting("colour", "red"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(bundle, damage):
    with pytest.raises(BundleError, match=r"^gate\.mulde: its arrays do not fit its settings .*: calibrate again$"):
        from_bundle(damage(bundle), "gate.mulde", "cpu")


def test_a_family_without_footage_makes_everything_there_rare(families, bundle):
    untaught = Family.learn(families[0].settings, seen(5, 0).samples["motion"].vectors, seed=0)
    scene = Scene(bundle.arrays["scene.background"], bundle.arrays["scene.spread"])
    settings, arrays = contents((untaught, *families[1:]), scene)

    restored, _ = from_bundle(replace(bundle, families=settings, arrays=arrays), "gate.mulde", "cpu")

    verdict = restored.judge(seen(60, 0))
    assert verdict.families["motion"] == pytest.approx(3.0)

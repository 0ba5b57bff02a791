import numpy as np
import pytest

from calibrate.blocks import Block
from calibrate.evaluate.variants import AGGREGATED, ALL, SCALES, Variants
from calibrate.train import learn
from detector.detector import WIDTHS, Detector, Features, Sample
from detector.features.grid import Grid

GRID = Grid(96, 160)
NOTHING = Features(cells=np.empty(0, np.int64), samples={})


def picture(generator, shift=0.0):
    cells = np.sort(generator.choice(60, 10, replace=False))
    samples = {
        name: Sample(cells, (generator.normal(size=(10, width)) + shift).astype(np.float32))
        for name, width in WIDTHS.items()
    }
    return Features(cells=cells, samples=samples)


def studied(blocks):
    variants = Variants(seed=0)
    learned = learn(
        blocks, GRID, folds=2, steps=40, seed=0, device="cpu", on_progress=lambda share: None, on_taught=variants.take
    )
    return variants, Detector(learned.families, GRID)


@pytest.fixture(scope="module")
def learned():
    generator = np.random.default_rng(0)
    return studied(
        [
            Block(
                segment=0, times_s=[number / 2 for number in range(20)], seen=[picture(generator) for _ in range(20)]
            )
            for _ in range(4)
        ]
    )


def test_every_variant_tells_what_is_odd_from_what_is_normal(learned):
    variants, _ = learned
    generator = np.random.default_rng(1)

    scores = variants.scores([*(picture(generator) for _ in range(5)), picture(generator, shift=6.0)], GRID)

    assert set(scores) == set(ALL)
    for variant, of_pictures in scores.items():
        assert of_pictures[-1] > of_pictures[:-1].max(), variant


def test_all_vectors_of_the_held_out_footage_make_the_products_rarity(learned):
    """Here the footage is small enough to be taken whole, so that only the aggregate's own sample differs."""
    variants, detector = learned
    generator = np.random.default_rng(2)
    seen = [picture(generator, shift) for shift in (0.0, 0.2, 0.5, 1.0)]

    scores = variants.scores(seen, GRID)[AGGREGATED["energy"]["mean"]]

    assert scores == pytest.approx([detector.judge(one).score for one in seen], rel=0.05, abs=0.02)


def test_pictures_without_activity_score_nothing(learned):
    variants, _ = learned

    scores = variants.scores([NOTHING, picture(np.random.default_rng(3)), NOTHING], GRID)

    for of_pictures in scores.values():
        assert (of_pictures[0], of_pictures[2]) == (0.0, 0.0)
        assert of_pictures[1] > 0.0


def test_anything_is_rare_where_normal_footage_showed_nothing():
    variants, detector = studied([Block(segment=0, times_s=[0.0, 0.5], seen=[NOTHING] * 2) for _ in range(3)])
    seen = [picture(np.random.default_rng(4))]

    scores = variants.scores(seen, GRID)

    assert {float(of_pictures[0]) for of_pictures in scores.values()} == {detector.judge(seen[0]).score}


def test_a_scale_is_looked_at_alone():
    values = {"energy": np.arange(32.0).reshape(2, 16), "score norm": np.zeros((2, 16))}

    assert SCALES[3].of(values).tolist() == [[3.0], [19.0]]
    assert AGGREGATED["energy"]["max"].of(values).shape == (2, 16)

import numpy as np
import pytest

from calibrate.blocks import Block
from calibrate.train import fold_of_blocks, learn
from detector.detector import WIDTHS, Detector, Features, Sample
from detector.family import FAMILIES
from detector.features.grid import Grid
from detector.features.stay import PAUSES, vectors

GRID = Grid(96, 160)


def block(seed, *, pictures=20, cells=10, shift=0.0):
    """Ten seconds of normal footage, or of something else."""
    generator = np.random.default_rng(seed)
    made = Block(segment=0)
    for number in range(pictures):
        made.times_s.append(10.0 * seed + number / 2)
        where = np.sort(generator.choice(60, cells, replace=False))
        samples = {
            name: Sample(where, (generator.normal(size=(cells, width)) + shift).astype(np.float16))
            for name, width in WIDTHS.items()
        }
        made.seen.append(Features(cells=where, samples=samples))
    return made


def pauses_in(blocks):
    """Those that were made up; of no picture."""
    return [cell for block in blocks if not block.times_s for seen in block.seen for cell in seen.cells]


def taught(blocks, seed=0, steps=10, on_progress=lambda share: None):
    return learn(blocks, GRID, folds=2, steps=steps, seed=seed, device="cpu", on_progress=on_progress)


@pytest.fixture(scope="module")
def blocks():
    return [block(seed) for seed in range(5)]


@pytest.fixture(scope="module")
def progress():
    """The shares told while `learned` was learned."""
    return []


@pytest.fixture(scope="module")
def learned(blocks, progress):
    return taught(blocks, on_progress=progress.append)


def test_every_block_is_scored_picture_by_picture(blocks, learned):
    assert [family.settings.name for family in learned.families] == [settings.name for settings in FAMILIES]
    assert all(family.rarity is not None for family in learned.families)
    assert len(learned.held_out) == 5
    for scored, of in zip(learned.held_out, blocks, strict=True):
        assert scored.times_s.tolist() == of.times_s
        assert scored.scores.shape == (20,)
        assert (scored.scores > 0).all()


def test_a_block_is_judged_by_densities_that_never_saw_it():
    """Something that only one block shows must stand out in its held-out scores, though all densities learn it in the
    end.
    """
    blocks = [block(seed, shift=5.0 if seed == 2 else 0.0) for seed in range(5)]

    learned = taught(blocks)

    medians = [float(np.median(scored.scores)) for scored in learned.held_out]
    assert np.argmax(medians) == 2
    assert medians[2] > 2 * np.median(medians)


def test_scores_are_those_of_a_detector_in_kind(blocks, learned):
    """Held-out scores are made as the detector makes them, so that a threshold means the same to both."""
    detector = Detector(learned.families, GRID)

    live = np.array([detector.judge(one).score for of in blocks for one in of.seen])
    held_out = np.concatenate([scored.scores for scored in learned.held_out])

    assert np.median(live) == pytest.approx(np.median(held_out), rel=0.5)


def test_pictures_without_activity_score_nothing():
    quiet = Block(segment=0, times_s=[0.0, 0.5], seen=[Features(cells=np.empty(0, np.int64), samples={})] * 2)
    mixed = block(1)
    mixed.seen[3] = quiet.seen[0]

    learned = taught([block(0), mixed, quiet, block(3)])

    assert learned.held_out[2].scores.tolist() == [0.0, 0.0]
    assert learned.held_out[1].scores[3] == 0.0
    assert (np.delete(learned.held_out[1].scores, 3) > 0).all()


def test_footage_in_which_nothing_happens_is_learned_as_that():
    quiet = [
        Block(segment=0, times_s=[0.0, 0.5], seen=[Features(cells=np.empty(0, np.int64), samples={})] * 2)
        for _ in range(3)
    ]

    learned = taught(quiet)

    assert all(family.net is None for family in learned.families)
    assert all(not scored.scores.any() for scored in learned.held_out)
    assert Detector(learned.families, GRID).judge(block(0).seen[0]).score > 3.0


def test_a_pause_that_the_footage_does_not_show_is_normal_and_a_long_stay_is_not():
    """In this footage everything moves."""
    moving = [block(seed) for seed in range(4)]
    for one in (seen for of in moving for seen in of.seen):
        for name in ("texture", "shape", "stay"):  # without the first two it is quick
            del one.samples[name]

    stay = next(family for family in taught(moving, steps=300).families if family.settings.name == "stay")

    cells = np.full(2, 25)
    short, long = stay.decades(stay.levels(vectors(cells, np.array([1.0, 50.0]), GRID)))
    assert short < 1.5
    assert long > 2.5


def test_progress_runs_from_nothing_to_all(learned, progress):
    assert progress[0] == 0.0
    assert progress[-1] == 1.0
    assert progress == sorted(progress)
    assert len(progress) == 3 * len(FAMILIES) + 1


def test_the_same_seed_learns_the_same(blocks, learned):
    again, other = (taught(blocks, seed=seed).held_out[0].scores for seed in (0, 2))

    assert np.array_equal(again, learned.held_out[0].scores)
    assert not np.array_equal(other, learned.held_out[0].scores)


def test_every_density_is_handed_out_with_the_blocks_it_has_not_seen(blocks):
    taught = []

    learned = learn(
        blocks, GRID, folds=2, steps=10, seed=0, device="cpu", on_progress=lambda share: None, on_taught=taught.append
    )

    names = [one.family.settings.name for one in taught]
    assert names == [settings.name for settings in FAMILIES for _ in range(3)]
    for number, one in enumerate(taught):
        expected = (blocks[0::2], blocks[1::2], [])[number % 3]
        assert [id(block) for block in one.held_out[: len(expected)]] == [id(block) for block in expected]
        made_up = PAUSES - len(pauses_in(one.held_out)) if one.family.settings.name == "stay" else 0
        assert len(one.learned_from) == made_up + sum(block.vectors for block in blocks) - sum(
            block.vectors for block in expected
        )
    assert [one.family.net for one in taught[2::3]] == [family.net for family in learned.families]


def test_folds_hold_out_stretches_of_time_in_turn():
    assert fold_of_blocks(5, 2) == [0, 1, 0, 1, 0]
    assert fold_of_blocks(24, 3) == [0, 0, 1, 1, 2, 2] * 4
    assert fold_of_blocks(60, 3) == ([0] * 5 + [1] * 5 + [2] * 5) * 4


def test_what_borders_on_a_long_stretch_is_not_learned_while_that_is_held_out():
    footage = [block(seed, pictures=4, cells=3) for seed in range(32)]
    for one in footage[16:]:
        one.segment = 1  # another recording: no border
    taught = []

    learn(footage, GRID, folds=2, steps=1, seed=0, device="cpu", on_progress=lambda _: None, on_taught=taught.append)

    first = taught[0]
    assert [id(one) for one in first.held_out[:-1]] == [
        id(footage[at]) for at in (*range(4), *range(8, 12), *range(16, 20), *range(24, 28))
    ]
    of_texture = next(one for one in taught if one.family.settings.name == "texture")
    learned = {tuple(vector) for vector in of_texture.learned_from.round(3).tolist()}
    shown = [
        tuple(footage[at].seen[0].samples["texture"].vectors[0].astype(np.float32).round(3).tolist()) in learned
        for at in range(32)
    ]
    assert [at for at in range(32) if shown[at]] == [5, 6, 13, 14, 15, 21, 22, 29, 30, 31]


def test_means_of_held_out_blocks_are_kept_of_families_that_say_enough(blocks, learned):
    assert set(learned.block_means) == set(WIDTHS)
    for means in learned.block_means.values():
        assert means.shape == (5,)
        assert (means > 0.0).all()


def test_a_block_in_which_hardly_anything_is_has_no_mean(blocks):
    few = block(5, pictures=1, cells=10)
    assert {name: len(means) for name, means in taught([*blocks, few]).block_means.items()} == dict.fromkeys(
        WIDTHS, 5
    )

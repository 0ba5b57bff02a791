from dataclasses import replace

import numpy as np
import pytest

from detector.family import FAMILIES, Family, FamilySettings
from detector.mulde import Training

QUICK = Training(units=(32, 32), learning_rate=3e-3, batch_size=256, steps=200, decay="cosine")
PLAIN = FamilySettings(name="plain", components=0, training=QUICK)
ROTATED = FamilySettings(name="rotated", components=3, training=QUICK)


def vectors_of(count=1000, dims=5, seed=0):
    """Normal vectors whose components have very different sizes and hang together."""
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(count, dims)) @ generator.normal(size=(dims, dims))
    return (mixed * np.logspace(-2, 2, dims) + 7.0).astype(np.float32)


def learned(settings, vectors):
    family = Family.learn(settings, vectors, seed=0)
    return family.with_rarity(family.levels(vectors), share=1.0)


@pytest.mark.parametrize("settings", [PLAIN, ROTATED], ids=lambda settings: settings.name)
def test_an_outlier_is_less_normal_than_everything_learned(settings):
    vectors = vectors_of()
    family = learned(settings, vectors)
    outliers = (vectors.mean(axis=0) + np.outer([8, -8], vectors.std(axis=0))).astype(np.float32)

    assert family.levels(outliers).min() > family.levels(vectors).max()
    assert family.decades(family.levels(outliers)).min() > 2.5


def test_decades_of_normal_vectors_are_as_rare_as_they_say():
    family = learned(PLAIN, vectors_of())
    fresh = family.decades(family.levels(vectors_of()))

    assert np.mean(fresh >= 1.0) == pytest.approx(0.1, abs=0.01)
    assert np.mean(fresh >= 2.0) == pytest.approx(0.01, abs=0.005)


def test_what_few_cells_have_is_rare_by_that_alone():
    vectors = vectors_of()
    family = Family.learn(PLAIN, vectors, seed=0)
    levels = family.levels(vectors)
    usual = family.with_rarity(levels, share=1.0).decades(levels)
    seldom = family.with_rarity(levels, share=0.1).decades(levels)

    assert (usual < 2.0).mean() > 0.98
    assert seldom[usual < 2.0] == pytest.approx(usual[usual < 2.0] + 1.0)


@pytest.mark.parametrize("settings", [PLAIN, ROTATED], ids=lambda settings: settings.name)
@pytest.mark.parametrize("count", [0, 1, 2, 150])
def test_with_too_little_to_learn_from_anything_is_unseen(settings, count):
    family = Family.learn(settings, vectors_of()[:count], seed=0)
    family = family.with_rarity(family.levels(vectors_of()[:count]), share=1.0)

    assert family.net is None
    assert family.decades(family.levels(vectors_of(4))) == pytest.approx([3.0] * 4)


@pytest.mark.parametrize("settings", [PLAIN, ROTATED], ids=lambda settings: settings.name)
def test_a_component_that_never_changes_does_no_harm_until_it_does(settings):
    vectors = vectors_of()
    vectors[:, 2] = 0.1
    family = learned(settings, vectors)
    changed = vectors[:3].copy()
    changed[:, 2] += 5.0

    assert np.isfinite(family.levels(vectors)).all()
    assert np.isfinite(family.levels(changed)).all()
    if settings.components == 0:
        assert family.levels(changed).min() > family.levels(vectors).max()


def test_only_directions_with_spread_are_kept():
    generator = np.random.default_rng(1)
    flat = (generator.normal(size=(1000, 2)) @ generator.normal(size=(2, 6))).astype(np.float32)
    family = learned(ROTATED, flat)

    assert family.projection.shape == (6, 2)
    projected = (flat - family.mean) @ family.projection
    assert projected.mean(axis=0) == pytest.approx([0.0, 0.0], abs=1e-6)
    assert np.cov(projected.T) == pytest.approx(np.eye(2), abs=1e-6)


@pytest.mark.parametrize("settings", [PLAIN, ROTATED], ids=lambda settings: settings.name)
def test_normal_vectors_that_are_all_alike_give_finite_levels(settings):
    same = np.full((300, 4), 0.1, np.float32)
    family = learned(settings, same)

    assert np.isfinite(family.decades(family.levels(np.r_[same[:5], same[:5] + 1.0]))).all()
    assert family.decades(family.levels(same[:5])) == pytest.approx([0.0] * 5)


@pytest.mark.parametrize("settings", [PLAIN, ROTATED], ids=lambda settings: settings.name)
def test_a_family_survives_as_arrays(settings):
    family = learned(settings, vectors_of())

    restored = Family.from_arrays(family.settings, family.arrays(), "cpu")

    assert restored.reading_error == family.reading_error
    fresh = vectors_of(seed=1)
    assert np.array_equal(restored.levels(fresh), family.levels(fresh))
    assert np.array_equal(restored.decades(restored.levels(fresh)), family.decades(family.levels(fresh)))


def test_a_family_that_learned_nothing_survives_as_arrays():
    family = learned(PLAIN, vectors_of(20))

    restored = Family.from_arrays(PLAIN, family.arrays(), "cpu")

    assert restored.net is None
    assert restored.decades(restored.levels(vectors_of(3))) == pytest.approx([3.0] * 3)


def test_weights_of_another_shape_are_refused():
    other = FamilySettings(name="plain", components=0, training=Training(units=(16,)))

    with pytest.raises(RuntimeError, match="state_dict"):
        Family.from_arrays(other, learned(PLAIN, vectors_of()).arrays(), "cpu")


def test_the_same_seed_learns_the_same_family():
    first, again, other = (Family.learn(PLAIN, vectors_of(), seed=seed).levels(vectors_of()) for seed in (3, 3, 4))

    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def read_exactly(family):
    return replace(family, settings=replace(family.settings, nodes=0))


@pytest.mark.parametrize("aggregate", ["mean", "max", "gmm3"])
@pytest.mark.parametrize(("low", "high"), [(1e-3, 1.0), (0.3, 3.0)])
def test_levels_read_at_few_nodes_are_off_by_no_more_than_it_says(aggregate, low, high):
    vectors = vectors_of()
    settings = replace(PLAIN, aggregate=aggregate, training=replace(QUICK, sigma_low=low, sigma_high=high))
    family = Family.learn(settings, vectors, seed=0)

    exact = read_exactly(family).levels(vectors)
    off = np.abs(family.levels(vectors) - exact).max() / exact.std()

    assert family.settings.nodes in (0, 2, 3, 4, 6, 8, 10, 12)
    assert family.reading_error <= 0.01
    assert off == pytest.approx(family.reading_error, abs=1e-4)


def test_a_mean_is_read_at_fewer_nodes_than_a_maximum():
    training = replace(QUICK, sigma_low=0.3, sigma_high=3.0)
    mean, highest = (
        Family.learn(replace(PLAIN, aggregate=kind, training=training), vectors_of(), seed=0).settings.nodes or 16
        for kind in ("mean", "max")
    )

    assert mean < highest


def test_a_single_node_is_not_enough_and_more_are_taken():
    family = Family.learn(replace(PLAIN, nodes=1, aggregate="max"), vectors_of(), seed=0)

    assert family.settings.nodes != 1


@pytest.mark.parametrize("settings", [replace(PLAIN, nodes=0), replace(PLAIN, nodes=16), replace(PLAIN, scales=2)])
def test_where_nodes_would_spare_nothing_every_scale_is_read(settings):
    family = Family.learn(settings, vectors_of(), seed=0)

    assert (family.settings.nodes, family.reading_error) == (0, 0.0)


def test_no_vectors_have_no_levels():
    family = learned(PLAIN, vectors_of())

    assert family.decades(family.levels(vectors_of(0))).shape == (0,)


def test_every_family_has_a_name_of_its_own():
    assert len({settings.name for settings in FAMILIES}) == len(FAMILIES)

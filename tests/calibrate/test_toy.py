import dataclasses
import math

import numpy as np
import pytest
from sklearn.cluster import KMeans

from calibrate.toy.experiment import Aucs, Experiment, draw_points
from calibrate.toy.settings import ToyError, ToySettings

SMALL = ToySettings(units=(64, 64), scales=4, lr=2e-3, batch_size=1000, epochs=60, eval_every=20)


def experiment(points=None, **changes):
    made = Experiment(points or draw_points(0, train=2000, test=500), dataclasses.replace(SMALL, **changes), "cpu")
    made.learn()
    return made


@pytest.fixture(scope="module")
def learned():
    return experiment()


def clusters(points, count):
    """Centres in order, and the deviation around them."""
    found = KMeans(count, n_init=10, random_state=0).fit(points)
    spread = (points - found.cluster_centers_[found.labels_]).std(axis=0)
    return sorted(map(tuple, np.round(found.cluster_centers_ * math.sqrt(2)))), spread


def test_the_points_are_those_of_the_paper():
    points = draw_points(3)
    assert (points.train.shape, points.normal.shape, points.anomalous.shape) == ((10000, 2), (5000, 2), (5000, 2))
    normal = sorted([(4, 0), (-4, 0), (0, 4), (0, -4)])
    anomalous = sorted([(2, 2), (2, -2), (-2, 2), (-2, -2), (0, 0), (7, 0), (-7, 0), (0, 7), (0, -7)])
    for of_kind, expected in ((points.train, normal), (points.normal, normal), (points.anomalous, anomalous)):
        centres, spread = clusters(of_kind, len(expected))
        assert centres == expected
        assert spread == pytest.approx([0.3 / math.sqrt(2)] * 2, rel=0.05)
    assert np.abs(points.anomalous).max(axis=0) == pytest.approx([6.8 / math.sqrt(2)] * 2, abs=1)


def test_points_come_from_their_seed_and_the_test_is_not_what_was_learned():
    one, same, other = draw_points(1), draw_points(1), draw_points(2)
    assert np.array_equal(one.train, same.train)
    assert np.array_equal(one.anomalous, same.anomalous)
    assert not np.array_equal(one.train, other.train)
    assert not np.array_equal(one.train[:5000], one.normal)


def test_a_small_network_tells_anomalous_points_from_normal_ones(learned):
    assert learned.final.energy.by_aggregate["max"] > 0.99
    assert learned.final.energy.by_aggregate["mean"] > 0.99


def test_an_untaught_network_tells_nothing():
    assert experiment(epochs=1, lr=1e-9).final.energy.by_aggregate["max"] < 0.9


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(learned):
    assert experiment().evaluations == learned.evaluations
    assert experiment(seed=1).evaluations != learned.evaluations


def test_it_is_evaluated_at_the_epochs_asked_for_and_at_the_last():
    made = experiment(epochs=5, eval_every=2)
    assert [(one.epoch, one.steps) for one in made.evaluations] == [(2, 4), (4, 8), (5, 10)]


def test_every_epoch_is_told_with_its_loss_and_its_evaluation():
    told = []
    made = Experiment(draw_points(0, train=500, test=50), dataclasses.replace(SMALL, epochs=3, eval_every=3), "cpu")
    made.learn(lambda *epoch: told.append(epoch))
    assert [epoch for epoch, _, _ in told] == [1, 2, 3]
    assert all(math.isfinite(loss) for _, loss, _ in told)
    assert [evaluation for _, _, evaluation in told] == [None, None, made.final]


def test_an_incomplete_batch_counts_as_a_step():
    points = draw_points(0, train=2100, test=50)
    assert Experiment(points, SMALL, "cpu").steps_per_epoch == 3
    assert Experiment(points, dataclasses.replace(SMALL, batch_size=9999), "cpu").steps_per_epoch == 1


def test_when_it_was_learned_is_the_first_evaluation_that_is_good_enough(learned):
    areas = [one.energy.by_aggregate["max"] for one in learned.evaluations]
    first = learned.first_with(0.99)
    assert first is learned.evaluations[next(at for at, area in enumerate(areas) if area >= 0.99)]
    assert learned.first_with(1.1) is None


def test_mixtures_are_fitted_at_the_end_and_only_if_asked_for(learned):
    assert list(learned.final.energy.by_aggregate) == ["max", "mean", "median"]
    made = experiment(gmm=True)
    assert list(made.evaluations[0].energy.by_aggregate) == ["max", "mean", "median"]
    assert list(made.final.energy.by_aggregate) == ["max", "mean", "median", "gmm1", "gmm3", "gmm5"]
    assert made.final.energy.by_aggregate["gmm3"] > 0.99


@pytest.mark.parametrize(
    "changes",
    [
        {"units": (32, 32, 32)},
        {"layernorm": True},
        {"dropout": 0.3},
        {"beta": 5.0},
        {"sigma_low": 0.3},
        {"sigma_high": 0.5},
        {"lr": 1e-4},
        {"batch_size": 300},
        {"gradient_clipping": 1e-4},
        {"unstandardized": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_setting_of_learning_matters(changes):
    points = draw_points(0, train=600, test=50)
    plain, changed = (experiment(points, **{"epochs": 3, **extra}) for extra in ({}, changes))
    assert changed.final.energy.by_scale != plain.final.energy.by_scale


def test_the_scheduler_acts_from_epoch_50_on():
    points = draw_points(0, train=300, test=50)
    for epochs, same in ((50, True), (52, False)):
        plain, scheduled = (experiment(points, epochs=epochs, use_scheduler=use) for use in (False, True))
        values = (made.maps().energy for made in (plain, scheduled))
        assert np.array_equal(*values) is same


def test_scales_are_spaced_as_asked_for():
    points = draw_points(0, train=50, test=50)
    linear, geometric = (
        Experiment(points, dataclasses.replace(SMALL, scales=3, sigma_low=0.01, sigma_spacing=spacing), "cpu").sigmas
        for spacing in ("linear", "geometric")
    )
    assert linear == pytest.approx([0.01, 0.505, 1])
    assert geometric == pytest.approx([0.01, 0.1, 1])


def test_maps_reach_beyond_all_points_by_the_offset():
    made = experiment(epochs=1, meshgrid_offset=2.5)
    maps, anomalous = made.maps(), made.points.anomalous
    assert (maps.across[0], maps.across[-1]) == pytest.approx(
        (anomalous[:, 0].min() - 2.5, anomalous[:, 0].max() + 2.5)
    )
    assert (maps.up[0], maps.up[-1]) == pytest.approx((anomalous[:, 1].min() - 2.5, anomalous[:, 1].max() + 2.5))
    assert maps.energy.shape == maps.score_norm.shape == (4, len(maps.up), len(maps.across))


def test_the_energy_map_is_low_at_the_clusters_and_rises_away_from_them(learned):
    maps = learned.maps()
    at = {"cluster": (4 / math.sqrt(2), 0), "centre": (0, 0), "corner": (5, 5)}
    column, row = (lambda x: np.abs(maps.across - x).argmin()), (lambda y: np.abs(maps.up - y).argmin())
    energy = {name: maps.energy[:, row(y), column(x)] for name, (x, y) in at.items()}
    assert (energy["cluster"] < energy["centre"]).all()
    assert (energy["centre"] < energy["corner"]).all()


def test_a_loss_without_bounds_is_an_error_that_says_what_to_change():
    with pytest.raises(ToyError, match="diverged: lower --lr"):
        experiment(lr=1e30, epochs=80)


def test_the_oracle_is_the_best_of_all_by_name():
    aucs = Aucs(by_aggregate={"max": 0.8, "mean": 0.7}, by_scale=(0.6, 0.9))
    assert aucs.oracle == ("scale 2", 0.9)
    assert dataclasses.replace(aucs, by_scale=(0.6, 0.1)).oracle == ("max", 0.8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": ()}, "--units: must be 1 to 65536 neurons a layer, not none"),
        ({"units": (256, 0)}, "--units: must be 1 to 65536 neurons a layer, not 256 0"),
        ({"dropout": 1.0}, "--dropout: must be at least 0 and below 1, not 1"),
        ({"sigma_low": 0.0}, "--sigma-low: must be above 0, not 0"),
        ({"sigma_low": 2.0}, "--sigma-low: must be below --sigma-high (1), not 2"),
        ({"sigma_high": math.inf}, "--sigma-high: must be a finite number, not inf"),
        ({"scales": 0}, "--L: must be at least 1, not 0"),
        ({"beta": -0.1}, "--beta: must be at least 0, not -0.1"),
        ({"beta": math.nan}, "--beta: must be a finite number, not nan"),
        ({"lr": 0.0}, "--lr: must be above 0, not 0"),
        ({"batch_size": 0}, "--batch-size: must be at least 1, not 0"),
        ({"epochs": 0}, "--epochs: must be at least 1, not 0"),
        ({"eval_every": 0}, "--eval-every: must be at least 1, not 0"),
        ({"gradient_clipping": 0.0}, "--gradient-clipping: must be above 0, not 0"),
        ({"meshgrid_offset": -1.0}, "--meshgrid-offset: must be at least 0, not -1"),
        ({"seed": -1}, "--seed: must be 0 to 4294967295, not -1"),
    ],
    ids=str,
)
def test_a_setting_out_of_bounds_is_told_with_its_option(changes, message):
    with pytest.raises(ToyError) as raised:
        ToySettings(**changes)
    assert str(raised.value) == message

"""A second regime is added by the command line, and watching goes over to it and back by itself."""

import json
import shutil
from dataclasses import replace
from itertools import groupby

import pytest

from calibrate.backtest.replay import Setup, alerts, watch
from configs.schema import Config
from detector import bundle
from detector.features.network import Network
from detector.watcher import Watcher
from tests import program
from tests.clips import film

SMALL = "width=320&height=180"
NIGHT = f"demo://street?seconds=45&{SMALL}&dark=1"


@pytest.fixture(scope="module")
def model(tmp_path_factory, street):
    """By day and by night."""
    folder = tmp_path_factory.mktemp("regimes")
    path = folder / "street.mulde"
    shutil.copy(street.model, path)
    made = program.run(
        folder, "calibrate", NIGHT, "--model", path, "--regime", "night", "--config", street.config, "--device", "cpu"
    )
    assert made.returncode == 0, made.stderr
    return path


@pytest.fixture(scope="module")
def nightfall(tmp_path_factory):
    """Twelve seconds by day, as many by night, and by day again."""
    day = f"demo://street?seed=8&{SMALL}&seconds=12"
    return film(tmp_path_factory.mktemp("film") / "nightfall.mp4", day, f"{day}&dark=1", day)


def setup(bundles):
    config = Config()
    return Setup(
        bundles=bundles,
        where="street.mulde",
        device="cpu",
        network=Network("cpu", 1),
        clip_network=None,
        policy=config.policy,
        connection=config.connection,
        drift_days=30.0,
        thresholds={one.regime: one.budget.threshold for one in bundles},
    )


def test_calibrating_a_regime_leaves_the_other_as_it_was(model, street):
    usual, night = bundle.read_all(model)
    (alone,) = bundle.read_all(street.model)

    assert (usual.regime, night.regime) == ("usual", "night")
    assert usual.budget == alone.budget
    assert usual.arrays.keys() == alone.arrays.keys()
    assert night.provenance.footage == (NIGHT,)
    assert (model.parent / "street.night.html").exists()


def test_watching_goes_over_with_the_light_and_back_without_an_alert(model, nightfall):
    made = setup(bundle.read_all(model))

    seen = watch("nightfall", str(nightfall), made)

    stays = [(regime, next(moments).time_s) for regime, moments in groupby(seen.moments, lambda one: one.regime)]
    assert [regime for regime, _ in stays] == ["usual", "night", "usual"]
    assert [time_s for _, time_s in stays] == pytest.approx([0.0, 13.0, 25.0], abs=0.7)
    assert alerts(seen, made.policy, made.thresholds) == ()


def test_with_the_day_alone_nightfall_is_an_alert(model, nightfall):
    made = setup(bundle.read_all(model)[:1])

    assert alerts(watch("nightfall", str(nightfall), made), made.policy, made.thresholds)


def test_a_backtest_tries_both_thresholds(model, nightfall, street):
    made = program.run(model.parent, "backtest", model, nightfall, "--config", street.config, "--json")

    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    assert found["thresholds"] == {one.regime: one.budget.threshold for one in bundle.read_all(model)}
    assert {tuple(one["thresholds"]) for one in found["what_if"]} == {("usual", "night")}


def test_calibrating_without_a_name_would_lose_them_and_is_refused_at_once(model, street):
    before = model.read_bytes()

    made = program.run(model.parent, "calibrate", NIGHT, "--model", model, "--config", street.config)

    assert made.returncode == 1
    assert "holds usual, night: say with --regime" in made.stderr
    assert model.read_bytes() == before


def test_a_file_that_loses_the_regime_it_is_in_goes_on_with_another(model):
    both = bundle.read_all(model)
    watcher = Watcher(both, "street.mulde", "cpu", None, 30.0)

    watcher.take_up(both[:1])

    assert [one.regime for one in watcher.bundles] == ["usual"]
    with pytest.raises(bundle.BundleError, match="a regime has no"):
        watcher.take_up(tuple(without_signature(one) for one in both))
    assert [one.regime for one in watcher.bundles] == ["usual"]


def without_signature(made):
    arrays = {name: array for name, array in made.arrays.items() if not name.startswith("regime.")}
    return replace(made, arrays=arrays)

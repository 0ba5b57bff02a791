import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from calibrate.toy.experiment import Experiment, draw_points
from calibrate.toy.record import open_record
from calibrate.toy.settings import ToyError, ToySettings

PICTURES = {"dataset", "energy", "energy_with_points", "score_norm", "score_norm_with_points"}


@pytest.fixture(scope="module")
def experiment():
    settings = ToySettings(units=(8,), scales=2, sigma_low=0.5, epochs=3, eval_every=2, gmm=True)
    return Experiment(draw_points(0, train=300, test=50), settings, "cpu")


@pytest.fixture(scope="module")
def folder(experiment, tmp_path_factory):
    """What an experiment left."""
    folder = tmp_path_factory.mktemp("toy") / "made" / "here"
    with open_record(folder) as record:
        experiment.learn(lambda *epoch: record.add_epoch(*epoch, experiment.sigmas))
        record.add_pictures(experiment, with_dataset=True)
        record.add_result({"auc": {"max": 0.5}})
    return folder


@pytest.fixture(scope="module")
def events(folder):
    return EventAccumulator(str(folder)).Reload()


def test_the_curves_of_every_scale_and_aggregate_are_there(events):
    aggregates = ("max", "mean", "median", "gmm1", "gmm3", "gmm5")
    expected = {"loss"}
    for what in ("energy", "score_norm"):
        expected |= {f"roc_auc_{what}_individual/sigma_{sigma}" for sigma in ("0.5", "1")}
        expected |= {f"roc_auc_{what}_aggregate/{kind}" for kind in aggregates}
        expected.add(f"_roc_auc_best/{what}_oracle_needs_labels")
    assert set(events.Tags()["scalars"]) == expected


def test_the_curves_hold_what_was_measured(events, experiment):
    assert [one.step for one in events.Scalars("loss")] == [1, 2, 3]
    curve = [(one.step, one.value) for one in events.Scalars("roc_auc_energy_aggregate/max")]
    measured = [(one.epoch, one.energy.by_aggregate["max"]) for one in experiment.evaluations]
    assert curve == [(epoch, pytest.approx(area)) for epoch, area in measured]
    (*_, last) = events.Scalars("_roc_auc_best/energy_oracle_needs_labels")
    assert last.value == pytest.approx(experiment.final.energy.oracle[1])


def test_the_pictures_are_there_for_tensorboard_and_as_files(events, folder):
    assert set(events.Tags()["images"]) == PICTURES
    assert {path.stem for path in folder.glob("*.png")} == PICTURES


def test_the_result_is_there_as_json(folder):
    assert json.loads((folder / "result.json").read_text()) == {"auc": {"max": 0.5}}


def test_the_dataset_is_drawn_only_if_asked_for(experiment, folder, tmp_path):
    with open_record(tmp_path) as record:
        record.add_pictures(experiment, with_dataset=False)
    assert {path.stem for path in tmp_path.glob("*.png")} == PICTURES - {"dataset"}


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ToyError, match=r"--out .*/file/below: cannot be written: Not a directory"),
        open_record(tmp_path / "file" / "below"),
    ):
        pass


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "result.json").mkdir()
    with open_record(tmp_path) as record, pytest.raises(ToyError, match=r"result\.json: cannot be written: Is a dir"):
        record.add_result({})

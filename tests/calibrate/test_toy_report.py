import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from calibrate.toy.experiment import Aucs, Evaluation, Experiment, draw_points
from calibrate.toy.report import bar, result, terminal_report
from calibrate.toy.settings import ToySettings


def evaluation(epoch, area):
    energy = Aucs(by_aggregate={"max": area, "mean": 0.7, "median": 0.6}, by_scale=(0.55, 0.999))
    score_norm = Aucs(by_aggregate={"max": 0.51, "mean": 0.52, "median": 0.53}, by_scale=(0.54, 0.5))
    return Evaluation(epoch=epoch, steps=5 * epoch, energy=energy, score_norm=score_norm)


@pytest.fixture
def experiment():
    made = Experiment(draw_points(0, train=10, test=10), ToySettings(scales=2, sigma_low=0.5), "cpu")
    made.evaluations = [evaluation(10, 0.4), evaluation(20, 0.995), evaluation(30, 0.993)]
    return made


def printed(experiment, width=100):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(terminal_report(experiment, Path("runs/toy")))
    return console.file.getvalue()


def test_the_table_begins_with_the_default_and_ends_with_what_is_called_an_oracle(experiment):
    rows = [line.strip("│ ").split("│") for line in printed(experiment).splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert cells[0] == ["max over scales (the default)", "0.99300", "0.51000"]
    assert [row[0] for row in cells[1:5]] == ["mean", "median", "scale 1, σ = 0.5", "scale 2, σ = 1"]
    assert cells[5] == ["best on the test data (an oracle: needs labels)", "0.99900", "0.54000"]
    assert cells[6][-2:] == ["scale 2", "scale 1"]


def test_the_report_says_how_soon_it_was_learned_and_where_the_pictures_are(experiment):
    text = " ".join(printed(experiment).split())
    assert "energy max found at 0.99 or more first in epoch 20, after 100 steps" in text
    assert "tensorboard --logdir runs/toy" in text
    experiment.evaluations = experiment.evaluations[:1]
    assert "energy max never reached 0.99" in " ".join(printed(experiment).split())


def test_the_result_holds_every_number_and_survives_json(experiment):
    made = json.loads(json.dumps(result(experiment, Path("runs/toy")), allow_nan=False))
    assert made["auc"] == {"max": 0.993, "mean": 0.7, "median": 0.6}
    assert made["auc_score_norm"] == {"max": 0.51, "mean": 0.52, "median": 0.53}
    assert made["auc_by_scale"] == {"sigma": [0.5, 1.0], "energy": [0.55, 0.999], "score_norm": [0.54, 0.5]}
    assert made["oracle"]["energy"] == {"auc": 0.999, "of": "scale 2", "needs_labels": True}
    assert (made["epochs_to_auc_0.99"], made["steps_to_auc_0.99"], made["steps"]) == (20, 100, 150)
    assert made["settings"]["units"] == [4096, 4096]
    assert made["out"] == "runs/toy"


def test_what_was_never_learned_is_null(experiment):
    experiment.evaluations = experiment.evaluations[:1]
    made = result(experiment, Path("runs/toy"))
    assert made["epochs_to_auc_0.99"] is None
    assert made["steps_to_auc_0.99"] is None


def test_the_bar_shows_epoch_loss_and_the_latest_area():
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with bar(console, 4) as on_epoch:
        on_epoch(1, 0.75, evaluation(1, 0.42))
        on_epoch(2, 0.5, None)
    last = console.file.getvalue().rpartition("epoch")[2]
    assert last.startswith(" 2/4")
    assert "loss 0.5000  AUC 0.42000" in last


def test_where_there_is_no_terminal_there_is_no_bar():
    console = Console(file=io.StringIO())
    with bar(console, 4) as on_epoch:
        on_epoch(1, 0.75, None)
    assert console.file.getvalue().strip() == ""

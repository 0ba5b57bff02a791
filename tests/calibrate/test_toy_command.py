import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from calibrate.toy.command import ToyCommand, toy
from calibrate.toy.settings import ToyError

SMALL = ("--batch-size", "10000", "--epochs", "2", "--L", "2", "--device", "cpu")
PICTURES = {"energy.png", "energy_with_points.png", "score_norm.png", "score_norm_with_points.png"}


def run(*arguments):
    app = typer.Typer()
    app.command(cls=ToyCommand)(toy)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run_json(folder, *arguments):
    ended = run(*SMALL, "--json", "--out", folder, *arguments)
    assert ended.exception is None
    assert ended.stderr == ""
    return json.loads(ended.stdout)


@pytest.mark.parametrize(
    ("words", "units"),
    [
        ("--units 16 8 4", [16, 8, 4]),
        ("--units 16 --units 8", [16, 8]),
        ("--units=16 8", [16, 8]),
        ("--units 16 8 --beta 0.2", [16, 8]),
        ("--units 16", [16]),
    ],
)
def test_units_take_all_numbers_that_follow(tmp_path, words, units):
    assert run_json(tmp_path, *words.split())["settings"]["units"] == units


@pytest.mark.parametrize(
    "words", ["--units 8 x", "--units 8 --epochs 2 9", "8 --units 8", "--units x", "--units", "--L 2 2"]
)
def test_numbers_elsewhere_are_no_units(tmp_path, words):
    ended = run("--out", tmp_path, *words.split())
    assert ended.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_every_option_reaches_the_experiment(tmp_path):
    given = {
        "beta": 0.2,
        "L": 3,
        "sigma_low": 0.01,
        "sigma_high": 0.9,
        "sigma_spacing": "geometric",
        "lr": 0.001,
        "batch_size": 5000,
        "epochs": 3,
        "dropout": 0.1,
        "gradient_clipping": 0.5,
        "meshgrid_offset": 2.0,
        "eval_every": 2,
        "seed": 7,
    }
    flags = ("gmm", "layernorm", "use_scheduler", "unstandardized")
    options = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]
    made = run_json(tmp_path, *options, *(f"--{flag.replace('_', '-')}" for flag in flags), "--units", 8, 8)
    expected = {**given, "scales": given["L"], "units": [8, 8], **dict.fromkeys(flags, True)}
    del expected["L"]
    assert made["settings"] == expected


def test_the_folder_holds_pictures_curves_and_the_same_result(tmp_path):
    made = run_json(tmp_path, "--units", 8, 8, "--plot-dataset", "--gmm")
    assert set(made["auc"]) == {"max", "mean", "median", "gmm1", "gmm3", "gmm5"}
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= PICTURES | {"dataset.png", "result.json"}
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert json.loads((tmp_path / "result.json").read_text()) == made


def test_same_seed_same_numbers(tmp_path):
    one, same, other = (run_json(tmp_path, "--units", 8, "--seed", seed) for seed in (1, 1, 2))
    assert one["auc_by_scale"] == same["auc_by_scale"]
    assert one["auc_by_scale"] != other["auc_by_scale"]


def test_without_a_folder_it_goes_to_runs_under_the_name_of_the_experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = run(*SMALL, "--units", 8, "--experiment-name", "narrow")
    assert ended.exit_code == 0
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("narrow-")
    assert {path.name for path in folder.iterdir()} >= PICTURES
    assert ended.stdout.splitlines()[0].strip() == "area under the ROC curve, test points"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--units 0", "--units: must be 1 to 65536 neurons a layer, not 0"),
        ("--sigma-low 1 --sigma-high 0.5", "--sigma-low: must be below --sigma-high (0.5), not 1"),
    ],
)
def test_a_value_out_of_bounds_is_told_before_anything_is_written(tmp_path, words, message):
    ended = run("--out", tmp_path, *words.split())
    assert isinstance(ended.exception, ToyError)
    assert str(ended.exception) == message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_before_learning(tmp_path):
    file = tmp_path / "file"
    file.touch()
    ended = run("--out", file, "--device", "cpu")  # with the default network, which would take hours
    assert isinstance(ended.exception, ToyError)
    assert str(ended.exception) == f"--out {file}: cannot be written: File exists"

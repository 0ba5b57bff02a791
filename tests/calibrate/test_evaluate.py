"""One evaluation of drawn scenes: two ordinary stretches of a street to learn from, two labelled ones to score."""

import io
import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from calibrate.evaluate import command, plots
from calibrate.evaluate import report as evaluation_report
from calibrate.evaluate.evaluation import STAGES, Settings, evaluate
from calibrate.evaluate.labels import LabelsError, fitted, ranges
from calibrate.evaluate.layouts import find
from calibrate.evaluate.metrics import looking_ahead
from calibrate.evaluate.variants import AGGREGATED, ALL, SCALES
from calibrate.footage import FootageError
from configs.schema import Config, ConfigError
from configs.settings import AnalysisSettings, CalibrationSettings
from detector.family import FAMILIES
from detector.scales import AGGREGATES
from stream.policy import Smoother
from stream.scene import open_scene
from tests.clips import film

CONFIG = Config(
    analysis=AnalysisSettings(rate_fps=5.0, long_side_px=320),
    calibration=CalibrationSettings(folds=2, steps=60),
)
SETTINGS = Settings(config=CONFIG, device="cpu", threads=1, seeds=(1, 2), ablation=True)
SIZE = "width=320&height=180"
VAN = f"demo://street?seed=8&seconds=20&anomalies=1&kinds=vehicle&{SIZE}"
FAMILY_NAMES = [settings.name for settings in FAMILIES]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A dataset with labels.json and masks, both from what the scene says of its van."""
    root = tmp_path_factory.mktemp("street")
    for name in ("train", "test"):
        (root / name).mkdir()
    for seed in (1, 2):
        film(root / "train" / f"{seed}.mp4", f"demo://street?seed={seed}&seconds=20&{SIZE}")
    film(root / "test" / "van.mp4", VAN)
    film(root / "test" / "quiet.mp4", f"demo://street?seed=9&seconds=6&{SIZE}")
    scene = open_scene(VAN)
    frames, quiet_frames = round(20 * scene.fps), round(6 * scene.fps)
    masks = np.zeros((frames, 180, 320), np.bool_)
    for frame, event in itertools.product(range(frames), scene.events):
        time_s = frame / scene.fps
        if event.start_s <= time_s <= event.end_s:
            x0, y0, x1, y1 = (side * of for side, of in zip(event.box(time_s), (320, 180) * 2, strict=True))
            masks[frame, math.floor(y0) : math.ceil(y1), math.floor(x0) : math.ceil(x1)] = True
    labels = {
        "width": 320,
        "test": {
            "van.mp4": {"frames": frames, "anomalous": ranges(masks.any(axis=(1, 2)))},
            "quiet.mp4": {"frames": quiet_frames, "anomalous": []},
        },
    }
    (root / "labels.json").write_text(json.dumps(labels))
    np.savez(
        root / "masks.npz",
        van=np.packbits(masks, axis=-1),
        quiet=np.zeros((quiet_frames, 180, 40), np.uint8),
    )
    return root


@pytest.fixture(scope="session")
def dataset(folder):
    return fitted(find(folder), CONFIG.connection)


@pytest.fixture(scope="session")
def progress():
    """The stages and shares told during the evaluation."""
    return []


@pytest.fixture(scope="session")
def evaluation(dataset, progress):
    return evaluate(dataset, SETTINGS, lambda stage, share: progress.append((stage, share)))


@pytest.fixture(scope="session")
def made(evaluation):
    return evaluation_report.summary(evaluation)


def test_a_van_on_the_lawn_stands_out(made):
    assert made["micro_auc_causal"] > 0.9
    assert made["macro_auc_causal"] > 0.9
    assert made["average_precision"] > 0.8
    assert made["equal_error_rate"] < 0.2
    assert made["macro_videos"] == 1


def test_the_place_is_checked_by_the_masks(made):
    assert made["region_overlap"] > 0.7
    assert 0.0 < made["region_centre"] <= made["region_overlap"]
    assert 0.0 < made["region_area"] < 0.5


def test_every_frame_has_a_score_held_from_the_analysed_one_before(evaluation):
    for one in evaluation.videos:
        step = round(one.video.fps / CONFIG.analysis.rate_fps)
        trace = one.traces[0]
        assert trace.raw.shape == trace.causal.shape == trace.lookahead.shape == one.video.anomalous.shape
        changes = np.flatnonzero(np.diff(trace.raw)) + 1
        assert step > 1
        assert len(changes) > 10
        assert not (changes % step).any()


def test_causal_scores_are_smoothed_as_live_and_lookahead_ones_as_in_papers(evaluation):
    for one in evaluation.videos:
        trace = one.traces[0]
        step = round(one.video.fps / CONFIG.analysis.rate_fps)
        smoother = Smoother(CONFIG.policy.smoothing_s)
        live = [smoother.step(index / one.video.fps, trace.raw[index]) for index in range(0, len(trace.raw), step)]
        assert trace.causal[::step] == pytest.approx(live, abs=0.02)  # by the clock of the file, whose steps vary
        assert np.array_equal(trace.lookahead, looking_ahead(trace.raw))


def test_each_seed_is_learned_with_and_the_first_is_reported(evaluation, made):
    first, second = made["seeds"]

    assert (first["seed"], second["seed"]) == (1, 2)
    assert first["micro_auc_causal"] == made["micro_auc_causal"]
    van = evaluation.videos[1]
    assert van.video.name == "van"
    assert not np.array_equal(van.traces[0].raw, van.traces[1].raw)
    assert np.corrcoef(van.traces[0].raw, van.traces[1].raw)[0, 1] > 0.8


def test_families_scales_and_aggregates_are_measured_one_by_one(made):
    assert list(made["per_family"]) == FAMILY_NAMES
    assert list(made["per_scale"]) == [str(number) for number in range(1, 17)]
    assert list(made["per_aggregate"]) == list(made["per_aggregate_of_score_norms"]) == list(AGGREGATES)
    for key in ("per_family", "per_scale", "per_aggregate", "per_aggregate_of_score_norms"):
        assert all(0.0 <= value <= 1.0 for value in made[key].values())


def test_the_products_own_reading_as_a_variant_scores_as_the_product(evaluation):
    """They differ in what the rarities are learned from: a sample of the held-out vectors here, all of them there."""
    mean = AGGREGATED["energy"]["mean"]

    for one in evaluation.videos:
        assert np.corrcoef(one.variants[mean], one.traces[0].causal)[0, 1] > 0.95


def test_variants_are_different_scores(evaluation):
    van = evaluation.videos[1]

    assert set(van.variants) == set(ALL)
    assert len(ALL) == len(SCALES) + 2 * len(AGGREGATES)
    assert len({scores.tobytes() for scores in van.variants.values()}) == len(ALL)


def test_progress_runs_through_all_stages_to_the_end(progress):
    assert list(dict.fromkeys(stage for stage, _ in progress)) == list(STAGES)
    for stage in STAGES:
        shares = [share for of, share in progress if of == stage]
        assert shares == sorted(shares)
        assert 0.95 < shares[-1] <= 1.0


def test_time_is_told_by_stage(made):
    assert list(made["seconds_by_stage"]) == list(STAGES)
    assert all(seconds > 0.0 for seconds in made["seconds_by_stage"].values())
    assert made["seconds"] == pytest.approx(sum(made["seconds_by_stage"].values()))


def test_the_summary_is_one_line_of_json_and_back(made):
    text = evaluation_report.as_json(made)

    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert json.loads(text) == made
    assert set(made["videos"]) == {"quiet", "van"}
    assert made["videos"]["quiet"]["auc_causal"] is None


def test_the_table_says_what_counts_and_what_looks_ahead(made):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(evaluation_report.table(made))
    text = console.export_text()

    assert f"{made['micro_auc_causal']:.2%}" in text
    assert "look-ahead" in text
    assert "over 2 seeds" in text
    assert all(name in text for name in (*FAMILY_NAMES, *AGGREGATES))


def test_everything_is_written(evaluation, made, tmp_path):
    evaluation_report.write(evaluation, made, tmp_path)
    plots.draw(evaluation, tmp_path)

    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    of_videos = {
        f"{folder}/{name}.{ending}"
        for name in ("van", "quiet")
        for folder, ending in (("scores", "json"), ("videos", "png"))
    }
    assert files == {"metrics.json", "roc.png", *of_videos}
    assert json.loads((tmp_path / "metrics.json").read_text()) == made
    scores = json.loads((tmp_path / "scores" / "van.json").read_text())
    assert scores["causal"] == pytest.approx(evaluation.videos[1].traces[0].causal, abs=1e-5)
    assert len(scores["anomalous"]) == 1


def test_each_camera_is_learned_by_itself(dataset):
    """The same recordings under two names give the same scores twice."""
    (camera,) = dataset.cameras
    config = Config(
        analysis=AnalysisSettings(rate_fps=2.0, long_side_px=160), calibration=CalibrationSettings(folds=2, steps=10)
    )
    settings = Settings(config=config, device="cpu", threads=1, seeds=(1,), ablation=False)
    quiet = replace(camera, test=camera.test[:1])

    both = evaluate(replace(dataset, cameras=(quiet, replace(quiet, name="b"))), settings, lambda stage, share: None)

    first, second = both.videos
    assert np.array_equal(first.traces[0].raw, second.traces[0].raw)
    assert first.families == first.variants == {}


def test_footage_that_is_too_little_for_its_folds_is_refused(dataset):
    config = CONFIG.model_copy(update={"calibration": CONFIG.calibration.model_copy(update={"folds": 20})})

    with pytest.raises(FootageError, match="at least 20 recordings, or as many stretches of 10 s, not 4"):
        evaluate(dataset, replace(SETTINGS, config=config), lambda stage, share: None)


# The command.


@pytest.fixture
def run(tmp_path):
    app = typer.Typer()
    app.command()(command.evaluate)
    config = tmp_path / "small.yaml"
    config.write_text(
        "analysis: {rate_fps: 3, long_side_px: 160}\ncalibration: {folds: 2, steps: 20}\nworker: {device: cpu}\n"
    )

    def invoke(*arguments):
        return CliRunner().invoke(app, [*map(str, arguments), "--config", str(config)], catch_exceptions=False)

    return invoke


def test_json_is_all_that_is_printed(run, folder, tmp_path):
    out = tmp_path / "new" / "out"
    test, labels = folder / "test", folder / "labels.json"

    result = run(
        "--test", test, "--train", folder / "train", "--labels", labels, "--out", out, "--json", "--no-ablation"
    )

    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told == json.loads((out / "metrics.json").read_text())
    assert told["per_family"] == told["per_scale"] == told["per_aggregate"] == {}
    assert told["region_overlap"] is None
    assert told["settings"]["analysis"]["long_side_px"] == 160


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--test", "{root}", "--out", "{root}/labels.json/out"], "labels.json/out: cannot be written"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(run, folder, arguments, message):
    result = run(*(argument.format(root=folder) for argument in arguments))

    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "{root}/labels.json"], "--labels needs --train"),
        (["--train", "{root}/train"], "--train and --masks go with --labels"),
        (["--masks", "{root}/masks.npz"], "--train and --masks go with --labels"),
    ],
)
def test_options_that_need_each_other_are_told(run, folder, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run("--test", folder / "test", *(argument.format(root=folder) for argument in arguments))


def test_a_folder_that_is_no_dataset_is_told(run, folder):
    with pytest.raises(LabelsError, match="train: no dataset that is known here"):
        run("--test", folder / "train")

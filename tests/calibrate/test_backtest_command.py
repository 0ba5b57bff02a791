"""`backtest` on the command line, and that it says what `watch` says."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import run_stream
from calibrate.backtest.replay import Setup, watch
from configs.schema import load
from detector.bundle import read
from detector.features.network import Network
from tests.clips import film, make_clip
from tests.program import Program, run

SIZE = "width=320&height=180"
VAN = f"demo://street?seed=8&seconds=20&anomalies=1&kinds=vehicle&{SIZE}"
FRAMES = 300
PATIENT = "worker: {device: cpu, threads: 1, staleness_s: 60}\n"


@pytest.fixture(scope="module")
def van(tmp_path_factory):
    return film(tmp_path_factory.mktemp("clips") / "van.mp4", VAN)


def labels(folder, name="van.mp4", frames=FRAMES):
    path = folder / "labels.json"
    path.write_text(json.dumps({"test": {name: {"frames": frames, "anomalous": [[170, 280]]}}}))
    return path


def invoke(*arguments):
    return CliRunner().invoke(run_stream.app, ["backtest", *map(str, arguments)])


@pytest.mark.timeout(240)
def test_it_gives_the_alerts_of_watch_from_the_same_scores_to_the_last_digit(tmp_path, street, van):
    config = tmp_path / "site.yaml"
    config.write_text(street.config.read_text().replace("worker: {device: cpu, threads: 1}\n", PATIENT))
    made = run(tmp_path, "backtest", street.model, van, "--config", config, "--json")
    assert made.returncode == 0, made.stderr
    episodes = json.loads(made.stdout)["episodes"]
    model, settings = read(street.model), load(config)
    setup = Setup(
        bundles=(model,),
        where=str(street.model),
        device="cpu",
        network=Network("cpu", 1),
        clip_network=None,
        policy=settings.policy,
        connection=settings.connection,
        drift_days=30.0,
        thresholds={model.regime: model.budget.threshold},
    )
    expected = [(one.time_s, one.score, one.region) for one in watch("van.mp4", str(van), setup).moments]

    folder = tmp_path / "run"
    with Program(folder, "watch", van, "--model", street.model, "--config", config, "--json", "--headless") as live:
        live.wait_for(lambda: [one for one in live.objects("score") if one["stream_time_s"] >= expected[-1][0]], 90)
        live.remember_memory()
        live.interrupt()
        assert live.end() == 0
        heard = live.objects("score")
        told = live.objects("alert")

    scores = [
        (one["stream_time_s"], one["score"], None if one["region"] is None else tuple(one["region"])) for one in heard
    ]
    assert [score[0] for score in scores] == [one[0] for one in expected], "too slow a machine to watch every frame"
    assert scores == expected
    ends = [one for one in told if one["event"] == "end"]
    starts = [one for one in told if one["event"] == "start"]
    assert len(episodes) >= 1
    assert [(one["start_s"], one["end_s"], one["score"], one["threshold"], one["region"]) for one in episodes] == [
        (start["stream_time_s"], end["stream_time_s"], end["score"], end["threshold"], end["region"])
        for start, end in zip(starts, ends, strict=True)
    ]
    kept = [json.loads(line) for line in run(folder, "alerts", "export").stdout.splitlines()]
    assert [one["peak_s"] for one in episodes] == [one["peaked_s"] for one in kept]


def test_it_prints_tables_and_writes_episodes_with_pictures(tmp_path, street, van):
    out = tmp_path / "out"
    made = invoke(street.model, van, "--config", street.config, "--labels", labels(tmp_path), "--out", out)

    assert made.exit_code == 0, made.output
    assert "1 of 1 labelled range" in made.output
    assert "what if" in made.output
    content = json.loads((out / "episodes.json").read_text())
    assert content["labels"]["catches"][0]["start_s"] == pytest.approx(170 / 15)
    assert content["episodes"]
    for episode in content["episodes"]:
        assert re.fullmatch(r".*/out/\d{3}-van\.mp4\.jpg", episode["picture"])
    pictures = sorted(str(path) for path in out.glob("*.jpg"))
    assert pictures == [episode["picture"] for episode in content["episodes"]]
    assert all(Path(picture).read_bytes()[:3] == b"\xff\xd8\xff" for picture in pictures)


def test_the_same_twice_is_the_same_to_the_last_byte(street, van):
    first, again = (invoke(street.model, van, "--config", street.config, "--json") for _ in range(2))

    assert first.exit_code == 0, first.output
    assert first.stdout == again.stdout
    assert json.loads(first.stdout)["alerts"] >= 1


def test_a_folder_stands_for_its_videos_and_a_scene_for_its_length(tmp_path, street):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("b.mp4", "a.mp4"):
        make_clip(folder / name)
    scene = f"demo://street?seed=9&seconds=4&{SIZE}"
    made = invoke(street.model, folder, scene, "--config", street.config, "--json")

    assert made.exit_code == 0, made.output
    videos = json.loads(made.stdout)["videos"]
    assert [one["video"] for one in videos] == ["a.mp4", "b.mp4", scene]
    assert [one["length_s"] for one in videos] == pytest.approx([2.0, 2.0, 4.0], abs=0.1)


def test_videos_of_one_name_are_told_apart_by_their_folders(tmp_path, street):
    paths = [tmp_path / "one" / "a.mp4", tmp_path / "two" / "a.mp4"]
    for path in paths:
        path.parent.mkdir()
        make_clip(path, frames=25)
    made = invoke(street.model, *paths, "--config", street.config, "--json")

    assert [one["video"] for one in json.loads(made.stdout)["videos"]] == [str(path) for path in paths]


def test_another_budget_or_threshold_takes_the_place_of_the_models(street, van):
    model = read(street.model)
    daily = next(budget for budget in model.others if budget.alerts_per_day == 1.0)

    asked = json.loads(invoke(street.model, van, "--alerts-per-day", 2, "--json").stdout)
    given = json.loads(invoke(street.model, van, "--threshold", 1e6, "--json").stdout)

    assert (asked["budget_per_day"], asked["thresholds"]) == (1.0, {"usual": daily.threshold})
    assert (given["budget_per_day"], given["thresholds"], given["alerts"]) == (None, {"usual": 1e6}, 0)
    assert given["interval"][0] == 0.0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("MODEL", "missing.mp4"), r"missing\.mp4"),
        (("missing.mulde", "VAN"), r"missing\.mulde: no such model"),
        (("VAN", "VAN"), r"van\.mp4: not a model"),
        (("MODEL", "rtsp://me:secret@camera/1"), r"rtsp://.*camera/1: is a camera: backtest takes recordings"),
        (("MODEL", "VAN", "--threshold", 1, "--alerts-per-day", 1), r"--threshold and --alerts-per-day"),
        (("MODEL", "VAN", "--threshold", "nan"), r"--threshold must be a number, not nan"),
        (("MODEL", "VAN", "--alerts-per-day", 0.01), r"knows no threshold for 0\.01 alerts a day"),
        (("MODEL", "VAN", "--labels", "missing.json"), r"missing\.json: cannot be read"),
        (("MODEL", "EMPTY"), r"no video in this folder"),
        (("MODEL", "VAN", "--config", "OTHER"), r"rate_fps 5\.0, calibrated with 3\.0"),
        (("MODEL", "VAN", "--out", "VAN"), r"van\.mp4: cannot be written"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, street, van, arguments, line):
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other.yaml"
    other.write_text("analysis: {rate_fps: 5}\n")
    known = {"MODEL": street.model, "VAN": van, "EMPTY": tmp_path / "empty", "OTHER": other}
    made = invoke(*(known.get(argument, argument) for argument in arguments))

    assert made.exit_code == 1
    assert made.stdout == ""
    assert re.fullmatch(rf"error: .*{line}.*\n", made.stderr)
    assert "secret" not in made.stderr


def test_a_video_without_labels_or_of_another_length_is_refused(tmp_path, street, van):
    strange = invoke(street.model, van, "--labels", labels(tmp_path, name="other.mp4"))
    short = invoke(street.model, van, "--labels", labels(tmp_path, frames=281))

    assert re.fullmatch(r"error: .*labels\.json: has no labels for van\.mp4: add van\.mp4, or .*\n", strange.stderr)
    assert re.fullmatch(r"error: .*van\.mp4: has 300 frames, but 281 are labelled\n", short.stderr)
    assert (strange.exit_code, short.exit_code) == (1, 1)

"""The command line as its user meets it, in processes of its own."""

import csv
import io
import itertools
import json
import os
import re
import shlex
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import typer.main

import run_stream
from stream.store import AlertRecord, Store
from tests import rtsp_server
from tests.clips import film, make_clip
from tests.program import PROGRAM, REPOSITORY, SOCKETS, Program, run, works
from tests.rtsp_server import serve
from tests.stream.pseudo_terminal import PseudoTerminal
from tests.waiting import wait_until

PASSWORD = "s3cret-word"
LOGIN = {"user": "viewer", "password": PASSWORD}

needs_rtsp_server = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))


def commands(command=None, path=()):
    """All commands by their words, with their options."""
    command = command or typer.main.get_command(run_stream.app)
    found = {path: {option for parameter in command.params for option in parameter.opts}}
    for name, below in getattr(command, "commands", {}).items():
        found |= commands(below, (*path, name))
    return found


COMMANDS = commands()
FINAL = [words for words in COMMANDS if not any(path[: len(words)] == words != path for path in COMMANDS)]
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def one_line(ended):
    """The error of a command that failed as it should: one line on standard error and nothing else anywhere."""
    assert ended.returncode not in (0, None)
    assert ended.stdout == ""
    assert ended.stderr.endswith("\n")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


# Help.


def test_the_commands_are_those_that_were_promised():
    assert {" ".join(words) for words in COMMANDS} >= {
        "demo",
        "calibrate",
        "watch",
        "status",
        "reload",
        "review",
        "probe",
        "doctor",
        "keys",
        "dashboard",
        "backtest",
        "evaluate",
        "fetch-clip-weights",
        "toy",
        "alerts list",
        "alerts show",
        "alerts export",
        "alerts delete",
        "alerts mark-normal",
        "alerts mark-real",
        "alerts undo",
    }


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_names_its_options(tmp_path, words):
    ended = run(tmp_path, *words, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"Usage: {' '.join((PROGRAM.name, *words))}" in ended.stdout
    for option in COMMANDS[words]:
        if option.startswith("--"):
            assert option in ended.stdout


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_of_the_documents_exist_with_their_options(path):
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    used = [line for line in lines if re.search(r"^\W*(python3? )?(run_stream\.py|mulde-stream) ", line)]
    assert used or path.name != "README.md"
    for line in used:
        words = list(
            itertools.takewhile(lambda word: word not in ("|", ">", "&&", ";", "&"), shlex.split(line, True))
        )
        start = next(at for at, word in enumerate(words) if word.endswith(("run_stream.py", "mulde-stream")))
        given = words[start + 1 :]
        command = max((path for path in COMMANDS if tuple(given[: len(path)]) == path), key=len)
        assert command in FINAL or {"--help", "-h"} & {*given}, line
        assert {word.partition("=")[0] for word in given if word.startswith("--")} <= {
            *COMMANDS[command],
            "--help",
        }, line


# Wrong inputs.


def broken(tmp_path, street):
    """Files that are wrong, by name."""
    named = {"text": "text.mp4", "empty": "empty", "cut": "cut.mulde", "typo": "typo.yaml", "unset": "unset.yaml"}
    named |= {"clip": "clip.yaml"}
    files = {key: tmp_path / name for key, name in named.items()}
    files["text"].write_text("not a video\n" * 100)
    files["empty"].mkdir()
    files["cut"].write_bytes(street.model.read_bytes()[:5000])
    files["typo"].write_text("policy:\n  hold_s: 1.0\n  cooldwn_s: 3.0\n")
    files["unset"].write_text("cameras:\n  - name: gate\n    source: rtsp://me:${NOT_SET_PASSWORD}@host/\n")
    files["clip"].write_text("analysis:\n  clip: {network: hiera_base_16x224, weights: none.pth}\n")
    return files


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("probe rtsp://127.0.0.1:{port}/stream", r"rtsp://127\.0\.0\.1:\d+/stream: nothing listens at port \d+"),
        ("calibrate rtsp://127.0.0.1:{port}/stream --model x.mulde", r"nothing listens at port \d+ of 127\.0\.0\.1"),
        ("probe rtsp://me:s3cret-word@nowhere.invalid/", r"rtsp://me:\*\*\*@nowhere\.invalid/: host .* is not known"),
        ("calibrate http://me:s3cret-word@nowhere.invalid/ --model x.mulde", r"host nowhere\.invalid is not known"),
        ("probe {text}", r"text\.mp4: not a video that can be read"),
        ("calibrate {text} --model x.mulde", r"text\.mp4: not a video that can be read"),
        ("watch {text} --model {model} --headless", r"text\.mp4: not a video that can be read"),
        ("watch missing.mp4 --model {model} --json", r"missing\.mp4: no such file"),
        ("calibrate {empty} --model x.mulde", r"empty: no video in this folder: it needs files that end in"),
        ("watch demo://street --model {cut} --json", r"cut\.mulde: not a model, or cut off"),
        ("watch demo://street --model missing.mulde", r"missing\.mulde: no such model: make one with `calibrate"),
        ("watch demo://street", r"camera cam1: has no model"),
        ("watch", r"no cameras: name a source, or a site file with --config"),
        ("watch --config {typo}", r"typo\.yaml:3: policy\.cooldwn_s: unknown key, did you mean cooldown_s\?"),
        ("watch --config {unset}", r"unset\.yaml:3: .*environment variable NOT_SET_PASSWORD is not set"),
        ("probe rtsp://me:${{NOT_SET_PASSWORD}}@host/", r"environment variable NOT_SET_PASSWORD is not set"),
        ("watch demo://street --model {model} --store {text}", r"text\.mp4"),
        ("probe 97", r"webcam 97: no /dev/video97"),
        ("calibrate 97 --model x.mulde", r"webcam 97: no /dev/video97"),
        ("evaluate --test {empty}", r"empty: "),
        ("evaluate --test missing", r"missing: "),
        ("toy --units 0", r"units"),
        ("toy --L 0", r"L"),
        ("calibrate demo://street", r"name SOURCE and --model OUT\.mulde"),
        ("alerts show nothing", r"alert nothing: there is none of this id: see `alerts list`"),
        ("watch --frames 3", r"No such option: --frames.*: see --help"),
        (
            "fetch-clip-weights hiera_base_16x224 weights",
            r"hiera_base_16x224: the licence of its weights is CC BY-NC 4\.0 \(not for commercial use\).*: nothing "
            r"was fetched; if you accept it, say --accept-licence",
        ),
        (
            "fetch-clip-weights hiera_tiny_224 weights",
            r"hiera_tiny_224: no such clip network: there are hiera_",
        ),
        (
            "calibrate demo://street --model x.mulde --config {clip}",
            r"none\.pth: no such weights: fetch them first",
        ),
        ("observe", r"No such command 'observe': see --help"),
        ("alerts list --limit 0", r"Invalid value for '--limit'.*: see --help"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, street, arguments, expected):
    files = broken(tmp_path, street)
    given = arguments.format(port=closed_port(), model=street.model, **files)
    ended = run(tmp_path, *given.split())
    assert re.search(expected, one_line(ended))
    assert PASSWORD not in ended.stderr
    assert not (tmp_path / "x.mulde").exists()


@needs_rtsp_server
def test_a_wrong_password_is_told_and_not_shown(tmp_path):
    with serve([make_clip(tmp_path / "clip.mp4")], loop=True, user="viewer", password="another") as url:
        for words in (("probe",), ("calibrate", "--model", "x.mulde")):
            ended = run(tmp_path, *words, url.replace("//", f"//viewer:{PASSWORD}@"))
            assert re.fullmatch(r"rtsp://viewer:\*\*\*@\S+: user or password not accepted", one_line(ended))


def test_too_little_footage_is_told_and_leaves_the_model_there_was(tmp_path):
    model = tmp_path / "street.mulde"
    model.write_text("what was there")
    said = one_line(run(tmp_path, "calibrate", "demo://street?seconds=3", "--model", model))
    assert "3 s are too short to learn from: at least 30 s are needed" in said
    assert model.read_text() == "what was there"
    assert {path.name for path in tmp_path.iterdir()} <= {"street.mulde", "tmp", "state"}


# Probe and alerts.


def test_probe_says_what_a_source_delivers_and_writes_its_picture(tmp_path):
    clip = make_clip(tmp_path / "my clip.mp4", frames=100, size=(320, 240))
    ended = run(tmp_path, "probe", clip)
    assert (ended.returncode, ended.stderr) == (0, "")
    told = {line[:15].strip(): line[15:] for line in ended.stdout.splitlines()}
    assert told["source"] == str(clip)
    assert told["picture"] == "320×240"
    assert told["rate"].startswith("25.0 frames/s measured over 4.0 s, 25 announced")
    assert told["key frames"] == "every 0.40 s, 10 frames"
    assert told["length"] == "4.0 s"
    assert told["damaged"] == "0 of 100 frames"
    assert told["written"] == "probe-my-clip.jpg"
    ended = run(tmp_path, "probe", clip, "--json", "--seconds", "1", "--picture", tmp_path / "p.jpg")
    made = json.loads(ended.stdout)
    assert (made["measured_fps"], made["advice"]["long_side_px"]) == (25.0, 320)
    assert {path.name for path in tmp_path.glob("*.jpg")} == {"probe-my-clip.jpg", "p.jpg"}


def record(number, camera):
    return AlertRecord(
        id=f"20260131-1200{number:02}-{camera}-aa",
        camera=camera,
        kind="anomaly",
        state="ended",
        started_utc=f"2026-01-31T12:00:{number:02}.000Z",
        ended_utc=f"2026-01-31T12:01:{number:02}.000Z",
        started_s=float(number),
        peaked_s=number + 1.0,
        ended_s=number + 60.0,
        score=9.25,
        threshold=4.0,
        region=(0.0, 0.25, 0.5, 1.0),
        evidence=(f"/evidence/{number}.jpg",),
    )


@pytest.fixture
def kept(tmp_path):
    """A store's folder with three alerts of two cameras."""
    with Store.open(tmp_path / "kept") as store:
        for one in (record(1, "gate"), record(2, "yard"), record(3, "gate")):
            store.save(one)
    return tmp_path / "kept"


def test_alerts_are_listed_newest_first(tmp_path, kept):
    ended = run(tmp_path, "alerts", "list", "--store", kept)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.findall(r"20260131-1200(\d\d)-(\w+)-aa", ended.stdout) == [
        ("03", "gate"),
        ("02", "yard"),
        ("01", "gate"),
    ]
    ended = run(tmp_path, "alerts", "list", "--store", kept, "--camera", "gate", "--limit", "1")
    assert re.findall(r"20260131-1200(\d\d)-(\w+)-aa", ended.stdout) == [("03", "gate")]


def test_an_alert_is_shown_with_its_evidence(tmp_path, kept):
    ended = run(tmp_path, "alerts", "show", record(2, "yard").id, "--store", kept)
    assert (ended.returncode, ended.stderr) == (0, "")
    for part in ("yard", "anomaly", "9.25", "/evidence/2.jpg", "1 min 00 s"):
        assert part in ended.stdout


def test_alerts_are_exported_as_json_lines_and_as_csv(tmp_path, kept):
    ended = run(tmp_path, "alerts", "export", "--store", kept)
    assert (ended.returncode, ended.stderr) == (0, "")
    ids = [json.loads(line)["id"] for line in ended.stdout.splitlines()]
    assert sorted(ids) == [record(1, "gate").id, record(2, "yard").id, record(3, "gate").id]
    ended = run(tmp_path, "alerts", "export", "--store", kept, "--format", "csv", "--camera", "yard")
    (row,) = csv.DictReader(io.StringIO(ended.stdout))
    assert (row["id"], row["evidence"], row["x1"]) == (record(2, "yard").id, "/evidence/2.jpg", "0.5")


def test_alerts_are_filtered_by_time_score_kind_and_verdict_and_what_was_said_can_change(tmp_path, kept):
    first, second, third = record(1, "gate").id, record(2, "yard").id, record(3, "gate").id
    with Store.open(kept) as store:
        store.save(replace(record(4, "gate"), kind="drift"), replace(record(1, "gate"), score=5.0, words="too fast"))

    def listed(*options):
        ended = run(tmp_path, "alerts", "list", "--store", kept, *options)
        assert ended.returncode == 0, ended.stderr
        return re.findall(r"20260131-1200\S+", ended.stdout)

    assert listed("--score", "6", "--until", "2026-01-31T12:00:03") == [second]
    assert run(tmp_path, "alerts", "mark-real", third, "--store", kept).stdout == f"alert {third} counts as real\n"
    assert listed("--verdict", "real") == [third]
    assert listed("--verdict", "none", "--kind", "anomaly") == [second, first]
    exported = run(tmp_path, "alerts", "export", "--store", kept, "--until", "2026-01-31 12:00:02")
    assert json.loads(exported.stdout)["words"] == "too fast"
    assert run(tmp_path, "alerts", "undo", third, "--store", kept).returncode == 0
    assert listed("--verdict", "real") == []


def test_alerts_are_deleted_with_their_files_but_never_an_open_one(tmp_path, kept):
    first, second, third = (record(number, camera) for number, camera in ((1, "gate"), (2, "yard"), (3, "gate")))
    still_open = replace(record(4, "gate"), state="open")
    outside = tmp_path / "mine.jpg"
    outside.touch()
    picture = kept / "evidence" / "gate" / f"{first.id}.jpg"
    picture.parent.mkdir(parents=True)
    picture.touch()
    with Store.open(kept) as store:
        store.save(replace(first, evidence=(str(picture), str(outside))), still_open)

    def delete(*arguments):
        return run(tmp_path, "alerts", "delete", "--store", kept, *arguments)

    for arguments, problem in (
        ((first.id, still_open.id), f"alert {still_open.id}: is still going on: remove it when it has ended"),
        ((first.id, "other"), "alert other: there is none of this id: see `alerts list`"),
        ((), "alerts delete: name either alerts by their ids or --before DATE"),
    ):
        refused = delete(*arguments)
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"error: {problem}\n")
    assert picture.exists()
    assert delete(first.id).stdout == "1 alert removed\n"
    assert (picture.exists(), outside.exists()) == (False, True)
    assert delete("--before", "2026-02-01").returncode == 1  # nobody there to be asked
    with Store.open(kept) as store:
        assert store.find() == [still_open, third, second]
    assert delete("--before", "2026-02-01", "--yes").stdout == "2 alerts removed\n"
    with Store.open(kept) as store:
        assert store.find() == [still_open]
        assert sum(day.alerts["anomaly"] for day in store.history.days()) == 4


def test_an_export_whose_reader_goes_ends_without_a_traceback(tmp_path):
    with Store.open(tmp_path / "kept") as store:
        for number in range(500):
            store.save(record(number, "gate"))
    reading, writing = os.pipe()
    with Program(tmp_path / "run", "alerts", "export", "--store", tmp_path / "kept", stdout=writing) as exporting:
        os.close(writing)
        assert os.read(reading, 100).startswith(b'{"id"')
        os.close(reading)
        exporting.process.wait(10)
        assert exporting.stderr == ""


# Watch.


@pytest.fixture(scope="module")
def street_clip(tmp_path_factory):
    """12 s of the drawn street."""
    url = "demo://street?seed=8&width=320&height=180&fps=10&seconds=12"
    return film(tmp_path_factory.mktemp("clip") / "street.mp4", url)


class Live:
    """What could be seen of `watch --json` on a camera with a password."""

    def __init__(self, folder, street, url):
        source = url.replace("//", f"//viewer:{PASSWORD}@")
        arguments = ("watch", source, "--model", street.model, "--config", street.config, "--json")
        with Program(folder, *arguments) as watching:
            watching.wait_for(lambda: len(watching.objects("score")) > 5)
            watching.remember_memory()
            self.memory = set(watching.memory)
            self.command_lines = watching.command_lines()
            self.supervisor = watching.process.pid
            self.maps = watching.maps()
            watching.interrupt()
            self.status = watching.end()
            self.stdout, self.stderr = watching.stdout, watching.stderr
        self.objects = [json.loads(line) for line in self.stdout.splitlines()]
        self.temporary = [path.name for path in (folder / "tmp").iterdir()]
        self.kept = {path: path.read_bytes() for path in (folder / "state").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def live(tmp_path_factory, street, street_clip):
    with serve([street_clip], loop=True, **LOGIN) as url:
        return Live(tmp_path_factory.mktemp("live"), street, url)


@needs_rtsp_server
def test_json_prints_scores_alerts_and_camera_states_only_with_their_fields(live):
    assert {one["type"] for one in live.objects} <= {"score", "alert", "camera"}
    scores = [one for one in live.objects if one["type"] == "score"]
    for one in scores:
        assert one["camera"] == "cam1"
        assert set(one) >= {"seq", "stream_time_s", "utc", "score", "threshold", "latency_ms"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["utc"])
        assert 0.0 < one["latency_ms"] < 10_000.0
    assert scores[0]["stream_time_s"] < 3.0
    assert [one["seq"] for one in scores] == sorted({one["seq"] for one in scores})
    states = [one for one in live.objects if one["type"] == "camera"]
    assert set(states[0]) >= {"camera", "state", "reason", "utc"}
    assert "live" in [one["state"] for one in states]


@needs_rtsp_server
def test_ctrl_c_is_an_ordinary_end_of_watching(live):
    assert live.status == 0
    assert "stopping: SIGINT received" in live.stderr
    assert "Traceback" not in live.stderr
    assert live.memory


@needs_rtsp_server
def test_a_password_is_shown_nowhere(live):
    assert len(live.command_lines) >= 5
    for shown in (live.stdout, live.stderr, *live.command_lines.values()):
        assert PASSWORD not in shown
    assert "viewer:***@127.0.0.1" in " ".join(live.command_lines.values())
    assert live.kept
    for kept in live.kept.values():
        assert PASSWORD.encode() not in kept


@needs_rtsp_server
def test_onnx_runtime_does_not_report_to_its_maker(live, street):
    """Its telemetry begins with a session file among the temporary ones, the moment the library is loaded."""
    assert any("onnxruntime" in text for text in live.maps.values())
    assert ".ses" not in live.temporary
    assert not (street.model.parent / "tmp" / ".ses").exists()


@needs_rtsp_server
def test_only_the_worker_loads_torch(live):
    loaded = [pid for pid, text in live.maps.items() if "libtorch" in text]
    assert len(loaded) == 1
    assert loaded != [live.supervisor]
    assert len(live.maps) == 6  # supervisor, resource tracker, printer, sink, worker, capture


def test_the_dashboard_shows_scores_without_torch_and_q_ends_it(tmp_path, monkeypatch, street):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    command = [PROGRAM, "watch", street.normal, "--model", street.model, "--config", street.config]
    with PseudoTerminal(command, columns=100, lines=30) as terminal:
        parent = psutil.Process(terminal.process.pid)
        terminal.wait_for(lambda: len(parent.children()) >= 5 and "live" in terminal.text, within_s=60.0)
        tree = [parent, *parent.children(recursive=True)]
        loaded = [child for child in tree if "libtorch" in Path(f"/proc/{child.pid}/maps").read_text()]
        assert len(tree) >= 6
        assert len(loaded) == 1
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.modes == terminal.modes_before
    assert not [child for child in tree if works(child)]
    assert list((tmp_path / "tmp").glob(SOCKETS)) == []
    assert "view asked to quit" in (tmp_path / "state" / "mulde-stream" / "mulde.log").read_text()


def test_a_camera_that_is_down_is_waited_for_until_the_time_is_over(tmp_path, street):
    source = f"rtsp://viewer:{PASSWORD}@127.0.0.1:{closed_port()}/stream"
    arguments = ("watch", source, "--model", street.model, "--config", street.config, "--json", "--seconds", "2")
    with Program(tmp_path / "run", *arguments) as watching:
        states = watching.wait_for(lambda: [one for one in watching.objects("camera") if one["state"] == "lost"])
        assert watching.process.wait(20) == 0
        assert watching.end() == 0
    assert "nothing listens at port" in states[0]["reason"]
    assert "stopping: 2 s are over" in watching.stderr
    assert PASSWORD not in watching.stdout + watching.stderr


def test_a_reader_that_closes_standard_output_ends_it_cleanly(tmp_path, street):
    arguments = ("watch", street.normal, "--model", street.model, "--config", street.config, "--json")
    reading, writing = os.pipe()
    with Program(tmp_path / "run", *arguments, stdout=writing) as watching:
        os.close(writing)
        assert os.read(reading, 100).startswith(b'{"type":"')
        os.close(reading)
        watching.remember_memory()
        assert watching.end(within_s=10.0) == 0
        assert "stopping: printer asked to quit" in watching.stderr
        assert "Traceback" not in watching.stderr


# The end, at any moment.


def maps_hold(text):
    return lambda watching: any(text in maps for maps in watching.maps().values())


MOMENTS = {
    "while it loads the configuration": maps_hold("pydantic_core"),
    "when it has made its sockets' folder": lambda watching: list((watching.folder / "tmp").glob("mulde-*")),
    "when the first process starts": lambda watching: len(watching.tree) >= 3,
    "while the worker loads torch": maps_hold("libtorch"),
}


@pytest.fixture
def watching(tmp_path, street):
    arguments = ("watch", street.normal, "--model", street.model, "--config", street.config, "--json")
    with Program(tmp_path / "run", *arguments) as made:
        yield made


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_while_it_starts_leaves_nothing(watching, moment):
    watching.wait_for(lambda: MOMENTS[moment](watching))
    watching.remember_memory()
    watching.interrupt()
    status = watching.end()
    # Before its first own line it just ends, like any program.
    assert status in ((0, -signal.SIGINT) if moment == "while it loads the configuration" else (0,))
    assert "Traceback" not in watching.stderr
    assert watching.objects("score") == []


def test_ctrl_c_twice_at_once_is_as_good_as_one(watching):
    watching.wait_for(lambda: len(watching.tree) >= 4)
    watching.remember_memory()
    watching.interrupt()
    watching.interrupt()
    assert watching.end() == 0
    assert "Traceback" not in watching.stderr


def test_a_second_ctrl_c_ends_it_at_once(watching):
    watching.wait_for_score()
    watching.remember_memory()
    watching.interrupt()
    pressed_s = time.monotonic()
    wait_until(lambda: time.monotonic() - pressed_s >= 0.4 or watching.process.poll() is not None, 1.0)
    if watching.process.poll() is None:
        watching.interrupt()
    assert watching.end(within_s=1.5) == 0
    assert "Traceback" not in watching.stderr


def test_a_termination_signal_to_the_parent_alone_ends_everything(watching):
    watching.wait_for_score()
    watching.remember_memory()
    watching.process.send_signal(signal.SIGTERM)
    assert watching.end() == 0
    assert "stopping: SIGTERM received" in watching.stderr


@pytest.mark.parametrize("loaded", ["libtorch", "onnxruntime_pybind11_state"])
def test_ctrl_c_ends_a_calibration_and_leaves_the_model_there_was(tmp_path, loaded):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "street.mulde").write_text("what was there")
    source = "demo://street?width=320&height=180&seconds=36000"
    arguments = ("calibrate", source, "--minutes", "600", "--model", folder / "street.mulde", "--device", "cpu")
    with Program(tmp_path / "run", *arguments) as calibrating:
        calibrating.wait_for(lambda: maps_hold(loaded)(calibrating))
        calibrating.interrupt()
        assert calibrating.end() == 130
        assert calibrating.stderr == "stopped\n"
        assert calibrating.stdout == ""
    assert [path.name for path in folder.iterdir()] == ["street.mulde"]
    assert (folder / "street.mulde").read_text() == "what was there"

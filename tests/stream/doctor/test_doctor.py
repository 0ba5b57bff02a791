import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from configs.schema import Config, validate
from configs.settings import StoreSettings, WorkerSettings
from stream.doctor import places, program, resources
from stream.running import claim
from tests.program import PROGRAM, environment
from tests.stream.pseudo_terminal import PseudoTerminal

MAY_MOUNT = (
    shutil.which("unshare")
    and not subprocess.run(
        ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, timeout=20, check=False
    ).returncode
)


@pytest.fixture
def taken():
    """host:port at which somebody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def site(**sections):
    cameras = [{"name": f"cam{number}", "source": "rtsp://host/"} for number in range(3)]
    return validate({"cameras": cameras, **sections}, "test")


def doctor(folder, *arguments, limits="true"):
    command = [sys.executable, str(PROGRAM), "doctor", *map(str, arguments)]
    script = f'{limits} && exec "$@"'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *command] if MAY_MOUNT else ["sh", "-c", script, "sh", *command],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


WHATS = "python packages video compute cores memory shared open clock store sockets health.listen terminal"


def test_beside_the_watch_that_runs_nothing_fails_and_each_thing_is_one_line(tmp_path, taken):
    (tmp_path / "here").mkdir()
    (tmp_path / "site.yaml").write_text(f"store: {{folder: here}}\nhealth: {{listen: '{taken}'}}\n")
    with claim(tmp_path / "here", ("gate",)):  # the watch, which listens there
        ended = doctor(tmp_path, "--config", "site.yaml")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [line.split(maxsplit=2) for line in ended.stdout.splitlines()]
    assert {grade for grade, _, _ in lines} <= {"ok", "warn"}
    assert [what for _, what, _ in lines] == WHATS.split()
    assert f"{taken}: taken, by the watch that runs" in ended.stdout
    assert not (tmp_path / "state").exists()  # it only looks


@pytest.mark.skipif(not MAY_MOUNT, reason="no file system can be mounted here (unshare -rm)")
def test_what_stands_in_the_way_fails_with_a_way_out_and_a_status(tmp_path, taken):
    full = tmp_path / "full"
    full.mkdir()
    (tmp_path / "site.yaml").write_text(
        f"store: {{folder: full}}\nhealth: {{listen: '{taken}'}}\nworker: {{device: cuda}}\n"
        "cameras: [{name: gate, source: 'rtsp://x/'}]\n"
    )
    limits = f"ulimit -n 130 && mount -t tmpfs -o size=64k none '{full}'"
    limits += " && mount -t tmpfs -o size=8m none /dev/shm"
    ended = doctor(tmp_path, "--config", "site.yaml", "--json", limits=limits)
    assert (ended.returncode, ended.stderr) == (1, "")
    made = json.loads(ended.stdout)
    assert made["well"] is False
    failed = {one["what"]: (one["text"], one["way_out"]) for one in made["checks"] if one["grade"] == "fail"}
    assert failed.pop("store") == ("full: No space left on device", "make room, or name another with store.folder")
    assert failed.pop("health.listen") == (f"{taken}: Address already in use", "name another with health.listen")
    text, way_out = failed.pop("open files")
    assert (text, "ulimit -n 136" in way_out) == ("130 are allowed, 136 needed", True)
    text, way_out = failed.pop("shared memory")
    assert (text, "--shm-size" in way_out) == ("8 MiB free, 26 needed for 1 camera(s)", True)
    if "compute" in failed:  # where there is a GPU, it does not
        assert failed.pop("compute")[0].startswith("worker.device: cuda, but no GPU; torch ")
    assert failed == {}


def test_the_addresses_of_the_watch_that_runs_are_its_own(taken):
    config = site(health={"listen": taken}, bus={"listen": f"tcp://{taken}", "keys": "keys"})
    assert [one.grade for one in places.addresses(config, running=False)] == ["fail", "fail"]
    assert [one.grade for one in places.addresses(config, running=True)] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("listen", "text"), [("127.0.0.1:1", None), ("192.0.2.1:9477", "Cannot assign"), ("no-such.invalid:9477", "")]
)
def test_an_address_that_is_not_this_machine_s_fails(listen, text):
    (finding,) = places.addresses(site(health={"listen": listen}), running=True)
    if text is None:  # only root may listen at port 1
        assert finding.grade == ("ok" if os.geteuid() == 0 else "fail")
    else:
        assert finding.grade == "fail"
        assert text in finding.text


def test_a_store_that_cannot_be_one_fails_and_a_small_one_is_a_warning(tmp_path):
    (tmp_path / "file").touch()
    assert places.store(StoreSettings(), tmp_path / "file" / "here").grade == "fail"
    too_much = StoreSettings(keep_megabytes=1e9)
    assert places.store(too_much, tmp_path / "not" / "there").grade == "warn"
    assert places.store(StoreSettings(keep_megabytes=1.0), tmp_path).grade == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_with_too_long_a_name_for_sockets_fails(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    finding = places.socket_folder()
    assert finding.grade == "fail"
    assert "longer than 107 bytes" in finding.text
    assert list(long.iterdir()) == []


def test_cores_memory_and_shared_memory_are_judged_by_the_site():
    assert resources.processor(Config()).grade == "ok"
    many = validate(
        {
            "cameras": [
                {"name": f"c{number}", "source": "0"} for number in range(len(os.sched_getaffinity(0)) * 5 + 1)
            ]
        },
        "test",
    )
    assert resources.processor(many).grade == "warn"
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    huge = many.model_copy(update={"cameras": many.cameras[:1] * (total // 128)})
    assert resources.memory(huge, running=True).grade == "fail"
    assert resources.memory(Config(), running=False).grade in ("ok", "warn")
    needed = [resources.shared_memory(one, running=True).text.split()[3] for one in (Config(), site())]
    assert int(needed[1]) == pytest.approx(3 * int(needed[0]), abs=2)


def test_packages_are_held_against_what_was_checked(tmp_path):
    assert program.python().grade == "ok"
    assert program.packages(tmp_path / "none").grade == "ok"
    pins = tmp_path / "constraints.txt"
    pins.write_text("# some\nnumpy==0.0.1\n")
    finding = program.packages(pins)
    assert (finding.grade, "instead of 0.0.1" in finding.text) == ("warn", True)


def test_what_computes_is_asked_in_another_process():
    before = set(sys.modules)
    finding = program.compute(WorkerSettings())
    assert finding.grade in ("ok", "warn")
    assert "torch " in finding.text
    assert "torch" not in set(sys.modules) - before


@pytest.mark.parametrize(
    ("term", "no_color", "grade"), [("dumb", "", "warn"), ("xterm-256color", "", "ok"), ("xterm", "1", "warn")]
)
def test_the_terminal_is_judged_by_what_it_says_of_itself(monkeypatch, term, no_color, grade):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", no_color)
    code = "from stream.doctor.places import terminal; one = terminal(); print('said', one.grade, one.text)"
    with PseudoTerminal(["-c", code], columns=100, lines=30) as window:
        assert window.end() == 0
        assert f"said {grade} TERM={term}" in window.text

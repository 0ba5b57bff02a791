"""Watching from another machine, through the command line; and what a whole site shows to whom while it runs."""

import os
import re
import shutil
import stat

import psutil
import pytest
import zmq

from stream.messages import Camera
from tests.program import PROGRAM, Program, run
from tests.stream.bus.test_lanes import score
from tests.stream.bus.test_relay import free_port, relay, site  # noqa: F401 - fixtures
from tests.stream.pseudo_terminal import PseudoTerminal
from tests.test_run_stream import closed_port, one_line

PASSWORD = "s3cret-word"


# Keys.


def test_keys_says_in_plain_words_what_goes_where(tmp_path):
    made = run(tmp_path, "keys", "keys", "--client", "laptop", "--client", "phone")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [
        "keys/server.key_secret: made; stays here, and nobody else may read it",
        "keys/clients/laptop: made; take this folder to the machine laptop, then remove it here",
        "keys/allowed/laptop.key: made; whoever has its key may watch for as long as this file is here",
        "keys/clients/phone: made; take this folder to the machine phone, then remove it here",
        "keys/allowed/phone.key: made; whoever has its key may watch for as long as this file is here",
        "here, in the site file: bus: {listen: 'tcp://0.0.0.0:5577', keys: keys}",
        "there: mulde-stream dashboard --connect tcp://THIS-HOST:5577 --keys FOLDER-TAKEN-THERE",
    ]
    again = run(tmp_path, "keys", "keys")
    assert again.stdout == "keys/server.key_secret: was there; stays here, and nobody else may read it\n"
    taken = run(tmp_path, "keys", "keys", "--client", "laptop")
    assert taken.returncode == 1
    assert taken.stderr.startswith("error: keys: there is a client laptop already: take another name, or remove ")


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("{listen: 'tcp://0.0.0.0:5577'}", r"site.yaml:1: bus.keys: must be given with listen: the folder that"),
        ("{listen: 'ipc:///tmp/x', keys: k}", r"site.yaml:1: bus.listen: must be tcp://ADDRESS:PORT of this machine"),
        ("{listen: 'tcp://0.0.0.0:5577', keys: k}", r"keys: k/server.key_secret: no such file: make it with `keys`"),
    ],
)
def test_nothing_listens_without_keys(tmp_path, street, section, why):
    (tmp_path / "site.yaml").write_text(f"bus: {section}\n")
    arguments = ("watch", street.normal, "--model", street.model, "--config", "site.yaml", "--json")
    assert re.search(why, one_line(run(tmp_path, *arguments)))


# The dashboard.


def test_the_dashboard_shows_another_machine_s_cameras_and_q_ends_it(tmp_path, monkeypatch, relay):  # noqa: F811
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    messages = (
        score(1, "gate"),
        Camera(camera="gate", state="live", reason="", utc=""),
        Camera(camera="attic", state="lost", reason="nothing listens there", utc=""),
    )
    command = [PROGRAM, "dashboard", "--connect", relay.address, "--keys", relay.client]
    with PseudoTerminal(command, columns=120, lines=30) as window:
        said = ("1.00/2.00", "nothing listens there", relay.address)
        window.wait_for(
            lambda: all(text in window.text for text in said),
            meanwhile=lambda: [relay.publisher.send(message) for message in messages],
            within_s=30.0,
        )
        window.type("q")
        assert window.end() == 0
        assert window.modes == window.modes_before
    assert re.search(r"attic.*gate", window.text, re.DOTALL)  # by name, whoever came first
    log = tmp_path / "state" / "mulde-stream" / "remote.log"
    assert "view asked to quit" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_dashboard_that_cannot_be_shown_says_why_in_one_line(tmp_path, relay):  # noqa: F811
    where = ("--connect", relay.address, "--keys", relay.client)
    assert one_line(run(tmp_path, "dashboard", *where)) == (
        "dashboard: there is no terminal here: start it in one, or with --json"
    )
    said = one_line(run(tmp_path, "dashboard", "--json", "--connect", relay.address, "--keys", "none"))
    assert said.startswith(
        "keys: none/client.key_secret: no such file: it needs the folder that `keys --client NAME`"
    )
    said = one_line(
        run(tmp_path, "dashboard", "--json", "--connect", "tcp://nowhere.invalid:1", "--keys", relay.client)
    )
    assert said == "tcp://nowhere.invalid:1: host nowhere.invalid is not known: check the name and the name server"
    (relay.keys / "allowed" / "laptop.key").unlink()
    relay.publisher.send(score(1))
    assert re.search(r"refused, our key is not allowed: put \S+client.key into", said_in_the_end(tmp_path, where))


def said_in_the_end(folder, where):
    """What a dashboard says once the relay has looked at its list again, which it does every second."""
    for _ in range(5):
        ended = run(folder, "dashboard", "--json", "--seconds", "0", *where)
        if ended.returncode:
            return one_line(ended)
    raise AssertionError("let in for seconds")


# A whole site.


SITE = """\
analysis: {{rate_fps: 3, long_side_px: 320}}
worker: {{device: cpu, threads: 1}}
store: {{folder: kept}}
bus: {{listen: 'tcp://127.0.0.1:{port}', keys: keys}}
cameras:
  - {{name: lawn, source: '{van}', model: '{model}'}}
  - {{name: down, source: 'rtsp://viewer:${{CAMERA_PASSWORD}}@127.0.0.1:{closed}/stream', model: '{model}'}}
"""


class Watched:
    """What could be seen of a site that watches until its alert, with a dashboard on another machine."""

    def __init__(self, folder, street):
        self.folder = folder
        self.port = free_port()
        made = run(folder, "keys", "keys", "--client", "laptop")
        assert made.returncode == 0, made.stderr
        taken = folder / "taken"
        shutil.copytree(folder / "keys" / "clients" / "laptop", taken)
        (folder / "site.yaml").write_text(
            SITE.format(port=self.port, van=street.van, model=street.model, closed=closed_port())
        )
        self.frames = []
        """Every frame of every message on the bus."""
        with Program(folder / "here", "watch", "--config", folder / "site.yaml", "--json") as watching:
            (sockets,) = watching.wait_for(lambda: list((folder / "here" / "tmp").glob("mulde-*/subscribe.ipc")))
            with zmq.Context() as context, context.socket(zmq.SUB) as everything:
                everything.linger = 0
                everything.subscribe(b"")
                everything.connect(f"ipc://{sockets}")
                watching.wait_for_score()
                there = ("dashboard", "--connect", f"tcp://127.0.0.1:{self.port}", "--keys", taken, "--json")
                with Program(folder / "there", *there) as remote:
                    watching.wait_for(lambda: self._listen(everything) or watching.objects("alert"))
                    remote.wait_for(lambda: remote.objects("alert"))
                    self.modes = modes(folder / "kept") | modes(sockets.parent)
                    self.listening = {
                        (connection.laddr.ip, connection.laddr.port)
                        for member in watching.tree
                        for connection in member.net_connections()
                        if connection.status == psutil.CONN_LISTEN
                    }
                    self.command_lines = watching.command_lines() | remote.command_lines()
                    remote.interrupt()
                    assert remote.end() == 0
                    self.there = remote.objects()
                watching.interrupt()
                assert watching.end() == 0
                self._listen(everything)
                self.here = watching.objects()
            self.modes |= modes(folder / "kept")
            self.printed = [watching.stdout, watching.stderr, remote.stdout, remote.stderr]

    def _listen(self, everything):
        while everything.poll(0):
            self.frames += everything.recv_multipart()


def modes(folder):
    return {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


@pytest.fixture(scope="module")
def watched(tmp_path_factory, street):
    before, os.environ["CAMERA_PASSWORD"] = os.umask(0), PASSWORD
    try:
        return Watched(tmp_path_factory.mktemp("site"), street)
    finally:
        os.umask(before)
        del os.environ["CAMERA_PASSWORD"]


def test_another_machine_hears_what_the_bus_carries(watched):
    (first,) = [one for one in watched.there if one["type"] == "score"][:1]
    kinds = {one["type"] for one in watched.there}
    assert kinds == {"score", "alert", "camera"}
    heard_here = [one for one in watched.here if one["type"] == "score" and one["seq"] >= first["seq"]]
    heard_there = [one for one in watched.there if one["type"] == "score"]
    assert heard_there == heard_here[: len(heard_there)]


def test_what_a_site_keeps_is_for_its_user_only_whatever_the_umask(watched):
    names = {path.name for path in watched.modes}
    assert {"alerts.sqlite", "alerts.sqlite-wal", "alerts.sqlite-shm", "evidence", "footage", "lawn"} <= names
    assert {"scores.ipc", "publish.ipc", "subscribe.ipc"} <= names
    assert {path.suffix for path in watched.modes} >= {".jpg", ".features"}
    wrong = {}
    for path, mode in watched.modes.items():
        if mode & 0o077 and path.suffix != ".ipc":  # sockets: nobody else enters their folder
            wrong[path] = oct(mode)
    assert wrong == {}


def test_only_the_relay_listens_to_a_network(watched):
    assert watched.listening == {("127.0.0.1", watched.port)}


def test_neither_a_camera_s_password_nor_a_secret_key_is_anywhere_it_can_be_seen(watched):
    secrets = {PASSWORD}
    for path in watched.folder.rglob("*.key_secret"):
        secrets |= set(re.findall(r'secret-key = "(.+)"', path.read_text()))
    assert len(secrets) == 3
    files = [path for path in watched.folder.rglob("*") if path.is_file() and path.suffix != ".key_secret"]
    assert {"stderr", "alerts.sqlite"} <= {path.name for path in files}
    assert {b"health/relay/", b"health/worker/", b"score/lawn/", b"alert/lawn/", b"camera/down/"} <= {*watched.frames}
    assert len(watched.command_lines) >= 9  # two supervisors, two printers, relay, sink, worker, two captures
    seen = {
        **{str(path): path.read_bytes() for path in files},
        **{f"frame {number}": frame for number, frame in enumerate(watched.frames)},
        **{f"process {pid}": line.encode() for pid, line in watched.command_lines.items()},
        **{f"output {number}": text.encode() for number, text in enumerate(watched.printed)},
    }
    assert [name for name, text in seen.items() for secret in secrets if secret.encode() in text] == []
    (reason,) = {one["reason"] for one in watched.here if one["type"] == "camera" and one["state"] == "lost"}
    assert reason.startswith("rtsp://viewer:***@127.0.0.1:")  # so the password was in use

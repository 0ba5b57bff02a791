"""Notification as people use it: by the command line, from a site file whose secrets are in the environment."""

import json
import os
import signal

import pytest

from stream.store import Store
from tests.program import Program, run
from tests.receivers import Broker, Listener, Receiver, free_port

SECRETS = {
    "BROKER_PASSWORD": "br0ker-s3cret",
    "HOOK_SECRET": "s1gning-s3cret-key",
    "HOOK_PATH": "t0ken-in-a-path",
}
ALWAYS = -1.0
"""A threshold that every score is above."""


@pytest.fixture
def secrets(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def receiver():
    with Receiver() as made:
        made.start()
        yield made


def written(folder, **site):
    path = folder / "site.yaml"
    path.write_text(json.dumps(site))
    return path


def nothing_waits(folder):
    """Whether it is kept that everything was sent; before, a kill makes it be sent again, under the same id."""
    with Store.open(folder) as store:
        return not store.outbox.unrouted(1) and not store.outbox.counts()


def hook(receiver, **changes):
    return {"name": "ops", "url": f"{receiver.url}/${{HOOK_PATH}}", "secret": "${HOOK_SECRET}", **changes}


def test_notify_test_says_of_each_channel_whether_it_arrived(tmp_path, secrets, receiver):
    pytest.importorskip("apprise", reason="no apprise here: pip install 'mulde-stream[apprise]'")
    with Broker(tmp_path, SECRETS["BROKER_PASSWORD"]) as broker:
        broker.start()
        home = {"name": "home", "host": "127.0.0.1", "port": broker.port, "username": "mulde"}
        nobody = f"http://127.0.0.1:{free_port()}/${{HOOK_PATH}}"
        site = written(
            tmp_path,
            notify={
                "mqtt": [
                    {**home, "password": "${BROKER_PASSWORD}"},
                    {**home, "name": "wrong", "password": "nonsense"},
                ],
                "webhook": [hook(receiver), {"name": "down", "url": nobody}],
                "apprise": [{"name": "phone", "url": f"json://127.0.0.1:{receiver.port}/${{HOOK_PATH}}"}],
                "timeout_s": 2.0,
            },
        )
        with Listener(broker.port, SECRETS["BROKER_PASSWORD"]) as listener:
            said = run(tmp_path, "notify-test", "--config", site)
            assert len(listener.notices()) == 1
            topics = {topic for topic, _, _ in listener.messages}
    lines = dict(line.split(": ", 1) for line in said.stdout.splitlines())
    assert said.returncode == 1, said.stderr
    assert [name for name, line in lines.items() if line.startswith("arrived after ")] == [
        "home (mqtt)",
        "ops (webhook)",
        "phone (apprise)",
    ]
    assert lines["wrong (mqtt)"] == "failed: not connected: the broker refuses: Not authorized"
    assert lines["down (webhook)"].startswith("failed: ")
    assert "refused" in lines["down (webhook)"]
    assert topics == {"mulde/digest"}  # nothing of a watch that runs was touched
    assert len(receiver.taken) == 2
    assert not [secret for secret in SECRETS.values() if secret in said.stdout + said.stderr]

    only = run(tmp_path, "notify-test", "--config", site, "--channel", "ops")
    assert (only.returncode, only.stdout.count("\n")) == (0, 1)
    none = run(tmp_path, "notify-test", "--config", site, "--channel", "opps")
    assert (none.returncode, none.stderr) == (
        1,
        "error: no channel 'opps': there is home, wrong, ops, down, phone\n",
    )


def test_a_watch_tells_of_its_alerts_also_after_a_kill_and_a_reload(tmp_path, secrets, street, receiver):
    camera = {"name": "gate", "source": street.normal, "model": str(street.model), "threshold": ALWAYS}
    site = {
        "cameras": [{**camera, "analysis": {"rate_fps": 3, "long_side_px": 320}}],
        "worker": {"device": "cpu", "threads": 1, "staleness_s": 2.0},
    }
    config = written(tmp_path, **site, notify={"webhook": [hook(receiver)], "retry_first_s": 0.2})
    folder = tmp_path / "run"
    with Program(folder, "watch", "--config", config, "--headless") as watch:
        watch.wait_for(lambda: receiver.taken)
        (start,) = receiver.notices()
        assert (start["event"], start["camera"], start["kind"]) == ("start", "gate", "anomaly")
        assert start["picture"]["type"] == "image/jpeg"

        kept = folder / "state" / "mulde-stream"
        watch.wait_for(lambda: nothing_waits(kept))
        children = [one for one in watch.tree[1:] if "resource_tracker" not in " ".join(one.cmdline())]
        min(children, key=lambda one: one.create_time()).kill()  # it is there before the sink
        watch.wait_for(lambda: "notify: ended by SIGKILL" in watch.stderr)
        watch.wait_for(lambda: watch.stderr.count("notify ready after") == 2)
        said = run(folder, "status", "--store", kept)
        assert "  channel ops: 0 sent, 0 waiting\n" in said.stdout  # since its start; nothing is told twice
        secrets_seen = [
            secret for secret in SECRETS.values() if secret in watch.stderr + said.stdout + str(watch.command_lines())
        ]
        assert secrets_seen == []

        written(tmp_path, **site, notify={"webhook": [hook(receiver, name="other")]})
        os.kill(watch.process.pid, signal.SIGHUP)
        watch.wait_for(lambda: watch.stderr.count("notify ready after") == 3)
        watch.interrupt()
        assert watch.end() == 0
    assert [one["id"] for one in receiver.notices()] == [start["id"], start["id"].replace("start", "end")]
    assert receiver.notices()[1]["reason"] == "stopped"


def test_a_site_without_channels_has_no_notifier_and_an_empty_section_is_an_error(tmp_path):
    said = run(tmp_path, "notify-test", "--config", written(tmp_path, cameras=[]))
    assert said.returncode == 1
    assert "has no section notify; see docs/notifications.md" in said.stderr
    empty = run(tmp_path, "notify-test", "--config", written(tmp_path, notify={"timeout_s": 1.0}))
    assert "notify: must have a channel in mqtt, webhook or apprise, or be left out" in empty.stderr

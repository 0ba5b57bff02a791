"""Processes of a real watch that are killed while an alert is open."""

import json

import pytest

from stream.store import Store
from tests import program

ALWAYS = -1.0
"""A threshold that every score is above."""
ORDER = ("printer", "sink", "worker", "capture-gate")


class Watching:
    """A watch of one camera whose alert never ends by itself."""

    def __init__(self, folder, street):
        self.store = folder / "store"
        camera = {"name": "gate", "source": street.normal, "model": str(street.model), "threshold": ALWAYS}
        config = folder / "site.yaml"
        config.write_text(
            json.dumps(
                {
                    "cameras": [{**camera, "analysis": {"rate_fps": 3, "long_side_px": 320}}],
                    "worker": {"device": "cpu", "threads": 1, "staleness_s": 2.0},
                }
            )
        )
        self.program = program.Program(folder / "run", "watch", "--config", config, "--store", self.store, "--json")

    def starts(self):
        return [one["id"] for one in self.program.objects("alert") if one["event"] == "start"]

    def kill(self, name):
        """By the order in which processes are started."""
        children = [one for one in self.program.tree[1:] if "resource_tracker" not in " ".join(one.cmdline())]
        children.sort(key=lambda one: one.create_time())
        children[ORDER.index(name)].kill()
        self.program.wait_for(lambda: f"{name}: ended by SIGKILL; restarting it at once" in self.program.stderr)

    def next_score(self):
        latest = max(one["seq"] for one in self.program.objects("score"))
        return self.program.wait_for_score(after=latest + 3)

    def stored(self):
        with Store.open(self.store) as store:
            return store.find()


@pytest.fixture
def watching(tmp_path, street):
    made = Watching(tmp_path, street)
    with made.program:
        made.program.wait_for(made.starts)
        made.program.remember()
        yield made


def test_an_alert_goes_on_while_the_worker_is_replaced(watching):
    watching.kill("worker")
    watching.program.wait_for(lambda: watching.program.stderr.count("worker ready after") == 2)
    watching.next_score()
    watching.program.interrupt()
    assert watching.program.end() == 0

    (alert,) = watching.stored()
    assert (alert.state, alert.reason) == ("ended", "stopped")
    assert len(watching.starts()) == 1


def test_an_alert_whose_sink_is_killed_ends_as_interrupted_and_the_next_one_follows(watching):
    (first,) = watching.starts()
    watching.kill("sink")
    watching.program.wait_for(lambda: len(watching.starts()) == 2)
    watching.program.interrupt()
    assert watching.program.end() == 0

    records = {record.id: record for record in watching.stored()}
    assert len(records) == 2
    assert records[first].reason == "interrupted"
    assert {record.state for record in records.values()} == {"ended"}

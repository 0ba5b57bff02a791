import json

import pytest

from stream.bus import Endpoints
from stream.health.status_page import as_lines, as_object
from stream.messages import Camera, Health
from stream.overview import State
from stream.running import Running
from tests.stream.views import UTC_TEXT, at, camera, score

RUNNING = Running(
    process=4711,
    store="/kept",
    cameras=("gate", "entrance"),
    endpoints=Endpoints(scores="ipc://a", publish="ipc://b", subscribe="ipc://c"),
    requests="/sockets/requests",
)


@pytest.fixture
def state():
    """Two seconds of a watch whose second camera is lost."""
    made = State(RUNNING.cameras, at(0))
    counters = {
        "supervisor": {"uptime_s": 273_129.4, "ready/worker": 1, "restarts/worker": 2, "restarts/sink": 0},
        "sink": {"alerts": 12, "open": 1, "open/gate": 1, "open/entrance": 0},
        "worker": {"drop/gate/stale": 3, "drop/gate/overwritten": 0},
    }
    for process, values in counters.items():
        numbers = {name: float(value) for name, value in values.items()}
        made.take(Health(process=process, utc=UTC_TEXT, counters=numbers), at(0))
    made.take(Camera(camera="gate", state="live", reason="", utc=UTC_TEXT, captured=40, reconnects=1), at(0))
    made.take(camera("entrance", "lost", "no route\x1b[2J to host"), at(0))
    for number in range(11):
        made.take(score("gate", seq=number, value=0.62, latency_ms=20.0 + number), at(number / 5))
    return made


def test_a_watch_is_told_in_whole_lines(state):
    assert as_lines(RUNNING, state, at(2)) == [
        "watch runs for 3 d 3:52:09, process 4711, 12 alerts since the start, 1 open, restarts: 2 worker, "
        "store /kept",
        "  gate      live, 5.0 frames/s, level 0.31, picture ok, latency 25 ms, 95 % within 30, dropped: 3 stale, "
        "1 alerts open",
        "  entrance  lost: no route [2J to host",
        "  trouble: camera entrance: lost: no route [2J to host",
    ]


def test_a_watch_of_which_nothing_is_heard_is_told_without_numbers():
    first, gate, entrance, *troubles = as_lines(RUNNING, State(RUNNING.cameras, at(0)), at(6))
    assert first.startswith("watch runs, process 4711, ")
    assert (gate, entrance) == ("  gate      nothing heard", "  entrance  nothing heard")
    assert troubles[0] == "  trouble: process supervisor: nothing heard for 6 s"


def test_the_object_has_the_same_as_numbers(state):
    said = as_object(RUNNING, state, at(2))
    assert json.loads(json.dumps(said)) == said
    cameras = said.pop("cameras")
    assert said == {
        "store": "/kept",
        "process": 4711,
        "uptime_s": 273_129.4,
        "well": False,
        "troubles": ["camera entrance: lost: no route\x1b[2J to host"],
        "alerts": 12,
        "open_alerts": 1,
        "channels": [],
        "processes": [
            {"process": "worker", "ready": True, "restarts": 2},
            {"process": "sink", "ready": False, "restarts": 0},
        ],
    }
    assert cameras[0] == {
        "camera": "gate",
        "state": "live",
        "reason": "",
        "condition": "ok",
        "fps": 5.0,
        "level": 0.31,
        "latency_p50_ms": 25.0,
        "latency_p95_ms": 30.0,
        "captured": 40,
        "reconnects": 1,
        "drops": {"overwritten": 0, "stale": 3},
        "open_alerts": 1,
    }
    assert (cameras[1]["state"], cameras[1]["level"], cameras[1]["condition"]) == ("lost", None, None)


def test_channels_are_told_with_what_is_out_of_the_ordinary(state):
    counts = {"waiting": 2, "held": 0, "sent": 7, "failed": 5, "rejected": 0, "given_up": 1}
    quiet = dict.fromkeys(counts, 0)
    counters = {f"{count}/ops": float(value) for count, value in counts.items()}
    counters |= {f"{count}/home": 0.0 for count in quiet}
    state.take(Health(process="notify", utc=UTC_TEXT, counters=counters), at(1))
    assert as_lines(RUNNING, state, at(2))[1:3] == [
        "  channel ops: 7 sent, 2 waiting, 5 tries failed, 1 given up",
        "  channel home: 0 sent, 0 waiting",
    ]
    assert as_object(RUNNING, state, at(2))["channels"] == [
        {"channel": "ops", **counts},
        {"channel": "home", **quiet},
    ]

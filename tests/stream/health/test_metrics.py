import math
import re
from pathlib import Path

import pytest

from stream.health import metrics
from stream.messages import Camera, Health
from stream.overview import State
from tests.stream.views import UTC_TEXT, at, camera, score

DOCUMENT = Path(__file__).parents[3] / "docs" / "running.md"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{NAME}="(?:[^"\\\n]|\\[\\"n])*",?)+)\}})? (\S+)')


def samples(text):
    """Values by name and labels, after checking that each metric is one block with its head."""
    found, open_name, kind, seen = {}, None, None, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            open_name = line.split()[2]
            assert open_name not in seen
            seen.add(open_name)
            assert len(line.split(maxsplit=3)) == 4
        elif line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name == open_name
            assert kind in ("counter", "gauge", "histogram")
            assert name.endswith("_total") == (kind == "counter")
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            assert name in [open_name + end for end in ends]
            key = (name.removeprefix("mulde_"), labels or "")
            assert key not in found
            found[key] = float(value)
    return found


@pytest.fixture
def state():
    made = State(("gate", "yard"), at(0))
    counters = {
        "supervisor": {"uptime_s": 12.5, "restarts/worker": 2, "ready/worker": 1, "ready/sink": 0},
        "sink": {
            "alerts/gate/anomaly": 3,
            "open/gate": 1,
            "open/yard": 0,
            "not_stored": 4,
            "store_errors": 9,
            "given_up": 10,
            "removed": 11,
            "refused": 5,
        },
        "worker": {
            "frames": 11,
            "batches/1": 2,
            "batches/4": 3,
            "waiting/gate": 6,
            "busy_s": 1.25,
            "drop/gate/stale": 7,
            "backlog_dropped": 8,
        },
        "capture-gate": {"clips_written": 20, "clips_failed": 21, "clip_memory_bytes": 22},
        "notify": {
            "waiting/ops": 12,
            "held/ops": 13,
            "sent/ops": 14,
            "failed/ops": 15,
            "rejected/ops": 16,
            "given_up/ops": 17,
            "failing_s/ops": 18.5,
            "store_errors": 19,
        },
    }
    for process, values in counters.items():
        numbers = {name: float(value) for name, value in values.items()}
        made.take(Health(process=process, utc=UTC_TEXT, counters=numbers), at(0))
    report = {"captured": 40, "reconnects": 2}
    made.take(Camera(camera="gate", state="live", reason="", utc=UTC_TEXT, **report), at(0))
    made.take(camera("yard", "lost", "no route"), at(0))
    for number, latency_ms in enumerate([5.0, 60.0, 70.0, 99_000.0]):
        made.take(score("gate", seq=number, value=3.0, latency_ms=latency_ms, condition="moved"), at(0))
    return made


def test_what_is_known_is_told(state):
    found = samples(metrics.render(state, at(1)))
    expected = {
        ("uptime_seconds", ""): 12.5,
        ("ready", ""): 0,
        ("process_ready", 'process="worker"'): 1,
        ("process_ready", 'process="sink"'): 0,
        ("process_restarts_total", 'process="worker"'): 2,
        ("worker_busy_seconds_total", ""): 1.25,
        ("messages_refused_total", 'process="sink"'): 5,
        ("camera_state", 'camera="gate",state="live"'): 1,
        ("camera_state", 'camera="gate",state="lost"'): 0,
        ("camera_state", 'camera="yard",state="lost"'): 1,
        ("camera_condition", 'camera="gate",condition="moved"'): 1,
        ("camera_condition", 'camera="gate",condition="ok"'): 0,
        ("camera_level", 'camera="gate"'): 1.5,
        ("camera_reconnects_total", 'camera="gate"'): 2,
        ("frames_captured_total", 'camera="gate"'): 40,
        ("frames_analysed_total", 'camera="gate"'): 4,
        ("frames_analysed_total", 'camera="yard"'): 0,
        ("frames_dropped_total", 'camera="gate",cause="stale"'): 7,
        ("queue_frames", 'camera="gate"'): 6,
        ("alerts_total", 'camera="gate",kind="anomaly"'): 3,
        ("alerts_total", 'camera="yard",kind="drift"'): 0,
        ("alerts_open", 'camera="gate"'): 1,
        ("alerts_not_stored", ""): 4,
        ("store_errors_total", ""): 9,
        ("alerts_given_up_total", ""): 10,
        ("alerts_removed_total", ""): 11,
        ("scores_dropped_total", ""): 8,
        ("scores_missed_total", 'camera="gate"'): 0,
        ("clips_written_total", 'camera="gate"'): 20,
        ("clips_failed_total", 'camera="gate"'): 21,
        ("clip_memory_bytes", 'camera="gate"'): 22,
        ("notices_waiting", 'channel="ops"'): 12,
        ("notices_held", 'channel="ops"'): 13,
        ("notices_sent_total", 'channel="ops"'): 14,
        ("notice_failures_total", 'channel="ops"'): 15,
        ("notices_rejected_total", 'channel="ops"'): 16,
        ("notices_given_up_total", 'channel="ops"'): 17,
        ("channel_failing_seconds", 'channel="ops"'): 18.5,
        ("outbox_errors_total", ""): 19,
    }
    assert expected.items() <= found.items()
    assert ("camera_level", 'camera="yard"') not in found


def test_delays_are_a_histogram_in_seconds_whose_ranges_include_the_lower_ones(state):
    found = samples(metrics.render(state, at(1)))
    buckets = {
        float(labels.rpartition('le="')[2].rstrip('"')): value
        for (name, labels), value in found.items()
        if name == "latency_seconds_bucket" and labels.startswith('camera="gate"')
    }
    assert buckets == {
        0.01: 1,
        0.025: 1,
        0.05: 1,
        0.1: 3,
        0.25: 3,
        0.5: 3,
        1.0: 3,
        2.5: 3,
        5.0: 3,
        10.0: 3,
        math.inf: 4,
    }
    assert found["latency_seconds_count", 'camera="gate"'] == 4
    assert found["latency_seconds_sum", 'camera="gate"'] == pytest.approx(99.135)


def test_batches_are_a_histogram_of_their_frames(state):
    found = samples(metrics.render(state, at(1)))
    assert [found["batch_frames_bucket", f'le="{size}"'] for size in (1, 2, 4, 256, "+Inf")] == [2, 2, 5, 5, 5]
    assert (found["batch_frames_count", ""], found["batch_frames_sum", ""]) == (5, 11)


def test_before_anything_is_heard_there_are_no_made_up_numbers():
    found = samples(metrics.render(State(("gate",), at(0)), at(0)))
    names = {name for name, _ in found}
    assert found["ready", ""] == 0
    assert names.isdisjoint(
        {"uptime_seconds", "alerts_total", "alerts_open", "frames_captured_total", "queue_frames"}
    )


def test_numbers_beyond_all_measure_and_strange_names_are_still_written_well(state):
    state.take(score("gate", seq=9, value=1e300, threshold=5e-324), at(1))
    state.take(Health(process='a"b\\c\nd', utc=UTC_TEXT, counters={"refused": 1.0}), at(1))
    found = samples(metrics.render(state, at(1)))
    assert found["camera_level", 'camera="gate"'] == math.inf
    assert found["messages_refused_total", 'process="a\\"b\\\\c\\nd"'] == 1


def test_the_document_explains_every_metric_and_no_other(state):
    told = set(re.findall(rf"^\| `(mulde_{NAME})", DOCUMENT.read_text(), re.MULTILINE))
    assert told == set(re.findall(rf"^# HELP ({NAME})", metrics.render(state, at(1)), re.MULTILINE))

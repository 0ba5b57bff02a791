"""What an observer knows as metrics in the text format of Prometheus, version 0.0.4.

Pure: the same state and moment give the same text. Counters of a process begin at 0 again when it is replaced, as
Prometheus expects of counters.
"""

import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate, chain
from typing import get_args

from stream.health.troubles import NOTIFY, SUPERVISOR, troubles
from stream.messages import AlertKind, CameraStateName, ConditionName
from stream.overview import LATENCY_BOUNDS_MS, Moment, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BATCH_BOUNDS = tuple(2**power for power in range(9))  # up to the largest batch that can be set

Sample = tuple[dict[str, str], float]
"""Labels and value."""


def render(state: State, now: Moment) -> str:
    """All metrics, each with its meaning; ends with a line end."""
    families = chain(_of_processes(state, now), _of_cameras(state), _of_alerts(state), _of_notices(state))
    return "".join(f"{line}\n" for family in families for line in family)


def _of_processes(state: State, now: Moment) -> Iterator[list[str]]:
    worker, uptime_s = state.counters("worker"), state.counters(SUPERVISOR).get("uptime_s")
    yield _family("build_info", "gauge", "Version of the program and of Python.", [(_build(), 1.0)])
    yield _single("uptime_seconds", "gauge", "Time since the start.", uptime_s)
    yield _single("ready", "gauge", "1 where all processes and cameras are well.", float(not troubles(state, now)))
    yield _by("process", state, SUPERVISOR, "ready/", "process_ready", "gauge", "1 where the process does its work.")
    yield _by("process", state, SUPERVISOR, "restarts/", "process_restarts_total", "counter", "Replacements of it.")
    yield _single("worker_busy_seconds_total", "counter", "Time spent on scoring.", worker.get("busy_s"))
    sizes = state.counters("worker", "batches/")
    yield _histogram(
        "batch_frames",
        "Frames scored together.",
        _BATCH_BOUNDS,
        [({}, [*(sizes.get(str(bound), 0.0) for bound in _BATCH_BOUNDS), 0.0], worker.get("frames", 0.0))],
    )
    yield _family(
        "messages_refused_total",
        "counter",
        "Things the process received that were no messages.",
        [
            ({"process": name}, view.counters["refused"])
            for name, view in state.processes.items()
            if "refused" in view.counters
        ],
    )


def _of_cameras(state: State) -> Iterator[list[str]]:
    cameras = list(state.cameras.values())
    reports = [(camera.name, camera.report) for camera in cameras if camera.report is not None]
    yield _family(
        "camera_state",
        "gauge",
        "1 for the state that the camera is in.",
        [
            ({"camera": camera.name, "state": name}, float(name == camera.state))
            for camera in cameras
            for name in get_args(CameraStateName)
        ],
    )
    yield _family(
        "camera_condition",
        "gauge",
        "1 for what the camera shows, against its calibration.",
        [
            ({"camera": camera.name, "condition": name}, float(name == camera.condition))
            for camera in cameras
            for name in get_args(ConditionName)
        ],
    )
    yield _family(
        "camera_level",
        "gauge",
        "Latest score in thresholds: an alert may open above 1.",
        [({"camera": camera.name}, camera.level) for camera in cameras if camera.level is not None],
    )
    yield _family(
        "camera_reconnects_total",
        "counter",
        "Times the camera came back after a failure.",
        [({"camera": name}, float(report.reconnects)) for name, report in reports],
    )
    yield _family(
        "frames_captured_total",
        "counter",
        "Frames put into the ring.",
        [({"camera": name}, float(report.captured)) for name, report in reports],
    )
    yield _family(
        "frames_analysed_total",
        "counter",
        "Frames with a score.",
        [({"camera": camera.name}, float(sum(camera.latency_counts))) for camera in cameras],
    )
    yield _family(
        "frames_dropped_total",
        "counter",
        "Frames given up on their way to a score.",
        [
            ({"camera": camera.name, "cause": cause}, float(count))
            for camera in cameras
            for cause, count in camera.drops_by_cause().items()
        ],
    )
    yield _by("camera", state, "worker", "waiting/", "queue_frames", "gauge", "Frames that wait to be scored.")
    yield _histogram(
        "latency_seconds",
        "Time from a frame's capture to its score.",
        [bound / 1000.0 for bound in LATENCY_BOUNDS_MS],
        [({"camera": one.name}, one.latency_counts, one.latency_sum_ms / 1000.0) for one in cameras],
    )
    for counter, name, kind, meaning in (
        ("clips_written", "clips_written_total", "counter", "Clips of alerts that are whole."),
        ("clips_failed", "clips_failed_total", "counter", "Clips that could not be written."),
        ("clip_memory_bytes", "clip_memory_bytes", "gauge", "Memory for what may become the start of a clip."),
    ):
        counts = [(one.name, state.counters(f"capture-{one.name}").get(counter)) for one in cameras]
        samples = [({"camera": camera}, count) for camera, count in counts if count is not None]
        yield _family(name, kind, meaning, samples)
    yield _family(
        "scores_missed_total",
        "counter",
        "Scores that were sent and did not reach this endpoint.",
        [({"camera": camera.name}, float(camera.lost)) for camera in cameras],
    )


def _of_alerts(state: State) -> Iterator[list[str]]:
    sink, worker = state.counters("sink"), state.counters("worker")
    counts = state.counters("sink", "alerts/")
    yield _family(
        "alerts_total",
        "counter",
        "Alerts that began.",
        [
            ({"camera": name, "kind": kind}, counts.get(f"{name}/{kind}", 0.0))
            for name in state.cameras
            for kind in get_args(AlertKind)
            if sink
        ],
    )
    yield _by("camera", state, "sink", "open/", "alerts_open", "gauge", "Alerts that have not ended.")
    yield _single("alerts_not_stored", "gauge", "Alerts that wait for a store that fails.", sink.get("not_stored"))
    yield _single(
        "alerts_given_up_total",
        "counter",
        "Alerts announced, but never stored: too many waited.",
        sink.get("given_up"),
    )
    yield _single("alerts_removed_total", "counter", "Alerts too old or too many to be kept.", sink.get("removed"))
    yield _single("store_errors_total", "counter", "Tries to store that failed.", sink.get("store_errors"))
    yield _single(
        "scores_dropped_total", "counter", "Scores given up on their way to alerts.", worker.get("backlog_dropped")
    )


def _of_notices(state: State) -> Iterator[list[str]]:
    for start, name, kind, meaning in (
        ("waiting", "notices_waiting", "gauge", "Notices that are still to be sent."),
        ("held", "notices_held", "gauge", "Notices that wait for a digest."),
        ("sent", "notices_sent_total", "counter", "Notices that their receiver has taken."),
        ("failed", "notice_failures_total", "counter", "Tries to send in vain."),
        ("rejected", "notices_rejected_total", "counter", "Notices that their receiver will not have."),
        ("given_up", "notices_given_up_total", "counter", "Notices that could not be sent for too long."),
        ("failing_s", "channel_failing_seconds", "gauge", "Time since the receiver began to fail; 0 = it does not."),
    ):
        yield _by("channel", state, NOTIFY, f"{start}/", name, kind, meaning)
    errors = state.counters(NOTIFY).get("store_errors")
    yield _single("outbox_errors_total", "counter", "Tries to use the outbox that failed.", errors)


def _build() -> dict[str, str]:
    try:
        own = version("mulde-stream")
    except PackageNotFoundError:  # run from its folder, and never installed
        own = "unknown"
    return {"version": own, "python": platform.python_version()}


def _single(name: str, kind: str, meaning: str, value: float | None) -> list[str]:
    return _family(name, kind, meaning, [] if value is None else [({}, value)])


def _by(label: str, state: State, process: str, start: str, name: str, kind: str, meaning: str) -> list[str]:
    """A process's counters that begin so, with the rest of their names as label."""
    samples = [({label: rest}, value) for rest, value in state.counters(process, start).items()]
    return _family(name, kind, meaning, samples)


def _family(name: str, kind: str, meaning: str, samples: Sequence[Sample]) -> list[str]:
    """The lines of one metric; none where nothing is known of it yet."""
    return (
        [*_head(name, kind, meaning), *(_line(name, labels, value) for labels, value in samples)] if samples else []
    )


def _histogram(
    name: str, meaning: str, bounds: Sequence[float], series: Iterable[tuple[dict[str, str], Sequence[float], float]]
) -> list[str]:
    """The lines of a histogram from labels, counts (one more than bounds) and sum of each series."""
    lines = _head(name, "histogram", meaning)
    for labels, counts, total in series:
        ends = [*(f"{bound:g}" for bound in bounds), "+Inf"]
        for end, count in zip(ends, accumulate(counts), strict=True):
            lines.append(_line(f"{name}_bucket", {**labels, "le": end}, count))
        lines.append(_line(f"{name}_sum", labels, total))
        lines.append(_line(f"{name}_count", labels, sum(counts)))
    return lines


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP mulde_{name} {meaning}", f"# TYPE mulde_{name} {kind}"]


def _line(name: str, labels: dict[str, str], value: float) -> str:
    within = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"mulde_{name}{{{within}}} {_number(value)}" if within else f"mulde_{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text := f"{value:.12g}", text)

"""How a running watch is, as lines for people and as an object for programs.

Pure: the same state and moment give the same text. Knows nothing of how it was found out.
"""

from typing import Any

from stream.dashboard.cells import printable
from stream.dashboard.numbers import elapsed
from stream.health.troubles import NOTIFY, SUPERVISOR, troubles
from stream.overview import CameraView, Moment, State
from stream.running import Running

_RARE = {"held": "held for a digest", "failed": "tries failed", "rejected": "rejected", "given_up": "given up"}


def as_lines(running: Running, state: State, now: Moment) -> list[str]:
    """A line for the watch, one for each camera and each trouble, each complete in itself."""
    supervisor, sink = state.counters(SUPERVISOR), state.counters("sink")
    restarts = {name: int(count) for name, count in state.counters(SUPERVISOR, "restarts/").items()}
    uptime = f" for {elapsed(supervisor['uptime_s'])}" if "uptime_s" in supervisor else ""
    faults = [f"trouble: {fault}" for fault in troubles(state, now)] or ["all well"]
    parts = [
        f"watch runs{uptime}",
        f"process {running.process}",
        f"{sink.get('alerts', 0.0):.0f} alerts since the start, {sink.get('open', 0.0):.0f} open",
        f"restarts: {_listed(restarts) or 'none'}",
        f"store {running.store}",
    ]
    width = max(map(len, state.cameras), default=0)
    lines = [", ".join(parts)]
    lines += [f"  channel {_channel_line(channel)}" for channel in _channels(state)]
    lines += [f"  {name:<{width}}  {_camera_line(camera, state, now)}" for name, camera in state.cameras.items()]
    return [printable(line) for line in (*lines, *(f"  {fault}" for fault in faults))]


def as_object(running: Running, state: State, now: Moment) -> dict[str, Any]:
    """The same, ready for JSON."""
    faults = troubles(state, now)
    supervisor, sink = state.counters(SUPERVISOR), state.counters("sink")
    ready = state.counters(SUPERVISOR, "ready/")
    return {
        "store": running.store,
        "process": running.process,
        "uptime_s": supervisor.get("uptime_s"),
        "well": not faults,
        "troubles": faults,
        "alerts": int(sink.get("alerts", 0.0)),
        "open_alerts": int(sink.get("open", 0.0)),
        "cameras": [_camera_object(camera, state, now) for camera in state.cameras.values()],
        "channels": _channels(state),
        "processes": [
            {"process": name, "ready": bool(ready.get(name)), "restarts": int(count)}
            for name, count in state.counters(SUPERVISOR, "restarts/").items()
        ],
    }


def _camera_line(camera: CameraView, state: State, now: Moment) -> str:
    if camera.report is None:
        return "nothing heard"
    if camera.state != "live" or camera.level is None:
        return f"{camera.state}: {camera.reason}" if camera.reason else camera.state
    latency = camera.latency_ms(now)
    parts = [
        f"live, {camera.fps(now):.1f} frames/s",
        f"level {camera.level:.2f}",
        f"picture {camera.condition}",
        f"latency {latency[0]:.0f} ms, 95 % within {latency[1]:.0f}" if latency else "",
        f"dropped: {_listed(camera.drops_by_cause()) or 'none'}",
        f"{_open(camera, state)} alerts open",
    ]
    return ", ".join(filter(None, parts))


def _camera_object(camera: CameraView, state: State, now: Moment) -> dict[str, Any]:
    latency = camera.latency_ms(now)
    report, score = camera.report, camera.score
    return {
        "camera": camera.name,
        "state": None if report is None else camera.state,
        "reason": camera.reason,
        "condition": None if score is None else camera.condition,
        "fps": round(camera.fps(now), 2),
        "level": None if camera.level is None else round(camera.level, 4),
        "latency_p50_ms": latency and latency[0],
        "latency_p95_ms": latency and latency[1],
        "captured": None if report is None else report.captured,
        "reconnects": None if report is None else report.reconnects,
        "drops": camera.drops_by_cause(),
        "open_alerts": _open(camera, state),
    }


def _channels(state: State) -> list[dict[str, Any]]:
    """How each channel of the notifier fares."""
    counts = ("waiting", "held", "sent", "failed", "rejected", "given_up")
    by_name = {count: state.counters(NOTIFY, f"{count}/") for count in counts}
    return [
        {"channel": name, **{count: int(by_name[count].get(name, 0.0)) for count in counts}}
        for name in by_name["sent"]
    ]


def _channel_line(channel: dict[str, Any]) -> str:
    often = [f"{channel[count]} {count}" for count in ("sent", "waiting")]
    rare = [f"{channel[count]} {words}" for count, words in _RARE.items() if channel[count]]
    return f"{channel['channel']}: {', '.join([*often, *rare])}"


def _open(camera: CameraView, state: State) -> int:
    return int(state.counters("sink", "open/").get(camera.name, 0.0))


def _listed(counts: dict[str, int]) -> str:
    """Those that are not 0: "3 stale, 1 late"."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)

"""What is wrong with a running watch, in words: the one rule behind `status` and `/readyz`.

A picture that has only changed is no trouble: the camera sees, and an alert of its own kind says so.
"""

from stream.overview import CameraView, Moment, State

SUPERVISOR = "supervisor"
NOTIFY = "notify"
_SILENT_S = 5.0  # the supervisor speaks every second
_FAILING_S = 60.0  # a receiver that is restarted is no trouble
_SEES = ("ok", "changed")


def troubles(state: State, now: Moment) -> list[str]:
    """What keeps all from being well, a line each, the processes first; empty where nothing does."""
    longest_s = _SILENT_S if SUPERVISOR in state.processes else 0.0
    lines = [silence] if (silence := supervisor_silence(state, now, longest_s)) else []
    lines += [
        f"process {name}: not ready" for name, ready in state.counters(SUPERVISOR, "ready/").items() if not ready
    ]
    lines += [
        f"camera {camera.name}: {trouble}"
        for camera in state.cameras.values()
        if (trouble := _camera_trouble(camera, now))
    ]
    if not_stored := state.counters("sink").get("not_stored", 0.0):
        lines.append(f"store: {not_stored:.0f} alerts could not be written yet")
    waiting = state.counters(NOTIFY, "waiting/")
    lines += [
        f"channel {name}: its receiver has failed for {failing_s:.0f} s, {waiting.get(name, 0.0):.0f} notices wait"
        for name, failing_s in state.counters(NOTIFY, "failing_s/").items()
        if failing_s >= _FAILING_S
    ]
    return lines


def supervisor_silence(state: State, now: Moment, longest_s: float) -> str:
    """How long nothing came from the supervisor, where that is too long; else empty."""
    heard = state.processes.get(SUPERVISOR)
    silent_s = now.monotonic_s - (state.started.monotonic_s if heard is None else heard.heard_s)
    return f"process {SUPERVISOR}: nothing heard for {silent_s:.0f} s" if silent_s > longest_s else ""


def _camera_trouble(camera: CameraView, now: Moment) -> str:
    if camera.report is None:
        return "nothing heard yet"
    if camera.state == "ended":
        return ""
    if camera.state != "live":
        return f"{camera.state}: {camera.reason}" if camera.reason else camera.state
    if camera.score is None:
        return "no score yet"
    silent_s = camera.silent_s(now)
    if silent_s is not None:
        return f"no score for {silent_s:.0f} s"
    return "" if camera.condition in _SEES else camera.condition

"""What a camera's state, trouble and rates are called, the same on every page."""

from stream.dashboard.cells import QUIET, Line, Part, fit, printable
from stream.dashboard.numbers import duration, short
from stream.overview import CameraView, Moment

STATE_WIDTH = 12

_STATE_STYLE = {"connecting": "yellow", "live": "green", "stalled": "yellow", "lost": "red", "ended": QUIET}


def state_line(camera: CameraView) -> Line:
    """The state, or what is the matter with the picture, or the regime it is in."""
    if camera.state == "live" and camera.condition != "ok":
        return [(fit(f"● {camera.condition}", STATE_WIDTH), "yellow" if camera.condition == "changed" else "red")]
    word = camera.regime if camera.state == "live" and camera.regime else camera.state
    return [(fit(f"● {word}", STATE_WIDTH), _STATE_STYLE[camera.state])]


def trouble(camera: CameraView, now: Moment) -> Part | None:
    """What stands in place of the level where there is none to show now."""
    if camera.state != "live":
        waiting = "waiting for the first picture" if camera.state == "connecting" else ""
        return printable(camera.reason) or waiting, QUIET if camera.state == "ended" else "yellow"
    if camera.score is None:
        return "no score yet", QUIET
    silent_s = camera.silent_s(now)
    return None if silent_s is None else (f"no score for {duration(silent_s)}", QUIET)


def latency(camera: CameraView, now: Moment) -> str:
    """Median and 95th percentile, ms."""
    known = camera.latency_ms(now)
    return f"{short(known[0])}/{short(known[1])}" if known else "–"

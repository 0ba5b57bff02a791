"""A whole page in a given width and height: the line on top, what is looked at, and the keys at the foot.

Pure: the same state, focus, size and moment give the same page. Knows neither terminal nor bus.
"""

from stream.dashboard import camera_page, cameras_page, keys_page
from stream.dashboard.cells import QUIET, Line, Page, cut, fit, printable, width_of
from stream.dashboard.focus import Focus
from stream.dashboard.numbers import elapsed
from stream.overview import Moment, State


def render(
    state: State,
    focus: Focus,
    title: str,
    width: int,
    height: int,
    now: Moment,
    *,
    picture: tuple[Line, ...] = (),
    quitting: bool = False,
) -> Page:
    """The page, exactly `height` lines of `width` cells; meant for at least 80×24, cut off where there is less.

    Args:
        picture: Of the selected alert, at most as large as `camera_page.picture_size` says.
        quitting: Whether the end is under way.
    """
    name = focus.selected_camera(state)
    if focus.keys:
        body = keys_page.body(width, height - 2)
    elif focus.page == "camera" and name is not None:
        body = camera_page.body(state, focus, name, picture, width, height - 2, now)
    else:
        body = cameras_page.body(state, focus, width, height - 2, now)
    lines = [_header(state, title, width, now), *body][: height - 1]
    lines.append(_footer(state, focus, width, quitting))
    return Page(tuple(cut(line, width) for line in lines))


def _header(state: State, title: str, width: int, now: Moment) -> Line:
    live = sum(camera.state == "live" for camera in state.cameras.values())
    count, opened = len(state.cameras), len(state.open_alerts())
    right: Line = [
        (f"{live}/{count} live", "green" if live == count else "yellow"),
        ("   alerts ", QUIET),
        (f"{opened} open", "bold red" if opened else ""),
        (f" {state.begun_today(now)} today", ""),
        ("   up ", QUIET),
        (elapsed(now.monotonic_s - state.started.monotonic_s), ""),
        (f"   {now.local:%H:%M:%S} ", "bold"),
    ]
    left = max(0, width - width_of(right) - 1)
    return [(" ", ""), (fit(printable(title), left), "bold"), *right]


def _footer(state: State, focus: Focus, width: int, quitting: bool) -> Line:
    if quitting:
        keys: Line = [(" stopping …", "yellow")]
    else:
        keys = [part for key, what in keys_page.foot(focus) for part in ((f" {key}", "bold"), (f" {what} ", QUIET))]
    lost = f"view lost {state.lost} " if state.lost else ""
    return [*keys, (" " * max(0, width - width_of(keys) - len(lost)), ""), (lost, "yellow")]

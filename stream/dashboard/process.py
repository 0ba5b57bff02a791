"""The dashboard process: a full-screen view of the cameras in the terminal, fed by the broadcast lane.

Messages change the state (`overview`), keys what is looked at (`focus`), both become a page (`page`), which this loop
draws a few times a second. Knows nothing of the processes it shows.
"""

import logging
import signal
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live

from stream.bus import Endpoints, Publisher, Subscriber
from stream.child import ChildError, Parent
from stream.clock import utc_text
from stream.dashboard import camera_page
from stream.dashboard.cells import Line
from stream.dashboard.focus import Focus, pressed
from stream.dashboard.page import render
from stream.dashboard.picture import Pictures
from stream.dashboard.svg import export_svg
from stream.dashboard.terminal import Terminal, TerminalError
from stream.messages import Health
from stream.overview import Moment, State

logger = logging.getLogger(__name__)

PROCESS = "view"

_DRAW_EVERY_S = 0.2
_HEALTH_EVERY_S = 1.0
_TICK_S = 0.05  # how long a key, a signal or the parent waits for an answer
_PICTURE_SIZE = (100, 30)
_PICTURE_EVERY_S = 5.0
_PICTURE_HISTORY_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSpec:
    """All the dashboard needs."""

    endpoints: Endpoints
    cameras: tuple[str, ...] | None
    """Names in the order in which they are shown; None = every camera of which something is heard."""
    title: str
    here: bool = True
    """Whether the cameras are watched on this machine, where the pictures of their alerts are then."""
    picture: Path | None = None
    """An SVG of the page, written anew every few seconds while an anomaly is open."""


def run(spec: DashboardSpec, parent: Parent) -> None:
    """Show the cameras until the parent says stop; q asks it to.

    The terminal is put back whatever happens, SIGKILL excepted.

    Raises:
        ChildError: There is no terminal, or no longer one.
    """
    terminated: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: terminated.append(number))
    try:
        with (
            Subscriber(spec.endpoints) as subscriber,
            Publisher(spec.endpoints) as publisher,
            Terminal() as terminal,
        ):
            dashboard = _Dashboard(spec, parent, terminal, subscriber, publisher)
            with dashboard.live:
                parent.ready()
                while not terminated and not parent.stopping():
                    dashboard.tick()
                    if (new := parent.new_spec()) is not None:
                        dashboard.show(new.cameras)
                        parent.ready()
    except TerminalError as error:
        raise ChildError(str(error)) from error
    except OSError as error:  # drawing is the only writing here whose failure is not dealt with on the spot
        raise ChildError(f"dashboard: the terminal is gone: {error.strerror}") from error


class _Dashboard:
    def __init__(
        self, spec: DashboardSpec, parent: Parent, terminal: Terminal, subscriber: Subscriber, publisher: Publisher
    ) -> None:
        self._spec = spec
        self._parent = parent
        self._terminal = terminal
        self._subscriber = subscriber
        self._publisher = publisher
        self._state = State(spec.cameras, Moment.now())
        self._picture = spec.picture
        self._quitting = False
        self._drawn_s = self._reported_s = self._pictured_s = float("-inf")
        self._focus = Focus()
        self._console = _console(terminal)
        self._pictures = Pictures(
            here=spec.here, colours=not (self._console.color_system is None or self._console.no_color)
        )
        self.live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show(self, cameras: tuple[str, ...]) -> None:
        """Go on with these cameras, in this order."""
        self._state.show(cameras)

    def tick(self) -> None:
        """Take what came, do what is due; waits a twentieth of a second at most."""
        now = Moment.now()
        if now.monotonic_s - self._drawn_s >= _DRAW_EVERY_S:
            self._drawn_s = now.monotonic_s
            self._draw(now)
        if now.monotonic_s - self._reported_s >= _HEALTH_EVERY_S:
            self._reported_s = now.monotonic_s
            self._report(now)
        for key in self._terminal.read_keys():
            self._press(key)
        for message in self._subscriber.batch(_TICK_S):
            self._state.take(message, Moment.now())

    def _press(self, key: str) -> None:
        if key in ("q", "Q") and not self._quitting:
            self._quitting = True
            self._parent.ask_to_quit()
        self._focus = pressed(self._focus, key, self._state)
        self._drawn_s = float("-inf")  # who presses a key wants to see what it does

    def _draw(self, now: Moment) -> None:
        if self._terminal.behind():  # a later page will do, and holding on here would look like a process that hangs
            return
        width, height = self._terminal.size()
        self._console.size = (width, height)
        page = render(
            self._state,
            self._focus,
            self._spec.title,
            width,
            height,
            now,
            picture=self._shown_picture(width, height),
            quitting=self._quitting,
        )
        self.live.update(page, refresh=True)
        self._terminal.behind(_TICK_S)  # a page in pieces is a page that flickers
        if self._picture_is_due(now):
            self._pictured_s = now.monotonic_s
            self._write_picture(now)

    def _shown_picture(self, width: int, height: int) -> tuple[Line, ...]:
        if self._focus.page != "camera" or self._focus.keys:
            return ()
        selected = self._focus.selected_alert(self._state)
        alert = None if selected is None else selected.latest
        return self._pictures.lines(alert, *camera_page.picture_size(width, height))

    def _picture_is_due(self, now: Moment) -> bool:
        if self._picture is None or now.monotonic_s - self._pictured_s < _PICTURE_EVERY_S:
            return False
        cameras = {alert.latest.camera for alert in self._state.open_alerts() if alert.latest.kind == "anomaly"}
        return any(self._state.cameras[name].history_s() >= _PICTURE_HISTORY_S for name in cameras)

    def _write_picture(self, now: Moment) -> None:
        assert self._picture is not None, "asked before"
        try:
            export_svg(self._state, self._spec.title, self._picture, *_PICTURE_SIZE, now)
        except OSError as error:
            logger.warning("dashboard: picture %s cannot be written: %s", self._picture, error.strerror)
            self._picture = None

    def _report(self, now: Moment) -> None:
        """Say on the bus that this process works."""
        utc = utc_text(now.local)
        counters = {"lost": float(self._state.lost), "refused": float(self._subscriber.refused)}
        self._publisher.send(Health(process=PROCESS, utc=utc, counters=counters))


def _console(terminal: Terminal) -> Console:
    """What draws there: in the colours the environment promises, in 256 where it only says that there are some."""
    console = Console(file=terminal.file)
    return Console(file=terminal.file, color_system="256") if console.color_system == "standard" else console

"""The dashboard process: a full-screen view of all cameras in the terminal, fed by the broadcast lane.

Messages change the state (`overview`), the state becomes a page (`dashboard_page`), this loop draws it a few times a
second. Knows nothing of the processes it shows.
"""

import io
import logging
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live

from stream.bus import Endpoints, Publisher, Subscriber
from stream.child import ChildError, Parent
from stream.clock import utc_text
from stream.dashboard_page import render
from stream.messages import Health
from stream.overview import Moment, State
from stream.terminal import Terminal, TerminalError

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
    picture: Path | None = None
    """An SVG of the page, written anew every few seconds while an anomaly is open."""


def run(spec: DashboardSpec, parent: Parent) -> None:
    """Show the page until the parent says stop; q asks it to.

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


def export_svg(state: State, title: str, path: Path, width: int, height: int, now: Moment) -> None:
    """Write the page as an SVG picture that loads nothing from elsewhere. Replaces the file in one step.

    Raises:
        OSError: It cannot be written.
    """
    console = Console(
        file=io.StringIO(), record=True, width=width, height=height, force_terminal=True, color_system="standard"
    )
    console.print(render(state, title, width, height, now), end="")
    svg = re.sub(
        r"@font-face \{.*?\}\s*", "", console.export_svg(title=title, unique_id="dashboard"), flags=re.DOTALL
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(svg, encoding="utf-8")
    part.replace(path)


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
        self._console = Console(file=terminal.file)
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
        if "q" in self._terminal.keys().lower() and not self._quitting:
            self._quitting = True
            self._parent.ask_to_quit()
        for message in self._subscriber.batch(_TICK_S):
            self._state.take(message, Moment.now())

    def _draw(self, now: Moment) -> None:
        if self._terminal.behind():  # a later page will do, and holding on here would look like a process that hangs
            return
        width, height = self._terminal.size()
        self._console.size = (width, height)
        page = render(self._state, self._spec.title, width, height, now, quitting=self._quitting)
        self.live.update(page, refresh=True)
        if self._picture_is_due(now):
            self._pictured_s = now.monotonic_s
            self._write_picture(now)

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

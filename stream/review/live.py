"""What the cameras show right now: the running watch's broadcast lane, followed in a thread, as JSON once a moment.

However many pages look, it is made once. Where no watch runs it says so and looks for one again and again.
"""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from stream import running
from stream.bus import BusError, Subscriber
from stream.messages import Alert
from stream.overview import AlertView, CameraView, Moment, State
from stream.running import Running, RunningError

SHOW_EVERY_S = 0.5
_LOOK_EVERY_S = 1.0  # for a watch that starts, ends, or is replaced by another
_WAIT_S = 0.1
_JOIN_S = 3.0
_COLUMNS, _COLUMN_S = 60, 2
_NO_WATCH = "no watch runs with this store"


class Live:
    """Follows the watch that has this store, in a thread of its own inside a `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="review-live", daemon=True)
        self._alerts = 0
        self.latest = b""
        """What a page is told, as JSON; another object whenever something new is said."""
        self._say(_NO_WATCH)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_JOIN_S)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                found = running.find(self._folder)
                if found is not None:
                    with Subscriber(found.endpoints) as subscriber:
                        self._listen(found, subscriber)
                self._say(_NO_WATCH)
            except (RunningError, BusError) as error:
                self._say(str(error))
            self._stop.wait(_LOOK_EVERY_S)

    def _listen(self, found: Running, subscriber: Subscriber) -> None:
        """Follow this watch until it is no longer the one that has the store."""
        state = State(found.cameras, Moment.now())
        shown_s = looked_s = time.monotonic()
        while not self._stop.is_set():
            for message in subscriber.batch(_WAIT_S):
                state.take(message, Moment.now())
                self._alerts += isinstance(message, Alert) and message.event != "update"
            now_s = time.monotonic()
            if now_s - shown_s >= SHOW_EVERY_S:
                shown_s = now_s
                self._show(state)
            if now_s - looked_s >= _LOOK_EVERY_S:
                looked_s = now_s
                again = running.find(self._folder)
                if again is None or again.process != found.process:
                    return
                if again.cameras != found.cameras:
                    state.show(again.cameras)
                    found = again

    def _show(self, state: State) -> None:
        now = Moment.now()
        open_alerts = {alert.latest.camera: alert for alert in state.open_alerts()}
        cameras = [_camera(view, open_alerts.get(view.name), now) for view in state.cameras.values()]
        self.latest = msgspec.json.encode({"watching": True, "alerts": self._alerts, "cameras": cameras})

    def _say(self, reason: str) -> None:
        nothing = {"watching": False, "alerts": self._alerts, "reason": reason, "cameras": []}
        said = msgspec.json.encode(nothing)
        if said != self.latest:
            self.latest = said


def _camera(view: CameraView, alert: AlertView | None, now: Moment) -> dict[str, Any]:
    silent_s = view.silent_s(now)
    return {
        "name": view.name,
        "state": view.state,
        "reason": view.reason,
        "condition": view.condition,
        "regime": view.regime,
        "level": None if view.level is None or silent_s is not None else round(view.level, 3),
        "silent_s": None if silent_s is None else round(silent_s),
        "fps": round(view.fps(now), 1),
        "history": [None if one is None else round(one, 2) for one in view.history(_COLUMNS, _COLUMN_S, now)],
        "alert": None if alert is None else {"id": alert.latest.id, "kind": alert.latest.kind},
    }

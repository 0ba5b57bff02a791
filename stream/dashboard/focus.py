"""What a person looks at, and how keys change it. Pure: the same focus, key and state give the same focus."""

from dataclasses import dataclass, replace
from typing import Literal

from stream.overview import AlertView, State

_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -10, "page down": 10, "home": -(10**9), "end": 10**9}
_ASIDE = {"left": -1, "h": -1, "right": 1, "l": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """The page that is shown, and what is selected on it."""

    page: Literal["cameras", "camera"] = "cameras"
    camera: str | None = None
    """Name of the selected one, None or one that is gone = the first."""
    alert: str | None = None
    """ID of the selected one of the camera, None or one that is gone = the first, whichever that is."""
    keys: bool = False
    """Whether the keys are shown instead of the page."""

    def selected_camera(self, state: State) -> str | None:
        """Its name, None where there are no cameras."""
        return self.camera if self.camera in state.cameras else next(iter(state.cameras), None)

    def selected_alert(self, state: State) -> AlertView | None:
        """Of the selected camera, None where it has none."""
        alerts = state.listed_alerts(self.selected_camera(state))
        return next((alert for alert in alerts if alert.latest.id == self.alert), alerts[0] if alerts else None)


def pressed(focus: Focus, key: str, state: State) -> Focus:
    """What is looked at after this key; keys that mean nothing here change nothing."""
    if key == "?":
        return replace(focus, keys=not focus.keys)
    if focus.keys:
        return replace(focus, keys=False) if key in ("escape", "enter") else focus
    if focus.page == "cameras":
        if key == "enter" and state.cameras:
            return replace(focus, page="camera", camera=focus.selected_camera(state), alert=None)
        return _to_camera(focus, _STEPS.get(key, 0), state)
    if key in ("escape", "enter"):
        return replace(focus, page="cameras", alert=None)
    if key in _ASIDE:
        return _to_camera(focus, _ASIDE[key], state)
    return _to_alert(focus, _STEPS.get(key, 0), state)


def _to_camera(focus: Focus, steps: int, state: State) -> Focus:
    names = list(state.cameras)
    if not steps or not names:
        return focus
    return replace(focus, camera=_moved(names, focus.selected_camera(state), steps), alert=None)


def _to_alert(focus: Focus, steps: int, state: State) -> Focus:
    selected = focus.selected_alert(state)
    if not steps or selected is None:
        return focus
    identifiers = [alert.latest.id for alert in state.listed_alerts(focus.selected_camera(state))]
    moved = _moved(identifiers, selected.latest.id, steps)
    # At the top the newest is meant, also when there is a newer one.
    return replace(focus, alert=None if moved == identifiers[0] else moved)


def _moved(names: list[str], name: str | None, steps: int) -> str:
    index = names.index(name) if name in names else 0
    return names[min(len(names) - 1, max(0, index + steps))]

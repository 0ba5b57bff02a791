"""MQTT's topics, what is on each, and how Home Assistant is told of them. Pure.

`topic` is the prefix of the site everywhere. Of a camera there are `TOPIC/CAMERA/alert` (its notices, JSON),
`.../picture` (JPEG), `.../anomaly`, `.../trouble`, `.../connection` (ON or OFF) and `.../level`.
"""

import json
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from stream.messages import AlertKind
from stream.overview import Moment, State

ON, OFF = "ON", "OFF"
_SWITCHES = ("anomaly", "trouble", "connection")
_LEVELS_MISSED = 6  # before Home Assistant calls a level unknown


def availability(topic: str) -> str:
    """Whether the notifier is there."""
    return f"{topic}/availability"


def alert(topic: str, camera: str) -> str:
    """Where a camera's notices go; those of no single camera, a digest and a test, have a topic of their own."""
    return f"{topic}/{camera}/alert" if camera else f"{topic}/digest"


def picture(topic: str, camera: str) -> str:
    """Where its latest alert's picture is."""
    return f"{topic}/{camera}/picture"


def owned(topic: str, discovery: str | None) -> tuple[str, ...]:
    """Filters of the retained topics that no other watch writes."""
    switches = tuple(f"{topic}/+/{name}" for name in _SWITCHES)
    return switches if discovery is None else (*switches, f"{discovery}/+/{_node(topic)}/+/config")


def switches(
    topic: str, cameras: Iterable[str], state: State, open_alerts: Iterable[tuple[str, AlertKind]]
) -> dict[str, str]:
    """What is on the retained topics of these cameras; nothing of a camera that nothing was heard of yet.

    Args:
        open_alerts: Camera and kind of each.
    """
    kinds = set(open_alerts)
    values = {}
    for name in cameras:
        trouble = (name, "camera") in kinds or (name, "drift") in kinds
        values[f"{topic}/{name}/anomaly"] = ON if (name, "anomaly") in kinds else OFF
        values[f"{topic}/{name}/trouble"] = ON if trouble else OFF
        view = state.cameras.get(name)
        if view is not None and view.report is not None:
            values[f"{topic}/{name}/connection"] = ON if view.state == "live" else OFF
    return values


def levels(topic: str, cameras: Iterable[str], state: State, span_s: int, now: Moment) -> dict[str, str]:
    """The highest level of each camera in the last `span_s`, where there was one."""
    values = {}
    for name in cameras:
        view = state.cameras.get(name)
        highest = [] if view is None else [one for one in view.history(span_s, 1, now) if one is not None]
        if highest:
            values[f"{topic}/{name}/level"] = f"{max(highest):.3f}"
    return values


def announced(
    topic: str, discovery: str, cameras: Iterable[str], *, every_s: float, pictures: bool
) -> dict[str, str]:
    """Home Assistant's discovery: retained topics and what is on them, for each camera a device with entities."""
    values = {}
    for name in cameras:
        for component, entity, own in _entities(topic, name, every_s, pictures):
            config = {**_common(topic, name, entity), **own}
            values[f"{discovery}/{component}/{_node(topic)}/{name}_{entity}/config"] = json.dumps(config)
    return values


def _entities(topic: str, camera: str, every_s: float, pictures: bool) -> list[tuple[str, str, dict[str, Any]]]:
    """Component, name and what is particular of each entity of a camera."""
    of = f"{topic}/{camera}"
    diagnostic = {"entity_category": "diagnostic"}
    entities: list[tuple[str, str, dict[str, Any]]] = [
        (
            "binary_sensor",
            "anomaly",
            {
                "name": "Anomaly",
                "state_topic": f"{of}/anomaly",
                "device_class": "motion",
                "json_attributes_topic": alert(topic, camera),
            },
        ),
        (
            "binary_sensor",
            "trouble",
            {"name": "Trouble", "state_topic": f"{of}/trouble", "device_class": "problem", **diagnostic},
        ),
        (
            "binary_sensor",
            "connection",
            {"name": "Connection", "state_topic": f"{of}/connection", "device_class": "connectivity", **diagnostic},
        ),
        (
            "sensor",
            "level",
            {
                "name": "Level",
                "state_topic": f"{of}/level",
                "state_class": "measurement",
                "icon": "mdi:pulse",
                "suggested_display_precision": 2,
                "expire_after": round(_LEVELS_MISSED * every_s),
            },
        ),
    ]
    if pictures:
        shown = {"name": "Latest alert", "image_topic": picture(topic, camera), "content_type": "image/jpeg"}
        entities.append(("image", "picture", shown))
    return entities


def _common(topic: str, camera: str, entity: str) -> dict[str, Any]:
    node = _node(topic)
    return {
        "unique_id": f"{node}_{camera}_{entity}",
        "availability_topic": availability(topic),
        "device": {
            "identifiers": [f"{node}_{camera}"],
            "name": camera,
            "manufacturer": "MULDE stream",
            "model": "Anomaly monitor",
        },
        "origin": {"name": "mulde-stream", "sw_version": _version()},
    }


def _node(topic: str) -> str:
    """The site's part of a discovery topic, which has no room for a slash."""
    return topic.replace("/", "_")


def _version() -> str:
    try:
        return version("mulde-stream")
    except PackageNotFoundError:  # run from its folder, and never installed
        return "unknown"

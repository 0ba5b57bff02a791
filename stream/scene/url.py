"""What the URL of a drawn scene says, checked."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from stream.scene.actors import KINDS, AnomalyKind
from stream.scene.road import ROAD
from stream.scene.room import ROOM
from stream.scene.street import STREET
from stream.scene.world import World

_WORLDS = {world.name: world for world in (STREET, ROAD, ROOM)}

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a scene's URL may say."""

    world: World
    kinds: tuple[AnomalyKind, ...]
    seed: int = 1
    seconds: float = 600.0
    fps: float = 15.0
    width: int = 640
    height: int = 360
    camera: int = 1
    people: float = 3.0
    anomalies: bool = False
    dark: bool = False


def settings_of(url: str) -> Settings:
    """What a URL such as ``demo://street?seed=3&anomalies=1`` asks for.

    Raises:
        ValueError: There is no scene of this name, or a parameter is unknown or wrong.
    """
    parts = urlsplit(url)
    name = (parts.netloc + parts.path).rstrip("/")
    if parts.scheme != "demo" or name not in _WORLDS:
        raise ValueError(f"there is no scene {name!r}: use {' or '.join(f'demo://{known}' for known in _WORLDS)}")
    world = _WORLDS[name]
    readers = _readers(world)
    given: dict[str, str] = {}
    for key, text in parse_qsl(parts.query, keep_blank_values=True):
        if key not in readers:
            raise ValueError(f"{key}: unknown parameter{_did_you_mean(key, readers)}")
        if key in given:
            raise ValueError(f"{key}: given twice, give it once")
        given[key] = text
    values = {key: readers[key](key, text) for key, text in given.items()}
    settings = Settings(**{"world": world, "kinds": world.usual_kinds, **values})  # type: ignore[arg-type]
    if "kinds" in given and not settings.anomalies:
        raise ValueError("kinds: only with anomalies=1")
    return settings


def _number(least: float, most: float) -> Callable[[str, str], float]:
    def read(key: str, text: str) -> float:
        value = _converted(float, text)
        if value is None or not least <= value <= most:
            raise ValueError(f"{key}: must be a number from {least:g} to {most:g}, not {text!r}")
        return value

    return read


def _integer(least: int, most: int) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        value = _converted(int, text)
        if value is None or not least <= value <= most:
            raise ValueError(f"{key}: must be a whole number from {least} to {most}, not {text!r}")
        return value

    return read


def _switch(key: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(f"{key}: must be 0 or 1, not {text!r}")
    return text == "1"


def _kinds(world: World) -> Callable[[str, str], tuple[AnomalyKind, ...]]:
    def read(key: str, text: str) -> tuple[AnomalyKind, ...]:
        for name in text.split(","):
            if name in KINDS and name not in world.kinds:
                raise ValueError(f"{key}: demo://{world.name} has no {name}, only {', '.join(world.kinds)}")
            if name not in world.kinds:
                raise ValueError(f"{key}: unknown kind {name!r}{_did_you_mean(name, world.kinds)}")
        return tuple(kind for kind in world.kinds if kind in text.split(","))

    return read


def _converted(kind: Callable[[str], Value], text: str) -> Value | None:
    try:
        return kind(text)
    except ValueError:
        return None


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]}?" if close else f"; known here: {', '.join(known)}"


def _readers(world: World) -> dict[str, Callable[[str, str], object]]:
    """Who reads each parameter."""
    return {
        "seed": _integer(0, 2**63),
        "seconds": _number(1, 86400),
        "fps": _number(1, 120),
        "width": _integer(64, 3840),
        "height": _integer(48, 2160),
        "camera": _integer(1, world.cameras),
        "people": _number(0, 12),
        "anomalies": _switch,
        "kinds": _kinds(world),
        "dark": _switch,
    }

"""A whole site's configuration, and how it is read from a YAML file. Its sections are in `settings`.

`load` reads a site file once, in the parent process; children receive their part as an argument.
A section written at the top of a site file (`analysis`, `policy`, `connection`) holds for every camera;
the same section under a camera overrides single keys of it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from configs.evidence import EvidenceSettings
from configs.problems import Location, dotted, explain
from configs.settings import (
    AnalysisSettings,
    BusSettings,
    CalibrationSettings,
    CameraSettings,
    ConnectionSettings,
    HealthSettings,
    MemorySettings,
    PolicySettings,
    Section,
    StoreSettings,
    SupervisorSettings,
    WorkerSettings,
)

PER_CAMERA_SECTIONS = ("analysis", "policy", "connection")

_TEXT_KEYS = ("name", "source")
_TEXT_TAG, _NULL_TAG = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"


class ConfigError(Exception):
    """A configuration cannot be used; the message has one line per problem: where, what, the way out."""


class Config(Section):
    """A whole site."""

    analysis: AnalysisSettings = AnalysisSettings()
    policy: PolicySettings = PolicySettings()
    connection: ConnectionSettings = ConnectionSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    worker: WorkerSettings = WorkerSettings()
    store: StoreSettings = StoreSettings()
    memory: MemorySettings = MemorySettings()
    evidence: EvidenceSettings = EvidenceSettings()
    bus: BusSettings = BusSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    health: HealthSettings = HealthSettings()
    cameras: tuple[CameraSettings, ...] = Field((), strict=False)

    @model_validator(mode="after")
    def _camera_names_are_unique(self) -> "Config":
        first: dict[str, int] = {}
        for index, camera in enumerate(self.cameras):
            if first.setdefault(camera.name, index) != index:
                raise ValueError(
                    f"cameras.{index}.name: must be unique, {camera.name!r} is cameras.{first[camera.name]}, too"
                )
        return self


def load(path: Path) -> Config:
    """Configuration from a YAML site file.

    Relative paths in it (`model`, `store.folder`, a `source` that is a file) are taken from the file's own folder.

    Raises:
        ConfigError: Unreadable, not YAML, or not valid; all problems at once, each with its line.
    """
    root, raw, problems = _read(path)
    try:
        config = Config.model_validate(_with_shared_sections(raw), context={"folder": path.parent})
    except ValidationError as error:
        own = _own_problems(explain(error, Config), raw)
        problems += [(_line_of(root, where), where, what) for where, what in own]
    if not problems:
        return config
    problems.sort(key=lambda problem: problem[0])
    raise ConfigError("\n".join(f"{path}:{line}: {_say(where, what)}" for line, where, what in problems))


def load_store(path: Path) -> StoreSettings:
    """The section `store` of a site file alone, whatever is wrong with the others or missing in the environment.

    Raises:
        ConfigError: Unreadable, not YAML, or this section is not valid.
    """
    _, raw, _ = _read(path)
    return validate({"store": raw["store"]} if "store" in raw else {}, str(path), folder=path.parent).store


def validate(raw: dict[str, Any], where: str, folder: Path | None = None) -> Config:
    """Configuration from plain data, for what the command line builds; relative paths are taken from `folder`.

    Raises:
        ConfigError: Not valid.
    """
    try:
        return Config.model_validate(_with_shared_sections(raw), context={"folder": folder})
    except ValidationError as error:
        problems = _own_problems(explain(error, Config), raw)
        raise ConfigError("\n".join(f"{where}: {_say(key, what)}" for key, what in problems)) from error


def _read(path: Path) -> tuple[yaml.Node, dict[str, Any], list[tuple[int, Location, str]]]:
    """A file's YAML as nodes, which know their lines, and as plain data, and the lines that have a key again.

    Raises:
        ConfigError: Unreadable, not YAML, empty or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: must be text in UTF-8: byte {error.start} is not") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise ConfigError(f"{path}: is empty: name at least one section (see configs/default.yaml)")
        repeated = _repeated_keys(root)
        _keep_as_written(root)
        raw = yaml.constructor.SafeConstructor().construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        # Without its cause, whose text quotes the file, and with it perhaps a password.
        raise ConfigError(f"{where}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not valid YAML: {reason}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}:1: must be a mapping of sections (see configs/default.yaml)")
    return root, raw, repeated


def _with_shared_sections(raw: dict[str, Any]) -> dict[str, Any]:
    """Every camera with the site's sections below its own keys; a section with nothing in it is left out."""
    raw = _without_empty(raw, tuple(Config.model_fields))
    if not isinstance(raw.get("cameras"), list):
        return raw
    merged = []
    for camera in raw["cameras"]:
        if isinstance(camera, dict):
            camera = _without_empty(camera, PER_CAMERA_SECTIONS)
            for section in PER_CAMERA_SECTIONS:
                shared, own = raw.get(section), camera.get(section, {})
                if isinstance(shared, dict) and isinstance(own, dict):
                    camera[section] = _merged(shared, own)
        merged.append(camera)
    return {**raw, "cameras": merged}


def _merged(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The shared section with its own keys over it, also those of sections in it."""
    both = {key: (shared[key], value) for key, value in own.items() if key in shared}
    below = {key: _merged(*pair) for key, pair in both.items() if all(isinstance(one, dict) for one in pair)}
    return {**shared, **own, **below}


def _without_empty(raw: dict[str, Any], sections: tuple[str, ...]) -> dict[str, Any]:
    """A copy without sections whose every line is commented out, which YAML reads as null."""
    return {key: value for key, value in raw.items() if value is not None or key not in sections}


def _own_problems(problems: list[tuple[Location, str]], raw: dict[str, Any]) -> list[tuple[Location, str]]:
    """Without a shared section's faults that show once more in every camera that has it from there."""
    return [
        (where, what)
        for where, what in problems
        if where[:1] != ("cameras",) or (where[2:], what) not in problems or _is_in(raw, where)
    ]


def _is_in(raw: Any, location: Location) -> bool:
    for part in location:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _say(where: Location, what: str) -> str:
    return f"{dotted(where)}: {what}" if where else what


def _pairs(root: yaml.Node) -> Iterator[tuple[Location, dict[str, yaml.Node], yaml.Node, yaml.Node]]:
    """Every key and value with where its mapping is and the keys before it there. What has two names comes once."""
    pending: list[tuple[Location, yaml.Node]] = [((), root)]
    seen = set()
    while pending:
        location, node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += [((*location, index), item) for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            before: dict[str, yaml.Node] = {}
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    yield location, before, key, value
                    before.setdefault(key.value, key)
                    pending.append(((*location, key.value), value))


def _repeated_keys(root: yaml.Node) -> list[tuple[int, Location, str]]:
    """Keys that a mapping has twice, of which YAML alone would silently take the last, with the line of the later."""
    return [
        (
            key.start_mark.line + 1,
            (*location, key.value),
            f"must be given once, is already in line {before[key.value].start_mark.line + 1}",
        )
        for location, before, key, _ in _pairs(root)
        if key.value in before
    ]


def _keep_as_written(root: yaml.Node) -> None:
    """Make text of what only looks like something else: webcam 0, or cameras named 007 and on."""
    for _, _, key, value in _pairs(root):
        if key.value in _TEXT_KEYS and isinstance(value, yaml.ScalarNode) and value.tag != _NULL_TAG:
            value.tag = _TEXT_TAG


def _line_of(root: yaml.Node, location: Location) -> int:
    """1-based line of the deepest part of a location the file really has."""
    node, line = root, root.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            # The last of two is the one that counts.
            pairs = {key.value: (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}
            if part not in pairs:
                break
            key, node = pairs[str(part)]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1

"""The configuration as frozen, typed models: every option's unit, range and meaning, in one place.

`load` reads a site file once, in the parent process; children receive their part as an argument.
A section written at the top of a site file (`analysis`, `policy`, `connection`) holds for every camera;
the same section under a camera overrides single keys of it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from configs.problems import Location, dotted, explain

PER_CAMERA_SECTIONS = ("analysis", "policy", "connection")

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Point = Annotated[
    tuple[Fraction, Fraction], Field(strict=False)
]  # not strict: YAML has lists where Python has tuples
Polygon = Annotated[tuple[Point, ...], Field(min_length=3, strict=False)]

ClipNetworkName = Literal["hiera_base_16x224", "hiera_base_plus_16x224", "hiera_large_16x224", "hiera_huge_16x224"]

_TEXT_KEYS = ("name", "source")
_TEXT_TAG, _NULL_TAG = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"


class ConfigError(Exception):
    """A configuration cannot be used; the message has one line per problem: where, what, the way out."""


class _Section(BaseModel):
    """Frozen; a key the section does not know is an error, and so is a value that only resembles its type."""

    # The input stays out of pydantic's own text, because that ends up in tracebacks and may hold a password.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class ClipSettings(_Section):
    """The optional look at the whole picture in clips. Its network is for a GPU; its weights are not for commerce."""

    network: ClipNetworkName | None = Field(None, description="Hiera network that sees clips, null = none")
    weights: Path | None = Field(None, strict=False, description="file that fetch-clip-weights made")
    stride_s: float = Field(0.5, ge=0.1, le=60.0, description="time from one clip to the next")

    @field_validator("weights")
    @classmethod
    def _weights_beside_site_file(cls, weights: Path | None, info: ValidationInfo) -> Path | None:
        return None if weights is None else _from_site_folder(weights, info)

    @model_validator(mode="after")
    def _network_has_weights(self) -> "ClipSettings":
        if self.network is not None and self.weights is None:
            raise ValueError("weights: must be given with network: the file that fetch-clip-weights made")
        return self


class AnalysisSettings(_Section):
    """How a camera's picture is prepared before the detector sees it. Fixed in the bundle by calibration."""

    rate_fps: float = Field(10.0, gt=0.0, le=60.0, description="frames per second to analyse")
    long_side_px: int = Field(640, ge=128, le=1920, description="longer side of the analysed picture, pixels")
    mask: tuple[Polygon, ...] = Field(
        (), strict=False, description="areas to ignore, each a polygon of [x, y] in fractions of the frame"
    )
    clip: ClipSettings = ClipSettings()


class PolicySettings(_Section):
    """When a run of scores becomes an alert. All times in seconds of stream time."""

    smoothing_s: float = Field(0.2, ge=0.0, le=30.0, description="time constant of the causal smoothing")
    enter_count: int = Field(3, ge=1, le=100, description="scores above the threshold that open an alert ...")
    enter_window: int = Field(5, ge=1, le=100, description="... among this many latest scores")
    exit_ratio: float = Field(0.8, gt=0.0, le=1.0, description="exit level as a share of the threshold")
    hold_s: float = Field(2.0, ge=0.0, le=600.0, description="time below the exit level before an alert ends")
    merge_gap_s: float = Field(3.0, ge=0.0, le=3600.0, description="episodes closer than this are one alert")
    max_length_s: float = Field(300.0, gt=0.0, le=86400.0, description="an alert is ended after this long")
    cooldown_s: float = Field(5.0, ge=0.0, le=86400.0, description="silence of a camera after an alert ended")

    @model_validator(mode="after")
    def _window_holds_count(self) -> "PolicySettings":
        if self.enter_count > self.enter_window:
            raise ValueError(
                f"enter_count: must be at most enter_window ({self.enter_window}), not {self.enter_count}"
            )
        return self


class ConnectionSettings(_Section):
    """How a source is opened, and how patiently it is opened again."""

    transport: Literal["tcp", "udp"] = Field("tcp", description="RTSP transport")
    verify_tls: bool = Field(True, description="check the certificate of rtsps:// and https:// sources")
    open_timeout_s: float = Field(10.0, gt=0.0, le=120.0, description="time to connect and see a first frame")
    read_timeout_s: float = Field(10.0, gt=0.0, le=120.0, description="silence of the source that is a failure")
    backoff_first_s: float = Field(1.0, gt=0.0, le=60.0, description="wait before the first reconnect; doubles")
    backoff_max_s: float = Field(60.0, gt=0.0, le=3600.0, description="longest wait between reconnects")
    trouble_after_s: float = Field(
        30.0, ge=1.0, le=86400.0, description="time without pictures after which that is an alert"
    )

    @model_validator(mode="after")
    def _backoff_grows(self) -> "ConnectionSettings":
        if self.backoff_first_s > self.backoff_max_s:
            raise ValueError(
                f"backoff_first_s: must be at most backoff_max_s ({self.backoff_max_s:g}), "
                f"not {self.backoff_first_s:g}"
            )
        return self


class CameraSettings(_Section):
    """One camera of a site."""

    # Not strict where the command line may have a number and YAML has text.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    name: str = Field(
        strict=False, pattern=r"^[A-Za-z0-9_-]{1,32}$", description="1 to 32 letters, digits, - or _, unique"
    )
    source: str = Field(strict=False, min_length=1, repr=False, description="URL, file, webcam index or demo://NAME")
    model: Path | None = Field(None, strict=False, description="bundle written by calibrate")
    threshold: float | None = Field(None, description="overrides the bundle's calibrated threshold")
    analysis: AnalysisSettings = AnalysisSettings()
    policy: PolicySettings = PolicySettings()
    connection: ConnectionSettings = ConnectionSettings()

    @field_validator("source")
    @classmethod
    def _expand_environment(cls, source: str, info: ValidationInfo) -> str:
        source = expand_environment(source).strip()
        if not source:
            raise ValueError("must not be empty")
        if "://" in source or source.isdecimal():
            return source
        return str(_from_site_folder(Path(source), info))

    @field_validator("model")
    @classmethod
    def _model_beside_site_file(cls, model: Path | None, info: ValidationInfo) -> Path | None:
        return None if model is None else _from_site_folder(model, info)


class CalibrationSettings(_Section):
    """How normal is learned."""

    minutes: float = Field(10.0, gt=0.0, le=10080.0, description="footage to take from a live source, minutes")
    alerts_per_day: float = Field(1.0, gt=0.0, le=10000.0, description="false-alert budget per camera")
    folds: int = Field(3, ge=2, le=20, description="time blocks are scored by densities that never saw them")
    steps: int = Field(1000, ge=10, le=1_000_000, description="optimiser steps per density")
    max_vectors: int = Field(
        2_000_000, ge=1000, le=100_000_000, description="feature vectors kept; longer footage is thinned"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of everything random")


class WorkerSettings(_Section):
    """The process that scores frames."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one")
    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0 = one less than cores, at least 1")
    max_batch: int = Field(16, ge=1, le=256, description="frames scored together at most")
    min_wait_ms: float = Field(2.0, ge=0.0, le=1000.0, description="shortest wait for frames to share a batch")
    max_wait_ms: float = Field(100.0, ge=0.0, le=1000.0, description="longest such wait")
    staleness_s: float = Field(0.5, gt=0.0, le=60.0, description="frames older than this are dropped, counted")
    drift_days: float = Field(
        30.0, ge=1.0, le=3650.0, description="mean time between false alarms that a camera has drifted, at least"
    )

    @model_validator(mode="after")
    def _waits_are_a_range(self) -> "WorkerSettings":
        if self.min_wait_ms > self.max_wait_ms:
            raise ValueError(
                f"min_wait_ms: must be at most max_wait_ms ({self.max_wait_ms:g}), not {self.min_wait_ms:g}"
            )
        return self


class StoreSettings(_Section):
    """Where alerts and their evidence are kept."""

    folder: Path | None = Field(None, strict=False, description="default: the user's state folder")
    keep_days: float = Field(90.0, gt=0.0, le=36500.0, description="older alerts are removed with their pictures")
    keep_megabytes: float = Field(2000.0, ge=1.0, le=1e9, description="of pictures of alerts; the oldest give way")

    @field_validator("folder")
    @classmethod
    def _folder_beside_site_file(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        return None if folder is None else _from_site_folder(folder, info)


class MemorySettings(_Section):
    """What is kept of the pictures' features, no pictures, to learn from: alerts that can be marked, normal time."""

    keep: bool = Field(True, description="false keeps nothing: alerts cannot be marked as normal then")
    episodes: int = Field(50, ge=0, le=10_000, description="latest alerts kept of each camera")
    normal_minutes: float = Field(30.0, ge=0.0, le=1440.0, description="normal time kept of each camera")
    megabytes: float = Field(
        500.0, gt=0.0, le=1_000_000.0, description="space for each camera: half for its alerts, half for normal time"
    )
    folder: Path | None = Field(None, strict=False, description="default: footage in the store's folder")

    @field_validator("folder")
    @classmethod
    def _folder_beside_site_file(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        return None if folder is None else _from_site_folder(folder, info)


class BusSettings(_Section):
    """Where other machines may watch."""

    listen: str | None = Field(
        None,
        pattern=r"^tcp://(\*|\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[1-9][0-9]{0,4}$",
        description="tcp://ADDRESS:PORT of this machine, such as tcp://0.0.0.0:5577, null = nowhere",
    )
    keys: Path | None = Field(None, strict=False, description="folder that `keys` made: who may watch")

    @field_validator("keys")
    @classmethod
    def _keys_beside_site_file(cls, keys: Path | None, info: ValidationInfo) -> Path | None:
        return None if keys is None else _from_site_folder(keys, info)

    @model_validator(mode="after")
    def _nobody_listens_without_keys(self) -> "BusSettings":
        if self.listen is not None and self.keys is None:
            raise ValueError("keys: must be given with listen: the folder that `keys FOLDER` made")
        return self


class SupervisorSettings(_Section):
    """When a child process is given up and how often it is replaced."""

    ready_timeout_s: float = Field(60.0, gt=0.0, le=600.0, description="time for a child to become ready")
    heartbeat_timeout_s: float = Field(30.0, gt=0.0, le=600.0, description="silence after which it is replaced")
    restarts: int = Field(5, ge=0, le=1000, description="replacements of one child allowed ...")
    restart_window_s: float = Field(300.0, gt=0.0, le=86400.0, description="... within this time")


class HealthSettings(_Section):
    """Where the watch answers over HTTP how it is. Without a password: keep it on this machine or a trusted net."""

    listen: str | None = Field(None, description="HOST:PORT for /healthz, /readyz and /metrics, null = nowhere")

    @field_validator("listen")
    @classmethod
    def _is_host_and_port(cls, listen: str | None) -> str | None:
        if listen is not None:
            match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+):([0-9]{1,5})", listen)
            if match is None or not 1 <= int(match[2]) <= 65535:
                raise ValueError(f"must be HOST:PORT, as 127.0.0.1:9477 or [::1]:9477, not {listen!r}")
        return listen


class Config(_Section):
    """A whole site."""

    analysis: AnalysisSettings = AnalysisSettings()
    policy: PolicySettings = PolicySettings()
    connection: ConnectionSettings = ConnectionSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    worker: WorkerSettings = WorkerSettings()
    store: StoreSettings = StoreSettings()
    memory: MemorySettings = MemorySettings()
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


def expand_environment(text: str) -> str:
    """Text with each `${NAME}` replaced by the environment variable.

    Raises:
        ValueError: A variable is not set, or `${` is not followed by a name and `}`; the text is not in the message.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            raise ValueError("must have a variable's name in ${...}: letters, digits and _")
        if name not in os.environ:
            raise ValueError(f"environment variable {name} is not set: export {name}=...")
        return os.environ[name]

    return re.sub(r"\$\{(?:(\w+)\})?", value, text)


def _from_site_folder(path: Path, info: ValidationInfo) -> Path:
    """The path as it is meant in a site file, whatever the working folder; left alone where there is no such file."""
    if path.parts[:1] and path.parts[0].startswith("~"):
        try:
            return path.expanduser()
        except RuntimeError as error:
            raise ValueError(f"must name a folder that exists: {path.parts[0]} is nobody's") from error
    folder: Path | None = (info.context or {}).get("folder")
    return path if folder is None else folder / path


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

"""The configuration as frozen, typed models: every option's unit, range and meaning, in one place.

`load` reads a site file once, in the parent process; children receive their part as an argument.
A section written at the top of a site file (`analysis`, `policy`, `connection`) holds for every camera;
the same section under a camera overrides single keys of it.
"""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

PER_CAMERA_SECTIONS = ("analysis", "policy", "connection")

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Polygon = Annotated[tuple[tuple[Fraction, Fraction], ...], Field(min_length=3)]


class ConfigError(Exception):
    """A configuration cannot be used; the message has one line per problem: where, what, the way out."""


class _Section(BaseModel):
    """Frozen; a key the section does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnalysisSettings(_Section):
    """How a camera's picture is prepared before the detector sees it. Fixed in the bundle by calibration."""

    rate_fps: float = Field(5.0, gt=0.0, le=60.0, description="frames per second to analyse")
    long_side_px: int = Field(640, ge=128, le=1920, description="longer side of the analysed picture, pixels")
    mask: tuple[Polygon, ...] = Field(
        (), description="areas to ignore, each a polygon of [x, y] in fractions of the frame"
    )


class PolicySettings(_Section):
    """When a run of scores becomes an alert. All times in seconds of stream time."""

    smoothing_s: float = Field(0.4, ge=0.0, le=30.0, description="time constant of the causal smoothing")
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


class CameraSettings(_Section):
    """One camera of a site."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="unique, shown everywhere")
    source: str = Field(min_length=1, repr=False, description="URL, file, webcam index or demo://NAME")
    model: Path | None = Field(None, description="bundle written by calibrate")
    threshold: float | None = Field(None, description="overrides the bundle's calibrated threshold")
    analysis: AnalysisSettings = AnalysisSettings()
    policy: PolicySettings = PolicySettings()
    connection: ConnectionSettings = ConnectionSettings()

    @field_validator("source")
    @classmethod
    def _expand_environment(cls, source: str) -> str:
        return expand_environment(source)


class CalibrationSettings(_Section):
    """How normal is learned."""

    minutes: float = Field(10.0, gt=0.0, le=10080.0, description="footage to take from a live source, minutes")
    alerts_per_day: float = Field(1.0, gt=0.0, le=10000.0, description="false-alert budget per camera")
    folds: int = Field(3, ge=2, le=20, description="time blocks are scored by densities that never saw them")
    steps: int = Field(600, ge=10, le=1_000_000, description="optimiser steps per density")
    max_vectors: int = Field(400_000, ge=1000, description="feature vectors kept; longer footage is thinned")
    seed: int = Field(0, ge=0, description="seed of everything random")


class WorkerSettings(_Section):
    """The process that scores frames."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one")
    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0 = one less than cores, at least 1")
    max_batch: int = Field(16, ge=1, le=256, description="frames scored together at most")
    min_wait_ms: float = Field(2.0, ge=0.0, le=1000.0, description="shortest wait for frames to share a batch")
    max_wait_ms: float = Field(100.0, ge=0.0, le=1000.0, description="longest such wait")
    staleness_s: float = Field(0.5, gt=0.0, le=60.0, description="frames older than this are dropped, counted")


class StoreSettings(_Section):
    """Where alerts and their evidence are kept."""

    folder: Path | None = Field(None, description="default: the user's state folder")


class SupervisorSettings(_Section):
    """When a child process is given up and how often it is replaced."""

    ready_timeout_s: float = Field(60.0, gt=0.0, le=600.0, description="time for a child to become ready")
    heartbeat_timeout_s: float = Field(30.0, gt=0.0, le=600.0, description="silence after which it is replaced")
    restarts: int = Field(5, ge=0, le=1000, description="replacements of one child allowed ...")
    restart_window_s: float = Field(300.0, gt=0.0, le=86400.0, description="... within this time")


class Config(_Section):
    """A whole site."""

    analysis: AnalysisSettings = AnalysisSettings()
    policy: PolicySettings = PolicySettings()
    connection: ConnectionSettings = ConnectionSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    worker: WorkerSettings = WorkerSettings()
    store: StoreSettings = StoreSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    cameras: tuple[CameraSettings, ...] = ()

    @model_validator(mode="after")
    def _camera_names_are_unique(self) -> "Config":
        names = [camera.name for camera in self.cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"cameras: every name must be unique, {', '.join(twice)} is used twice")
        return self


def expand_environment(text: str) -> str:
    """Text with each `${NAME}` replaced by the environment variable.

    Raises:
        ValueError: A variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise ValueError(f"environment variable {name} is not set: export {name}=...")
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", value, text)


def load(path: Path) -> Config:
    """Configuration from a YAML site file.

    Relative paths in it (`model`, `store.folder`) are taken from the file's own folder.

    Raises:
        ConfigError: Unreadable, not YAML, or not valid; all problems at once, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        raise ConfigError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: must be a mapping of sections (see configs/default.yaml)")
    try:
        return Config.model_validate(_with_paths_from(path.parent, _with_shared_sections(raw)))
    except ValidationError as error:
        raise ConfigError(_explain(error, path, node)) from error


def validate(raw: dict[str, Any], where: str) -> Config:
    """Configuration from plain data, for what the command line builds.

    Raises:
        ConfigError: Not valid.
    """
    try:
        return Config.model_validate(_with_shared_sections(raw))
    except ValidationError as error:
        raise ConfigError(_explain(error, Path(where), None)) from error


def _with_shared_sections(raw: dict[str, Any]) -> dict[str, Any]:
    """Every camera with the site's sections below its own keys."""
    cameras = raw.get("cameras")
    if not isinstance(cameras, list):
        return raw
    merged = []
    for camera in cameras:
        if isinstance(camera, dict):
            camera = dict(camera)
            for section in PER_CAMERA_SECTIONS:
                shared, own = raw.get(section), camera.get(section, {})
                if isinstance(shared, dict) and isinstance(own, dict):
                    camera[section] = {**shared, **own}
        merged.append(camera)
    return {**raw, "cameras": merged}


def _with_paths_from(folder: Path, raw: dict[str, Any]) -> dict[str, Any]:
    """Relative paths made absolute, so that a site file works from anywhere."""
    raw = dict(raw)
    store = raw.get("store")
    if isinstance(store, dict) and isinstance(store.get("folder"), str):
        raw["store"] = {**store, "folder": str(folder / Path(store["folder"]).expanduser())}
    if isinstance(raw.get("cameras"), list):
        raw["cameras"] = [
            {**camera, "model": str(folder / Path(camera["model"]).expanduser())}
            if isinstance(camera, dict) and isinstance(camera.get("model"), str)
            else camera
            for camera in raw["cameras"]
        ]
    return raw


def _explain(error: ValidationError, path: Path, node: yaml.Node | None) -> str:
    """One line per problem: file, line, key, what is wrong, and what was probably meant."""
    lines: dict[str, None] = {}  # an ordered set: a shared section's fault shows once per camera
    for problem in error.errors(include_url=False, include_input=True):
        location = problem["loc"]
        key = ".".join(str(part) for part in location)
        line = _line_of(node, location)
        where = f"{path}:{line}" if line else f"{path}"
        if problem["type"] == "extra_forbidden":
            text = f"{key}: unknown key{_did_you_mean(str(location[-1]), location[:-1])}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = problem["input"]
            # A source may hold a password, so no value of it is ever repeated.
            shown = f", not {given!r}" if isinstance(given, int | float | str) and key[-6:] != "source" else ""
            text = f"{key}: {message}{shown}" if key else message
        lines[f"{where}: {text}"] = None
    return "\n".join(lines)


def _did_you_mean(key: str, section: tuple[int | str, ...]) -> str:
    model: Any = Config
    for part in section:
        if isinstance(part, int):
            continue
        model = CameraSettings if part == "cameras" else model.model_fields[part].annotation
    known = list(model.model_fields)
    close = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {close[0]}?" if close else f"; known here: {', '.join(known)}"


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int | None:
    """1-based line of the deepest part of a location the file really has."""
    line = None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if part not in pairs:
                break
            key, node = pairs[part]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line

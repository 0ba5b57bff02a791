"""The sections of a configuration as frozen, typed models: every option's unit, range and meaning, in one place."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Point = Annotated[
    tuple[Fraction, Fraction], Field(strict=False)
]  # not strict: YAML has lists where Python has tuples
Polygon = Annotated[tuple[Point, ...], Field(min_length=3, strict=False)]

ClipNetworkName = Literal["hiera_base_16x224", "hiera_base_plus_16x224", "hiera_large_16x224", "hiera_huge_16x224"]


class Section(BaseModel):
    """Frozen; a key the section does not know is an error, and so is a value that only resembles its type."""

    # The input stays out of pydantic's own text, because that ends up in tracebacks and may hold a password.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class ClipSettings(Section):
    """The optional look at the whole picture in clips. Its network is for a GPU; its weights are not for commerce."""

    network: ClipNetworkName | None = Field(None, description="Hiera network that sees clips, null = none")
    weights: Path | None = Field(None, strict=False, description="file that fetch-clip-weights made")
    stride_s: float = Field(0.5, ge=0.1, le=60.0, description="time from one clip to the next")

    @field_validator("weights")
    @classmethod
    def _weights_beside_site_file(cls, weights: Path | None, info: ValidationInfo) -> Path | None:
        return None if weights is None else from_site_folder(weights, info)

    @model_validator(mode="after")
    def _network_has_weights(self) -> "ClipSettings":
        if self.network is not None and self.weights is None:
            raise ValueError("weights: must be given with network: the file that fetch-clip-weights made")
        return self


class AnalysisSettings(Section):
    """How a camera's picture is prepared before the detector sees it. Fixed in the bundle by calibration."""

    rate_fps: float = Field(10.0, gt=0.0, le=60.0, description="frames per second to analyse")
    long_side_px: int = Field(640, ge=128, le=1920, description="longer side of the analysed picture, pixels")
    mask: tuple[Polygon, ...] = Field(
        (), strict=False, description="areas to ignore, each a polygon of [x, y] in fractions of the frame"
    )
    clip: ClipSettings = ClipSettings()


class PolicySettings(Section):
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


class ConnectionSettings(Section):
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


class CameraSettings(Section):
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
        return str(from_site_folder(Path(source), info))

    @field_validator("model")
    @classmethod
    def _model_beside_site_file(cls, model: Path | None, info: ValidationInfo) -> Path | None:
        return None if model is None else from_site_folder(model, info)


class CalibrationSettings(Section):
    """How normal is learned."""

    minutes: float = Field(10.0, gt=0.0, le=10080.0, description="footage to take from a live source, minutes")
    alerts_per_day: float = Field(1.0, gt=0.0, le=10000.0, description="false-alert budget per camera")
    folds: int = Field(3, ge=2, le=20, description="time blocks are scored by densities that never saw them")
    steps: int = Field(1000, ge=10, le=1_000_000, description="optimiser steps per density")
    max_vectors: int = Field(
        2_000_000, ge=1000, le=100_000_000, description="feature vectors kept; longer footage is thinned"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of everything random")


class WorkerSettings(Section):
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


class StoreSettings(Section):
    """Where alerts and their evidence are kept."""

    folder: Path | None = Field(None, strict=False, description="default: the user's state folder")
    keep_days: float = Field(90.0, gt=0.0, le=36500.0, description="older alerts are removed with their evidence")
    keep_megabytes: float = Field(2000.0, ge=1.0, le=1e9, description="of evidence of alerts; the oldest give way")

    @field_validator("folder")
    @classmethod
    def _folder_beside_site_file(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        return None if folder is None else from_site_folder(folder, info)


class MemorySettings(Section):
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
        return None if folder is None else from_site_folder(folder, info)


class BusSettings(Section):
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
        return None if keys is None else from_site_folder(keys, info)

    @model_validator(mode="after")
    def _nobody_listens_without_keys(self) -> "BusSettings":
        if self.listen is not None and self.keys is None:
            raise ValueError("keys: must be given with listen: the folder that `keys FOLDER` made")
        return self


class SupervisorSettings(Section):
    """When a child process is given up and how often it is replaced."""

    ready_timeout_s: float = Field(60.0, gt=0.0, le=600.0, description="time for a child to become ready")
    heartbeat_timeout_s: float = Field(30.0, gt=0.0, le=600.0, description="silence after which it is replaced")
    restarts: int = Field(5, ge=0, le=1000, description="replacements of one child allowed ...")
    restart_window_s: float = Field(300.0, gt=0.0, le=86400.0, description="... within this time")


class HealthSettings(Section):
    """Where the watch answers over HTTP how it is. Without a password: keep it on this machine or a trusted net."""

    listen: str | None = Field(None, description="HOST:PORT for /healthz, /readyz and /metrics, null = nowhere")

    @field_validator("listen")
    @classmethod
    def _is_host_and_port(cls, listen: str | None) -> str | None:
        if listen is not None:
            host_and_port(listen)
        return listen


def host_and_port(listen: str) -> tuple[str, int]:
    """The two parts of HOST:PORT; an IPv6 address stands in brackets there, and without them here.

    Raises:
        ValueError: It is not of this form.
    """
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+):([0-9]{1,5})", listen)
    if match is None or not 1 <= int(match[2]) <= 65535:
        raise ValueError(f"must be HOST:PORT, as 127.0.0.1:9477 or [::1]:9477, not {listen!r}")
    return match[1].strip("[]"), int(match[2])


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


def from_site_folder(path: Path, info: ValidationInfo) -> Path:
    """The path as it is meant in a site file, whatever the working folder; left alone where there is no such file."""
    if path.parts[:1] and path.parts[0].startswith("~"):
        try:
            return path.expanduser()
        except RuntimeError as error:
            raise ValueError(f"must name a folder that exists: {path.parts[0]} is nobody's") from error
    folder: Path | None = (info.context or {}).get("folder")
    return path if folder is None else folder / path

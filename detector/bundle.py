"""The bundle: one camera's learned model in one file, written by calibration and read by whatever scores.

A safetensors file: plain arrays and a header of JSON, nothing that could run. Reading it needs no torch, so that the
parent process can size its shared memory from it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from detector.whole_file import write_whole

FORMAT = 3
"""Raised when an older program could not read a bundle rightly."""

_KEY = "mulde-stream"


class BundleError(Exception):
    """A bundle cannot be written, read or used; the message says which, why and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPreparation:
    """The network that sees the whole picture in clips, and how often it does."""

    network: str
    weights_sha256: str
    """Of the file, hexadecimal."""
    stride_s: float
    """From one clip to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How pictures and scores are made before a threshold means anything. Fixed by calibration."""

    width: int
    """Of the analysed picture, pixels."""
    height: int
    rate_fps: float
    """Analysed frames per second."""
    smoothing_s: float
    """Time constant of the scores' smoothing."""
    mask: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Ignored areas, polygons in fractions of the frame."""
    clip: ClipPreparation | None = None
    """None without the clip family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a bundle comes from."""

    code_version: str
    created_utc: str
    footage: tuple[str, ...]
    """Sources without passwords."""
    footage_fingerprint: str
    """Hash of the pictures learned from."""
    footage_s: float
    """Their time, seconds."""
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A threshold for a false-alert budget."""

    alerts_per_day: float
    threshold: float
    low: float
    """Where the threshold may as well lie, 95 %, as the footage says little of rare things: from here ..."""
    high: float
    """... to here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """That an alert was marked as harmless. What it was about is in the arrays until it is undone."""

    alert: str
    """Its id."""
    marked_utc: str
    undone_utc: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All that is known of what is normal at one camera."""

    preparation: Preparation
    provenance: Provenance
    budget: Budget
    """The one that was asked for."""
    others: tuple[Budget, ...] = ()
    """What other budgets would take."""
    families: tuple[dict[str, Any], ...]
    """Settings of each family, as plain values."""
    arrays: Mapping[str, npt.NDArray[np.floating]] = field(repr=False)
    """`scene.*`, `condition.*`, `drift.<family>`, `<family>.*` and `harmless.<alert>.*`."""
    markings: tuple[Marking, ...] = ()
    """In the order in which they were made, those that were undone included."""


def write(bundle: Bundle, path: Path) -> None:
    """Put the bundle at `path`, whole or not at all: a bundle that was there stays until the new one is on disk.

    Raises:
        BundleError: The file cannot be written.
    """
    header = {
        "format": FORMAT,
        "preparation": asdict(bundle.preparation),
        "provenance": asdict(bundle.provenance),
        "budget": asdict(bundle.budget),
        "others": [asdict(other) for other in bundle.others],
        "families": bundle.families,
        "markings": [asdict(marking) for marking in bundle.markings],
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in bundle.arrays.items()}
    data = save(arrays, metadata={_KEY: json.dumps(header, allow_nan=False)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(data, path, 0o644)
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be written: {error.strerror}: the old file, if any, is unchanged"
        ) from error


def read(path: Path) -> Bundle:
    """The bundle in this file.

    Raises:
        BundleError: It is not there, is no bundle, is cut off, or was written by a newer program.
    """
    if not path.is_file():
        raise BundleError(f"{path}: no such model: make one with `calibrate SOURCE --model {path}`")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path}: not a model, or cut off ({error}): calibrate again") from error
    if text is None:
        raise BundleError(f"{path}: holds arrays, but is no model of this program: calibrate again")
    try:
        return _from_header(json.loads(text), arrays, path)
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path}: its header is damaged ({error}): calibrate again") from error


def _from_header(header: dict[str, Any], arrays: dict[str, npt.NDArray[np.floating]], path: Path) -> Bundle:
    if header["format"] != FORMAT:
        raise BundleError(
            f"{path}: has format {header['format']}, this program reads {FORMAT}: calibrate again or change the "
            "program's version"
        )
    preparation = header["preparation"]
    preparation["mask"] = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in preparation["mask"])
    if preparation["clip"] is not None:
        preparation["clip"] = ClipPreparation(**preparation["clip"])
    provenance = header["provenance"]
    provenance["footage"] = tuple(provenance["footage"])
    return Bundle(
        preparation=Preparation(**preparation),
        provenance=Provenance(**provenance),
        budget=Budget(**header["budget"]),
        others=tuple(Budget(**other) for other in header["others"]),
        families=tuple(header["families"]),
        arrays=arrays,
        markings=tuple(Marking(**marking) for marking in header.get("markings", ())),
    )


def check_settings(bundle: Bundle, wanted: Mapping[str, object], where: str) -> None:
    """Refuse settings that are not those of the calibration.

    Args:
        wanted: Some fields of `Preparation` by name.
        where: Who asks, for the message.

    Raises:
        BundleError: Some differ; the message names each.
    """
    known = {item.name for item in fields(Preparation)}
    differing = [
        f"{name} {value}, calibrated with {getattr(bundle.preparation, name)}"
        for name, value in wanted.items()
        if name in known and value != getattr(bundle.preparation, name)
    ]
    if differing:
        raise BundleError(f"{where}: the model does not fit the settings: {'; '.join(differing)}: calibrate again")

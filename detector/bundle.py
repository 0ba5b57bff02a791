"""The bundle: what calibration learned of one camera, and the file in which a camera has one for each regime.

A regime is one way in which the camera's picture is normal: by day, by infrared at night. The file is a safetensors
one: plain arrays and a header of JSON, nothing that could run. Reading it needs no torch, so that the parent process
can size its shared memory from it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from detector.whole_file import write_whole

FORMAT = 4
"""Raised when an older program could not read a bundle rightly."""

USUAL = "usual"
"""Name of the regime of a camera that has only one."""

_KEY = "mulde-stream"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")


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
    """All that is known of what is normal at one camera, in one regime."""

    preparation: Preparation
    """The same for all regimes of a camera."""
    provenance: Provenance
    budget: Budget
    """The one that was asked for."""
    others: tuple[Budget, ...] = ()
    """What other budgets would take."""
    families: tuple[dict[str, Any], ...]
    """Settings of each family, as plain values."""
    arrays: Mapping[str, npt.NDArray[np.floating]] = field(repr=False)
    """`scene.*`, `condition.*`, `regime.*`, `usual.*`, `drift.<family>`, `<family>.*` and `harmless.<alert>.*`."""
    markings: tuple[Marking, ...] = ()
    """In the order in which they were made, those that were undone included."""
    regime: str = USUAL


def write(bundle: Bundle, path: Path) -> None:
    """Put the bundle at `path` as the only one, whole or not at all: a file that was there stays until then.

    Raises:
        BundleError: The file cannot be written.
    """
    _write((bundle,), path)


def put(bundle: Bundle, path: Path) -> None:
    """Put the bundle into the file, in place of the one of its regime where there is one; others stay.

    Raises:
        BundleError: The file cannot be read or written, or its other bundles prepare pictures in another way.
    """
    bundles = {one.regime: one for one in read_all(path)} if path.exists() else {}
    others = [one for name, one in bundles.items() if name != bundle.regime]
    for other in others:
        check_settings(other, _plain(bundle.preparation), f"{path}: regime {bundle.regime}")
    _write(tuple({**bundles, bundle.regime: bundle}.values()), path)


def check_target(path: Path, regime: str | None) -> None:
    """Refuse to calibrate into this file, before that takes minutes.

    Args:
        regime: That is to be put there, None = the file is to be written anew.

    Raises:
        BundleError: No such name can be; or the file holds several regimes and would lose them.
    """
    if regime is None:
        try:
            held = [one.regime for one in read_all(path)]
        except BundleError:  # there is nothing to lose
            return
        if len(held) > 1 or held[0] != USUAL:
            raise BundleError(
                f"{path}: holds {', '.join(held)}: say with --regime which one to renew or to add, or remove the file"
            )
    elif not _NAME.fullmatch(regime):
        raise BundleError(f"regime {regime!r}: a name has 1 to 32 letters, digits, - or _")
    elif path.exists():
        read_all(path)


def read(path: Path, regime: str | None = None) -> Bundle:
    """One bundle of this file.

    Args:
        regime: Which; None = the only one.

    Raises:
        BundleError: As `read_all`, or it has none of this name, or several and none is named.
    """
    bundles = {one.regime: one for one in read_all(path)}
    if regime is None and len(bundles) == 1:
        return next(iter(bundles.values()))
    known = ", ".join(bundles)
    if regime is None:
        raise BundleError(f"{path}: holds several regimes ({known}): name one with --regime")
    if regime not in bundles:
        raise BundleError(f"{path}: has no regime {regime}; it has: {known}")
    return bundles[regime]


def read_all(path: Path) -> tuple[Bundle, ...]:
    """The bundles of this file, one for each regime, in the order in which those were added. At least one.

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
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise BundleError(
                f"{path}: has format {header['format']}, this program reads {FORMAT}: calibrate again or change the "
                "program's version"
            )
        bundles = tuple(_from_header(regime, arrays) for regime in header["regimes"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: its header is damaged ({error}): calibrate again") from error
    if not bundles:
        raise BundleError(f"{path}: holds no regime: calibrate again")
    return bundles


def _write(bundles: Sequence[Bundle], path: Path) -> None:
    header = {"format": FORMAT, "regimes": [_header(bundle) for bundle in bundles]}
    arrays = {
        f"{bundle.regime}/{name}": np.ascontiguousarray(array)
        for bundle in bundles
        for name, array in bundle.arrays.items()
    }
    data = save(arrays, metadata={_KEY: json.dumps(header, allow_nan=False)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(data, path, 0o644)
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be written: {error.strerror}: the old file, if any, is unchanged"
        ) from error


def _header(bundle: Bundle) -> dict[str, Any]:
    return {
        "regime": bundle.regime,
        "preparation": asdict(bundle.preparation),
        "provenance": asdict(bundle.provenance),
        "budget": asdict(bundle.budget),
        "others": [asdict(other) for other in bundle.others],
        "families": bundle.families,
        "markings": [asdict(marking) for marking in bundle.markings],
    }


def _from_header(header: dict[str, Any], arrays: dict[str, npt.NDArray[np.floating]]) -> Bundle:
    preparation = header["preparation"]
    preparation["mask"] = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in preparation["mask"])
    if preparation["clip"] is not None:
        preparation["clip"] = ClipPreparation(**preparation["clip"])
    provenance = header["provenance"]
    provenance["footage"] = tuple(provenance["footage"])
    start = f"{header['regime']}/"
    return Bundle(
        regime=header["regime"],
        preparation=Preparation(**preparation),
        provenance=Provenance(**provenance),
        budget=Budget(**header["budget"]),
        others=tuple(Budget(**other) for other in header["others"]),
        families=tuple(header["families"]),
        arrays={name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)},
        markings=tuple(Marking(**marking) for marking in header["markings"]),
    )


def _plain(preparation: Preparation) -> dict[str, object]:
    return {item.name: getattr(preparation, item.name) for item in fields(Preparation)}


def below(prefix: str, arrays: Mapping[str, npt.NDArray[np.floating]]) -> dict[str, npt.NDArray[np.floating]]:
    """The arrays whose names begin with this and a dot, by the rest of their names."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def under(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """The arrays with names that begin with this and a dot; `below` is the inverse."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


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

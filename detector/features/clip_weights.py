"""Weights of the clip network on disk: fetched when a person says so and never otherwise, and read.

Nothing is ever run from a file: torch's own format is read as arrays only. Knows no network and no camera. Only
reading loads torch: the command line asks this file for the rest.
"""

import hashlib
import os
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit

from safetensors import SafetensorError

if TYPE_CHECKING:
    from torch import Tensor

LICENCE = "CC BY-NC 4.0 (not for commercial use), © Meta Platforms; https://creativecommons.org/licenses/by-nc/4.0/"
"""Of the official weights. To be shown wherever somebody fetches them."""
WIDTHS = {
    "hiera_base_16x224": 768,
    "hiera_base_plus_16x224": 896,
    "hiera_large_16x224": 1152,
    "hiera_huge_16x224": 2048,
}
"""The video networks there are, and the length of their vectors."""

_ADDRESS = "https://dl.fbaipublicfiles.com/hiera/{name}.pth"  # Kinetics-400: self-supervised, then supervised
_TIMEOUT_S = 30.0  # of silence
_CHUNK_BYTES = 1 << 20


class ClipError(Exception):
    """The clip network or its weights cannot be had; the message says which, why and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """A file of weights that is on disk."""

    path: Path
    sha256: str
    """In hexadecimal; tells these weights from all others."""


def check_name(name: str) -> None:
    """Refuse a network that there is not.

    Raises:
        ClipError: Says which there are.
    """
    if name not in WIDTHS:
        raise ClipError(f"{name}: no such clip network: there are {', '.join(WIDTHS)}")


def weights_path(name: str, folder: Path) -> Path:
    """Where `fetch` puts a network's weights."""
    return folder / f"{name}.pth"


def fetch(name: str, folder: Path, on_progress: Callable[[float], None]) -> WeightsFile:
    """Load a network's official weights (0.2 to 2.7 GB) from the internet, unless they are in the folder already.

    Only to be called because a person asked for it, who has been shown LICENCE. The file is written whole or not at
    all. Blocks until it is there; 30 s of silence are a failure.

    Args:
        on_progress: Called with the share that is done, 0 to 1.

    Raises:
        ClipError: No such network, no connection, or the folder cannot be written.
    """
    check_name(name)
    path = weights_path(name, folder)
    if not path.exists():
        _download(_ADDRESS.format(name=name), path, on_progress)
    on_progress(1.0)
    return WeightsFile(path=path, sha256=fingerprint(path))


def _download(address: str, path: Path, on_progress: Callable[[float], None]) -> None:
    """Put what is at an address into a file, whole or not at all."""
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        part = Path(name)
        with (
            os.fdopen(descriptor, "wb") as file,
            urllib.request.build_opener(_SameScheme()).open(address, timeout=_TIMEOUT_S) as answer,
        ):
            total = int(answer.headers.get("Content-Length") or 0)
            done = 0
            while chunk := answer.read(_CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                on_progress(min(1.0, done / total) if total else 0.0)
            if not total or done != total:
                raise ClipError(f"{address}: cut short, {done} of {total or 'unknown'} bytes came: fetch it again")
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # the connection
        raise ClipError(
            f"{address}: cannot be loaded into {path.parent}: {error}: try again, or bring the file from another "
            "machine"
        ) from error
    finally:
        if part is not None:
            with suppress(OSError):
                part.unlink(missing_ok=True)


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows an address to another server, but never from https to anything less."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != urlsplit(req.full_url).scheme:
            raise HTTPError(req.full_url, code, f"leads to {newurl}, which is less safe", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        ClipError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ClipError(f"{path}: no such weights: fetch them first. Their licence: {LICENCE}") from error
    except OSError as error:
        raise ClipError(f"{path}: cannot be read: {error.strerror}") from error


def read(path: Path) -> "dict[str, Tensor]":
    """The arrays in a file of weights, by name, on the CPU.

    Args:
        path: A `.safetensors` file, or one of torch: arrays by name, or those under "model_state" as the official
            files have them.

    Raises:
        ClipError: It is no such file, is cut off, or holds something that would have to be run.
    """
    import torch
    from safetensors.torch import load_file

    again = "delete it and fetch it again"
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if not zipfile.is_zipfile(path):
            raise ClipError(f"{path}: not a file of torch, or cut off: {again}")
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        if foreign:
            raise ClipError(f"{path}: holds {foreign[0]}, which is no weights: not read; {again}")
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        why = " ".join(str(error).split())  # torch says it in several lines
        raise ClipError(f"{path}: not a file of weights, or cut off ({why}): {again}") from error
    arrays = held.get("model_state", held) if isinstance(held, Mapping) else {}
    if (
        not isinstance(arrays, Mapping)
        or not arrays
        or not all(isinstance(each, torch.Tensor) for each in arrays.values())
    ):
        raise ClipError(f"{path}: holds no arrays by name: {again}")
    return dict(arrays)

"""Checks of where things go: the store's folder, sockets, addresses that are listened at, the terminal."""

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from configs.schema import Config
from configs.settings import Section, StoreSettings
from stream.bus import BusError, Endpoints
from stream.doctor.finding import Finding
from stream.running import sockets
from stream.site import terminal_is_there
from stream.store import EVIDENCE

_TRIED_BYTES = 1_000_000
_COLOURS = {"truecolor": "all colours", "256": "256 colours", "standard": "16 colours", "windows": "16 colours"}


def store(settings: StoreSettings, folder: Path) -> Finding:
    """Whether alerts can be kept in the folder, by writing a megabyte there, and whether there is room for them.

    A folder that is not there yet is not made: what is tried is the nearest one above it.
    """
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.NamedTemporaryFile(dir=there, prefix=".doctor-") as file:
            file.write(bytes(_TRIED_BYTES))
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(there).free / 1e6
    except OSError as error:
        way_out = "make room" if error.errno == errno.ENOSPC else "make it writable"
        text = f"{folder}: {error.strerror}"
        return Finding(what="store", grade="fail", text=text, way_out=f"{way_out}, or name another with store.folder")
    wanted = max(0.0, settings.keep_megabytes - _megabytes(folder / EVIDENCE))
    text = f"{folder}: {free:.0f} MB free, pictures may take {wanted:.0f} more"
    if free < wanted:
        way_out = "lower store.keep_megabytes, make room, or name another with store.folder"
        return Finding(what="store", grade="warn", text=text, way_out=way_out)
    return Finding(what="store", grade="ok", text=text)


def socket_folder() -> Finding:
    """Whether the processes' sockets can be made, as a watch makes them."""
    try:
        with sockets() as folder:
            Endpoints.in_folder(folder)
            return Finding(what="sockets", grade="ok", text=f"in {folder.parent}")
    except BusError as error:
        text = str(error).removeprefix("bus: ")
        return Finding(
            what="sockets", grade="fail", text=text, way_out="set XDG_RUNTIME_DIR or TMPDIR to a shorter one"
        )
    except OSError as error:
        text = f"{error.filename}: {error.strerror}"
        return Finding(what="sockets", grade="fail", text=text, way_out="set XDG_RUNTIME_DIR or TMPDIR to another")


def addresses(config: Config, *, running: bool) -> Iterator[Finding]:
    """Whether each address that is to be listened at can be had.

    Args:
        running: Whether the watch of this store may be the one that has them.
    """
    for name in type(config).model_fields:
        section = getattr(config, name)
        if isinstance(section, Section) and "listen" in type(section).model_fields:
            listen = section.model_dump()["listen"]
            if listen is not None:
                yield _address(f"{name}.listen", listen, running=running)


def terminal() -> Finding:
    """Whether a dashboard could be drawn."""
    if not terminal_is_there():
        return Finding(what="terminal", grade="ok", text="none here: watch logs instead of drawing")
    console = Console()
    name = os.environ.get("TERM", "")
    if console.is_dumb_terminal or not name:
        way_out = "set TERM=xterm-256color, or start watch with --headless"
        return Finding(what="terminal", grade="warn", text=f"TERM={name}: cannot be drawn on", way_out=way_out)
    size = f"{console.width}×{console.height}"
    if console.color_system is None or console.no_color:
        text = f"TERM={name}, {size}, no colours: alerts are shown without pictures"
        return Finding(what="terminal", grade="warn", text=text, way_out="unset NO_COLOR, or take another terminal")
    return Finding(what="terminal", grade="ok", text=f"TERM={name}, {size}, {_COLOURS[console.color_system]}")


def _address(what: str, listen: str, *, running: bool) -> Finding:
    parts = urlsplit(listen if "://" in listen else f"tcp://{listen}")
    host = None if parts.hostname in (None, "*") else parts.hostname
    way_out = f"name another with {what}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, parts.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as those who listen there do
            tried.bind(address)
            tried.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and running:
            return Finding(what=what, grade="ok", text=f"{listen}: taken, by the watch that runs")
        return Finding(what=what, grade="fail", text=f"{listen}: {error.strerror}", way_out=way_out)
    return Finding(what=what, grade="ok", text=f"{listen}: free")


def _megabytes(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # removed meanwhile
            total += path.stat().st_size
    return total / 1e6

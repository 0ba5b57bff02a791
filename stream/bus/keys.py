"""Keys for watching from another machine: CURVE key pairs as ZeroMQ certificate files, in folders of one user only.

The folder of the machine with the cameras has `server.key` and `server.key_secret`, `allowed/NAME.key` for each
client that is let in, and `clients/NAME/`, all that the client NAME needs, until that is taken to its machine.
Nothing here ever replaces a file.
"""

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import zmq
from zmq.auth import create_certificates, load_certificate

Options = Mapping[zmq.SocketOption, int | bytes]

ALLOWED, CLIENTS = "allowed", "clients"

_SERVER, _CLIENT = "server", "client"
_PUBLIC, _SECRET = ".key", ".key_secret"  # as create_certificates names them
_KEY_CHARACTERS = 40  # 32 bytes in Z85
_HEARTBEAT_MS = 5000  # a machine that lost its power says nothing: without these both ends would wait for ever


class KeysError(Exception):
    """Keys cannot be made or used; the message says which and the way out."""


def make_server(folder: Path) -> bool:
    """Make the folder and the server's key pair in it, where they are missing; whether they were.

    Raises:
        KeysError: Others may enter the folder, or it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder)
        if (folder / f"{_SERVER}{_SECRET}").exists():
            return False
        with tempfile.TemporaryDirectory(dir=folder) as made:
            _make_pair(Path(made), _SERVER)
            for name in (f"{_SERVER}{_PUBLIC}", f"{_SERVER}{_SECRET}"):  # the secret last: with it the pair is whole
                _copy(Path(made) / name, folder / name)
    except OSError as error:
        raise KeysError(f"keys: {folder}: cannot be written: {error.strerror}") from error
    return True


def make_client(folder: Path, name: str) -> Path:
    """Make a client's key pair and allow it; returns the folder to take to the client's machine.

    Args:
        folder: Of the server's keys, as `make_server` made it.
        name: 1 to 32 letters, digits, - or _.

    Raises:
        KeysError: The name is taken, or the folder cannot be written.
    """
    allowed, handed_out = folder / ALLOWED / f"{name}{_PUBLIC}", folder / CLIENTS / name
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", name):
        raise KeysError(f"keys: a client's name must be 1 to 32 letters, digits, - or _, not {name!r}")
    if allowed.exists() or handed_out.exists():
        raise KeysError(
            f"keys: there is a client {name} already: take another name, or remove {allowed} and {handed_out}"
        )
    try:
        for parent in (allowed.parent, handed_out.parent):
            parent.mkdir(mode=0o700, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=handed_out.parent))
        _make_pair(made, _CLIENT)
        server = f"{_SERVER}{_PUBLIC}"
        _copy(folder / server, made / server)
        made.rename(handed_out)
        _copy(handed_out / f"{_CLIENT}{_PUBLIC}", allowed)
    except OSError as error:
        raise KeysError(f"keys: {folder}: cannot be written: {error.strerror}") from error
    return handed_out


def server_options(folder: Path) -> Options:
    """What makes a socket speak to clients only that know the server's key, and ask who they are.

    Raises:
        KeysError: There is no key pair, or others may read it.
    """
    public, secret = _pair(folder, _SERVER, "make it with `keys`")
    return {
        zmq.CURVE_SERVER: 1,
        zmq.CURVE_PUBLICKEY: public,
        zmq.CURVE_SECRETKEY: secret,
        zmq.ZAP_DOMAIN: b"relay",
        zmq.ZAP_ENFORCE_DOMAIN: 1,  # nobody is let in while nobody is there to be asked
        zmq.HEARTBEAT_IVL: _HEARTBEAT_MS,
    }


def client_options(folder: Path) -> Options:
    """What makes a socket speak to the server only whose public key is in the folder.

    Raises:
        KeysError: Keys are missing, or others may read them.
    """
    way_out = f"it needs the folder that `keys --client NAME` made in {CLIENTS} on the machine with the cameras"
    public, secret = _pair(folder, _CLIENT, way_out)
    server, _ = _read(folder / f"{_SERVER}{_PUBLIC}", way_out)
    return {
        zmq.CURVE_SERVERKEY: server,
        zmq.CURVE_PUBLICKEY: public,
        zmq.CURVE_SECRETKEY: secret,
        zmq.HEARTBEAT_IVL: _HEARTBEAT_MS,
    }


def allowed(folder: Path) -> tuple[dict[bytes, str], list[str]]:
    """Names of the clients that are let in, by their public keys; and what is wrong with files that hold no key."""
    names, faults = {}, []
    for path in sorted((folder / ALLOWED).glob(f"*{_PUBLIC}")):
        try:
            names[_read(path, "remove it")[0]] = path.stem
        except KeysError as error:
            faults.append(str(error))
    return names, faults


def _make_pair(folder: Path, name: str) -> None:
    for path in create_certificates(folder, name):
        Path(path).chmod(0o600)


def _copy(source: Path, target: Path) -> None:
    """A copy for this user only, where there is no file yet."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(source.read_bytes())


def _pair(folder: Path, name: str, way_out: str) -> tuple[bytes, bytes]:
    path = folder / f"{name}{_SECRET}"
    public, secret = _read(path, way_out)
    if secret is None:
        raise KeysError(f"keys: {path}: holds no secret key: {way_out}")
    _check_private(folder)
    _check_private(path)
    return public, secret


def _read(path: Path, way_out: str) -> tuple[bytes, bytes | None]:
    try:
        public, secret = load_certificate(path)
    except OSError as error:
        raise KeysError(f"keys: {path}: {error.strerror or 'no such file'}: {way_out}") from error
    except ValueError as error:
        raise KeysError(f"keys: {path}: holds no key: {way_out}") from error
    if {len(public), len(secret or public)} != {_KEY_CHARACTERS}:
        raise KeysError(f"keys: {path}: is damaged: {way_out}")
    return public, secret


def _check_private(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        what, right = ("enter", 700) if path.is_dir() else ("read", 600)
        raise KeysError(f"keys: others may {what} {path} (mode {mode:03o}): chmod {right} it")

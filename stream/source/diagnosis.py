"""Why a source could not be opened. FFmpeg tells many causes by the same number, so the network is asked again."""

import errno
import socket
import ssl
from urllib.parse import urlsplit

import av.error

from configs.settings import ConnectionSettings
from stream.source.error import (
    AuthenticationError,
    CodecError,
    DisconnectedError,
    NoAnswerError,
    NotFoundError,
    RefusedError,
    SourceError,
    TlsError,
    UnreachableError,
    redact,
)

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_SECOND_LOOK_S = 2.0
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)


def explain(
    error: av.error.FFmpegError, url: str, connection: ConnectionSettings | None, waited_s: float
) -> SourceError:
    """The error to raise instead of FFmpeg's. Blocks for a few seconds where it has to look at the network.

    Args:
        connection: None for a file.
        waited_s: How long opening took.
    """
    where = redact(url)
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        if "@" in url:
            return AuthenticationError(f"{where}: user or password not accepted")
        return AuthenticationError(f"{where}: wants user and password: write user:password@ before the host")
    if isinstance(error, av.error.HTTPNotFoundError):
        return NotFoundError(f"{where}: no such path on this host: check what follows the host's name")
    if isinstance(error, av.error.HTTPClientError | av.error.HTTPError):
        return RefusedError(f"{where}: refused: {error.strerror}")
    if connection is None:
        return _explain_file(error, where)
    problem = _look_at_network(url, connection)
    if problem is not None:
        return problem
    timed_out = isinstance(error, av.error.ExitError | av.error.TimeoutError)
    if timed_out or waited_s >= connection.open_timeout_s:
        return NoAnswerError(f"{where}: connected, but no answer within {connection.open_timeout_s:g} s")
    if isinstance(error, av.error.InvalidDataError):
        return CodecError(f"{where}: answers with something that is not video: check port and path")
    return DisconnectedError(f"{where}: the connection broke while opening: {error.strerror}")


def _explain_file(error: av.error.FFmpegError, where: str) -> SourceError:
    if isinstance(error, av.error.FileNotFoundError | av.error.NotADirectoryError):
        return NotFoundError(f"{where}: no such file")
    if isinstance(error, av.error.IsADirectoryError):
        return NotFoundError(f"{where}: is a folder: name a video file in it")
    if isinstance(error, av.error.PermissionError):
        return RefusedError(f"{where}: this user may not read it")
    return CodecError(f"{where}: not a video that can be read, or cut off: {error.strerror}")


def _look_at_network(url: str, connection: ConnectionSettings) -> SourceError | None:
    """What is wrong on the way to the host, or None where it answers."""
    where = redact(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except ValueError:
        return UnreachableError(f"{where}: not a valid URL: write %40 for @, %3A for : and %2F for / in a password")
    wait_s = min(_SECOND_LOOK_S, connection.open_timeout_s)
    try:
        with socket.create_connection((host, port), timeout=wait_s) as plain:
            if parts.scheme in ("rtsps", "https"):
                return _look_at_tls(plain, host, where, connection.verify_tls)
    except socket.gaierror:
        return UnreachableError(f"{where}: host {host} is not known: check the name and the name server")
    except TimeoutError:
        return UnreachableError(f"{where}: host {host} does not answer at port {port}: is it switched on?")
    except ConnectionRefusedError:
        return RefusedError(f"{where}: nothing listens at port {port} of {host}: check port and camera settings")
    except OSError as error:
        if error.errno in _NO_WAY:
            return UnreachableError(f"{where}: no route to host {host}: {error.strerror}")
        return UnreachableError(f"{where}: host {host} cannot be reached: {error.strerror or error}")
    return None


def _look_at_tls(plain: socket.socket, host: str, where: str, verify: bool) -> SourceError | None:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        with context.wrap_socket(plain, server_hostname=host):
            return None
    except ssl.SSLCertVerificationError as error:
        return TlsError(
            f"{where}: its certificate is not trusted ({error.verify_message}): install its authority on this "
            "machine, or set connection.verify_tls: false"
        )
    except TimeoutError:
        return NoAnswerError(f"{where}: connected, but no answer to TLS")
    except (ssl.SSLError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error.strerror
        return TlsError(f"{where}: no TLS at this port ({reason}): is it rtsp:// or http://, or another port?")

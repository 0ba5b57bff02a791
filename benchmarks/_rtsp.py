"""The RTSP server of the tests, as a camera to measure with. Loaded by name: tests are not type-checked."""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager

_server = importlib.import_module("tests.rtsp_server")

serve: Callable[..., AbstractContextManager[str]] = _server.serve
"""`serve(files, loop=..., fps=..., shared=...)`: a running server's URL."""

_missing: Callable[[], str | None] = _server.missing


def need_server() -> None:
    """Nothing where the server can run.

    Raises:
        SystemExit: It cannot; says why.
    """
    if reason := _missing():
        raise SystemExit(f"the RTSP server cannot run here: {reason}")

"""The browser and the served page of the tests, to be timed. Loaded by name: tests are not type-checked."""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

_browser = importlib.import_module("tests.stream.review.browser")
_made = importlib.import_module("tests.stream.review.made")

chromium: Callable[..., AbstractContextManager[Any]] = _browser.chromium
"""`chromium(profile folder)`: a driver."""

size: Callable[..., None] = _browser.size

record: Callable[..., Any] = _made.record

with_pictures: Callable[..., Any] = _made.with_pictures
"""The alert with pictures on disk."""

served: Callable[..., AbstractContextManager[Any]] = importlib.import_module("tests.stream.review.served").served
"""`served(folder, store)`: the program, with its `port`."""

_missing: Callable[[], str] = _browser.missing


def need_browser() -> None:
    """Nothing where Chromium can run.

    Raises:
        SystemExit: It cannot; says what is missing.
    """
    if names := _missing():
        raise SystemExit(f"not here: {names}: make debian-packages")

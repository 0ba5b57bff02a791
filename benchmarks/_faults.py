"""The faults of the tests, to be timed. Loaded by name: tests are not type-checked."""

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

FAULTS: Sequence[Any] = importlib.import_module("tests.faults.scenarios").FAULTS
"""Each with `name`, `begin(proxy)`, `lasts`, `states`, `reasons`."""
Proxy: Callable[[int], AbstractContextManager[Any]] = importlib.import_module("tests.faults.proxy").Proxy
"""`Proxy(server_port)`: a way to that server that can be made bad."""
capture: Callable[..., AbstractContextManager[Any]] = importlib.import_module("tests.faults.capture").capture
"""`capture(folder, source, connection)`: a capture process seen from outside."""

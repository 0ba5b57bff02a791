"""The application as its users run it: `calibrate` and `watch --json` as processes of their own.

What it says is heard on its standard output and, for its counters, on its bus. What it costs is in `_cost`.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stream.bus import Endpoints, Subscriber
from stream.messages import Health, Message, decode

REPOSITORY = Path(__file__).resolve().parents[1]

_PROGRAM = REPOSITORY / "run_stream.py"
_STOP_S = 20.0
_CHUNK_BYTES = 65536


def write_config(folder: Path, **sections: Any) -> Path:
    """A site file with these sections; JSON is YAML."""
    path = folder / "site.yaml"
    path.write_text(json.dumps(sections))
    return path


def calibrate(sources: Sequence[str], model: Path, *options: str) -> None:
    """Learn from these sources into `model`, and print its report. Blocks for as long as that takes.

    Raises:
        SystemExit: It failed; it has said why on standard error.
    """
    started_s = time.monotonic()
    command = [sys.executable, str(_PROGRAM), "calibrate", *sources, "--model", str(model), *options]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"calibrate failed with exit status {finished.returncode}")
    print(f"{finished.stdout}calibrated in {time.monotonic() - started_s:.0f} s", flush=True)


class Watch:
    """`watch --json` at work, in a `with` block, which ends it.

    Args:
        options: Of the command, beside sources, `--model` and `--store`.
    """

    def __init__(self, sources: Sequence[str], model: Path, *options: str) -> None:
        self._command = [sys.executable, str(_PROGRAM), "watch", "--json", *sources, "--model", str(model), *options]
        self._resources = contextlib.ExitStack()
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self.over = False
        """It has said its last word."""

    def __enter__(self) -> Self:
        self._folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._log = self._folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, "--store", str(self.store)],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "XDG_RUNTIME_DIR": str(self._folder)},  # where its bus is then found
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._resources.close()

    @property
    def store(self) -> Path:
        """Folder of its alerts, until the end of the block."""
        return self._folder / "store"

    @property
    def pid(self) -> int:
        """Of its supervisor, the parent of its other processes."""
        return self._process.pid

    def messages(self, until_s: float) -> Iterator[Message]:
        """What it prints from now on, as it comes, until that time (monotonic) or its end."""
        while True:
            while self._lines:
                yield decode(self._lines.popleft())
            if self.over or not self._receive(until_s - time.monotonic()):
                return

    def finish(self) -> list[Message]:
        """Ask it to stop as Ctrl-C does, and its last words.

        Raises:
            SystemExit: It did not stop, or not in order.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        last = list(self.messages(time.monotonic() + _STOP_S))
        try:
            status = self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            raise self.failure("watch does not stop") from None
        if status:
            raise self.failure(f"watch ended with exit status {status}")
        return last

    def counters(self) -> Subscriber:
        """A subscription to its processes' counters, to be closed by the caller.

        Raises:
            SystemExit: It has no bus yet; it has one once it prints.
        """
        folders = list(self._folder.glob("mulde-*"))
        if len(folders) != 1:
            raise self.failure("watch has no bus")
        return Subscriber(Endpoints.in_folder(folders[0]), (b"health/",))

    def failure(self, what: str) -> SystemExit:
        """What went wrong, with the last the application logged, to be raised."""
        lines = self._log.read_text(errors="replace").splitlines()
        return SystemExit("\n".join([what, *(f"  {line}" for line in lines[-5:])]))

    def _receive(self, wait_s: float) -> bool:
        """Take in what is printed; False where nothing was in time."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], max(0.0, wait_s))[0]:
            return False
        chunk = os.read(descriptor, _CHUNK_BYTES)
        self.over = not chunk
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._lines.extend(lines)
        return True


def latest_counters(subscriber: Subscriber, known: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The counters of each process by its name: those known, brought up to date. Does not wait."""
    counters = dict(known)
    while (received := subscriber.receive(0.0)) is not None:
        if isinstance(message := received[0], Health):
            counters[message.process] = message.counters
    return counters

"""What the notifier costs, and how soon somebody is told of an alert.

A real notifier process stands between a bus on which cameras' scores are broadcast at their rate, a store in which
alerts are kept, and a receiver of webhooks on this machine; then a backlog is sent to it. First with the webhook
alone, the baseline, then with a real MQTT broker beside it, for which it listens to all scores. Linux only; the
second part needs mosquitto.

    python -m benchmarks.notify [--cameras 16] [--seconds 30] [--backlog 300]
"""

import argparse
import http.server
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks._cost import memory
from benchmarks._table import print_table
from configs.notify import NotifySettings
from stream import child
from stream.bus import Broker, Endpoints, Publisher
from stream.clock import utc_now
from stream.messages import Alert, Score
from stream.notify.spec import PROCESS, NotifySpec
from stream.store import AlertRecord, Store

_RATE_FPS = 10.0
_ALERT_EVERY_S = 1.0
_WARM_UP_S = 3.0
_READY_S, _STOP_S, _PATIENCE_S = 30.0, 10.0, 120.0
_LOOK_S = 0.005
_HEAT = bytes(22 * 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One setting's numbers."""

    cpu_ms_per_s: float
    pss_mib: float
    told_ms: list[float]
    """From an alert's being kept to the receiver's having its notice, of each."""
    backlog_per_s: float


def main() -> None:
    """Measure with and without a broker and print a table."""
    parser = argparse.ArgumentParser(
        description="What the notifier costs, and how soon somebody is told of an alert."
    )
    parser.add_argument("--cameras", type=int, default=16, help="whose scores are on the bus, 10 a second each")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured time of each setting")
    parser.add_argument("--backlog", type=int, default=300, help="notices that wait for a receiver that comes back")
    arguments = parser.parse_args()
    print(
        f"{len(os.sched_getaffinity(0))} cores, load average {os.getloadavg()[0]:.1f} before the start; "
        f"{arguments.cameras} cameras at {_RATE_FPS:g} scores/s, an alert every {_ALERT_EVERY_S:g} s",
        flush=True,
    )
    mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    results = {"webhook": _measured(arguments, None)}
    if mosquitto is None:
        print("no mosquitto here: nothing is measured with MQTT")
    else:
        results["with MQTT"] = _measured(arguments, mosquitto)
    rows: dict[str, Callable[[Result], str]] = {
        "CPU, ms per second": lambda one: f"{one.cpu_ms_per_s:.1f}",
        "memory, MiB (PSS)": lambda one: f"{one.pss_mib:.1f}",
        "alert kept to receiver has it, p50 ms": lambda one: f"{statistics.median(one.told_ms):.0f}",
        "alert kept to receiver has it, longest ms": lambda one: f"{max(one.told_ms):.0f}",
        "backlog, notices/s": lambda one: f"{one.backlog_per_s:.0f}",
    }
    print_table(("notifier", *results), [[name, *map(cell, results.values())] for name, cell in rows.items()])


def _measured(arguments: argparse.Namespace, mosquitto: str | None) -> Result:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        endpoints = Endpoints.in_folder(folder / "bus")
        stack.enter_context(Broker(endpoints))
        publisher = stack.enter_context(Publisher(endpoints))
        store = stack.enter_context(Store.open(folder / "store", notices=True))
        hook = _Hook()
        stack.callback(hook.close)
        channel = {"name": "ops", "url": f"http://127.0.0.1:{hook.port}/", "per_camera_per_hour": 3600}
        raw: dict[str, object] = {"webhook": [channel], "retry_first_s": 0.1, "retry_max_s": 0.1}
        if mosquitto is not None:
            port = stack.enter_context(_mosquitto(mosquitto, folder))
            raw["mqtt"] = [{"name": "home", "host": "127.0.0.1", "port": port, "per_camera_per_hour": 3600}]
        names = tuple(f"cam{number}" for number in range(arguments.cameras))
        settings = NotifySettings.model_validate(raw)
        spec = NotifySpec(endpoints=endpoints, folder=folder / "store", cameras=names, settings=settings)
        notifier = stack.enter_context(_notifier(spec, folder / "log"))
        return _observed(arguments, notifier, publisher, store, hook, names)


def _observed(
    arguments: argparse.Namespace,
    notifier: psutil.Process,
    publisher: Publisher,
    store: Store,
    hook: "_Hook",
    names: tuple[str, ...],
) -> Result:
    kept_s: dict[str, float] = {}
    began_s = time.monotonic()
    cpu_began_s, measured_s, tick = None, began_s, 0
    while (now_s := time.monotonic()) < began_s + _WARM_UP_S + arguments.seconds:
        if cpu_began_s is None and now_s >= began_s + _WARM_UP_S:
            cpu_began_s, measured_s = _cpu_s(notifier), now_s
        for name in names:
            publisher.send(_score(name, tick), _HEAT)
        if tick % round(_ALERT_EVERY_S * _RATE_FPS) == 0:
            record = _alert(f"{tick:06}-cam0", names[0])
            store.save(record)
            kept_s[f"{record.id}/start"] = time.monotonic()
            publisher.send(_announced(record))
        tick += 1
        time.sleep(max(0.0, began_s + tick / _RATE_FPS - time.monotonic()))
    assert cpu_began_s is not None, "the warm-up is over before the end"
    cpu_ms_per_s = (_cpu_s(notifier) - cpu_began_s) / (time.monotonic() - measured_s) * 1000.0
    _wait(lambda: kept_s.keys() <= hook.came_s.keys())
    told_ms = [(hook.came_s[name] - at_s) * 1000.0 for name, at_s in kept_s.items()]
    hook.well = False
    before = len(hook.came_s)
    store.save(*(_alert(f"{number:06}-back", names[0]) for number in range(arguments.backlog)))
    _wait(lambda: hook.refused > 0)
    back_s = time.monotonic()
    hook.well = True
    _wait(lambda: len(hook.came_s) == before + arguments.backlog)
    return Result(
        cpu_ms_per_s=cpu_ms_per_s,
        pss_mib=memory(notifier.pid).pss_mib,
        told_ms=told_ms,
        backlog_per_s=arguments.backlog / (time.monotonic() - back_s),
    )


class _Hook:
    """A receiver that notes when each notice came, while it is well."""

    def __init__(self) -> None:
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if hook.well:
                    hook.came_s.setdefault(self.headers["Idempotency-Key"], time.monotonic())
                else:
                    hook.refused += 1
                self.send_response(200 if hook.well else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.well, self.refused = True, 0
        self.came_s: dict[str, float] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def _mosquitto(program: str, folder: Path) -> Iterator[int]:
    """A broker's port, while it runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    (folder / "broker").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n")
    broker = subprocess.Popen([program, "-c", str(folder / "broker")])
    try:
        yield port
    finally:
        broker.terminate()
        broker.wait(_STOP_S)


@contextmanager
def _notifier(spec: NotifySpec, log: Path) -> Iterator[psutil.Process]:
    context = multiprocessing.get_context("spawn")
    line, there = context.Pipe()
    task = (PROCESS, "stream.notify.process:run", spec, there, log)
    process = context.Process(target=child.main, args=task, daemon=True)
    process.start()
    there.close()
    try:
        if not line.poll(_READY_S) or line.recv() != (child.READY, ""):
            raise SystemExit(f"the notifier did not start: {log.read_text()}")
        yield psutil.Process(process.pid)
        line.send(child.STOP)
        process.join(_STOP_S)
    finally:
        process.kill()
        process.join()
        line.close()


def _score(camera: str, tick: int) -> Score:
    return Score(
        camera=camera,
        seq=tick,
        stream_time_s=tick / _RATE_FPS,
        utc=utc_now(),
        score=1.0,
        threshold=4.0,
        latency_ms=50.0,
        captured_at_s=time.monotonic(),
        heat_shape=(22, 40),
    )


def _alert(name: str, camera: str) -> AlertRecord:
    return AlertRecord(
        id=name,
        camera=camera,
        kind="anomaly",
        state="open",
        started_utc=utc_now(),
        started_s=0.0,
        peaked_s=0.0,
        score=8.0,
        threshold=4.0,
    )


def _announced(record: AlertRecord) -> Alert:
    return Alert(
        event="start",
        id=record.id,
        kind=record.kind,
        camera=record.camera,
        stream_time_s=record.started_s,
        utc=record.started_utc,
        score=record.score,
        threshold=record.threshold,
    )


def _wait(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > until_s:
            raise SystemExit(f"not within {_PATIENCE_S:g} s")
        time.sleep(_LOOK_S)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()

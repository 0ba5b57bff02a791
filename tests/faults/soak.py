"""A watch under random faults for a given time, after which its books must balance.

    python -m tests.faults.soak [--minutes 30] [--cameras 4] [--faults-per-minute 4] [--seed 0]

Cameras are clients of a real RTSP server, each behind a proxy of its own. Faults are those of the network, processes
that are killed or stopped, and reloads of the site file. A score that was under way when its process was killed is
lost with it, and so is what that process had counted since its last word, a second at most; both are told apart as
"lost with a killed process" and bounded. Everything else is accounted for to the last frame.
"""

import argparse
import contextlib
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil

from stream import running
from stream.bus import Subscriber
from stream.messages import Alert, Camera, Health, Score
from stream.store import Store
from tests import program, rtsp_server
from tests.clips import film
from tests.faults.proxy import Proxy

RATE_FPS = 3.0
CLIP = "demo://street?width=320&height=180&fps=10&seconds=45"
HEARTBEAT_S = 3.0
REPLACED_S = 20.0
"""Within which a process that was killed or stopped has a heir that works."""
KILLED_S = 1.5
"""What a killed process may not have told of."""
SETTLED_S = 4.0
MOST_GROWTH = 0.02
WARM_UP_S = 120.0
"""Of each process, until its buffers are full."""
MOST_HANDLES = 3
_CAUSES = ("overwritten", "stale")
_GROWS = ("frames", "scores", "captured")
"""Counters that only a new life of a process begins anew."""


@dataclass(kw_only=True)
class Books:
    """What was heard on the bus."""

    seqs: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Frames with a score, by camera."""
    repeated: int = 0
    lives: dict[str, list[dict[str, float]]] = field(default_factory=lambda: defaultdict(list))
    """Last counters of each life of a process."""
    alerts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Events of each alert."""
    states: dict[str, str] = field(default_factory=dict)

    def take(self, message: object) -> None:
        if isinstance(message, Score):
            self.repeated += message.seq in self.seqs[message.camera]
            self.seqs[message.camera].add(message.seq)
        elif isinstance(message, Alert):
            self.alerts[message.id].append(message.event)
        elif isinstance(message, Camera):
            self.states[message.camera] = message.state
        elif isinstance(message, Health):
            lives = self.lives[message.process]
            if not lives or any(message.counters.get(name, 0.0) < lives[-1].get(name, 0.0) for name in _GROWS):
                lives.append({})
            lives[-1] = message.counters

    def total(self, process: str, counter: str) -> float:
        """Over all lives."""
        return sum(life.get(counter, 0.0) for life in self.lives[process])


class Site:
    """The watch, its cameras and whoever makes trouble."""

    def __init__(self, folder: Path, stack: ExitStack, cameras: int, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.books = Books()
        self.faults: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.replaced_s: dict[str, list[float]] = defaultdict(list)
        """From the signal to the first word of the heir, by what was done."""
        clip = film(folder / "street.mp4", CLIP)
        url = stack.enter_context(rtsp_server.serve([clip], loop=True))
        self.proxies = {
            f"cam{number}": stack.enter_context(Proxy(urlsplit(url).port)) for number in range(1, cameras + 1)
        }
        self.model = folder / "street.mulde"
        self.file = folder / "site.yaml"
        self.url = url
        self.threshold = 1.0
        self.write()
        made = program.run(folder, "calibrate", clip, "--model", self.model, "--config", self.file, within_s=300.0)
        assert made.returncode == 0, made.stderr
        self.watch = stack.enter_context(
            program.Program(folder / "run", "watch", "--config", self.file, "--headless", "--store", self.store)
        )
        found = self.wait(lambda: self.store.exists() and running.find(self.store))
        self.bus = stack.enter_context(Subscriber(found.endpoints))
        self.wait(lambda: all(self.books.seqs[name] for name in self.proxies), within_s=90.0)
        self.parts = dict(
            zip(["sink", "worker", *(f"capture-{name}" for name in self.proxies)], self.children(), strict=True)
        )

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def write(self) -> None:
        """The site file; JSON is YAML."""
        cameras = [
            {"name": name, "source": proxy.url(self.url), "model": str(self.model), "threshold": self.threshold}
            for name, proxy in self.proxies.items()
        ]
        sections = {
            "analysis": {"rate_fps": RATE_FPS, "long_side_px": 320},
            "connection": {
                "open_timeout_s": 3.0,
                "read_timeout_s": 3.0,
                "backoff_max_s": 2.0,
                "trouble_after_s": 4.0,
            },
            "calibration": {"folds": 2, "steps": 30},
            "worker": {"device": "cpu", "threads": 1},
            "policy": {"max_length_s": 20.0},
            "supervisor": {"restarts": 1000, "heartbeat_timeout_s": HEARTBEAT_S},
        }
        self.file.write_text(json.dumps({"cameras": cameras, **sections}))

    def children(self) -> list[psutil.Process]:
        """Of the supervisor, in the order of their start."""
        found = []
        for one in psutil.Process(self.watch.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # a zombie included
                if "resource_tracker" not in " ".join(one.cmdline()):
                    found.append(one)
        return sorted(found, key=lambda one: one.create_time())

    def hear(self, seconds: float) -> None:
        """Keep the books for so long."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0.0:
            received = self.bus.receive(min(left_s, 0.1))
            if received is not None:
                self.books.take(received[0])

    def wait(self, condition, within_s: float = 60.0):
        """What the condition returns as soon as it is true, with the books kept meanwhile."""
        until_s = time.monotonic() + within_s
        while not (found := condition()):
            assert time.monotonic() < until_s, f"not within {within_s} s\n{self.watch.stderr[-3000:]}"
            assert self.watch.process.poll() is None, self.watch.stderr[-3000:]
            if hasattr(self, "bus"):
                self.hear(0.1)
            else:
                time.sleep(0.1)
        return found

    # Faults.

    def fault(self) -> None:
        """One, at random, until it is over."""
        make = self.random.choices([self.network, self.kill, self.stop, self.reload], [8, 3, 2, 1])[0]
        make()

    def network(self) -> None:
        name = self.random.choice(list(self.proxies))
        proxy = self.proxies[name]
        what = self.random.choice(["drop", "cut", "refuse", "mute", "stall", "corrupt", "delay"])
        begin = getattr(proxy, what)
        if what == "corrupt":
            begin(0.05, self.random.randrange(1000))
        elif what == "delay":
            begin(0.5)
        else:
            begin()
        self.faults[what] += 1
        self.hear(self.random.uniform(0.5, 8.0))
        proxy.heal()

    def kill(self) -> None:
        name = self.random.choice(list(self.parts))
        self.faults[f"SIGKILL {name.partition('-')[0]}"] += 1
        self.kills[name] += 1
        self._replace(name, signal.SIGKILL)

    def stop(self) -> None:
        """For long enough to be replaced, or for a moment that is no reason to."""
        name = self.random.choice(list(self.parts))
        if self.random.random() < 0.5:
            self.faults[f"SIGSTOP {name.partition('-')[0]}"] += 1
            self.kills[name] += 1
            self._replace(name, signal.SIGSTOP)
        else:
            self.faults["SIGSTOP for a moment"] += 1
            self.parts[name].send_signal(signal.SIGSTOP)
            self.hear(HEARTBEAT_S / 3.0)
            self.parts[name].send_signal(signal.SIGCONT)

    def _replace(self, name: str, number: signal.Signals) -> None:
        before = {one.pid for one in self.children()}
        began_s = time.monotonic()
        self.parts[name].send_signal(number)
        self.parts[name] = self.wait(
            lambda: next((one for one in self.children() if one.pid not in before), None), REPLACED_S
        )
        self.books.lives[name].append({})
        self.wait(lambda: self.books.lives[name][-1], REPLACED_S)
        self.replaced_s[f"{number.name} {name.partition('-')[0]}"].append(time.monotonic() - began_s)

    def reload(self) -> None:
        self.faults["reload"] += 1
        self.threshold = self.random.uniform(0.5, 2.0)
        self.write()
        done = program.run(self.folder, "reload", "--store", self.store)
        assert done.returncode == 0, done.stderr

    # Measures.

    def own_mib(self) -> dict[tuple[str, int], float]:
        """Memory that nothing else uses, by process and life: no libraries, which other programs may map, too."""
        members = {"supervisor": psutil.Process(self.watch.process.pid), **self.parts}
        found = {}
        for name, one in members.items():
            try:
                lines = Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines()[1:]
            except OSError:  # replaced by itself just now
                continue
            sizes_kb = {line.split(":")[0]: float(line.split()[1]) for line in lines}
            found[name, one.pid] = (sizes_kb["Anonymous"] + sizes_kb.get("Pss_Shmem", 0.0)) / 1024.0
        return found

    def handles(self) -> int:
        """Of the one process that lives all the time."""
        supervisor = psutil.Process(self.watch.process.pid)
        return supervisor.num_fds() + supervisor.num_threads()


def soak(folder: Path, *, minutes: float, cameras: int, faults_per_minute: float, seed: int) -> list[str]:
    """Run it; what does not balance, empty where all does. Prints the books."""
    with ExitStack() as stack:
        site = Site(folder, stack, cameras, seed)
        wrong = []
        until_s = time.monotonic() + 60.0 * minutes
        memory: list[tuple[float, dict[tuple[str, int], float]]] = []
        handles = 0
        while time.monotonic() < until_s:
            due_s = time.monotonic() + 60.0 / faults_per_minute
            site.fault()
            site.hear(max(0.0, min(due_s, until_s) - time.monotonic()))
            memory.append((time.monotonic(), site.own_mib()))
            if len(memory) == max(1, round(0.25 * minutes * faults_per_minute)):
                handles = site.handles()
        site.wait(lambda: all(state == "live" for state in site.books.states.values()))
        handles_after = site.handles()
        for proxy in site.proxies.values():
            proxy.refuse()
        site.hear(SETTLED_S)  # all that was captured is scored or dropped, and told
        books = site.books
        _print_faults(site)
        wrong += _frames(site)
        wrong += _scores(site)
        total_mib = float(np.median([sum(mib.values()) for _, mib in memory]))
        growth = {name: mib / total_mib for name, mib in _growth_mib(memory).items()}
        by_name = ", ".join(f"{name} {part:+.1%}" for name, part in sorted(growth.items()))
        print(f"memory {total_mib:.0f} MiB, growth after warm-up {sum(growth.values()):+.1%} ({by_name})")
        if sum(growth.values()) > MOST_GROWTH and minutes >= 10.0:
            wrong.append(f"memory grew by {sum(growth.values()):.1%}")
        print(f"handles and threads of the supervisor: {handles} after warm-up, {handles_after} at the end")
        if handles_after > handles + MOST_HANDLES:
            wrong.append(f"handles grew from {handles} to {handles_after}")
        site.watch.remember_memory()
        site.watch.interrupt()
        status = site.watch.end(within_s=10.0)
        if status:
            wrong.append(f"exit status {status}")
        wrong += _alerts(site.store, books)
    print("no process, shared memory or socket is left")
    return wrong


def _print_faults(site: Site) -> None:
    counted = ", ".join(f"{count} {what}" for what, count in site.faults.most_common())
    print(f"{site.faults.total()} faults: {counted}")
    for what, seconds in sorted(site.replaced_s.items()):
        print(
            f"{what}: replaced {np.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f}) after the signal"
        )


def _frames(site: Site) -> list[str]:
    """Frames captured are those scored, those dropped for a cause, and those lost with a killed worker or sink."""
    wrong = []
    for name in site.proxies:
        seqs = site.books.seqs[name]
        captured = max(seqs) + 1
        dropped = {cause: site.books.total("worker", f"drop/{name}/{cause}") for cause in _CAUSES}
        missing = captured - len(seqs) - sum(dropped.values())
        allowed = site.kills["worker"] * RATE_FPS * (KILLED_S + HEARTBEAT_S + REPLACED_S)
        causes = ", ".join(f"{count:.0f} {cause}" for cause, count in dropped.items())
        print(f"{name}: {captured} captured = {len(seqs)} scored + {causes} + {missing:.0f} lost with killed workers")
        if not -1 <= missing <= allowed or (missing and not site.kills["worker"]):
            wrong.append(f"{name}: {missing:.0f} frames are not accounted for")
    if site.books.repeated:
        wrong.append(f"{site.books.repeated} scores came twice")
    return wrong


def _scores(site: Site) -> list[str]:
    """Scores sent are those the sink has received, but for what was under way when a process was killed."""
    books = site.books
    heard = sum(len(seqs) for seqs in books.seqs.values())
    received = books.total("sink", "scores")
    refused = sum(books.total("sink", cause) for cause in ("refused", "unknown_camera", "repeated"))
    given_up = books.total("worker", "backlog_dropped")
    killed = site.kills["worker"] + site.kills["sink"]
    allowed = killed * KILLED_S * RATE_FPS * len(site.proxies)
    missing = heard - received - refused
    print(
        f"scores: {heard} sent = {received:.0f} received + {refused:.0f} refused + {missing:.0f} not told of by "
        f"{killed} killed workers and sinks; {given_up:.0f} given up because the backlog was full"
    )
    return [] if abs(missing) <= allowed and not given_up else [f"{missing:.0f} scores are not accounted for"]


def _alerts(store: Path, books: Books) -> list[str]:
    """Every alert that was announced is stored once and has ended."""
    with Store.open(store) as opened:
        stored = {record.id: record for record in opened.find(limit=None)}
    started = [name for name, events in books.alerts.items() if "start" in events]
    twice = [name for name, events in books.alerts.items() if events.count("start") > 1]
    lost = [name for name in started if name not in stored]
    still_open = [name for name, record in stored.items() if record.state == "open"]
    kinds = Counter(record.kind for record in stored.values())
    print(f"alerts: {len(started)} announced, {len(stored)} stored ({dict(kinds)}), {len(still_open)} still open")
    return [
        *(f"alert {name} was announced twice" for name in twice),
        *(f"alert {name} is not stored" for name in lost),
        *(f"alert {name} never ended" for name in still_open),
    ]


def _growth_mib(memory: list[tuple[float, dict[tuple[str, int], float]]]) -> dict[str, float]:
    """Of each process over the whole time, by the slope within its lives, each less its own warm-up.

    A process that was replaced begins anew with little, which is neither growth nor its contrary.
    """
    lives: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for at_s, found in memory:
        for life, mib in found.items():
            lives[life].append((at_s, mib))
    above: dict[str, float] = defaultdict(float)
    below: dict[str, float] = defaultdict(float)
    for (name, _), samples in lives.items():
        grown = np.array([one for one in samples if one[0] - samples[0][0] >= WARM_UP_S])
        if len(grown) >= 4:
            apart = grown - grown.mean(axis=0)
            above[name] += float((apart[:, 0] * apart[:, 1]).sum())
            below[name] += float((apart[:, 0] ** 2).sum())
    lasted_s = memory[-1][0] - memory[0][0]
    return {name: above[name] / below[name] * lasted_s for name in above}


def main() -> None:
    parser = argparse.ArgumentParser(description="A watch under random faults, and its books.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--faults-per-minute", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if reason := rtsp_server.missing():
        raise SystemExit(f"the RTSP server cannot run here: {reason}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        wrong = soak(Path(folder), **vars(arguments))
    for line in wrong:
        print(f"WRONG: {line}")
    print("the books do not balance" if wrong else "the books balance")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

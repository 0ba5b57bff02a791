"""Child processes for the supervisor's tests, and a program that supervises them: FOLDER, then its table as JSON."""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from stream.bus import Endpoints, Publisher
from stream.child import ChildError, FinalError
from stream.messages import Health
from stream.ring import Ring, RingSpec

BEAT_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    name: str
    folder: Path
    endpoints: Endpoints
    ring: RingSpec
    extra: str

    def note(self, event):
        """One line in the file `events`; short appending writes do not mix."""
        with (self.folder / "events").open("a") as file:
            file.write(f"{self.name} {event}\n")


def beats(spec, parent):
    """Works as it should."""
    ring = Ring.attach(spec.ring)
    spec.note("started")
    parent.ready()
    _beat_until(spec, parent.stopping)
    spec.note("stopped")
    ring.close()


def finishes(spec, parent):
    """A source that is over."""
    parent.ready()
    spec.note("finished")


def cannot_start(spec, parent):
    raise ChildError("rtsp://user:s3cret@camera/: nothing listens there")


def never_ready(spec, parent):
    _beat_until(spec, parent.stopping)


def fails(spec, parent):
    parent.ready()
    raise ValueError("an incident\nof two lines")


def breaks_for_good(spec, parent):
    """A source with which no replacement could do anything."""
    parent.ready()
    raise FinalError("clip.mp4: cut off")


def hangs(spec, parent):
    """Starts and never does anything again, not even listen."""
    spec.note("hangs")
    parent.ready()
    time.sleep(60)


def ignores_everything(spec, parent):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent.ready()
    _beat_until(spec, lambda: False)


def works_off(spec, parent):
    """Takes longer to stop than an impatient end allows."""
    parent.ready()
    _beat_until(spec, parent.stopping)
    end_s = time.monotonic() + 2.7
    _beat_until(spec, lambda: time.monotonic() > end_s)
    spec.note("worked off")


def adapts(spec, parent):
    """Takes up another spec, unless that says otherwise."""
    spec.note(f"has {spec.extra}")
    parent.ready()
    changes = _Changes(spec, parent)
    _beat_until(spec, lambda: changes.look() or parent.stopping())


class _Changes:
    def __init__(self, spec, parent):
        self._spec, self._parent = spec, parent

    def look(self):
        new = self._parent.new_spec()
        if new is None:
            return
        if new.extra == "deadly":
            os._exit(3)
        elif new.extra == "refused":
            self._parent.refuse("there is no such model")
        elif new.extra != "unanswered":
            self._spec.note(f"took up {new.extra}")
            self._parent.ready()


def stays(spec, parent):
    """Works, but does not stop when asked."""
    spec.note(f"has {spec.extra}")
    parent.ready()
    _beat_until(spec, lambda: False)


def quits(spec, parent):
    parent.ready()
    parent.ask_to_quit()
    _beat_until(spec, parent.stopping)


def _beat_until(spec, over):
    with Publisher(spec.endpoints) as publisher:
        while not over():
            publisher.send(Health(process=spec.name, utc="", counters={"pid": os.getpid()}))
            time.sleep(BEAT_EVERY_S)


class _Tables:
    """The table that is in a file when it is asked for."""

    def __init__(self, folder, made):
        self._folder, self._made = folder, made

    def asked(self):
        return False

    def draw_up(self):
        return self._made(json.loads((self._folder / "table").read_text()))

    def settle(self, refusal):
        with (self._folder / "events").open("a") as file:
            file.write(f"settled: {refusal}\n")


def main(folder, table):
    # Not at the top: the children read this file, too, and shall start fast.
    from configs.settings import SupervisorSettings
    from stream import logs
    from stream.seat import Child
    from stream.supervisor import Supervisor

    endpoints = Endpoints.in_folder(folder / "bus")
    logs.configure("supervisor", folder / "log")
    with Ring.create(4, 32, 32) as ring:
        (folder / "ring").write_text(ring.spec.name)

        def made(children):
            return [
                Child(
                    name=name,
                    target=f"tests.stream.children:{function}",
                    spec=Spec(
                        name=name, folder=folder, endpoints=endpoints, ring=ring.spec, extra=extra[0] if extra else ""
                    ),
                    stage=stage,
                    adapts=function == "adapts",
                )
                for name, function, stage, *extra in children
            ]

        settings = SupervisorSettings(**table["settings"])
        tables = _Tables(folder, made)
        supervisor = Supervisor(
            settings, made(table["children"]), endpoints, folder / "log", tables, hangup_reloads=table["reloads"]
        )
        status = supervisor.run(table["seconds"])
        print(supervisor.reason)
        return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.loads(sys.argv[2])))

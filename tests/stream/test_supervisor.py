import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from configs.settings import SupervisorSettings
from stream.bus import Endpoints, Subscriber
from stream.seat import RestartBudget
from stream.supervisor import Supervisor
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
STOP_S = 3.0


class Application:
    """A supervisor in a process of its own, seen from outside: its messages, its log, its processes."""

    def __init__(self, folder, process, subscriber):
        self.folder, self.process, self._subscriber = folder, process, subscriber
        self.tree = [psutil.Process(process.pid)]
        self.restarts, self.ready = {}, {}
        self._pids = {}

    def wait_for(self, condition, within_s=20.0):
        """What `condition` returns as soon as it is true."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            if found := condition():
                return found
            if (received := self._subscriber.receive(0.05)) is not None:
                message = received[0]
                if "pid" in message.counters:
                    self._pids[message.process] = int(message.counters["pid"])
                else:
                    self.restarts, self.ready = (
                        {name.removeprefix(kind): n for name, n in message.counters.items() if name.startswith(kind)}
                        for kind in ("restarts/", "ready/")
                    )
                    self.uptime_s = message.counters["uptime_s"]
        raise AssertionError(f"not within {within_s} s; log:\n{self.log}")

    def pid(self, name, other_than=None):
        """Process of a child that works."""
        return self.wait_for(lambda: self._pids.get(name) not in (None, other_than) and self._pids[name])

    def wait_for_log(self, text):
        self.wait_for(lambda: text in self.log)

    def end(self, within_s=20.0):
        """Exit status, after checking that no process and no shared memory is left."""
        self.remember()
        status = self.process.wait(within_s)
        self.expect_nothing_left(within_s=1.0)
        return status

    def stop(self):
        """Exit status after Ctrl-C, which a terminal sends to all of its processes, and how long it took."""
        self.remember()
        started_s = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end(), time.monotonic() - started_s

    def remember(self):
        for process in self.tree[0].children(recursive=True) if self.tree[0].is_running() else []:
            if process not in self.tree:
                self.tree.append(process)

    def expect_nothing_left(self, within_s):
        deadline_s = time.monotonic() + within_s
        while (alive := [process for process in self.tree[1:] if _works(process)]) and time.monotonic() < deadline_s:
            psutil.wait_procs(alive, timeout=0.05)
        assert not alive, f"{alive}; log:\n{self.log}"
        assert not (Path("/dev/shm") / (self.folder / "ring").read_text()).exists()

    def reload(self, *children):
        """Ask for another table, and wait until that is settled; why it was refused, or nothing."""
        known = len(self.settled)
        (self.folder / "table").write_text(json.dumps(children))
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: len(self.settled) > known)
        return self.settled[known]

    @property
    def settled(self):
        return [line.removeprefix("settled:").strip() for line in self.events if line.startswith("settled:")]

    @property
    def log(self):
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    @property
    def events(self):
        file = self.folder / "events"
        return file.read_text().splitlines() if file.exists() else []


def _works(process):
    """Not gone; an orphan that has ended may stay as a zombie where nobody collects it, as in a container."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def application(folder, *children, seconds=None, reloads=False, **settings):
    """Run (name, function of tests.stream.children, stage) each, with a word in its spec where one is added."""
    table = {"children": children, "seconds": seconds, "settings": settings, "reloads": reloads}
    with Subscriber(Endpoints.in_folder(folder / "bus"), (b"health/",)) as subscriber:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.stream.children", folder, json.dumps(table)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        app = Application(folder, process, subscriber)
        try:
            yield app
        finally:
            app.remember()
            for member in app.tree:
                if _works(member) and "resource_tracker" not in " ".join(member.cmdline()):  # that one cleans up
                    member.kill()
            app.output = process.communicate(timeout=10)[0]


def test_stages_start_in_order_and_stop_in_reverse(tmp_path):
    with application(tmp_path, ("c", "beats", 3), ("a", "beats", 1), ("b", "beats", 2)) as app:
        app.pid("c")
        status, took_s = app.stop()
    assert status == 0
    assert took_s < STOP_S
    assert app.events == ["a started", "b started", "c started", "c stopped", "b stopped", "a stopped"]
    assert app.log.index("a ready after") < app.log.index("b ready after") < app.log.index("c ready after")
    assert app.output == "SIGINT received\n"  # and no traceback of anyone


def test_a_child_that_cannot_start_ends_the_application_with_its_one_line(tmp_path):
    with application(tmp_path, ("sink", "beats", 0), ("cam", "cannot_start", 1), ("late", "beats", 2)) as app:
        assert app.end() == 1
    assert app.output == "cam: rtsp://user:***@camera/: nothing listens there\n"
    assert app.log.count("nothing listens there") == 1
    assert app.events == ["sink started", "sink stopped"]


def test_a_child_that_is_never_ready_ends_the_application(tmp_path):
    with application(tmp_path, ("cam", "never_ready", 0), ready_timeout_s=0.5) as app:
        assert app.end() == 1
    assert app.output == "cam: not ready within 0.5 s\n"


def test_it_says_once_a_second_which_children_work(tmp_path):
    with application(tmp_path, ("sink", "beats", 0), ("cam", "never_ready", 1)) as app:
        app.wait_for(lambda: app.ready == {"sink": 1, "cam": 0})
        before_s = app.uptime_s
        app.wait_for(lambda: app.uptime_s > before_s)
        assert 0.9 < app.uptime_s - before_s < 5.0
        app.stop()


def test_a_source_that_is_over_counts_as_working(tmp_path):
    children = [("sink", "beats", 0), ("over", "finishes", 1), ("cam", "beats", 1)]
    with application(tmp_path, *children) as app:
        app.wait_for_log("over finished")
        app.wait_for(lambda: app.ready == {"sink": 1, "over": 1, "cam": 1})
        app.stop()


def test_a_killed_child_is_replaced_while_the_others_go_on(tmp_path):
    with application(tmp_path, ("worker", "beats", 0), ("cam", "beats", 1)) as app:
        worker, cam = app.pid("worker"), app.pid("cam")
        app.remember()
        os.kill(worker, signal.SIGKILL)
        app.pid("worker", other_than=worker)
        assert app.pid("cam") == cam
        app.wait_for(lambda: app.restarts == {"worker": 1, "cam": 0})
        app.stop()
    assert "worker: ended by SIGKILL; restarting it at once" in app.log


def test_a_child_without_heartbeat_is_replaced_until_its_restarts_are_used_up(tmp_path):
    children = [("worker", "beats", 0), ("cam", "hangs", 1)]
    with application(tmp_path, *children, heartbeat_timeout_s=0.6, restarts=1, restart_window_s=60.0) as app:
        assert app.end() == 1
    assert app.events == ["worker started", "cam hangs", "cam hangs", "worker stopped"]
    assert app.output == "cam: no sign of work for 0.6 s; given up after 1 restarts in 60 s\n"


def test_a_child_that_fails_is_replaced_until_its_restarts_are_used_up(tmp_path):
    with application(tmp_path, ("cam", "fails", 0), restarts=1, restart_window_s=60.0) as app:
        assert app.end() == 1
    assert app.log.count("cam: ValueError: an incident of two lines; restarting it at once") == 1
    assert app.output == "cam: ValueError: an incident of two lines; given up after 1 restarts in 60 s\n"


def test_children_that_ignore_everything_are_forced_in_time(tmp_path):
    children = [("sink", "ignores_everything", 0), ("worker", "beats", 1), ("cam", "ignores_everything", 2)]
    with application(tmp_path, *children) as app:
        app.pid("cam")
        os.kill(app.pid("worker"), signal.SIGSTOP)
        status, took_s = app.stop()
    assert status == 0
    assert took_s < STOP_S
    for name in ("sink", "worker", "cam"):
        assert f"{name} did not stop when asked, terminating it" in app.log
        assert f"{name} did not stop when terminated, killing it" in app.log


def test_a_second_interrupt_kills_at_once(tmp_path):
    with application(tmp_path, ("cam", "ignores_everything", 0)) as app:
        app.pid("cam")
        app.process.send_signal(signal.SIGINT)
        app.process.send_signal(signal.SIGINT)  # within the same press of Ctrl-C: one
        app.wait_for_log("stopping: SIGINT")
        pressed_s = time.monotonic()
        app.wait_for(lambda: time.monotonic() - pressed_s > 0.4)
        assert app.process.poll() is None
        interrupted_s = time.monotonic()
        assert app.stop()[0] == 0
        assert time.monotonic() - interrupted_s < 1.0


def test_an_interrupt_during_start_stops_at_once(tmp_path):
    with application(tmp_path, ("a", "beats", 0), ("b", "beats", 1), ("c", "beats", 2)) as app:
        app.wait_for(lambda: len(app.tree[0].children()) >= 2)  # the resource tracker and the first child
        status, took_s = app.stop()
    assert status == 0
    assert took_s < STOP_S
    assert "c started" not in app.events
    assert app.output == "SIGINT received\n"


def test_children_leave_when_the_supervisor_is_killed_even_those_that_hang(tmp_path):
    with application(tmp_path, ("sink", "beats", 0), ("cam", "hangs", 1)) as app:
        app.wait_for_log("cam ready")
        app.remember()
        app.process.kill()
        app.process.wait(5)
        app.wait_for(lambda: app.events[-1] == "sink stopped")
        app.expect_nothing_left(within_s=3.0)


def test_when_all_sources_are_over_the_rest_may_work_off_what_is_left(tmp_path):
    children = [("sink", "works_off", 0), ("file", "finishes", 1), ("video", "finishes", 1)]
    with application(tmp_path, *children) as app:
        assert app.end() == 0
    assert sorted(app.events) == ["file finished", "sink worked off", "video finished"]
    assert app.output == "all sources are over\n"
    assert "did not stop" not in app.log


def test_a_source_that_breaks_for_good_is_not_tried_again_and_leaves_the_others_alone(tmp_path):
    """A damaged recording cost all restarts, and then the whole site."""
    with application(tmp_path, ("sink", "beats", 0), ("film", "breaks_for_good", 1), ("cam", "beats", 1)) as app:
        app.wait_for_log("film: clip.mp4: cut off")
        app.pid("cam")
        assert app.restarts.get("restarts/film", 0.0) == 0.0
        assert app.stop()[0] == 0


def test_where_all_sources_are_over_and_one_broke_the_exit_status_says_so(tmp_path):
    with application(tmp_path, ("film", "breaks_for_good", 0), ("other", "finishes", 0)) as app:
        assert app.end() == 1
    assert app.output == "film: clip.mp4: cut off\n"


def test_a_child_that_is_no_source_and_ends_is_replaced(tmp_path):
    with application(tmp_path, ("worker", "finishes", 0), ("cam", "beats", 1), restarts=0) as app:
        assert app.end() == 1
    assert app.output.startswith("worker: ended without being told to; given up")


def test_a_child_may_ask_to_quit(tmp_path):
    with application(tmp_path, ("view", "quits", 0), ("cam", "beats", 1)) as app:
        assert app.end() == 0
    assert app.output == "view asked to quit\n"


def test_the_application_ends_after_its_time(tmp_path):
    with application(tmp_path, ("cam", "beats", 0), seconds=0.3) as app:
        assert app.end() == 0
    assert app.output == "0.3 s are over\n"


# Another table.


def test_a_reload_stops_what_is_gone_starts_what_is_new_and_leaves_the_rest_alone(tmp_path):
    before = [("worker", "adapts", 1, "old"), ("gate", "beats", 2), ("yard", "beats", 2), ("door", "beats", 2)]
    after = [
        ("worker", "adapts", 1, "new"),
        ("gate", "beats", 2),
        ("yard", "beats", 2, "moved"),
        ("hall", "beats", 2),
    ]
    with application(tmp_path, *before, reloads=True) as app:
        worker, gate, yard = app.pid("worker"), app.pid("gate"), app.pid("yard")
        app.wait_for_log("door ready")
        app.remember()
        assert app.reload(*after) == ""
        app.pid("hall")
        app.pid("yard", other_than=yard)
        app.wait_for(lambda: "door stopped" in app.events)
        assert (app.pid("worker"), app.pid("gate")) == (worker, gate)
        assert app.events.index("worker took up new") < app.events.index("hall started")
        app.wait_for(lambda: app.restarts == dict.fromkeys((name for name, *_ in after), 0))
        assert app.stop()[0] == 0
    assert app.output == "SIGINT received\n"
    assert "WARNING" not in app.log


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("refused", "there is no such model"),
        ("deadly", "worker: ended with exit status 3"),
        ("unanswered", "worker: not ready within 3 s"),
    ],
)
def test_a_table_that_the_first_to_be_asked_cannot_take_up_changes_nothing(tmp_path, word, why):
    with application(
        tmp_path, ("sink", "adapts", 0, "old"), ("worker", "adapts", 1, "old"), reloads=True, ready_timeout_s=3.0
    ) as app:
        app.pid("worker")
        table = [("sink", "adapts", 0, "new"), ("worker", "adapts", 1, word), ("gate", "beats", 2)]
        assert app.reload(*table) == why
        if word != "refused":
            app.wait_for(lambda: app.events.count("worker has old") == 2)  # and not what it fell over
        assert app.reload(*table[:1], ("worker", "adapts", 1, "new"), *table[2:]) == ""
        app.pid("gate")
        assert app.stop()[0] == 0
    assert app.events.count("sink took up new") == 1
    assert app.events.count("gate started") == 1


def test_a_child_that_falls_over_a_table_others_agreed_to_is_started_again_with_it(tmp_path):
    with application(tmp_path, ("sink", "adapts", 0, "old"), ("worker", "adapts", 1, "old"), reloads=True) as app:
        app.pid("worker")
        assert app.reload(("sink", "adapts", 0, "deadly"), ("worker", "adapts", 1, "new")) == ""
        app.wait_for(lambda: "sink has deadly" in app.events)
        assert app.stop()[0] == 0


def test_a_child_killed_after_a_reload_is_started_again_with_the_new_table(tmp_path):
    with application(tmp_path, ("worker", "adapts", 1, "old"), ("gate", "beats", 2), reloads=True) as app:
        worker = app.pid("worker")
        app.wait_for_log("gate ready")
        assert app.reload(("worker", "adapts", 1, "new"), ("gate", "beats", 2)) == ""
        os.kill(worker, signal.SIGKILL)
        app.wait_for(lambda: "worker has new" in app.events)
        assert app.stop()[0] == 0


def test_a_reload_waits_for_a_child_that_is_just_being_replaced(tmp_path):
    with application(tmp_path, ("worker", "adapts", 1, "old"), ("gate", "beats", 2), reloads=True) as app:
        worker = app.pid("worker")
        app.wait_for_log("gate ready")
        os.kill(worker, signal.SIGKILL)
        app.wait_for_log("restarting it at once")
        assert app.reload(("worker", "adapts", 1, "new"), ("gate", "beats", 2)) == ""
        assert app.events[-4:] == ["gate started", "worker has old", "worker took up new", "settled: "]
        assert app.stop()[0] == 0


def test_a_child_that_does_not_leave_when_asked_is_killed_and_its_heir_starts_only_then(tmp_path):
    with application(tmp_path, ("gate", "stays", 0, "old"), ("yard", "beats", 0), reloads=True) as app:
        gate = app.pid("gate")
        app.wait_for_log("yard ready")
        app.remember()
        assert app.reload(("gate", "stays", 0, "new"), ("yard", "beats", 0)) == ""
        app.wait_for(lambda: "gate has new" in app.events)
        assert not psutil.pid_exists(gate)
        assert app.stop()[0] == 0


def test_when_the_last_source_that_is_not_over_is_removed_the_application_ends(tmp_path):
    children = [("sink", "works_off", 0), ("file", "finishes", 1), ("gate", "beats", 1)]
    with application(tmp_path, *children, reloads=True) as app:
        app.wait_for_log("file finished")
        app.wait_for_log("gate ready")
        assert app.reload(*children[:2]) == ""
        assert app.end() == 0
    assert app.output == "all sources are over\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_an_ordinary_end_and_its_handler_comes_back(tmp_path, number):
    before = signal.getsignal(number)

    def interrupt():
        if wait_until(lambda: signal.getsignal(number) != before, 5.0):
            os.kill(os.getpid(), number)

    supervisor = Supervisor(SupervisorSettings(), [], Endpoints.in_folder(tmp_path), None)
    thread = threading.Thread(target=interrupt)
    thread.start()
    assert supervisor.run(seconds=10.0) == 0
    thread.join(5)
    assert supervisor.reason == f"{number.name} received"
    assert signal.getsignal(number) == before


def test_budget_grows_its_pauses_and_is_spent():
    budget = RestartBudget(restarts=4, window_s=100.0)
    assert [budget.spend(now_s) for now_s in (10.0, 20.0, 30.0, 40.0, 50.0)] == [0.0, 1.0, 2.0, 4.0, None]


def test_budget_comes_back_with_time():
    budget = RestartBudget(restarts=1, window_s=100.0)
    assert budget.spend(0.0) == 0.0
    assert budget.spend(99.9) is None
    assert budget.spend(100.0) == 0.0


def test_budget_without_restarts_allows_none():
    assert RestartBudget(restarts=0, window_s=100.0).spend(0.0) is None


def test_pauses_have_a_limit():
    budget = RestartBudget(restarts=1000, window_s=1e6)
    assert max(budget.spend(float(now_s)) for now_s in range(1000)) == 30.0


def test_the_supervisor_imports_nothing_heavy():
    code = "import sys, stream.supervisor; print(*({'torch', 'cv2', 'rich', 'av'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=20)
    assert run.stdout == "\n", run.stderr

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stream import running
from stream.running import RunningError
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
HOLD = "import sys; from pathlib import Path; from stream import running\n"
HOLD += "with running.claim(Path(sys.argv[1]), ('gate',)): print('there', flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def sockets(tmp_path, monkeypatch):
    """A folder for sockets of the test's own."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))  # where other watches of this user may be, or have been
    return folder


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def holder(store):
    """A process that has the store."""
    command = [sys.executable, "-c", HOLD, store]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"there\n"
        yield process
        process.stdin.close()


def test_a_watch_is_found_by_its_store_while_it_runs(store, sockets):
    assert running.find(store) is None
    with running.claim(store, ("gate", "yard")) as held:
        found = running.find(store)
        assert (found.process, found.store, found.cameras) == (os.getpid(), str(store), ("gate", "yard"))
        assert found.endpoints == held.endpoints
        held.tell(("gate",))
        assert running.find(store).cameras == ("gate",)
        (folder,) = sockets.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert held.endpoints.publish.startswith(f"ipc://{folder}/")
    assert running.find(store) is None
    assert list(sockets.iterdir()) == []


def test_the_file_is_for_its_owner_only(store):
    with running.claim(store, ()):
        assert stat.S_IMODE((store / running.FILE_NAME).stat().st_mode) == 0o600


def test_two_watches_are_found_by_their_own_stores_and_both_without_one(tmp_path, store):
    other = tmp_path / "other"
    other.mkdir()
    with running.claim(store, ("gate",)), running.claim(other, ("yard",)):
        assert [running.find(folder).cameras for folder in (store, other)] == [("gate",), ("yard",)]
        assert [folder for folder in running.stores() if running.find(folder)] == [other, store]


def test_a_store_has_one_watch(store, sockets, holder):
    with pytest.raises(RunningError, match=f"^store {store}: another watch has it: stop that, or name another"):
        running.claim(store, ("yard",)).__enter__()
    assert running.find(store).process == holder.pid
    assert len(list(sockets.iterdir())) == 1


def test_a_killed_watch_is_not_taken_for_one_that_runs(store, sockets, holder):
    assert running.find(store).process == holder.pid
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    assert (store / running.FILE_NAME).stat().st_size > 0
    assert running.stores() == [store]
    assert running.find(store) is None
    with running.claim(store, ("yard",)):
        assert running.find(store).cameras == ("yard",)


def test_a_watch_waits_for_one_that_is_just_ending(store, holder):
    ending = threading.Timer(0.3, holder.kill)
    ending.start()
    with running.claim(store, ("yard",)):
        assert running.find(store).cameras == ("yard",)
    ending.join()


def test_looking_never_keeps_a_watch_from_starting(store):
    look = "import sys; from pathlib import Path; from stream import running\n"
    look += "print('looks', flush=True)\nwhile True: running.find(Path(sys.argv[1]))"
    (store / running.FILE_NAME).touch()
    with subprocess.Popen([sys.executable, "-c", look, store], cwd=REPOSITORY, stdout=subprocess.PIPE) as looking:
        assert looking.stdout.readline() == b"looks\n"
        for _ in range(50):
            with running.claim(store, ()):
                pass
        looking.kill()


def test_a_file_of_another_version_is_told_from_none(store):
    with running.claim(store, ()):
        (store / running.FILE_NAME).write_text('{"process": 1}')
        with pytest.raises(RunningError, match=r"watch\.json: the watch that has it is of another version"):
            running.find(store)


def test_folders_for_sockets_that_others_made_are_passed_over(store, sockets, monkeypatch):
    (sockets / "mulde-a").mkdir()
    (sockets / "mulde-a" / "store").symlink_to(store)
    (sockets / "mulde-b").mkdir()
    (sockets / "mulde-c").write_text("no folder")
    assert running.stores() == [store]
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert running.stores() == []


def test_nobody_is_asked_to_reload_where_nobody_watches(store):
    with pytest.raises(RunningError, match="no watch has the store"):
        running.ask_to_reload(store)


@pytest.mark.parametrize("answers", [True, False])
def test_who_asks_hears_the_answer_or_that_none_will_come(store, answers):
    with ThreadPoolExecutor(1) as pool, running.claim(store, ()) as held:
        asking = pool.submit(running.ask_to_reload, store)
        assert wait_until(held.asked, 5.0)
        assert not held.asked()
        if answers:
            held.answer("added door", refused=False)
            assert asking.result(5.0) == "added door"
        else:
            held.close()
            with pytest.raises(RunningError, match=f"process {os.getpid()} ended before it answered: see its log"):
                asking.result(5.0)


def test_who_is_refused_hears_why(store):
    with ThreadPoolExecutor(1) as pool, running.claim(store, ()) as held:
        asking = pool.submit(running.ask_to_reload, store)
        assert wait_until(held.asked, 5.0)
        held.answer("cameras: none", refused=True)
        with pytest.raises(RunningError, match="cameras: none"):
            asking.result(5.0)

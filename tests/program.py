"""`run_stream.py` as its user runs it: a process group of its own, its own folders, nothing left at the end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[1]
PROGRAM = REPOSITORY / "run_stream.py"
STOP_S = 3.0
SOCKETS = "mulde-*"
_MEMORY = re.compile(r"/dev/shm/(mulde_\w+)")


def environment(folder):
    """State and temporary files in `folder`."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in ("XDG_RUNTIME_DIR", "COLUMNS")}
    return {**kept, "XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder / "tmp")}


def run(folder, *arguments, within_s=60.0):
    """A command that ends by itself, with its output as text."""
    return subprocess.run(
        [sys.executable, PROGRAM, *map(str, arguments)],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


class Program:
    """A command that runs until it is told to stop; whatever is left of it at the end of the block is killed."""

    def __init__(self, folder, *arguments, stdout=None):
        self.folder = folder
        self.environment = environment(folder)
        folder.mkdir(exist_ok=True)
        self._files = [(folder / name).open("wb") for name in ("stdout", "stderr")]
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, *map(str, arguments)],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._files[0] if stdout is None else stdout,
            stderr=self._files[1],
            start_new_session=True,
        )
        self.tree = [psutil.Process(self.process.pid)]
        self.memory = set()
        """Names of the shared memory it was seen with."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remember()
        for member in self.tree:
            if works(member) and "resource_tracker" not in " ".join(member.cmdline()):  # that one cleans up
                member.kill()
        self.process.wait(10)
        for file in self._files:
            file.close()

    @property
    def stdout(self):
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self):
        return (self.folder / "stderr").read_text()

    def objects(self, kind=None):
        """The whole JSON lines printed so far, all or those of one type."""
        lines = self.stdout.splitlines(keepends=True)
        made = [json.loads(line) for line in lines if line.endswith("\n")]
        return [one for one in made if kind in (None, one["type"])]

    def wait_for(self, condition, within_s=40.0):
        """What `condition` returns as soon as it is true."""
        deadline_s = time.monotonic() + within_s
        while not (found := condition()):
            assert time.monotonic() < deadline_s, f"not within {within_s} s:\n{self.stdout[-2000:]}\n{self.stderr}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.stderr}"
            time.sleep(0.02)
            self.remember()
        return found

    def wait_for_score(self, after=-1):
        """A score of a frame after this one."""
        return self.wait_for(lambda: next((one for one in self.objects("score") if one["seq"] > after), None))

    def remember(self):
        for member in self.tree[0].children(recursive=True) if self.process.poll() is None else []:
            if member not in self.tree:
                self.tree.append(member)

    def remember_memory(self):
        self.remember()
        for text in self.maps().values():
            self.memory |= set(_MEMORY.findall(text))

    def maps(self):
        """What each living process has mapped, by process."""
        found = {}
        for member in self.tree:
            try:
                found[member.pid] = Path(f"/proc/{member.pid}/maps").read_text()
            except OSError:  # gone
                continue
        return found

    def command_lines(self):
        """Of each living process, as every user of the machine can read them."""
        return {member.pid: " ".join(member.cmdline()) for member in self.tree if works(member)}

    def interrupt(self):
        """Ctrl-C: a terminal sends it to all processes of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self, within_s=STOP_S):
        """Exit status, after checking that no process, no shared memory and no socket is left."""
        self.remember()
        deadline_s = time.monotonic() + within_s
        try:
            status = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"runs after {within_s} s:\n{self.stderr}") from None
        while (alive := [member for member in self.tree[1:] if works(member)]) and time.monotonic() < deadline_s:
            psutil.wait_procs(alive, timeout=0.05)
        assert not alive, f"left: {alive}\n{self.stderr}"
        assert not [name for name in self.memory if (Path("/dev/shm") / name).exists()]
        assert list((self.folder / "tmp").glob(SOCKETS)) == []
        return status


def works(process):
    """Not gone; an orphan that has ended may stay as a zombie where nobody collects it, as in a container."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

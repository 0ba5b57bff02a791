"""What a running application costs: CPU time and memory of each of its processes, by name.

Linux only: memory is the proportional set size, which counts a page that several processes map once in all. It is
therefore too low while other programs that map the same libraries run.
"""

from dataclasses import dataclass
from pathlib import Path

import psutil

_MIB_IN_KB = 1024.0
_WORKER_MAPS = "libtorch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A process's share of the memory, MiB."""

    pss_mib: float
    shared_mib: float
    """Its part of the shared memory, within `pss_mib`."""


def names(supervisor_pid: int, cameras: int) -> dict[str, psutil.Process]:
    """The processes of `watch --json` by name, told apart by the order in which they are started.

    Raises:
        SystemExit: They are not those expected, as after a restart of one.
    """
    supervisor = psutil.Process(supervisor_pid)
    children = sorted(supervisor.children(recursive=True), key=lambda process: process.create_time())
    trackers = [process for process in children if "resource_tracker" in " ".join(process.cmdline())]
    others = [process for process in children if process not in trackers]
    captures = [f"capture-cam{number + 1}" for number in range(cameras)]
    named = dict(zip(["printer", "sink", "worker", *captures], others, strict=False))
    if len(others) != 3 + cameras or not _maps(named["worker"].pid, _WORKER_MAPS):
        raise SystemExit(f"watch has {len(others)} processes that are not those expected: was one restarted?")
    named |= dict(zip(["resource tracker"], trackers, strict=False))
    return {"supervisor": supervisor, **named}


def cpu_s(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """CPU time of each process so far.

    Raises:
        SystemExit: One is gone.
    """
    used = {}
    for name, process in processes.items():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            raise SystemExit(f"the {name} process is gone") from None
        used[name] = times.user + times.system
    return used


def memory(pid: int | str = "self") -> Memory:
    """A process's memory now."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes_kb = {line.split(":")[0]: float(line.split()[1]) for line in lines}
    return Memory(pss_mib=sizes_kb["Pss"] / _MIB_IN_KB, shared_mib=sizes_kb.get("Pss_Shmem", 0.0) / _MIB_IN_KB)


def _maps(pid: int, library: str) -> bool:
    return library in Path(f"/proc/{pid}/maps").read_text()

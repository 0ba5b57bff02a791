"""What this process may use of the machine: cores and memory, container limits included. Linux."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MEMORY_INFO = Path("/proc/meminfo")


def cores(cgroup: Path = _CGROUP) -> float:
    """Cores' worth of time that this process may use at most: affinity, and the quota of its container.

    Args:
        cgroup: Where the kernel shows the container's limits, of either version.
    """
    allowed = float(len(os.sched_getaffinity(0)))
    quota, _, period = _text(cgroup / "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(cgroup / "cpu/cpu.cfs_quota_us"), _text(cgroup / "cpu/cpu.cfs_period_us")
    if quota.isdecimal() and period.isdecimal():  # "max" and -1 are none
        allowed = min(allowed, int(quota) / int(period))
    return allowed


def memory_bytes(cgroup: Path = _CGROUP) -> tuple[int, int]:
    """Memory of the machine or, where that is less, of the container, and how much of it is available."""
    fields = dict(line.split(":") for line in _text(_MEMORY_INFO).splitlines())
    total, available = (int(fields[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most = _text(cgroup / limit)
        if most.isdecimal() and int(most) < total:
            total = int(most)
            available = min(available, total - int(_text(cgroup / used) or 0))
    return total, max(0, available)


def _text(path: Path) -> str:
    """Empty where there is no such file."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""

"""Checks of what the machine lends: cores, memory, shared memory, open files, the clock.

What a camera takes was measured: benchmarks/latency.py and benchmarks/capacity.py.
"""

import ctypes
import resource
import time
from pathlib import Path

from configs.schema import Config
from stream.doctor.finding import Finding
from stream.machine import cores, memory_bytes
from stream.ring import free_shared_memory
from stream.site import open_files, shared_memory_bytes

_CORES_PER_CAMERA = 0.2  # at 10 pictures a second of 640×352, without a GPU
_MEMORY_MIB, _MEMORY_PER_CAMERA_MIB = 512, 128
_MIB = 2**20
_TIME_ERROR = 5  # of adjtimex: the clock follows no other
_TIMEX_BYTES = 512  # more than the structure has on any machine
_DAY_S = 86400.0


def processor(config: Config) -> Finding:
    """Cores, containers' quota included, against what the cameras take."""
    there, cameras = cores(), len(config.cameras)
    needed = sum(_CORES_PER_CAMERA * camera.analysis.rate_fps / 10.0 for camera in config.cameras)
    text = f"{there:g} may be used" + (f", about {needed:.1f} for {cameras} camera(s)" if cameras else "")
    if needed > there:
        way_out = "lower analysis.rate_fps, take a GPU, or fewer cameras"
        return Finding(what="cores", grade="warn", text=text, way_out=way_out)
    return Finding(what="cores", grade="ok", text=text)


def memory(config: Config, *, running: bool) -> Finding:
    """Memory, containers' limit included, against what the cameras take.

    Args:
        running: Whether the watch of this store has what it needs already.
    """
    total, available = memory_bytes()
    cameras = max(1, len(config.cameras))
    needed = _MEMORY_MIB + _MEMORY_PER_CAMERA_MIB * cameras
    text = f"{total / _MIB:.0f} MiB, {available / _MIB:.0f} available, about {needed} for {cameras} camera(s)"
    if total < needed * _MIB:
        return Finding(what="memory", grade="fail", text=text, way_out="add memory, or watch fewer cameras")
    if available < needed * _MIB and not running:
        return Finding(what="memory", grade="warn", text=text, way_out="end other programs")
    return Finding(what="memory", grade="ok", text=text)


def shared_memory(config: Config, *, running: bool) -> Finding:
    """Shared memory against what the cameras' pictures on their way take.

    Raises:
        ConfigError, BundleError: A camera's model cannot be used.
    """
    free = free_shared_memory()
    cameras = config.cameras or (None,)
    needed = sum(shared_memory_bytes(camera) for camera in cameras)
    text = f"{free / _MIB:.0f} MiB free, {needed / _MIB:.0f} needed for {len(cameras)} camera(s)"
    if free < needed and not running:
        way_out = "enlarge /dev/shm (Docker: --shm-size) or lower analysis.long_side_px"
        return Finding(what="shared memory", grade="fail", text=text, way_out=way_out)
    return Finding(what="shared memory", grade="ok", text=text)


def files(config: Config) -> Finding:
    """How many files may be open at once."""
    needed = open_files(max(1, len(config.cameras)))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = "no limit" if most == resource.RLIM_INFINITY else f"{most} are allowed"
    text = f"{allowed}, {needed} needed"
    if most != resource.RLIM_INFINITY and most < needed:
        way_out = f"raise the limit: ulimit -n {needed}, LimitNOFILE= of a service"
        return Finding(what="open files", grade="fail", text=text, way_out=way_out)
    return Finding(what="open files", grade="ok", text=text)


def clock() -> Finding:
    """Whether the time of day can be believed; only stamps are taken from it."""
    now_s, installed_s = time.time(), Path(__file__).stat().st_mtime
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    if now_s < installed_s - _DAY_S:
        text += ", before this program was installed"
        return Finding(what="clock", grade="fail", text=text, way_out="set it: timedatectl set-ntp true")
    if _follows_none():
        way_out = "timedatectl set-ntp true, or install chrony"
        return Finding(what="clock", grade="warn", text=f"{text}, set by no time server", way_out=way_out)
    return Finding(what="clock", grade="ok", text=text)


def _follows_none() -> bool:
    """Whether the kernel says that nothing keeps the clock right; False where it does not say."""
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))) == _TIME_ERROR
    except (OSError, AttributeError):
        return False

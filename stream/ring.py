"""A camera's latest frames in shared memory: one writer, any number of readers, the oldest overwritten.

The writer never waits. A reader asks for a sequence number and gets that frame whole or not at all: the slot's own
number is checked before and after the copy, which relies on stores becoming visible in the order they are made, as
they do on x86-64. This module alone touches `multiprocessing.shared_memory`; only the
creator (the supervisor) unlinks.
"""

import os
import secrets
import sys
from dataclasses import dataclass
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

_HEADER_BYTES = 128  # the newest sequence number and the latest that was taken, on a cache line each
_TAKEN_BYTES = 64
_SLOT_HEADER = np.dtype(
    [("begin", "<i8"), ("end", "<i8"), ("stream_time_s", "<f8"), ("captured_at_s", "<f8"), ("utc_s", "<f8")]
)
_SLOT_HEADER_BYTES = 64
_NONE = -1
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory, not a temporary file
_RING_S = 4.0  # of frames: the sink reads the one of an alert's peak a moment after it was scored
_FEWEST_SLOTS = 8


class RingError(Exception):
    """A ring cannot be made or found; the message says which and what to do."""


def slots_for(rate_fps: float) -> int:
    """How many frames a ring should hold of a camera that is analysed at this rate."""
    return max(_FEWEST_SLOTS, round(_RING_S * rate_fps))


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSpec:
    """Name and geometry of a ring: all another process needs to attach to it."""

    name: str
    slots: int
    height: int
    width: int

    @property
    def slot_bytes(self) -> int:
        """Size of one slot with its header, rounded up to a cache line."""
        return _SLOT_HEADER_BYTES + (self.height * self.width * 3 + 63) // 64 * 64

    @property
    def total_bytes(self) -> int:
        """Size of the whole segment."""
        return _HEADER_BYTES + self.slots * self.slot_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One captured picture. The image is the reader's own copy."""

    seq: int
    stream_time_s: float
    """The source's own clock, 0 at the first frame."""
    captured_at_s: float
    """time.monotonic() in the capture process."""
    utc_s: float
    """Seconds since the epoch, stamped once, in capture."""
    image: npt.NDArray[np.uint8]
    """(height, width, 3) BGR."""


class Ring:
    """A view on the shared segment. Make it with `create` or `attach`, give it back with `close`."""

    def __init__(self, spec: RingSpec, memory: shared_memory.SharedMemory, owner: bool) -> None:
        self.spec = spec
        self._memory = memory
        self._owner = owner
        buffer = memory.buf
        self._newest = np.ndarray((1,), np.int64, buffer)
        self._taken = np.ndarray((1,), np.int64, buffer, _TAKEN_BYTES)
        self._headers = []
        self._images = []
        for slot in range(spec.slots):
            start = _HEADER_BYTES + slot * spec.slot_bytes
            self._headers.append(np.ndarray((1,), _SLOT_HEADER, buffer, start))
            self._images.append(
                np.ndarray((spec.height, spec.width, 3), np.uint8, buffer, start + _SLOT_HEADER_BYTES)
            )

    @classmethod
    def create(cls, slots: int, height: int, width: int) -> "Ring":
        """A new, empty ring that this process owns.

        Raises:
            RingError: Shared memory has not enough free space. Checked first: writing to a segment that the
                system cannot back kills the process with a bus error that nothing can catch.
        """
        if slots < 2:
            raise RingError(f"ring: must have at least 2 slots, one to write and one to read, not {slots}")
        spec = RingSpec(name=f"mulde_{secrets.token_hex(6)}", slots=slots, height=height, width=width)
        free = free_shared_memory()
        if spec.total_bytes > free:
            raise RingError(_too_little(spec, free))
        resource_tracker.ensure_running()  # first: a creator that is killed while that starts would leave the segment
        try:
            memory = shared_memory.SharedMemory(spec.name, create=True, size=spec.total_bytes)
        except OSError as error:
            raise RingError(f"shared memory: cannot make {spec.name}: {error}") from error
        try:
            _reserve(spec)
        except OSError as error:
            memory.close()
            memory.unlink()
            raise RingError(_too_little(spec, free)) from error
        ring = cls(spec, memory, owner=True)
        ring._newest[0] = ring._taken[0] = _NONE
        for header in ring._headers:
            header["begin"] = header["end"] = _NONE
        return ring

    @classmethod
    def attach(cls, spec: RingSpec) -> "Ring":
        """A ring another process made.

        Raises:
            RingError: There is none of this name, or it is smaller than the specification says.
        """
        try:
            memory = _attach(spec.name)
        except OSError as error:
            raise RingError(f"shared memory: {spec.name} is not there: {error}") from error
        if memory.size < spec.total_bytes:
            memory.close()
            raise RingError(f"shared memory: {spec.name} has {memory.size} bytes, not {spec.total_bytes}")
        return cls(spec, memory, owner=False)

    def write(self, image: npt.NDArray[np.uint8], stream_time_s: float, captured_at_s: float, utc_s: float) -> int:
        """Put a frame into the oldest slot; never waits.

        Args:
            image: (height, width, 3) BGR.

        Returns:
            Its sequence number, one more than the frame before; a restarted writer goes on counting.
        """
        seq = int(self._newest[0]) + 1
        if int(self._headers[seq % self.spec.slots]["end"][0]) == seq:
            seq += 1  # a writer was killed between its last two stores: that frame is whole and may be being read
        slot = seq % self.spec.slots
        header = self._headers[slot]
        header["begin"] = seq  # from here until `end` follows, a reader knows the slot is being written
        np.copyto(self._images[slot], image)
        header["stream_time_s"] = stream_time_s
        header["captured_at_s"] = captured_at_s
        header["utc_s"] = utc_s
        header["end"] = seq
        self._newest[0] = seq
        return seq

    @property
    def newest(self) -> int:
        """Sequence number of the newest whole frame, -1 before the first."""
        return int(self._newest[0])

    @property
    def taken(self) -> int:
        """Sequence number up to which the one who works through the frames has got, -1 before the first.

        Kept here, so that whoever replaces it goes on from there and can say what was missed.
        """
        return int(self._taken[0])

    @taken.setter
    def taken(self, seq: int) -> None:
        self._taken[0] = seq

    @property
    def oldest(self) -> int:
        """Lowest sequence number that may still be read, 0 before the first frame.

        One slot less than the ring has, because the writer may be filling the oldest at this moment.
        """
        return max(0, self.newest - self.spec.slots + 2)

    def read(self, seq: int) -> Frame | None:
        """A copy of the frame, or None where it is not there any more (or not yet). Never torn, never waits."""
        slot = seq % self.spec.slots
        header = self._headers[slot]
        if seq < 0 or int(header["end"][0]) != seq or int(header["begin"][0]) != seq:
            return None
        frame = Frame(
            seq=seq,
            stream_time_s=float(header["stream_time_s"][0]),
            captured_at_s=float(header["captured_at_s"][0]),
            utc_s=float(header["utc_s"][0]),
            image=self._images[slot].copy(),
        )
        if int(header["begin"][0]) != seq:
            return None
        return frame

    def close(self) -> None:
        """Let go of the segment; the creator also removes it. Safe to call twice."""
        self._newest, self._taken = np.full((2, 1), _NONE, np.int64)
        self._headers, self._images = [], []
        self._memory.close()
        if self._owner:
            self._owner = False
            self._memory.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _attach(name: str) -> shared_memory.SharedMemory:
    """The segment, without making this process answer for its removal.

    Before Python 3.13 attaching always registers the segment for removal at exit: a program that only looks at a
    ring would then take it from the application that owns it.
    """
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name, track=False)
    register = resource_tracker.register
    resource_tracker.register = lambda *_: None
    try:
        return shared_memory.SharedMemory(name)
    finally:
        resource_tracker.register = register


def _reserve(spec: RingSpec) -> None:
    """Back the segment with memory now; without this, several rings would each be promised the same free space.

    Raises:
        OSError: There is not enough.
    """
    if not _SHARED_MEMORY.is_dir():
        return
    descriptor = os.open(_SHARED_MEMORY / spec.name, os.O_RDWR)
    try:
        os.posix_fallocate(descriptor, 0, spec.total_bytes)
    finally:
        os.close(descriptor)


def _too_little(spec: RingSpec, free: int) -> str:
    return (
        f"shared memory: {spec.total_bytes / 2**20:.0f} MiB needed for {spec.slots} frames of "
        f"{spec.width}×{spec.height}, {free / 2**20:.0f} MiB free: enlarge /dev/shm (Docker: --shm-size) or lower "
        "analysis.long_side_px"
    )


def free_shared_memory() -> int:
    """Free bytes where the system keeps shared memory; unlimited where that cannot be asked."""
    try:
        status = os.statvfs(_SHARED_MEMORY)
    except OSError:
        return 2**62
    return status.f_bavail * status.f_frsize

"""The latest seconds of one connection to a camera, as it sent them, bounded in time and bytes.

One thread reads the camera and fills it, another makes clips of it; neither waits for the other. What is kept are
copies, so it outlives the connection. Knows nothing of alerts or files.
"""

import itertools
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stream.clips.template import Template

_OVERHEAD_BYTES = 200  # of one sample beside its data
_LATE_S = 10.0  # so long after its start an alert is heard of, at the most: entry, scoring, a sink that restarts
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture, encoded: a packet of the stream, or a JPEG."""

    number: int
    """Counts on by one; a gap is a place where nothing could be kept."""
    time_s: float
    """When it is shown, stream time of its connection; not always in order."""
    key: bool
    """Needs no picture before it."""
    data: bytes

    @property
    def size(self) -> int:
        """Memory it takes, bytes."""
        return len(self.data) + _OVERHEAD_BYTES


class Footage:
    """What one connection has delivered lately.

    Packets are kept in whole groups that begin with a key frame, so that what is held can be decoded; only where
    not even one group fits into the memory, the part of it that has just come.

    Args:
        memory_bytes: Most that is kept.
        pre_roll_s: Stream time that is kept at least, as far as the memory allows, and some seconds more.
    """

    def __init__(self, memory_bytes: int, pre_roll_s: float) -> None:
        self._most_bytes = memory_bytes
        self._keep_s = pre_roll_s + _LATE_S
        self._lock = threading.Lock()  # for all below; held for microseconds
        self._samples: deque[Sample] = deque()
        self._keys: deque[Sample] = deque()
        self._bytes = 0
        self._next = 0
        self._pending: list[tuple[float | None, bool, bytes]] = []  # the reader's own, like those below
        self._pending_bytes = 0
        self._needs_key = True
        self._header = b""
        self.short = False
        """At some time the memory was too small for what shall be kept."""
        self.template: Template | None = None
        """Of packets that can be copied into a file, None = pictures."""
        self.base_s: float | None = None
        """The camera's stream time at this connection's time 0, None = not known yet."""
        self.over = False
        """Nothing will be added any more."""

    # For the thread that reads the camera.

    def add_packet(self, timestamp_s: float | None, key: bool, data: bytes) -> None:
        """Keep a packet. It is there for others once `tell_time` has said when it is."""
        if key and self._is_other_stream(data):
            self._cut()
        if self._pending_bytes + len(data) + _OVERHEAD_BYTES > self._most_bytes:
            self._give_up_pending()
        if self._needs_key and not key:
            return
        self._needs_key = False
        self._pending.append((timestamp_s, key, data))
        self._pending_bytes += len(data) + _OVERHEAD_BYTES
        with self._lock:
            self._forget()

    def tell_time(self, timestamp_s: float | None, stream_s: float) -> None:
        """A decoded frame with the source's timestamp has this stream time; so packets have theirs.

        Those without a timestamp are as good as decoded with it.
        """
        ready: list[tuple[float, bool, bytes]] = []
        for packet_s, key, data in self._pending:
            if packet_s is None:
                ready.append((stream_s, key, data))
            elif timestamp_s is None:
                break
            else:
                ready.append((packet_s + stream_s - timestamp_s, key, data))
        del self._pending[: len(ready)]
        self._pending_bytes = sum(len(data) + _OVERHEAD_BYTES for _, _, data in self._pending)
        self._keep(ready)

    def add_picture(self, image: npt.NDArray[np.uint8], stream_s: float) -> None:
        """Keep an analysed picture, (height, width, 3) BGR, as a JPEG, which takes one or two milliseconds."""
        import cv2  # not at the top: a camera whose packets are kept does without it

        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        self._keep([(stream_s, True, jpeg.tobytes())])

    # For the thread that makes clips.

    @property
    def held_bytes(self) -> int:
        """Memory in use."""
        return self._bytes + self._pending_bytes

    def key_at(self, time_s: float) -> Sample | None:
        """The last key frame not after this time, otherwise the first one; None where none is held."""
        with self._lock:
            before = [key for key in self._keys if key.time_s <= time_s]
            return before[-1] if before else self._keys[0] if self._keys else None

    def since(self, number: int) -> list[Sample]:
        """All that is held from this number on."""
        with self._lock:
            newest_first = itertools.takewhile(lambda sample: sample.number >= number, reversed(self._samples))
            return [*newest_first][::-1]

    def _is_other_stream(self, key_packet: bytes) -> bool:
        """Whether from here on the pictures are of another size, or encoded otherwise."""
        assert self.template is not None, "packets come with it"
        before, self._header = self._header, self.template.header_in(key_packet) or self._header
        return bool(before) and before != self._header

    def _cut(self) -> None:
        """Nothing before can be in one file with what follows."""
        self._give_up_pending()
        with self._lock:
            self._drop_before(self._next)

    def _give_up_pending(self) -> None:
        self._pending.clear()
        self._pending_bytes = 0
        self._needs_key = True
        with self._lock:
            self._next += 1  # whoever follows sees that something is missing

    def _keep(self, ready: list[tuple[float, bool, bytes]]) -> None:
        with self._lock:
            for time_s, key, data in ready:
                sample = Sample(self._next, time_s, key, data)
                self._next += 1
                self._samples.append(sample)
                self._bytes += sample.size
                if key:
                    self._keys.append(sample)
            self._forget()

    def _forget(self) -> None:
        """Let go of the oldest group while the rest is enough or all is too much."""
        while self._samples:
            too_much = self.held_bytes > self._most_bytes
            following = next((key for key in self._keys if key.number > self._samples[0].number), None)
            enough_s = self._samples[-1].time_s - self._keep_s
            enough = following is not None and following.time_s <= enough_s
            self.short = self.short or (too_much and not enough)
            if following is not None and (too_much or enough):
                self._drop_before(following.number)
            elif too_much:
                self._drop_before(self._samples[0].number + 1)
            else:
                return

    def _drop_before(self, number: int) -> None:
        while self._samples and self._samples[0].number < number:
            self._bytes -= self._samples.popleft().size
        while self._keys and self._keys[0].number < number:
            self._keys.popleft()

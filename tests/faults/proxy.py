"""A way to an RTSP server that can be made bad while it is used: late, cut, mute or noisy.

Stands between one TCP client after the other and a server on this machine, RTSP interleaved (`transport: tcp`):

    with Proxy(port_of_the_server) as proxy:
        open(proxy.url("rtsp://127.0.0.1:8554/stream"))
        proxy.stall()
        proxy.heal()

A call holds until the next one. What it does to connections that are open is in its first line. Works in a thread of
its own; every method may be called from any other.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from urllib.parse import urlsplit

_Late = asyncio.Queue[tuple[float, bytes]]
"""What is under way, and when it is due; nothing marks the end."""

_HOST = "127.0.0.1"
_CHUNK_BYTES = 65536
_WAITING_CHUNKS = 1000
_CALL_S = 5.0
_LAST_WORDS_S = 0.2
_RTP_HEAD_BYTES = 12
_PAYLOAD_HEAD_BYTES = 2  # of H.264, kept whole: a fragment that is no longer one would be thrown away unseen


class Proxy:
    """See the module. Listens from the beginning to the end of a `with` block, and at first passes everything."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._loop = asyncio.new_event_loop()
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()  # cleared: nothing passes
        self._mute = False
        self._delay_s = 0.0
        self._probability = 0.0
        self._random = random.Random()
        self._cut_s = 0.0  # connections accepted before are cut
        self.port = 0
        self.accepted_s: list[float] = []
        """When each client was let in, monotonic."""
        self.corrupted = 0
        """Packets so far."""

    def __enter__(self) -> "Proxy":
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._call(self._set())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._set(close=True, listen=False))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, url: str) -> str:
        """The same URL by way of here."""
        return url.replace(f":{urlsplit(url).port}", f":{self.port}")

    def heal(self) -> None:
        """Pass everything again, also what was held back; who was accepted in silence stays so."""
        self._call(self._set())

    def delay(self, seconds: float) -> None:
        """Pass everything so much later, on open connections, too."""
        self._call(self._set(delay_s=seconds))

    def stall(self) -> None:
        """Keep connections open and hold back what comes; new ones are accepted."""
        self._call(self._set(hold=True))

    def corrupt(self, probability: float, seed: int = 0) -> None:
        """Flip the bits of one byte in the payload of each RTP packet with this probability, on open connections."""
        self._call(self._set(probability=probability, seed=seed))

    def drop(self) -> None:
        """Close open connections; new ones pass."""
        self._call(self._set(close=True))

    def cut(self) -> None:
        """Close open connections in the middle of their next packet; new ones pass."""
        self._cut_s = time.monotonic()
        self._call(self._set())

    def mute(self) -> None:
        """Close open connections; accept new ones and never say anything."""
        self._call(self._set(close=True, mute=True))

    def refuse(self) -> None:
        """Close open connections and listen no more."""
        self._call(self._set(close=True, listen=False))

    def _call(self, coroutine: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CALL_S)

    async def _set(
        self,
        *,
        hold: bool = False,
        close: bool = False,
        listen: bool = True,
        mute: bool = False,
        delay_s: float = 0.0,
        probability: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._mute, self._delay_s, self._probability = mute, delay_s, probability
        self._random.seed(seed)
        if hold:
            self._open.clear()
        else:
            self._open.set()
        if self._listener is not None and not listen:
            self._listener.close()
            self._listener = None
        if close:
            await self._close_connections()
        if self._listener is None and listen:
            self._listener = await asyncio.start_server(self._serve, _HOST, self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _close_connections(self) -> None:
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        accepted_s = time.monotonic()
        self.accepted_s.append(accepted_s)
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        writers = [to_client]
        try:
            if self._mute:
                await client.read(-1)
                return
            server, to_server = await asyncio.open_connection(_HOST, self._server_port)
            writers.append(to_server)
            up: _Late = asyncio.Queue(_WAITING_CHUNKS)
            down: _Late = asyncio.Queue(_WAITING_CHUNKS)
            senders = [
                asyncio.create_task(self._send(up, to_server, _whole, accepted_s)),
                asyncio.create_task(self._send(down, to_client, self._spoil, accepted_s)),
            ]
            takers = [
                asyncio.create_task(self._take(client, up)),
                asyncio.create_task(self._take(server, down)),
            ]
            try:
                await asyncio.wait(senders, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*senders, *takers):
                    task.cancel()
                await asyncio.gather(*senders, *takers, return_exceptions=True)
        except (OSError, asyncio.CancelledError):  # the server is not there, or the connection was closed on purpose
            pass
        finally:
            for writer in writers:
                writer.close()
                with contextlib.suppress(OSError, TimeoutError):
                    await asyncio.wait_for(writer.wait_closed(), _LAST_WORDS_S)
                writer.transport.abort()
            self._connections.discard(connection)

    async def _take(self, reader: asyncio.StreamReader, late: _Late) -> None:
        data = b"any"
        while data:
            try:
                data = await reader.read(_CHUNK_BYTES)
            except OSError:
                data = b""
            await self._open.wait()
            await late.put((time.monotonic() + self._delay_s, data))

    async def _send(
        self, late: _Late, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes], accepted_s: float
    ) -> None:
        """Until either side closes, or in the middle of a packet."""
        units = _Units()
        while True:
            due_s, data = await late.get()
            await asyncio.sleep(due_s - time.monotonic())
            if not data:
                return
            for unit in units.feed(data):
                if writer.is_closing():
                    return
                if accepted_s < self._cut_s and _is_packet(unit):
                    writer.write(unit[: len(unit) // 2])
                    return
                writer.write(change(unit))
            await writer.drain()

    def _spoil(self, unit: bytes) -> bytes:
        first = 4 + _RTP_HEAD_BYTES + _PAYLOAD_HEAD_BYTES
        if not self._probability or not _is_packet(unit) or len(unit) <= first or unit[1] % 2:  # odd channels: RTCP
            return unit
        if self._random.random() >= self._probability:
            return unit
        self.corrupted += 1
        spoilt = bytearray(unit)
        spoilt[self._random.randrange(first, len(unit))] ^= 0xFF
        return bytes(spoilt)


class _Units:
    """Cuts what an RTSP connection carries into messages and interleaved packets (RFC 2326, 10.12)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Whole units; what is not one yet waits for more data."""
        self._rest += data
        while (length := self._length()) is not None and length <= len(self._rest):
            unit, self._rest = self._rest[:length], self._rest[length:]
            yield unit

    def _length(self) -> int | None:
        """Of the first unit, None where too little is there to say."""
        if _is_packet(self._rest):
            return 4 + int.from_bytes(self._rest[2:4], "big") if len(self._rest) >= 4 else None
        head, end, _ = self._rest.partition(b"\r\n\r\n")
        if not end:
            return None
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return len(head) + len(end) + (int(lengths[0].split(b":")[1]) if lengths else 0)


def _is_packet(unit: bytes) -> bool:
    return unit[:1] == b"$"


def _whole(unit: bytes) -> bytes:
    return unit

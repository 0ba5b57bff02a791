"""A webhook: each notice is one POST with JSON, signed, and with an id by which the receiver knows a repeated one.

By the standard library: one small request a minute needs no pool, no HTTP/2 and no further dependency, and what must
not happen is easily seen in it: no redirect is followed, no proxy and no password file is looked for.
"""

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from configs.notify import WebhookSettings
from stream.notice import Notice
from stream.notify.channel import NotDeliveredError, RefusedError, scrubbed
from stream.notify.text import as_object

_AGAIN = (408, 425, 429)  # of the answers that blame the request, those that say: later
_READ = 4096  # bytes of an answer; nothing in it matters


class Webhook:
    """One receiver of POSTs.

    Exactly once as far as HTTP can: a notice counts as delivered once a 2xx answer was read. Where that is lost on
    its way, or this process is killed between the answer and its note in the outbox, the same notice comes again with
    the same `Idempotency-Key`, by which the receiver can tell.
    """

    def __init__(self, settings: WebhookSettings, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s

    def deliver(self, notice: Notice, picture: Path | None) -> None:
        """See `Channel`."""
        request = as_object(notice)
        if picture is not None:
            with suppress(OSError):  # removed this moment: told without it
                request["picture"] = {
                    "type": "image/jpeg",
                    "base64": base64.b64encode(picture.read_bytes()).decode("ascii"),
                }
        status = self._post(notice.id, json.dumps(request, allow_nan=False).encode())
        if 200 <= status < 300:
            return
        answer = f"answers {status} {http.client.responses.get(status, '')}".rstrip()
        if 300 <= status < 400:
            raise RefusedError(f"{answer}: redirects are not followed: name the final url")
        if 400 <= status < 500 and status not in _AGAIN:
            raise RefusedError(answer)
        raise NotDeliveredError(answer)

    def close(self) -> None:
        """Nothing is held between two requests."""

    def _post(self, key: str, content: bytes) -> int:
        """The status of the answer.

        Raises:
            NotDeliveredError: There was none.
        """
        parts = urlsplit(self._settings.url)
        try:
            connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
            target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            with _deadline(connection, self._timeout_s):
                connection.request("POST", target, content, self._headers(key, content))
                answer = connection.getresponse()
                answer.read(_READ)
                return answer.status
        except TimeoutError:
            raise NotDeliveredError(f"no answer within {self._timeout_s:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            # Without its cause: what these errors quote may hold the URL.
            text = scrubbed(str(error) or type(error).__name__, *self._secrets())
            raise NotDeliveredError(text) from None

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)

    def _headers(self, key: str, content: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "mulde-stream", "Idempotency-Key": key}
        if self._settings.authorization is not None:
            headers["Authorization"] = self._settings.authorization
        if self._settings.secret is not None:
            timestamp = str(int(time.time()))
            headers["X-Mulde-Timestamp"] = timestamp
            headers["X-Mulde-Signature"] = f"sha256={signature(self._settings.secret, timestamp, content)}"
        return headers

    def _secrets(self) -> tuple[str | None, ...]:
        url = urlsplit(self._settings.url)
        return url.path, url.query, self._settings.secret, self._settings.authorization


def signature(secret: str, timestamp: str, content: bytes) -> str:
    """HMAC-SHA256 of `TIMESTAMP.CONTENT`, in hexadecimal digits; with the time, an old request cannot be repeated."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + content, hashlib.sha256).hexdigest()


@contextmanager
def _deadline(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """End the whole exchange after so long: a socket's own time-out begins anew with every byte that trickles in.

    Raises:
        TimeoutError: It had to be ended.
    """
    over = threading.Event()

    def end() -> None:
        over.set()
        sock = connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(2)  # wakes up whoever waits for it, which close does not

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not over.is_set():
            raise
    finally:
        timer.cancel()
        connection.close()
    if over.is_set():  # also where the library takes the end of the connection for that of the answer's head
        raise TimeoutError

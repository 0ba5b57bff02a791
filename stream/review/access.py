"""Who may see the page, and what a browser may do with it: token, host, origin, and the headers of every answer.

An ASGI layer around the whole application. Knows nothing of what is served.
"""

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.review.error import ReviewError

_LEAST_TOKEN = 16  # characters
_SAFE_METHODS = ("GET", "HEAD")
_HEADERS = {
    # Scripts, styles, pictures and clips of this server, and nothing else, not even written into the page.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the first address may hold the token
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_UNKNOWN = "A token is needed: open the address that `review` printed when it started, which ends in ?token=...\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the page is served, and what whoever asks for it must show."""

    host: str
    port: int
    token: str | None
    """None where only this machine can ask."""
    was_given: bool
    """Whoever is to open the page knows the token already."""

    @classmethod
    def of(cls, host: str, port: int, token: str | None) -> "Access":
        """Access at this address: with this token, or with a new one where others can reach it.

        Raises:
            ReviewError: The token can be guessed.
        """
        was_given = token is not None
        if token is not None and (len(token) < _LEAST_TOKEN or not token.isascii() or not token.isprintable()):
            raise ReviewError(f"review: the token must be {_LEAST_TOKEN} or more letters, digits and signs of ASCII")
        if token is None and not _is_this_machine(host):
            token = secrets.token_urlsafe(24)
        return cls(host=host, port=port, token=token, was_given=was_given)

    @property
    def cookie(self) -> str:
        """The cookie's name; a browser keeps one jar for all ports of a host."""
        return f"mulde_review_{self.port}"

    def address(self) -> str:
        """What to open in a browser, with the token where it was made here; one that was given stays out of logs."""
        everywhere = self.host in ("0.0.0.0", "::")  # noqa: S104 - looked for, not listened at
        host = socket.gethostname() if everywhere else f"[{self.host}]" if ":" in self.host else self.host
        token = "" if self.token is None else "?token=..." if self.was_given else f"?token={self.token}"
        return f"http://{host}:{self.port}/{token}"

    def has_token(self, scope: Scope, headers: Headers) -> bool:
        """Whether the request may be answered, as far as the token goes."""
        if self.token is None:
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            cookie = None
        shown = [self.token_in_address(scope), None if cookie is None else cookie.value]
        return any(one is not None and _same(one, self.token) for one in shown)

    def token_in_address(self, scope: Scope) -> str | None:
        """What the address has as the token, right or wrong."""
        found = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        return None if found is None else found[0]


class Guard:
    """Lets through what may be answered, refuses the rest, and adds the headers that bind the browser."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        greeted = refusal is None and self._access.token is not None and self._access.token_in_address(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answered[name] = value
                answered.setdefault("Cache-Control", "no-store")
                if greeted:
                    answered.append(
                        "Set-Cookie",
                        f"{self._access.cookie}={self._access.token}; HttpOnly; SameSite=Strict; Path=/",
                    )
            await send(message)

        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if self._access.token is None and not _names_this_machine(headers.get("host", "")):
            # Another site's name that was made to lead here (DNS rebinding): its scripts would read all.
            return _refused(HTTPStatus.MISDIRECTED_REQUEST, "Open this page as localhost or 127.0.0.1.\n")
        if not self._access.has_token(scope, headers):
            return _refused(HTTPStatus.UNAUTHORIZED, _UNKNOWN)
        if scope["method"] not in _SAFE_METHODS and not _is_same_origin(headers):
            return _refused(HTTPStatus.FORBIDDEN, "Only the page itself may change anything.\n")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _is_visit(headers):
            return _refused(HTTPStatus.FORBIDDEN, "Only the page itself may use this.\n")
        return None


def _refused(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(text, status)


def _same(shown: str, token: str) -> bool:
    """In the same time wherever they differ."""
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names_this_machine(host_header: str) -> bool:
    """Of whatever port: a tunnel has another one."""
    try:
        host = urlsplit(f"//{host_header}").hostname or ""
    except ValueError:
        return False
    return _is_this_machine(host)


def _is_same_origin(headers: Headers) -> bool:
    """As the browser says; browsers say less to a server that is not this machine and has no TLS."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(headers.get("origin", ""))
    return origin.scheme in ("http", "https") and origin.netloc == headers.get("host")


def _is_visit(headers: Headers) -> bool:
    """A link that was followed, and not a part of another site's page."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"

"""What is served under which address."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from stream.review.api import Api
from stream.review.evidence import MEDIA_TYPES, Evidence
from stream.review.live import Live

_PAGES = Path(__file__).parent / "pages"
_LOOK_S = 0.1  # for something new to say
_KEEP_ALIVE_S = 10.0  # what is silent for long is cut by networks on the way
_AGAIN_MS = 2000  # after which a page that lost the stream comes back


def routes(api: Api, evidence: Evidence, live: Live, ending: asyncio.Event) -> list[BaseRoute]:
    """All addresses.

    Args:
        ending: Set when the streams shall end.
    """

    async def file(request: Request) -> Response:
        camera, name = request.path_params["camera"], request.path_params["name"]
        path = await run_in_threadpool(evidence.file, camera, name)
        if path is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such file any more.")
        # A picture has another address once it is another; clip and trace go on after their alert's end.
        kept = "private, max-age=86400" if path.suffix == ".jpg" else "private, no-cache"
        return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers={"Cache-Control": kept})

    async def levels(_: Request) -> Response:
        return StreamingResponse(_events(live, ending), media_type="text/event-stream")

    async def page(_: Request) -> Response:
        return FileResponse(_PAGES / "index.html", headers={"Cache-Control": "no-cache"})

    return [
        Route("/", page),
        Route("/live", levels),
        Route("/api/cameras", api.cameras),
        Route("/api/day", api.day),
        Route("/api/alerts", api.alerts),
        Route("/api/alerts/{id}", api.alert),
        Route("/api/alerts/{id}/verdict", api.verdict, methods=["POST"]),
        Route("/evidence/{camera}/{name}", file),
        Mount("/pages", _Pages(directory=_PAGES)),
    ]


class _Pages(StaticFiles):
    """What the page is made of; a browser asks whether its copy is still that of this version."""

    def file_response(self, *arguments: object, **named: object) -> Response:
        response = super().file_response(*arguments, **named)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _events(live: Live, ending: asyncio.Event) -> AsyncIterator[bytes]:
    """What `live` says, as server-sent events: the newest only, for a reader that is slow."""
    yield f"retry: {_AGAIN_MS}\n\n".encode()
    clock = asyncio.get_running_loop()
    said, said_s = b"", clock.time()
    while not ending.is_set():
        if live.latest is not said:
            said, said_s = live.latest, clock.time()
            yield b"data: " + said + b"\n\n"
        elif clock.time() - said_s >= _KEEP_ALIVE_S:
            said_s = clock.time()
            yield b":\n\n"
        await asyncio.sleep(_LOOK_S)

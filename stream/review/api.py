"""What the page asks for, as JSON: alerts, one alert, a day, and what is said of an alert."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, get_args

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stream.clips import start_of
from stream.messages import AlertKind
from stream.review.error import ReviewError
from stream.review.evidence import Evidence
from stream.review.marking import Marking
from stream.review.store_thread import StoreThread
from stream.review.telling import day_of_camera, details, summary
from stream.review.verdict import judge
from stream.store import AlertRecord, Store, StoreError, Verdict

_PAGE, _LARGEST_PAGE = 60, 500  # alerts
_LONGEST_DAY = timedelta(hours=26)  # a day with a change of the clock has 25
_MOST_MARKS = 2000  # alerts of a camera's day; more are not to be told apart


class _Judgement(msgspec.Struct, forbid_unknown_fields=True):
    verdict: Verdict | None


class Api:
    """Answers from one store."""

    def __init__(self, store: StoreThread, evidence: Evidence, marking: Marking) -> None:
        self._store = store
        self._evidence = evidence
        self._marking = marking

    async def cameras(self, _: Request) -> Response:
        """Names of all cameras the store knows."""
        return answer(await self._store.ask(_cameras))

    async def alerts(self, request: Request) -> Response:
        """Alerts, newest first, a page at a time: those after the one named `after`."""
        asked = request.query_params
        wanted: dict[str, Any] = {
            "camera": asked.get("camera"),
            "kind": _one_of("kind", asked.get("kind"), get_args(AlertKind)),
            "verdict": _one_of("verdict", asked.get("verdict"), (*get_args(Verdict), "none")),
            "since": _moment("since", asked.get("since")),
            "until": _moment("until", asked.get("until")),
            "before_id": asked.get("after"),
        }
        limit = _limit(asked.get("limit"))

        def find(store: Store) -> list[dict[str, Any]]:
            records = store.find(**wanted, limit=limit + 1)
            verdicts = store.verdicts(record.id for record in records)
            return [summary(record, verdicts.get(record.id)) for record in records]

        found = await self._store.ask(find)
        return answer({"alerts": found[:limit], "more": len(found) > limit})

    async def alert(self, request: Request) -> Response:
        """One alert with the addresses of its files."""
        record, verdict = await self._alert(request)
        files = await run_in_threadpool(self._evidence.of, record)
        clip = files.get("clip")
        start_s = None if clip is None else await run_in_threadpool(start_of, clip)
        return answer(details(record, verdict, files, start_s))

    async def day(self, request: Request) -> Response:
        """What became of each camera in the time from `since` to `until`, which is the day where the page is."""
        since, until = (_moment(name, request.query_params.get(name)) for name in ("since", "until"))
        if since is None or until is None or not timedelta(0) < until - since <= _LONGEST_DAY:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "since, until: must be the beginning and the end of a day")
        # Camera by camera, so that other questions come in between.
        names = await self._store.ask(_cameras)
        return answer([await self._store.ask(partial(_day, name, since, until)) for name in names])

    async def verdict(self, request: Request) -> Response:
        """Say what the alert was, or take that back."""
        try:
            said = msgspec.json.decode(await request.body(), type=_Judgement)
        except msgspec.DecodeError as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"verdict: {error}") from error
        record, _ = await self._alert(request)
        text = await judge(self._store, self._marking, record, said.verdict)
        _, verdict = await self._alert(request)
        return answer({"verdict": verdict, "text": text})

    async def _alert(self, request: Request) -> tuple[AlertRecord, Verdict | None]:
        alert_id = request.path_params["id"]

        def find(store: Store) -> tuple[AlertRecord | None, Verdict | None]:
            return store.get(alert_id), store.verdicts([alert_id]).get(alert_id)

        record, verdict = await self._store.ask(find)
        if record is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such alert any more.")
        return record, verdict


def answer(value: Any, status: int = HTTPStatus.OK) -> Response:
    """The value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def told(_: Request, error: Exception) -> Response:
    """An error that somebody can mend, as the page shows it."""
    if isinstance(error, HTTPException):
        return answer({"error": error.detail}, error.status_code)
    status = HTTPStatus.CONFLICT if isinstance(error, ReviewError) else HTTPStatus.SERVICE_UNAVAILABLE
    return answer({"error": str(error)}, status)


ERRORS: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    HTTPException: told,
    ReviewError: told,
    StoreError: told,
}
"""Which of them are told."""


def _cameras(store: Store) -> list[str]:
    return sorted({day.camera for day in store.history.days()})


def _day(camera: str, since: datetime, until: datetime, store: Store) -> dict[str, Any]:
    records = store.find(camera=camera, since=since, until=until, limit=_MOST_MARKS)
    verdicts = store.verdicts(record.id for record in records)
    return day_of_camera(
        camera,
        store.history.minutes(camera, since, until),
        store.history.states(camera, since, until),
        [(record, verdicts.get(record.id)) for record in records],
        since,
    )


def _one_of(name: str, value: str | None, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name}: must be one of {', '.join(known)}")
    return value


def _moment(name: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name}: must be a time in UTC as 2026-01-31T12:00:00Z")
    return moment


def _limit(value: str | None) -> int:
    if value is None:
        return _PAGE
    if not (value.isascii() and value.isdecimal() and len(value) < 5 and 1 <= int(value) <= _LARGEST_PAGE):
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"limit: must be 1 to {_LARGEST_PAGE}")
    return int(value)

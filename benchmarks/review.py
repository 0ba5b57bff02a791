"""How fast the review page is with a store of many alerts, against the same page with few of them in the same run.

    python -m benchmarks.review [--alerts 10000] [--baseline 100] [--rounds 20]

Four cameras, an alert every five minutes back from now, each with a small JPEG; a level for each minute of two days.
The page is in Chromium without a window, on this machine; the server is `run_stream.py review`. First the server
alone, by one connection that asks again and again; then what a person waits for:

first paint       the first text or picture, from the start of loading
list              the first rows of the list are there
list with picture and the first of them has its picture
next alert (j)    from the key to the next alert's words and picture on the screen
filter            from choosing another camera to its alerts in the list

All in milliseconds, median and 95th percentile.
"""

import argparse
import http.client
import math
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks._browser import chromium, need_browser, record, served, size, with_pictures
from benchmarks._table import print_table
from stream.clock import utc_text
from stream.store import Feedback, Minute, Store

_CAMERAS = ("gate", "yard", "dock", "hall")
_EVERY = timedelta(minutes=5)
_MINUTES = 2 * 1440
_REQUESTS = 200
_MARK_ROWS = """
window.addEventListener("DOMContentLoaded", () => {
  const look = () => {
    const row = document.querySelector("#list .row");
    if (row && window.rowsAt === undefined) window.rowsAt = performance.now();
    const picture = row?.querySelector("img");
    if (picture?.complete && picture.naturalWidth) window.pictureAt = performance.now();
    else requestAnimationFrame(look);
  };
  look();
});
"""
_LOADED = """
const done = arguments[arguments.length - 1];
const look = () => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const shown = document.querySelector(".stage img")?.naturalWidth > 0;
  if (paint && window.pictureAt && shown) done([paint.startTime, window.rowsAt, window.pictureAt]);
  else setTimeout(look, 5);
};
look();
"""
_NEXT = """
const done = arguments[arguments.length - 1];
const before = location.hash;
const start = performance.now();
document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "j", bubbles: true}));
const look = () => {
  const picture = document.querySelector(".stage img");
  const there = picture?.complete && picture.naturalWidth && picture.src.includes(location.hash.slice(1));
  if (there && location.hash !== before)
    requestAnimationFrame(() => done(performance.now() - start));
  else requestAnimationFrame(look);
};
look();
"""
_FILTER = """
const done = arguments[arguments.length - 1];
const select = document.querySelector("#filters [name=camera]");
const start = performance.now();
select.value = arguments[0];
select.dispatchEvent(new Event("change", {bubbles: true}));
const look = () => {
  const rows = [...document.querySelectorAll("#list .where")];
  if (rows.length && rows.every((row) => row.textContent === select.value)) done(performance.now() - start);
  else requestAnimationFrame(look);
};
look();
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--baseline", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    need_browser()
    with tempfile.TemporaryDirectory(prefix="bench-review-") as name:
        folder = Path(name)
        measured = {
            count: _measure(folder / str(count), count, given.rounds) for count in (given.baseline, given.alerts)
        }
    few, many = measured.values()
    print_table(
        ("", *(f"{count} alerts, {what}" for count in measured for what in ("median", "95 %"))),
        [(what, *_two(few[what]), *_two(many[what])) for what in few],
    )


def _measure(folder: Path, count: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each thing that was done some times."""
    store = folder / "store"
    started_s = time.monotonic()
    middle = _fill(store, count)
    print(f"{count} alerts made in {time.monotonic() - started_s:.1f} s", flush=True)
    with served(folder / "review", store) as program:
        times = _ask(program.port, middle)
        with chromium(folder / "profile") as driver:
            return {**times, **_look(driver, f"http://127.0.0.1:{program.port}/", rounds)}


def _fill(folder: Path, count: int) -> str:
    """Make the store; the id of the alert in its middle."""
    now = datetime.now(UTC)
    records = [
        with_pictures(
            folder,
            record(
                index,
                _CAMERAS[index % 4],
                started=now - _EVERY * index,
                kind="camera" if index % 20 == 9 else "anomaly",
            ),
            hue=index,
            roles=("clean",),
        )
        for index in range(count)
    ]
    minutes = [
        Minute(
            camera=name,
            minute=f"{utc_text(now - timedelta(minutes=index))[:16]}Z",
            scores=300,
            level=0.4,
            live_s=60.0,
        )
        for name in _CAMERAS
        for index in range(_MINUTES)
    ]
    with Store.open(folder) as store, store.transaction():
        store.save(*records)
        store.history.add(minutes=minutes)
        for one in records[:: max(1, count // 50)]:
            store.add_feedback(Feedback(alert_id=one.id, verdict="real", utc=utc_text(now)))
    return str(records[count // 2].id)


def _ask(port: int, middle: str) -> dict[str, list[float]]:
    since, until = (utc_text(datetime.now(UTC) - timedelta(hours=hours)) for hours in (24, 0))
    asked = {
        "server: first page": "/api/alerts",
        "server: page from the middle": f"/api/alerts?after={middle}",
        "server: of a camera and kind": "/api/alerts?camera=yard&kind=camera",
        "server: of a rare verdict": "/api/alerts?verdict=real",
        "server: not judged": "/api/alerts?verdict=none",
        "server: one alert": f"/api/alerts/{middle}",
        "server: day of 4 cameras": f"/api/day?since={since}&until={until}",
        "server: cameras": "/api/cameras",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)
    return {what: [_request_ms(connection, path) for _ in range(_REQUESTS)] for what, path in asked.items()}


def _request_ms(connection: http.client.HTTPConnection, path: str) -> float:
    start_s = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, (path, answer.status)
    return (time.perf_counter() - start_s) * 1000


def _look(driver: Any, address: str, rounds: int) -> dict[str, list[float]]:
    size(driver, 1440, 900)
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _MARK_ROWS})
    driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    loaded = []
    for _ in range(rounds):
        driver.get("about:blank")
        driver.get(address)
        loaded.append(driver.execute_async_script(_LOADED))
    paint, rows, picture = zip(*loaded, strict=True)
    return {
        "page: first paint": list(paint),
        "page: list": list(rows),
        "page: list with picture": list(picture),
        "page: next alert (j)": [driver.execute_async_script(_NEXT) for _ in range(rounds)],
        "page: filter": [driver.execute_async_script(_FILTER, _CAMERAS[index % 4]) for index in range(1, rounds + 1)],
    }


def _two(times_ms: Sequence[float]) -> tuple[str, str]:
    ordered = sorted(times_ms)
    return tuple(f"{ordered[math.ceil(share * len(ordered)) - 1]:.1f}" for share in (0.5, 0.95))  # type: ignore[return-value]


if __name__ == "__main__":
    main()

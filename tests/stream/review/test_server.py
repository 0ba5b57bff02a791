"""Who is let in, what is handed out, and how it ends; asked without a browser, which would not try."""

import http.client
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from stream.review.access import Access
from stream.review.error import ReviewError
from stream.store import Minute, StateChange, Store, evidence_path
from tests.program import run
from tests.stream.review import made
from tests.stream.review.served import ask, served

TOKEN = "correct-horse-battery"
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SAME_ORIGIN = {"Sec_Fetch_Site": "same-origin"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three alerts with pictures, and what must not be handed out."""
    folder = tmp_path_factory.mktemp("store")
    kinds = ("anomaly", "camera", "anomaly")
    records = [
        made.with_pictures(folder, made.record(index, started=NOON + timedelta(hours=index), kind=kind))
        for index, kind in enumerate(kinds)
    ]
    with Store.open(folder) as opened:
        opened.save(*records)
    (folder / "secret.jpg").write_text("secret")
    gate = made.evidence_folder(folder) / "gate"
    (gate / "link.jpg").symlink_to(folder / "secret.jpg")
    (gate / "ring.jpg").symlink_to(gate / "ring.jpg")
    (gate / "note.txt").write_text("secret")
    (gate / "folder.jpg").mkdir()
    (made.evidence_folder(folder) / "away").symlink_to(folder)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, store):
    with served(tmp_path_factory.mktemp("review"), store) as program:
        yield program


def test_alerts_come_newest_first_by_pages_and_filters(server):
    def alerts(query):
        status, _, body = ask(server.port, f"/api/alerts?{query}")
        assert status == 200, body
        found = json.loads(body)
        return [int(one["id"][-5:]) for one in found["alerts"]], found["more"]

    assert alerts("") == ([2, 1, 0], False)
    assert alerts("limit=2") == ([2, 1], True)
    assert alerts("limit=2&after=20260131-130000-gate-00001") == ([0], False)
    assert alerts("kind=camera") == ([1], False)
    assert alerts("camera=yard") == ([], False)
    assert alerts("verdict=none") == ([2, 1, 0], False)
    assert alerts("since=2026-01-31T12:30:00Z&until=2026-01-31T14:00:00Z") == ([1], False)


@pytest.mark.parametrize(
    "query", ["kind=what", "verdict=x", "since=noon", "since=2026-01-31", "limit=0", "limit=9999"]
)
def test_a_question_that_makes_no_sense_is_refused_with_a_line(server, query):
    status, _, body = ask(server.port, f"/api/alerts?{query}")
    assert status == 400
    assert json.loads(body)["error"].startswith(f"{query.partition('=')[0]}: must be")


def test_a_day_has_minutes_states_and_alerts_of_each_camera(server, store):
    with Store.open(store) as opened:
        opened.history.add(
            minutes=[
                Minute(camera="gate", minute="2026-01-31T00:05Z", scores=9, level=0.456, live_s=60.0),
                Minute(camera="yard", minute="2026-02-01T00:00Z", scores=9, level=9.0, live_s=60.0),
            ],
            states=[
                StateChange(camera="gate", state="live", reason="", utc="2026-01-30T08:00:00.000Z"),
                StateChange(camera="gate", state="lost", reason="no route", utc="2026-01-31T20:00:00.000Z"),
            ],
        )
    status, _, body = ask(server.port, "/api/day?since=2026-01-31T00:00:00Z&until=2026-02-01T00:00:00Z")
    gate, yard = json.loads(body)
    assert (status, gate["name"], gate["minutes"]) == (200, "gate", [[5, 0.46]])
    assert [(one["state"], one["reason"]) for one in gate["states"]] == [("live", ""), ("lost", "no route")]
    assert [(int(one["id"][-5:]), one["kind"], one["level"]) for one in gate["alerts"]] == [
        (2, "anomaly", 3.0),
        (1, "camera", None),
        (0, "anomaly", 3.0),
    ]
    assert yard == {"name": "yard", "minutes": [], "states": [], "alerts": []}


def test_an_alert_that_is_gone_and_a_day_without_bounds_are_refused(server):
    assert ask(server.port, "/api/alerts/nobody")[0] == 404
    assert ask(server.port, "/api/day")[0] == 400
    assert ask(server.port, "/api/day?since=2026-01-01T00:00:00Z&until=2027-01-01T00:00:00Z")[0] == 400


def test_pictures_are_handed_out_in_parts_and_nothing_from_elsewhere_is(server, store):
    path = evidence_path(store, "gate", "20260131-120000-gate-00000", "clean")
    status, headers, body = ask(server.port, f"/evidence/gate/{path.name}")
    assert (status, headers["Content-Type"], body) == (200, "image/jpeg", path.read_bytes())
    status, headers, body = ask(server.port, f"/evidence/gate/{path.name}", Range="bytes=10-19")
    assert (status, body) == (206, path.read_bytes()[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{path.stat().st_size}"
    for elsewhere in (
        "/evidence/gate/link.jpg",
        "/evidence/gate/ring.jpg",
        "/evidence/gate/folder.jpg",
        "/evidence/gate/note.txt",
        "/evidence/away/secret.jpg",
        "/evidence/gate/..%2f..%2fsecret.jpg",
        "/evidence/..%2f/secret.jpg",
        "/evidence/%2e%2e/secret.jpg",
        "/evidence/../secret.jpg",
        "/evidence/gate/%00.jpg",
        "/pages/../server.py",
        "/pages/%2e%2e/server.py",
    ):
        status, _, body = ask(server.port, elsewhere)
        assert (elsewhere, status) == (elsewhere, 404)
        assert b"secret" not in body


def test_only_the_page_itself_may_change_anything(server, store):
    path = "/api/alerts/20260131-120000-gate-00000/verdict"
    here = f"127.0.0.1:{server.port}"
    for headers in (
        {},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site", "Origin": f"http://{here}"},
    ):
        assert ask(server.port, path, "POST", {"verdict": "real"}, **headers)[0] == 403
    with Store.open(store) as opened:
        assert opened.feedback() == []
    for headers in (SAME_ORIGIN, {"Origin": f"http://{here}"}):
        status, _, body = ask(server.port, path, "POST", {"verdict": "real"}, **headers)
        assert (status, json.loads(body)["verdict"]) == (200, "real")
    for body in ({"verdict": "what"}, {}, {"verdict": None, "more": 1}, ["real"], "x" * 10_000):
        assert ask(server.port, path, "POST", body, **SAME_ORIGIN)[0] in (400, 413)
    assert ask(server.port, path, **SAME_ORIGIN)[0] == 405


def test_other_sites_can_neither_embed_nor_read_it(server):
    status, headers, _ = ask(server.port, "/")
    assert (status, headers["Cross-Origin-Resource-Policy"]) == (200, "same-origin")
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    embedded = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}
    assert ask(server.port, "/api/alerts", **embedded)[0] == 403
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert ask(server.port, "/", **followed)[0] == 200
    for name in ("evil.example", f"127.0.0.1.evil.example:{server.port}", "[", ""):
        assert ask(server.port, "/api/alerts", Host=name)[0] == 421
    for name in ("localhost:9000", "127.0.0.1", "[::1]:1"):  # a tunnel has another port
        assert ask(server.port, "/api/alerts", Host=name)[0] == 200


def test_others_need_the_token_and_the_cookie_it_is_exchanged_for(tmp_path, store, monkeypatch):
    monkeypatch.setenv("MULDE_REVIEW_TOKEN", TOKEN)
    with served(tmp_path / "given", store, host="0.0.0.0") as program:
        assert "/?token=... - " in program.stdout
        for path in ("/", "/live", "/api/alerts", "/pages/app.js", "/evidence/gate/x.jpg", f"/?token={TOKEN}x"):
            status, headers, body = ask(program.port, path)
            assert (status, headers["Set-Cookie"]) == (401, None)
            assert b"A token is needed" in body
        assert ask(program.port, "/api/alerts", Cookie=f"mulde_review_{program.port}=wrong; a=\x01")[0] == 401
        status, headers, _ = ask(program.port, f"/?token={TOKEN}", Host="cameras.example")
        cookie = headers["Set-Cookie"]
        assert (status, cookie.partition("; ")[2]) == (200, "HttpOnly; SameSite=Strict; Path=/")
        assert ask(program.port, "/api/alerts", Cookie=cookie.partition(";")[0])[0] == 200
        assert TOKEN not in " ".join(program.command_lines().values())
        program.interrupt()
        assert program.end() == 0
    assert TOKEN not in program.stdout + program.stderr
    monkeypatch.delenv("MULDE_REVIEW_TOKEN")
    with served(tmp_path / "made", store, host="0.0.0.0") as program:
        token = re.search(r"\?token=(\S+)", program.stdout)[1]
        assert len(token) == 32
        assert ask(program.port, "/api/alerts")[0] == 401
        assert ask(program.port, f"/api/alerts?token={token}")[0] == 200


def test_it_ends_at_once_with_streams_open_and_an_alert_being_marked(tmp_path, store):
    with (
        served(tmp_path, store) as program,
        socket.create_connection(("127.0.0.1", program.port), 10.0) as stream,
        ThreadPoolExecutor(1) as pool,
    ):
        stream.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while b"no watch runs" not in received:
            received += stream.recv(65536)
        path = "/api/alerts/20260131-140000-gate-00002/verdict"
        marked = pool.submit(ask, program.port, path, "POST", {"verdict": "normal"}, **SAME_ORIGIN)
        program.wait_for(lambda: any("mark-normal" in line for line in program.command_lines().values()))
        program.interrupt()
        assert program.end() == 0
        status, _, body = marked.result(10.0)
        assert (status, json.loads(body)["error"].partition(": ")[2]) == (409, "the server of this page ends")
        assert program.stderr == ""  # where uvicorn waits for a stream and gives up, it says so


def test_a_token_that_can_be_guessed_is_refused():
    for token in ("", "short", "ä" * 20, "line\n" * 10):
        with pytest.raises(ReviewError, match=r"^review: the token must be 16 or more"):
            Access.of("127.0.0.1", 1, token)


@pytest.mark.parametrize(
    ("host", "needed"), [("localhost", False), ("::1", False), ("::", True), ("192.168.1.2", True)]
)
def test_only_this_machine_needs_no_token(host, needed):
    assert (Access.of(host, 1, None).token is not None) == needed


def test_what_keeps_it_from_starting_is_told_in_a_line(tmp_path, store, server):
    def refused(*arguments):
        done = run(tmp_path, "review", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        return done.stderr

    taken = refused("--store", store, "--listen", f"127.0.0.1:{server.port}")
    assert f"cannot listen at 127.0.0.1:{server.port}: Address already in use: name another" in taken
    assert f"there is none in {tmp_path / 'none'}: name that of a watch with" in refused("--store", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_store_that_goes_away_is_told_and_one_that_comes_back_is_read(tmp_path):
    folder = tmp_path / "store"
    with Store.open(folder) as opened:
        opened.save(made.record(0, started=NOON))
    with served(tmp_path / "review", folder) as program:
        assert len(json.loads(ask(program.port, "/api/alerts")[2])["alerts"]) == 1
        folder.rename(tmp_path / "moved")
        status, _, body = ask(program.port, "/api/alerts")
        assert (status, json.loads(body)["error"].partition(":")[0]) == (503, "store")
        with Store.open(folder) as opened:
            opened.save(made.record(1, started=NOON), made.record(2, started=NOON))
        assert len(json.loads(ask(program.port, "/api/alerts")[2])["alerts"]) == 2


def test_answers_do_not_wait_for_the_network_to_acknowledge_their_first_half(server):
    """Where asyncio did not know that the socket was TCP, it left Nagle's algorithm on: 40 ms an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10.0)
    took_s = []
    try:
        for _ in range(20):
            began_s = time.monotonic()
            connection.request("GET", "/api/cameras")
            connection.getresponse().read()
            took_s.append(time.monotonic() - began_s)
    finally:
        connection.close()
    assert min(took_s[1:]) < 0.03

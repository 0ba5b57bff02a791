import io

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from stream.dashboard import camera_page
from stream.dashboard.focus import Focus
from stream.dashboard.page import render
from stream.messages import Camera
from stream.overview import State
from tests.stream.views import UTC_TEXT, alert, at, camera, health, score

NOW = at(60)
OPENED = Focus(page="camera", camera="yard")


def plain(state, focus=OPENED, width=80, height=24, now=NOW, **options):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False, color_system=None)
    console.print(render(state, focus, "site.yaml", width, height, now, **options), end="")
    return console.file.getvalue().split("\n")[:-1]


def value(lines, label):
    """What stands behind the label in the box of facts."""
    (line,) = [line for line in lines if line.startswith(f"│ {label} ")]
    return line[2 : 40 if len(line) == 80 else 46].removeprefix(label).split("│")[0].strip()


@pytest.fixture
def state():
    state = State(("gate", "yard"), at(0))
    for name in state.cameras:
        state.take(camera(name), at(0))
    report = Camera(camera="yard", state="live", reason="", utc=UTC_TEXT, captured=300, reconnects=2, source_fps=25.0)
    state.take(report, at(0))
    for number in range(301):
        state.take(score("yard", seq=number, latency_ms=50 if number < 270 else 80), at(number / 5))
    return state


SIZES = [(80, 24), (110, 30), (120, 40), (200, 60), (79, 23), (40, 10), (20, 5), (5, 2), (1, 1)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("keys", [False, True])
def test_the_page_fills_the_terminal_exactly_and_its_picture_is_as_large_as_it_says(state, width, height, keys):
    for number in range(12):
        state.take(alert("start", str(number), "yard", region=(0, 0, 0.1, 0.1), reason="why " * 30), NOW)
    columns, lines = camera_page.picture_size(width, height)
    picture = tuple([("▀" * columns, "#ff0000 on #00ff00")] for _ in range(lines))
    focus = Focus(page="camera", camera="yard", keys=keys)
    page = plain(state, focus, width, height, picture=picture)
    assert [cell_len(line) for line in page] == [width] * height
    if width >= 79 and not keys:
        assert sum(f"│ {'▀' * columns} │" in line for line in page) == lines
        assert columns >= 33
        assert lines >= 7


def test_what_is_known_of_the_camera_is_there(state):
    state.take(health("capture-yard", drop_yard_stale=30, drop_yard_late=7), NOW)
    lines = plain(state)
    assert value(lines, "state") == "● live"
    assert value(lines, "level").endswith("1.00/2.00")
    assert value(lines, "picture") == "as calibrated"
    assert value(lines, "latency") == "p50 50 ms   p95 80 ms"
    assert value(lines, "rate") == "5.0 of 25.0 fps"
    assert value(lines, "dropped") == "7 late, 30 stale"
    assert value(lines, "reconnected") == "2×"
    assert "─ last 4 min ─╮" in lines[1]
    assert lines[1].startswith("╭─ yard ──")
    assert "▆" * 10 in lines[4]  # six eighths of three lines


def test_the_families_of_the_latest_score_are_there_with_their_part(state):
    latest = score("yard", seq=301, value=3.0, regime="night", condition="moved")
    state.take(msgspec.structs.replace(latest, families={"motion": 2.5, "appearance": 0.25}), NOW)
    lines = plain(state, width=110, height=30)
    assert value(lines, " motion").endswith("2.50")
    assert "┃━" in value(lines, " motion")
    assert value(lines, " appearance").endswith("0.25")
    assert value(lines, "picture") == "moved: looks elsewhere"
    assert value(lines, "regime") == "night"


def test_a_camera_that_is_lost_says_why(state):
    state.take(camera("yard", "lost", "nothing listens there"), NOW)
    lines = plain(state)
    assert value(lines, "state") == "● lost"
    assert "nothing listens there" in "\n".join(lines)
    assert not any(line.startswith("│ level") for line in lines)


def test_only_this_camera_s_alerts_are_there_and_the_selected_one_is_marked_in_view(state):
    for number in range(20):
        state.take(alert("start", f"y{number}", "yard", value=6.0, region=(0, 0, 0.1, 0.1)), at(20 + number))
        state.take(alert("end", f"y{number}", "yard", value=6.0, region=(0, 0, 0.1, 0.1)), at(20 + number))
    state.take(alert("start", "g", "gate", reason="of another"), at(50))
    assert "of another" not in "\n".join(plain(state))
    newest = plain(state)
    assert any(line.startswith("│ ▸ 12:00:39 ○ ended anomaly   3.0×") for line in newest)
    assert any("─ anomaly of 12:00:39, 0 s ─" in line for line in newest)
    tenth = plain(state, Focus(page="camera", camera="yard", alert="y9"))
    (marked,) = [line for line in tenth if "▸" in line]
    assert marked.startswith("│ ▸ 12:00:29 ○ ended anomaly   3.0×")
    assert any("─ anomaly of 12:00:29, 0 s ─" in line for line in tenth)


def test_the_selected_alert_s_words_stand_whole_above_its_picture(state):
    words = "moving 3.4× faster than normal here, unlike anything seen"
    state.take(alert("start", "y", "yard", region=(0, 0, 0.1, 0.1), words=words), at(20))
    for width, height, caption in (
        (80, 24, ["upper left, moving 3.4× faster", "than normal here, unlike anything…"]),
        (110, 30, ["upper left, moving 3.4× faster than normal here, unlike", "anything seen"]),
    ):
        lines = plain(state, width=width, height=height, picture=([("▀▀▀", "")],))
        first = next(index for index, line in enumerate(lines) if "─ anomaly of 12:00:20" in line)
        assert [line.rpartition("││")[2].strip(" │") for line in lines[first + 1 : first + 4]] == [*caption, "▀▀▀"]


def test_without_alerts_the_page_says_since_when_there_were_none(state):
    assert any(line.startswith("│ none since 12:00:00 ") for line in plain(state))


def test_the_foot_names_the_keys_of_each_page(state):
    assert plain(state)[-1].rstrip() == " ↑↓ alert  ←→ camera  Esc back  ? keys  q quit"
    assert plain(state, Focus())[-1].rstrip() == " ↑↓ select  Enter open  ? keys  q quit"
    assert plain(state, Focus(keys=True))[-1].rstrip() == " Esc back  q quit"


def test_the_page_of_keys_names_them_all(state):
    text = "\n".join(plain(state, Focus(keys=True)))
    for words in ("select a camera", "open it", "back to all cameras", "see its picture", "the next one", "quit"):
        assert words in text

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from stream.dashboard.focus import Focus
from stream.dashboard.page import render
from stream.overview import State
from tests.stream.views import alert, at, camera, health, score

LONG = "a-very-long-name-for-a-camera-12"
NOW = at(60)


def plain(state, width=80, height=24, now=NOW, **options):
    """The page as the lines a terminal of this size would show."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False, color_system=None)
    console.print(
        render(
            state, options.pop("focus", Focus()), options.pop("title", "site.yaml"), width, height, now, **options
        ),
        end="",
    )
    return console.file.getvalue().split("\n")[:-1]


def styles(state, text, **size):
    """How the parts of the page that hold this text are drawn."""
    lines = render(state, Focus(), "site.yaml", size.get("width", 80), size.get("height", 24), NOW).lines
    return [style for line in lines for part, style in line if text in part]


def site(count, names=None):
    """So many cameras that are live, with a minute of scores at half the threshold."""
    state = State(tuple(names or (f"camera-{number:02}" for number in range(1, count + 1))), at(0))
    for name in state.cameras:
        state.take(camera(name), at(0))
        for number in range(301):
            state.take(score(name, seq=number), at(number / 5))
    return state


def line_of(lines, text):
    (line,) = [line for line in lines if text in line]
    return line


SIZES = [(80, 24), (100, 30), (120, 40), (200, 60), (79, 23), (40, 10), (20, 5), (5, 2), (1, 1)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 12, 30])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_page_fills_the_terminal_exactly_and_no_line_is_wider(count, width, height):
    state = site(count)
    for number, name in enumerate(state.cameras):
        state.take(alert("start", str(number), name, region=(0, 0, 0.1, 0.1), reason="why " * 30), NOW)
    lines = plain(state, width, height)
    assert [cell_len(line) for line in lines] == [width] * height


@pytest.mark.parametrize("count", [1, 4, 12])
def test_each_camera_is_there_with_its_state_score_and_threshold(count):
    lines = plain(site(count))
    for number in range(1, count + 1):
        assert "● live" in line_of(lines, f"camera-{number:02}")
    assert sum("1.00/2.00" in line for line in lines) == count
    assert f"{count}/{count} live" in lines[0]


@pytest.mark.parametrize("count", [1, 4, 12])
def test_rate_latency_and_drops_are_shown(count):
    state = site(count)
    state.take(health(**{"drop_camera-01_stale": 37}), NOW)
    lines = "\n".join(plain(state))
    assert lines.count("5.0") >= count
    assert lines.count("50/50") >= count
    assert re.search(r"\b37( drop|\b)", lines)
    assert "yellow" in styles(state, "37")


def test_twelve_cameras_are_a_table_with_headings():
    lines = plain(site(12))
    assert re.search(r"level +score/limit +fps +50/95ms +drops", lines[2])
    assert all(f"camera-{number:02}" in lines[2 + number] for number in range(1, 13))


def test_more_cameras_than_lines_scroll_with_the_selected_one():
    """They used to be "18 more: enlarge the window", and could not be seen in a small one at all."""
    state = site(30)
    state.take(camera("camera-30", "lost"), NOW)
    for selected, shown in ((1, range(1, 13)), (15, range(9, 21)), (30, range(19, 31))):
        lines = plain(state, focus=Focus(camera=f"camera-{selected:02}"))
        assert [int(number) for number in re.findall(r"camera-(\d\d)", "\n".join(lines))] == list(shown)
        assert lines[1].startswith(f"╭─ cameras {shown[0]}–{shown[-1]} of 30 ──")
        assert "▸ camera" in line_of(lines, f"camera-{selected:02}")
        assert "29/30 live" in lines[0]


@pytest.mark.parametrize("count", [1, 4, 12])
def test_the_selected_camera_is_marked(count):
    assert line_of(plain(site(count)), "▸").startswith("│ ▸ camera-01")
    last = f"camera-{count:02}"
    assert line_of(plain(site(count), focus=Focus(camera=last)), "▸").startswith(f"│ ▸ {last}")


@pytest.mark.parametrize("count", [1, 4, 12])
@pytest.mark.parametrize("state_name", ["connecting", "stalled", "lost", "ended"])
def test_a_camera_that_is_not_live_says_why_in_place_of_its_level(count, state_name):
    state = site(count)
    state.take(camera("camera-01", state_name, "nothing listens there"), NOW)
    lines = plain(state)
    assert f"● {state_name}" in line_of(lines, "camera-01")
    assert sum("nothing listens there" in line for line in lines) == 1
    assert sum("1.00/2.00" in line for line in lines) == count - 1
    assert f"{count - 1}/{count} live" in lines[0]


@pytest.mark.parametrize("count", [1, 4, 12])
def test_a_camera_without_scores_says_so(count):
    state = State(tuple(f"camera-{number:02}" for number in range(count)), at(0))
    assert sum("waiting for the first picture" in line for line in plain(state)) == count
    for name in state.cameras:
        state.take(camera(name), at(0))
    assert sum("no score yet" in line for line in plain(state)) == count
    for name in state.cameras:
        state.take(score(name), at(0))
    assert sum("no score for 1 min" in line for line in plain(state, now=at(60))) == count


@pytest.mark.parametrize("count", [1, 4, 12])
def test_a_score_that_crosses_the_threshold_is_red_and_passes_the_middle_of_its_bar(count):
    state = site(count)
    state.take(score("camera-01", seq=301, value=2.0), NOW)
    assert not any("red" in style for style in styles(state, "2.00"))
    (full_half,) = [line for line in plain(state) if "━┃" in line]
    assert "┃━" not in full_half
    state.take(score("camera-01", seq=302, value=3.2), NOW)
    assert "3.20/2.00" in line_of(plain(state), "┃━")
    assert styles(state, "3.20") == ["bold red"]
    assert "red" in styles(state, "━")


@pytest.mark.parametrize("count", [1, 4, 12])
def test_only_the_part_of_the_chart_that_crossed_the_threshold_is_red(count):
    state = site(count)
    assert not any(style == "red" for block in "▁▂▃▄▅▆▇█" for style in styles(state, block))
    state.take(score("camera-01", seq=301, value=2.1), NOW)
    assert any(style == "red" for block in "▁▂▃▄▅▆▇█" for style in styles(state, block))


def test_a_peak_above_the_threshold_stands_above_the_middle_of_the_chart():
    """One camera has nine lines, so the threshold is in the middle of the fifth."""
    for value, rows in [(1.0, 3), (2.0, 5), (2.01, 5), (3.0, 7), (4.0, 9), (99.0, 9)]:
        state = State(("gate",), at(0))
        state.take(camera(), at(0))
        state.take(score(value=value), NOW)
        lines = plain(state)[2:11]
        assert sum(line[-3] in "▁▂▃▄▅▆▇█" for line in lines) == rows, value


def test_long_names_are_cut_with_a_sign_and_stay_apart():
    lines = plain(site(4, names=[f"{LONG[:-1]}{number}" for number in range(4)]))
    assert sum("a-very-lon…" in line for line in lines) == 4
    lines = plain(site(1, names=[LONG]))
    assert LONG in "\n".join(lines)


@pytest.mark.parametrize(
    ("value", "threshold"), [(-12345.6, -99999.4), (-1e300, -1e300), (1e9, 2.0), (0.0, 5e-324), (1e300, 5e-324)]
)
@pytest.mark.parametrize("count", [1, 4, 12])
def test_numbers_beyond_all_measure_keep_the_page_in_shape(count, value, threshold):
    """A negative five-digit threshold used to push the right border off an 80-column table."""
    state = site(count)
    state.take(score("camera-01", seq=301, value=value, threshold=threshold), NOW)
    lines = plain(state)
    assert [cell_len(line) for line in lines] == [80] * 24
    assert all(line[-1] in "│╮╯" for line in lines[1:-1])


def test_open_alerts_stand_above_those_that_have_ended_and_all_are_newest_first():
    """A long alert must not vanish below five short ones of another camera."""
    state = site(4)
    state.take(alert("start", "long", "camera-01"), at(1))
    for number in range(8):
        state.take(alert("start", f"s{number}", "camera-02"), at(10 + number))
        state.take(alert("end", f"s{number}", "camera-02", stream_time_s=1.0), at(10 + number))
    state.take(alert("start", "new", "camera-03"), at(30))
    lines = plain(state)
    first = next(number for number, line in enumerate(lines) if "alerts ─" in line) + 1
    assert [re.findall(r"12:00:\d\d [●○] (\w+) +(camera-0\d)", line)[0] for line in lines[first : first + 4]] == [
        ("open", "camera-03"),
        ("open", "camera-01"),
        ("ended", "camera-02"),
        ("ended", "camera-02"),
    ]
    assert "12:00:17" in lines[first + 2]
    assert "2 open 10 today" in lines[0]
    assert styles(state, "2 open") == ["bold red"]


def test_an_alert_is_told_with_kind_peak_duration_and_place():
    state = site(1)
    state.take(alert("start", camera="camera-01", value=6.0, region=(0, 0, 0.1, 0.1)), at(10))
    assert re.search(
        r"12:00:10 ● open +camera-01 anomaly +3.0× +50 s  upper left", line_of(plain(state), "upper left")
    )


def test_an_alert_s_words_follow_its_place():
    state = site(1)
    said = alert("start", camera="camera-01", region=(0, 0, 0.1, 0.1), words="moving 3.4× faster than\nnormal here")
    state.take(said, at(10))
    assert "upper left, moving 3.4× faster than normal here" in line_of(plain(state, width=120), "upper left")


def test_a_duration_of_minutes_and_seconds_is_shown_whole():
    """ "12 min 34 s" used to be cut to "12 min 3…"."""
    state = site(1)
    state.take(alert("start", camera="camera-01", kind="camera", reason="no pictures"), at(0))
    assert "12 min 34 s  no pictures" in "\n".join(plain(state, now=at(754)))


def test_without_alerts_the_page_says_since_when():
    assert "none since 12:00:00" in "\n".join(plain(site(1)))


def test_the_head_tells_title_clock_and_time_since_the_start():
    lines = plain(site(1), title="north side")
    assert lines[0].startswith(" north side ")
    assert lines[0].endswith("up 0:01:00   12:01:00 ")
    assert "up 1 d 1:00:00" in plain(site(1), now=at(90_000))[0]


def test_the_foot_tells_the_keys_and_then_that_it_was_heard():
    assert plain(site(1))[-1].rstrip() == " ↑↓ select  Enter open  ? keys  q quit"
    assert plain(site(1), quitting=True)[-1].rstrip() == " stopping …"


def test_messages_that_did_not_arrive_are_told():
    state = site(1)
    state.take(health(**{"drop_camera-01_stale": 0}), NOW)
    for seq in (400, 405):
        state.take(score("camera-01", seq=seq), NOW)
    state.take(health(**{"drop_camera-01_stale": 0}), NOW)
    assert plain(state)[-1].endswith("view lost 4 ")


def test_nothing_a_camera_says_reaches_the_terminal_as_a_command():
    state = site(1)
    state.take(camera("camera-01", "lost", "\x1b[2J\x07 gone\r\n\u202e now"), NOW)
    state.take(alert("start", camera="camera-01", reason="\x1b]0;title\x07"), NOW)
    text = "".join(plain(state, title="a\x1b[2Jb"))
    assert [character for character in text if not character.isprintable()] == []
    assert "gone" in text


def test_the_same_state_size_and_moment_give_the_same_page():
    assert render(site(4), Focus(), "t", 80, 24, NOW) == render(site(4), Focus(), "t", 80, 24, NOW)


def test_a_camera_of_several_regimes_shows_the_one_it_is_in():
    state = site(4)
    state.take(score("camera-02", seq=301, regime="night"), NOW)
    assert "● night" in line_of(plain(state), "camera-02")
    assert "● live" in line_of(plain(state), "camera-01")


@pytest.mark.parametrize("condition", ["changed", "moved", "defocused", "covered", "frozen"])
def test_a_camera_that_is_not_as_calibrated_says_so_in_place_of_live(condition):
    state = site(4)
    state.take(score("camera-02", seq=301, condition=condition), NOW)
    assert "● " + condition in line_of(plain(state), "camera-02")
    assert "● live" in line_of(plain(state), "camera-01")


def test_a_lost_camera_is_lost_whatever_it_last_showed():
    state = site(4)
    state.take(score("camera-02", seq=301, condition="moved"), NOW)
    state.take(camera("camera-02", "lost", "no route"), NOW)
    assert "● lost" in line_of(plain(state), "camera-02")

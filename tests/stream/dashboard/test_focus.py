import pytest

from stream.dashboard.focus import Focus, pressed
from stream.overview import State
from tests.stream.views import alert, at


@pytest.fixture
def state():
    """Cameras a, b and c; b had alerts 0, 1, 2 and 3, of which the third is still open."""
    state = State(("a", "b", "c"), at(0))
    state.take(alert("start", "elsewhere", "c"), at(1))
    for number in range(4):
        kind = "camera" if number == 2 else "anomaly"
        state.take(alert("start", str(number), "b", kind=kind), at(10 + number))
        if number != 2:
            state.take(alert("end", str(number), "b"), at(10 + number))
    return state


def after(keys, state, focus=None):
    focus = focus or Focus()
    for key in keys:
        focus = pressed(focus, key, state)
    return focus


def alert_of(focus, state):
    return focus.selected_alert(state).latest.id


@pytest.mark.parametrize(
    ("keys", "camera"),
    [
        ([], "a"),
        (["down"], "b"),
        (["j", "j"], "c"),
        (["j"] * 9, "c"),
        (["j", "j", "k"], "b"),
        (["up"], "a"),
        (["end"], "c"),
        (["end", "home"], "a"),
        (["page down", "page up"], "a"),
        (["x", "left", "escape"], "a"),
    ],
)
def test_a_camera_is_selected_and_the_ends_are_ends(state, keys, camera):
    focus = after(keys, state)
    assert (focus.page, focus.selected_camera(state)) == ("cameras", camera)


@pytest.mark.parametrize("back", ["enter", "escape"])
def test_enter_opens_the_selected_camera_and_escape_or_enter_goes_back(state, back):
    opened = after(["j", "enter"], state)
    assert (opened.page, opened.camera) == ("camera", "b")
    closed = after([back], state, opened)
    assert (closed.page, closed.selected_camera(state)) == ("cameras", "b")


def test_on_a_camera_s_page_its_open_alert_is_first_and_the_others_follow_newest_first(state):
    focus = after(["j", "enter"], state)
    seen = []
    for _ in range(5):
        seen.append(alert_of(focus, state))
        focus = pressed(focus, "down", state)
    assert seen == ["2", "3", "1", "0", "0"]
    assert alert_of(after(["k"], state, focus), state) == "1"


def test_at_the_top_the_newest_is_followed_and_elsewhere_the_selected_one_stays(state):
    top, third = after(["j", "enter"], state), after(["j", "enter", "j", "j"], state)
    back_on_top = after(["k", "k"], state, third)
    state.take(alert("start", "new", "b"), at(30))
    assert [alert_of(focus, state) for focus in (top, third, back_on_top)] == ["new", "1", "new"]


def test_left_and_right_go_to_the_next_camera_and_its_newest_alert(state):
    focus = after(["j", "enter", "j", "right"], state)
    assert (focus.page, focus.camera, alert_of(focus, state)) == ("camera", "c", "elsewhere")
    assert after(["h", "left", "left"], state, focus).selected_alert(state) is None


def test_the_keys_are_shown_over_any_page_which_is_there_again_afterwards(state):
    opened = after(["j", "enter"], state)
    for back in ("?", "escape", "enter"):
        shown = after(["?"], state, opened)
        assert shown.keys
        assert after(["j"], state, shown) == shown
        assert after([back], state, shown) == opened


def test_a_camera_that_is_gone_leaves_the_first_one_selected(state):
    focus = after(["end", "enter"], state)
    state.show(("b", "a"))
    assert focus.selected_camera(state) == "b"
    assert alert_of(focus, state) == "2"


def test_without_cameras_no_key_does_anything():
    nothing = State((), at(0))
    assert after(["enter", "j", "end"], nothing) == Focus()

import pytest

from stream.health.troubles import supervisor_silence, troubles
from stream.messages import Health
from stream.overview import State
from tests.stream.views import UTC_TEXT, alert, at, camera, health, score


@pytest.fixture
def state():
    """A watch that is well at second 0."""
    made = State(("gate", "yard"), at(0))
    for name in made.cameras:
        made.take(camera(name), at(0))
        made.take(score(name), at(0))
    made.take(health("supervisor", ready_sink=1, ready_worker=1), at(0))
    made.take(health("sink", open=0), at(0))
    return made


def test_a_watch_that_works_has_no_trouble(state):
    assert troubles(state, at(4.0)) == []


def test_a_watch_of_which_nothing_was_heard_is_in_trouble_altogether():
    assert troubles(State(("gate",), at(0)), at(2.0)) == [
        "process supervisor: nothing heard for 2 s",
        "camera gate: nothing heard yet",
    ]


def test_a_process_that_is_not_ready_is_named(state):
    state.take(health("supervisor", ready_sink=1, ready_worker=0), at(1))
    assert troubles(state, at(2)) == ["process worker: not ready"]


def test_a_supervisor_that_stands_still_is_noticed(state):
    for name in state.cameras:
        state.take(score(name, seq=1), at(9))
    assert troubles(state, at(9)) == ["process supervisor: nothing heard for 9 s"]
    assert supervisor_silence(state, at(9), 30.0) == ""
    assert supervisor_silence(state, at(31), 30.0) == "process supervisor: nothing heard for 31 s"


@pytest.mark.parametrize("name", ["connecting", "stalled", "lost"])
def test_a_camera_that_gives_no_pictures_is_told_with_its_reason(state, name):
    state.take(camera("yard", name, "no route to host"), at(1))
    assert troubles(state, at(2)) == [f"camera yard: {name}: no route to host"]
    state.take(camera("yard", name), at(1))
    assert troubles(state, at(2)) == [f"camera yard: {name}"]


def test_a_live_camera_without_scores_is_in_trouble(state):
    state.take(score("yard", seq=1), at(7))
    state.take(health("supervisor", ready_sink=1), at(7))
    assert troubles(state, at(7)) == ["camera gate: no score for 7 s"]
    fresh = State(("gate",), at(0))
    fresh.take(camera(), at(0))
    fresh.take(health("supervisor", ready_sink=1), at(0))
    assert troubles(fresh, at(1)) == ["camera gate: no score yet"]


def test_a_recording_that_is_over_is_no_trouble(state):
    state.take(camera("gate", "ended"), at(1))
    state.take(score("yard", seq=1), at(9))
    state.take(health("supervisor", ready_sink=1), at(9))
    assert troubles(state, at(9)) == []


@pytest.mark.parametrize("condition", ["moved", "defocused", "covered", "frozen"])
def test_a_camera_that_does_not_see_is_in_trouble(state, condition):
    state.take(score("gate", seq=1, condition=condition), at(1))
    assert troubles(state, at(1)) == [f"camera gate: {condition}"]


def test_a_picture_that_has_only_changed_and_alerts_are_no_trouble(state):
    state.take(score("gate", seq=1, condition="changed"), at(1))
    state.take(alert("start"), at(1))
    assert troubles(state, at(1)) == []


def test_alerts_that_cannot_be_stored_are_a_trouble(state):
    state.take(Health(process="sink", utc=UTC_TEXT, counters={"not_stored": 3.0}), at(1))
    assert troubles(state, at(1)) == ["store: 3 alerts could not be written yet"]


def test_a_channel_whose_receiver_fails_for_long_is_in_trouble(state):
    def failing(seconds):
        return Health(process="notify", utc=UTC_TEXT, counters={"failing_s/ops": seconds, "waiting/ops": 3.0})

    state.take(failing(59.0), at(1))
    assert troubles(state, at(1)) == []
    state.take(failing(60.0), at(1))
    assert troubles(state, at(1)) == ["channel ops: its receiver has failed for 60 s, 3 notices wait"]

import numpy as np
import pytest

from stream.scene import open_scene
from stream.scene.interior import TABLE_NEAR_M, WALL_M
from stream.scene.room import ROOM

VIEW = ROOM.scenery(1, 640, 360)[0]
SEEDS = range(1, 6)


def living(seed, people=3, kinds=(), seconds=600):
    return ROOM.live(1, VIEW, seed, seconds, people, kinds)


@pytest.mark.parametrize("people", [0.3, 1, 3, 6])
def test_about_as_many_people_are_there_as_asked_for(people):
    present = []
    for seed in SEEDS:
        paths = [actor.path for actor in living(seed, people)[0]]
        for time_s in range(0, 600, 5):
            depths_m = [path.place(time_s)[1] for path in paths if path.start_s <= time_s < path.end_s]
            present.append(sum(z_m < WALL_M for z_m in depths_m))

    assert np.mean(present) == pytest.approx(people, rel=0.3)
    assert max(present) <= 2 * people + 1


def test_an_empty_room_is_empty():
    assert living(1, people=0) == ([], ())


def test_people_walk_and_sit_for_long_and_never_two_on_one_chair():
    sittings = []
    for seed in SEEDS:
        for actor in living(seed)[0]:
            for spell in actor.spells:
                assert spell.posture == "sit"
                assert 15 <= spell.length_s <= 45
                place = actor.path.place(spell.start_s)
                assert actor.path.place(spell.end_s) == pytest.approx(place)
                sittings.append((seed, place, spell.start_s, spell.end_s))

    assert len(sittings) > 100
    assert len({place for _, place, _, _ in sittings}) == 3
    for seed, place, start_s, end_s in sittings:
        others = [one for one in sittings if one[:2] == (seed, place) and one[2] != start_s]
        assert not [one for one in others if one[2] < end_s and start_s < one[3]]


def test_who_is_beyond_the_door_is_hidden_by_the_wall():
    (one, *_) = living(1, people=0, kinds=["fallen"], seconds=60)[1]
    scene = open_scene("demo://room?people=0&anomalies=1&kinds=fallen&seconds=60")
    empty = open_scene("demo://room?people=0&seconds=60")
    comes, enters = (round((one.actor.path.start_s + after_s) * 15) for after_s in (0.1, 1.5))

    assert one.actor.path.place(comes / 15)[1] > WALL_M
    assert np.array_equal(scene.frame(comes), empty.frame(comes))
    assert not np.array_equal(scene.frame(enters), empty.frame(enters))


def test_somebody_behind_the_table_is_hidden_by_it():
    scene = open_scene("demo://room?people=0&anomalies=1&kinds=runner&seconds=60")
    empty = open_scene("demo://room?people=0&seconds=60")
    left, right = VIEW.x_px(-2.1, TABLE_NEAR_M), VIEW.x_px(-0.8, TABLE_NEAR_M)
    edge = VIEW.ground_px(TABLE_NEAR_M) - 0.725 * VIEW.px_per_m(TABLE_NEAR_M)
    table = np.s_[int(edge - 1) : int(edge + 1), int(left) : int(right)]
    above = np.s_[int(edge - 60) : int(edge - 30), int(left) : int(right)]
    event = scene.events[0]
    indices = range(round(event.start_s * 15) + 1, round(event.end_s * 15))

    assert any((scene.frame(index)[above] != empty.frame(index)[above]).any() for index in indices)
    assert all(np.array_equal(scene.frame(index)[table], empty.frame(index)[table]) for index in indices)


def test_somebody_who_climbs_stands_above_where_they_came_from():
    event = open_scene("demo://room?people=0&anomalies=1&kinds=climbing&seconds=60").events[0]
    before, above, after = (event.box(time_s) for time_s in (event.start_s, event.start_s + 3, event.end_s))

    assert before[3] - above[3] > 0.15
    assert after[3] == pytest.approx(before[3], abs=0.02)


def test_somebody_who_fell_lies_still():
    event = open_scene("demo://room?people=0&anomalies=1&kinds=fallen&seconds=60").events[0]
    upright, down, later = (event.box(event.start_s + after_s) for after_s in (0.0, 1.5, 8.5))

    assert down == pytest.approx(later)
    assert (upright[3] - upright[1]) > 3 * (down[3] - down[1])
    assert (down[2] - down[0]) > 2 * (upright[2] - upright[0])

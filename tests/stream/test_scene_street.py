import math

import cv2
import numpy as np
import pytest

from stream.scene import open_scene
from stream.scene.layout import View
from stream.scene.pedestrians import passers_by
from stream.scene.street import CLOSED_M, LAYOUTS, STREET

SMALL = "demo://street?width=320&height=180"
CAMERAS = sorted(LAYOUTS)
SEEDS = range(1, 6)


def test_noise_is_fresh_in_every_frame_and_the_light_drifts():
    scene = open_scene("demo://street?people=0&camera=1")
    wall = np.s_[250:340, 100:500]  # lawn, where nothing moves
    frames = [scene.frame(index)[wall].astype(float) for index in range(0, 1800, 45)]
    noise = scene.frame(1)[wall].astype(float) - scene.frame(0)[wall]
    light = [frame.mean() for frame in frames]

    assert 2 < noise.std() / np.sqrt(2) < 3
    assert 1.1 < max(light) / min(light) < 1.35


def test_trees_move_where_nobody_walks():
    scene = open_scene("demo://street?people=0&camera=1")
    first, later = scene.frame(0).astype(float), scene.frame(20).astype(float)
    change = cv2.blur(np.abs(later - first).mean(axis=2), (9, 9))

    assert change[:60].max() > 4 * change[250:].max()


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("people", [1, 3, 6])
def test_about_as_many_people_are_there_as_asked_for(camera, people):
    view = View(LAYOUTS[camera], 640, 360)
    present = []
    for seed in SEEDS:
        paths = [actor.path for actor in passers_by(view, seed, 300, people)]
        for time_s in range(0, 300, 5):
            places = [path.place(time_s) for path in paths if path.start_s <= time_s < path.end_s]
            present.append(sum(abs(x_m) < view.half_width_m(z_m) for x_m, z_m in places))

    assert np.mean(present) == pytest.approx(people, rel=0.3)
    assert max(present) <= 2 * people + 1


@pytest.mark.parametrize("camera", CAMERAS)
def test_nobody_normal_walks_where_it_is_closed(camera):
    layout = LAYOUTS[camera]
    planted_m = [(strip.near_m, strip.far_m) for strip in layout.strips if strip.kind in ("grass", "flowers")]
    depths_m = [
        actor.path.place(time_s)[1]
        for seed in SEEDS
        for actor in passers_by(View(layout, 640, 360), seed, 600, 6)
        for time_s in (actor.path.start_s, actor.path.end_s)
    ]

    assert len(depths_m) > 1000
    assert any(near_m <= min(CLOSED_M[camera]) and max(CLOSED_M[camera]) <= far_m for near_m, far_m in planted_m)
    assert not [z_m for z_m in depths_m if any(near_m <= z_m <= far_m for near_m, far_m in planted_m)]


def test_normal_life_leaves_no_trace_on_the_lawn():
    peopled, empty = open_scene(SMALL + "&people=6"), open_scene(SMALL + "&people=0")
    lawn = int(View(LAYOUTS[1], 320, 180).ground_px(8.3))

    for index in range(0, 4500, 150):
        difference = cv2.absdiff(peopled.frame(index), empty.frame(index))
        assert not difference[lawn:].any()
        assert difference[:lawn].any()


def test_somebody_who_fell_lies_still():
    scene = open_scene("demo://street?people=0&anomalies=1&kinds=fallen&seconds=60")
    event = scene.events[0]
    upright, down, later = (event.box(event.start_s + after_s) for after_s in (0.0, 1.5, 8.5))

    assert down == later
    assert (upright[3] - upright[1]) > 3 * (down[3] - down[1])
    assert (down[2] - down[0]) > 2 * (upright[2] - upright[0])


def test_somebody_loiters_from_when_they_have_stood_longer_than_anybody_pauses():
    view = View(LAYOUTS[1], 640, 360)
    ordinary, planted = STREET.live(1, view, 1, 1200, 6, ["loitering"])
    pauses_s = [one.path.stop_length_s for one in ordinary if math.isfinite(one.path.stop_s)]

    assert len(pauses_s) > 10
    assert len(planted) > 10
    for one in planted:
        assert one.start_s - one.actor.path.stop_s == pytest.approx(6)
        assert one.start_s - one.actor.path.stop_s >= max(pauses_s)
        assert one.end_s - one.start_s >= 9
        assert one.actor.path.place(one.start_s) == pytest.approx(one.actor.path.place(one.end_s))

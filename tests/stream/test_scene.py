import hashlib
from itertools import pairwise

import cv2
import numpy as np
import pytest

from stream.scene import KINDS, open_scene
from stream.scene.actors import ordinary_people
from stream.scene.layout import LAYOUTS, View
from stream.source_scene import open_demo

SMALL = "demo://street?width=320&height=180"
CAMERAS = sorted(LAYOUTS)
SEEDS = range(1, 6)


def pixels(box, shape, grow=0.0):
    """Rows and columns of a box in fractions of the frame."""
    height, width = shape[:2]
    left, top, right, bottom = box
    rows = slice(max(0, int((top - grow) * height)), int(np.ceil((bottom + grow) * height)))
    return rows, slice(max(0, int((left - grow) * width)), int(np.ceil((right + grow) * width)))


def test_the_same_url_gives_the_same_bytes_in_whatever_order_frames_are_asked_for():
    url = SMALL + "&anomalies=1&seconds=30"
    wanted = [0, 1, 50, 190, 449]
    forward, backward = open_scene(url), open_scene(url)

    first = {index: forward.frame(index).tobytes() for index in wanted}
    second = {index: backward.frame(index).tobytes() for index in reversed(wanted)}

    assert first == second
    assert len({hashlib.sha256(data).digest() for data in first.values()}) == len(wanted)


def test_a_frame_is_the_callers_own():
    scene = open_scene(SMALL)
    before = scene.frame(3)
    kept = before.copy()

    before[:] = 0

    assert np.array_equal(scene.frame(3), kept)


@pytest.mark.parametrize("size", [(640, 360), (320, 180), (1280, 720), (360, 640), (64, 48)])
def test_frames_have_the_size_of_the_url(size):
    scene = open_scene(f"demo://street?width={size[0]}&height={size[1]}&fps=12.5&seconds=90&anomalies=1")

    frame = scene.frame(40)

    assert (scene.width, scene.height, scene.fps, scene.duration_s) == (*size, 12.5, 90.0)
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 20


def test_a_scene_ends_where_its_source_does():
    scene = open_scene(SMALL + "&seconds=1.1&fps=30")
    backend = open_demo(SMALL + "&seconds=1.1&fps=30")

    for _ in range(33):
        backend.grab()

    assert backend.retrieve(320, 180).shape == (180, 320, 3)
    for index in (-1, 33):
        with pytest.raises(IndexError, match=f"frame {index}: this scene lasts 1.1 s"):
            scene.frame(index)


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_place_depends_on_the_camera_and_not_on_the_seed(camera):
    def still(camera, seed):
        """The empty street at average light; blurred, as leaves move."""
        scene = open_scene(f"{SMALL}&people=0&camera={camera}&seed={seed}")
        mean = np.mean([scene.frame(index) for index in range(0, 9000, 450)], axis=0)
        return cv2.GaussianBlur(mean / mean.mean(), (0, 0), 3)

    other = CAMERAS[camera % len(CAMERAS)]

    assert np.abs(still(camera, 1) - still(camera, 2)).max() < 0.1
    assert np.abs(still(camera, 1) - still(other, 1)).max() > 0.4


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
        paths = [actor.path for actor in ordinary_people(view, seed, 300, people)]
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
        for actor in ordinary_people(View(layout, 640, 360), seed, 600, 6)
        for time_s in (actor.path.start_s, actor.path.end_s)
    ]

    assert len(depths_m) > 1000
    assert any(near_m <= min(layout.closed_m) and max(layout.closed_m) <= far_m for near_m, far_m in planted_m)
    assert not [z_m for z_m in depths_m if any(near_m <= z_m <= far_m for near_m, far_m in planted_m)]


def test_normal_life_leaves_no_trace_on_the_lawn():
    peopled, empty = open_scene(SMALL + "&people=6"), open_scene(SMALL + "&people=0")
    lawn = int(View(LAYOUTS[1], 320, 180).ground_px(8.3))

    for index in range(0, 4500, 150):
        difference = cv2.absdiff(peopled.frame(index), empty.frame(index))
        assert not difference[lawn:].any()
        assert difference[:lawn].any()


def test_nothing_is_planted_unless_asked_for():
    assert open_scene(SMALL).events == ()
    assert open_scene(SMALL + "&anomalies=0").events == ()


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("seed", SEEDS)
def test_events_lie_in_the_scene_one_after_the_other_with_clean_time_between(camera, seed):
    events = open_scene(f"{SMALL}&anomalies=1&seconds=300&camera={camera}&seed={seed}").events

    assert 11 <= events[0].start_s <= 13
    assert all(event.start_s < event.end_s < 300 for event in events)
    assert all(after.start_s - before.end_s >= 5 for before, after in pairwise(events))
    assert all(after.start_s - before.start_s >= 10 for before, after in pairwise(events))
    assert all(event.end_s - event.start_s >= 8 for event in events if event.kind == "fallen")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_is_planted_once_before_any_comes_again(seed):
    kinds = [event.kind for event in open_scene(f"{SMALL}&anomalies=1&seed={seed}").events]

    rounds = [kinds[start : start + len(KINDS)] for start in range(0, len(kinds), len(KINDS))]
    assert len(rounds) >= 5
    assert all(len(set(each)) == len(each) for each in rounds)
    assert set(rounds[0]) == set(KINDS)


def test_only_the_kinds_asked_for_are_planted():
    scene = open_scene(SMALL + "&anomalies=1&kinds=fallen,runner")

    assert {event.kind for event in scene.events} == {"fallen", "runner"}


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_event_changes_the_picture_in_its_box_and_nowhere_else_but_its_shadow(camera, kind):
    falls = kind == "fallen"  # and then only one: the next of them may walk in, upright, while the first still lies
    url = f"demo://street?camera={camera}&people=0&seconds={40 if falls else 120}"
    clean, scene = open_scene(url), open_scene(f"{url}&anomalies=1&kinds={kind}")

    shadow_px = 70 if kind == "vehicle" else 20  # how far up from the foot of a box a shadow can lie

    assert len(scene.events) >= (1 if falls else 3)
    for event in scene.events:
        for part in (0.05, 0.5, 0.95):
            index = round((event.start_s + part * (event.end_s - event.start_s)) * scene.fps)
            box = event.box(index / scene.fps)
            changed = cv2.absdiff(scene.frame(index), clean.frame(index)).max(axis=2) > 12
            assert 0 <= box[0] < box[2] <= 1
            assert 0 <= box[1] < box[3] <= 1
            assert changed[pixels(box, changed.shape)].mean() > 0.2
            changed[pixels(box, changed.shape, grow=0.006)] = False
            changed[round(box[3] * 360) - shadow_px :] = False
            assert not changed.any()


def test_before_and_after_its_event_a_moving_anomaly_is_gone():
    url = "demo://street?seconds=120"
    clean, scene = open_scene(url), open_scene(f"{url}&anomalies=1&kinds=runner,cyclist,vehicle,wrong-place")

    for event in scene.events:
        for time_s in (event.start_s - 2, event.end_s + 2):
            index = round(time_s * scene.fps)
            assert np.array_equal(scene.frame(index), clean.frame(index))


def test_somebody_who_fell_lies_still():
    scene = open_scene("demo://street?people=0&anomalies=1&kinds=fallen&seconds=60")
    event = scene.events[0]
    upright, down, later = (event.box(event.start_s + after_s) for after_s in (0.0, 1.5, 8.5))

    assert down == later
    assert (upright[3] - upright[1]) > 3 * (down[3] - down[1])
    assert (down[2] - down[0]) > 2 * (upright[2] - upright[0])


def test_a_box_outside_its_event_is_an_error():
    event = open_scene(SMALL + "&anomalies=1").events[0]

    for time_s in (event.start_s - 0.1, event.end_s + 0.1):
        with pytest.raises(ValueError, match=f"{event.kind} .*nothing to see"):
            event.box(time_s)


def test_a_dark_scene_is_darker_and_noisier():
    bright, dark = open_scene("demo://street?people=0"), open_scene("demo://street?people=0&dark=1")

    def noise(scene):
        lawn = np.s_[250:340, 100:500]
        return (scene.frame(1)[lawn].astype(float) - scene.frame(0)[lawn]).std()

    assert dark.frame(0).mean() < 0.5 * bright.frame(0).mean()
    assert noise(dark) > 1.4 * noise(bright)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("demo://stret", "no scene 'stret': use demo://street"),
        ("demo://street/corner", "no scene 'street/corner'"),
        ("demo://street?sed=1", "sed: unknown parameter, did you mean seed?"),
        ("demo://street?q=1", "q: unknown parameter; known here: seed, "),
        ("demo://street?seed=-1", "seed: must be a whole number from 0 "),
        ("demo://street?seed=1&seed=2", "seed: given twice"),
        ("demo://street?seconds=soon", "seconds: must be a number from 1 to 86400, not 'soon'"),
        ("demo://street?seconds=", "seconds: must be a number"),
        ("demo://street?seconds=nan", "seconds: must be a number"),
        ("demo://street?fps=0", "fps: must be a number from 1 to 120"),
        ("demo://street?width=16", "width: must be a whole number from 64 to 3840"),
        ("demo://street?height=360.5", "height: must be a whole number"),
        ("demo://street?camera=9", "camera: must be a whole number from 1 to 3"),
        ("demo://street?people=100", "people: must be a number from 0 to 12"),
        ("demo://street?anomalies=yes", "anomalies: must be 0 or 1, not 'yes'"),
        ("demo://street?anomalies=1&kinds=runer", "kinds: unknown kind 'runer', did you mean runner?"),
        ("demo://street?kinds=runner", "kinds: only with anomalies=1"),
        ("demo://street?dark=2", "dark: must be 0 or 1"),
    ],
)
def test_a_wrong_url_says_what_is_wrong_and_the_way_out(url, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        open_scene(url)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

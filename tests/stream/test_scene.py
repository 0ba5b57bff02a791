import hashlib
from itertools import pairwise

import cv2
import numpy as np
import pytest

from stream.scene import KINDS, open_scene
from stream.scene.road import ROAD
from stream.scene.room import ROOM
from stream.scene.street import STREET
from stream.source.scene import open_demo

SMALL = "demo://street?width=320&height=180"
WORLDS = (STREET, ROAD, ROOM)
NAMES = [world.name for world in WORLDS]
PLACES = [(world.name, camera) for world in WORLDS for camera in range(1, world.cameras + 1)]
EVENTS = [
    (world.name, camera, kind) for world in WORLDS for camera in range(1, world.cameras + 1) for kind in world.kinds
]
MOTORS = ("vehicle", "wrong-way", "creeping", "stopped-car", "speeding")
SEEDS = range(1, 6)


def pixels(box, shape, grow=0.0):
    """Rows and columns of a box in fractions of the frame."""
    height, width = shape[:2]
    left, top, right, bottom = box
    rows = slice(max(0, int((top - grow) * height)), int(np.ceil((bottom + grow) * height)))
    return rows, slice(max(0, int((left - grow) * width)), int(np.ceil((right + grow) * width)))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_url_gives_the_same_bytes_in_whatever_order_frames_are_asked_for(name):
    url = f"demo://{name}?width=320&height=180&anomalies=1&seconds=30"
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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(640, 360), (320, 180), (1280, 720), (360, 640), (128, 64), (64, 48)])
def test_frames_have_the_size_of_the_url(name, size):
    scene = open_scene(f"demo://{name}?width={size[0]}&height={size[1]}&fps=12.5&seconds=90&anomalies=1")

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


def still(name, camera, seed):
    """The empty place at average light; blurred, as leaves move."""
    scene = open_scene(f"demo://{name}?width=320&height=180&people=0&camera={camera}&seed={seed}")
    mean = np.mean([scene.frame(index) for index in range(0, 9000, 450)], axis=0)
    return cv2.GaussianBlur(mean / mean.mean(), (0, 0), 3)


@pytest.mark.parametrize(("name", "camera"), PLACES)
def test_the_place_depends_on_the_camera_and_not_on_the_seed(name, camera):
    others = [place for place in PLACES if place != (name, camera)]

    assert np.abs(still(name, camera, 1) - still(name, camera, 2)).max() < 0.1
    assert all(np.abs(still(name, camera, 1) - still(*other, 1)).max() > 0.4 for other in others)


def test_all_kinds_are_those_of_the_scenes():
    assert set(KINDS) == {kind for world in WORLDS for kind in world.kinds}
    assert all(set(world.usual_kinds) <= set(world.kinds) for world in WORLDS)


def test_nothing_is_planted_unless_asked_for():
    assert open_scene(SMALL).events == ()
    assert open_scene(SMALL + "&anomalies=0").events == ()


@pytest.mark.parametrize(("name", "camera"), PLACES)
@pytest.mark.parametrize("seed", SEEDS)
def test_events_lie_in_the_scene_one_after_the_other_with_clean_time_between(name, camera, seed):
    events = open_scene(
        f"demo://{name}?width=320&height=180&anomalies=1&seconds=300&camera={camera}&seed={seed}"
    ).events

    assert 11 <= events[0].start_s <= 13 or (name == "road" and 11 <= events[0].start_s <= 45)
    assert len(events) >= 8
    assert all(event.start_s < event.end_s < 300 for event in events)
    assert all(after.start_s - before.end_s >= 5 for before, after in pairwise(events))
    assert all(after.start_s - before.start_s >= 10 for before, after in pairwise(events))
    assert all(event.end_s - event.start_s >= 8 for event in events if event.kind == "fallen")


@pytest.mark.parametrize("world", WORLDS, ids=NAMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_is_planted_once_before_any_comes_again(world, seed):
    kinds = [event.kind for event in open_scene(f"demo://{world.name}?anomalies=1&seed={seed}").events]

    usual = len(world.usual_kinds)
    rounds = [kinds[start : start + usual] for start in range(0, len(kinds), usual)]
    assert len(rounds) >= 5
    assert all(len(set(each)) == len(each) for each in rounds)
    assert set(rounds[0]) == set(world.usual_kinds)


def test_only_the_kinds_asked_for_are_planted():
    scene = open_scene(SMALL + "&anomalies=1&kinds=fallen,runner")

    assert {event.kind for event in scene.events} == {"fallen", "runner"}


@pytest.mark.parametrize(("name", "camera", "kind"), EVENTS)
def test_an_event_changes_the_picture_in_its_box_and_nowhere_else_but_its_shadow(name, camera, kind):
    slow = kind in ("fallen", "loitering", "left-object", "climbing", "crossing")
    url = f"demo://{name}?camera={camera}&people=0&seconds=120"
    clean, scene = open_scene(url), open_scene(f"{url}&anomalies=1&kinds={kind}")

    shadow_px = (
        70 if kind in MOTORS else 40 if name == "room" else 20
    )  # how far up from the foot of a box a shadow can lie

    assert len(scene.events) >= 3
    for event in scene.events[: 1 if slow else 3]:  # the next may walk in before the one before is over
        for part in (0.05, 0.5, 0.95):
            index = round((event.start_s + part * (event.end_s - event.start_s)) * scene.fps)
            box = event.box(index / scene.fps)
            changed = cv2.absdiff(scene.frame(index), clean.frame(index)).max(axis=2) > 12
            assert 0 <= box[0] < box[2] <= 1
            assert 0 <= box[1] < box[3] <= 1
            assert changed[pixels(box, changed.shape)].mean() > 0.2
            if kind == "left-object":
                continue  # its owner may be seen going away and coming back
            changed[pixels(box, changed.shape, grow=0.006)] = False
            changed[round(box[3] * 360) - shadow_px :] = False
            assert not changed.any()


@pytest.mark.parametrize(
    ("name", "kinds"), [("street", "runner,cyclist,vehicle,wrong-place"), ("road", "wrong-way,creeping,speeding")]
)
def test_before_and_after_its_event_a_moving_anomaly_is_gone(name, kinds):
    url = f"demo://{name}?seconds=120&people=0"
    clean, scene = open_scene(url), open_scene(f"{url}&anomalies=1&kinds={kinds}")

    assert len(scene.events) >= 3
    for event in scene.events:
        for time_s in (event.start_s - 2, event.end_s + 2):
            index = round(time_s * scene.fps)
            assert np.array_equal(scene.frame(index), clean.frame(index))


@pytest.mark.parametrize("name", ["street", "room"])
def test_a_left_bag_lies_still_from_when_its_owner_is_away_until_it_is_taken(name):
    scene = open_scene(f"demo://{name}?people=0&anomalies=1&kinds=left-object&seconds=120")

    for event in scene.events:
        boxes = {event.box(time_s) for time_s in np.linspace(event.start_s, event.end_s, 9)}
        assert len(boxes) == 1
        assert 10 <= event.end_s - event.start_s <= 15


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
        ("demo://stret", "no scene 'stret': use demo://street or demo://road or demo://room"),
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
        (
            "demo://room?anomalies=1&kinds=vehicle",
            "demo://room has no vehicle, only runner, fallen, left-object, climbing",
        ),
        ("demo://road?anomalies=1&kinds=spedding", "unknown kind 'spedding', did you mean speeding?"),
        ("demo://room?camera=2", "camera: must be a whole number from 1 to 1"),
        ("demo://street?dark=2", "dark: must be 0 or 1"),
    ],
)
def test_a_wrong_url_says_what_is_wrong_and_the_way_out(url, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        open_scene(url)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

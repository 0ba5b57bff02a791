import cv2
import numpy as np
import pytest

from detector.condition import Monitor, Reference, Study

HEIGHT, WIDTH = 240, 320
RATE = 5.0


def scene():
    """Rectangles of many sizes and greys, (H, W, 3)."""
    generator = np.random.default_rng(0)
    image = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
    for _ in range(150):
        x, y = int(generator.integers(WIDTH)), int(generator.integers(HEIGHT))
        wide, high = (int(side) for side in generator.integers(6, 50, 2))
        grey = int(generator.integers(40, 200))
        cv2.rectangle(image, (x, y), (x + wide, y + high), (grey, grey, grey), -1)
    return image


SCENE = scene()


def noisy(image, number):
    noise = np.random.default_rng(number).normal(0.0, 2.0, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def shifted(image, right_px, down_px=0):
    move = np.array([[1, 0, right_px], [0, 1, down_px]], np.float32)
    return cv2.warpAffine(image, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


def person(image, x, wide=60):
    image = image.copy()
    cv2.rectangle(image, (x, 20), (x + wide, HEIGHT), (30, 60, 90), -1)
    return image


@pytest.fixture(scope="module")
def reference():
    pictures = [noisy(person(SCENE, 3 * number), number) for number in range(100)]
    study = Study(pictures[::10])
    for number, picture in enumerate(pictures):
        study.step(picture, number / RATE)
    return study.reference()


def play(reference, change, seconds=60.0, begin_s=10.0):
    """The condition a second for second; `change(picture, s)` alters it from `begin_s` on."""
    monitor = Monitor(reference)
    states = []
    for number in range(round(seconds * RATE)):
        time_s = number / RATE
        picture = noisy(SCENE, number)
        monitor.step(change(picture, time_s - begin_s) if time_s >= begin_s else picture, time_s)
        if number % round(RATE) == 0:
            states.append(monitor.condition)
    return states


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("moved", lambda picture, _: shifted(picture, round(0.05 * WIDTH))),
        ("moved", lambda picture, _: shifted(picture, -5, 12)),
        ("moved", lambda picture, _: shifted((0.6 * picture).astype(np.uint8), round(0.05 * WIDTH))),
        ("moved", lambda picture, _: np.ascontiguousarray(picture[::-1, ::-1])),
        ("defocused", lambda picture, s: noisy(cv2.GaussianBlur(picture, (0, 0), 3.0), round(1000 * s))),
        ("covered", lambda picture, s: noisy(np.full_like(picture, 25), round(1000 * s))),
        ("covered", lambda picture, s: noisy(cv2.GaussianBlur(picture, (0, 0), 60.0), round(1000 * s))),
    ],
)
def test_trouble_is_named_within_half_a_minute(reference, name, change):
    states = play(reference, change)
    assert set(states[:10]) == {"ok"}
    assert set(states) == {"ok", name}
    assert states.index(name) <= 35


def test_the_same_picture_again_and_again_is_frozen(reference):
    still = noisy(SCENE, 0)
    states = play(reference, lambda _, __: still)
    assert set(states[10:20]) == {"ok"}
    assert set(states[21:]) == {"frozen"}


def test_what_is_as_calibrated_is_ok(reference):
    assert set(play(reference, lambda picture, _: picture, seconds=120.0)) == {"ok"}


def test_light_that_fades_is_a_change_and_no_trouble(reference):
    states = play(reference, lambda picture, s: (picture * max(0.4, 1.0 - s / 100)).astype(np.uint8), seconds=200.0)
    assert set(states) == {"ok", "changed"}
    assert states[-1] == "changed"


def test_somewhat_other_light_is_ok(reference):
    assert set(play(reference, lambda picture, _: (picture * 0.85).astype(np.uint8), seconds=120.0)) == {"ok"}


@pytest.mark.parametrize("wide", [60, 140, 200])
def test_whoever_stands_in_front_is_no_trouble(reference, wide):
    assert set(play(reference, lambda picture, _: person(picture, 20, wide))) == {"ok"}


def test_trouble_that_is_over_soon_is_never_told(reference):
    def change(picture, s):
        return shifted(picture, 16) if s < 3.0 else picture

    assert set(play(reference, change)) == {"ok"}


def test_trouble_ends_some_seconds_after_all_is_well(reference):
    states = play(reference, lambda picture, s: shifted(picture, 16) if s < 20.0 else picture)
    assert states[29] == "moved"
    assert states[31] == "moved"
    assert set(states[37:]) == {"ok"}


def test_a_camera_that_shows_the_same_picture_for_long_is_not_frozen_by_that():
    study = Study([SCENE])
    for number in range(100):
        study.step(SCENE if number < 90 else noisy(SCENE, number), number / RATE)
    states = play(study.reference(), lambda _, __: SCENE, seconds=80.0)
    assert set(states[:44]) == {"ok"}
    assert states[-1] == "frozen"


def test_time_set_back_begins_anew(reference):
    monitor = Monitor(reference)
    still = noisy(SCENE, 0)
    for time_s in (0.0, 4.0, 8.0, 3.0, 7.0, 11.0):
        assert monitor.step(still, time_s) == "ok"


def test_a_scene_without_edges_is_never_moved():
    blank = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    study = Study([blank])
    for number in range(50):
        study.step(noisy(blank, number), number / RATE)
    monitor = Monitor(study.reference())
    assert {monitor.step(noisy(SCENE, number), number / RATE) for number in range(200)} == {"ok"}


def test_a_reference_survives_its_arrays(reference):
    again = Reference.from_arrays(reference.arrays())
    assert again.background.dtype == np.float32
    np.testing.assert_array_equal(again.background, reference.background)
    assert (again.likeness, again.sharpness_low, again.light) == (
        reference.likeness,
        reference.sharpness_low,
        reference.light,
    )
    assert (again.step_low, again.calm_s) == (reference.step_low, reference.calm_s)

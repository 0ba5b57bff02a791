import numpy as np
import pytest

from detector.regime import Chooser, Signature, SignatureStudy, tiles_of

DAY = np.random.default_rng(0).integers(60, 220, (180, 320, 3), np.uint8)
NIGHT = np.repeat(DAY.mean(axis=2, keepdims=True) * 0.4, 3, axis=2).astype(np.uint8)
"""The same without colour, and darker."""


def noisy(image, number):
    return np.clip(image + np.random.default_rng(number).normal(0.0, 3.0, image.shape), 0, 255).astype(np.uint8)


def learned(image):
    study = SignatureStudy()
    for number in range(20):
        study.step(noisy(image, number), float(number))
    return study.signature()


SIGNATURES = [learned(DAY), learned(NIGHT)]


def show(chooser, image, seconds, start_s=0.0, rate_fps=5):
    times_s = start_s + np.arange(round(seconds * rate_fps)) / rate_fps
    return [chooser.step(noisy(image, number), float(time_s)) for number, time_s in enumerate(times_s)]


def test_the_first_picture_says_where_it_begins():
    assert show(Chooser(SIGNATURES), DAY, 1.0)[0] == (0, True)
    assert show(Chooser(SIGNATURES), NIGHT, 1.0)[0] == (1, True)


def test_a_single_regime_is_never_left():
    chooser = Chooser([])

    assert {*show(chooser, DAY, 3.0), *show(chooser, NIGHT, 3.0, 3.0)} == {(0, True)}


def test_it_follows_the_light_after_a_second_in_which_nothing_is_certain():
    chooser = Chooser(SIGNATURES)
    assert set(show(chooser, DAY, 20.0)) == {(0, True)}

    seen = show(chooser, NIGHT, 5.0, 20.0)

    assert seen[:5] == [(0, False)] * 5
    assert set(seen[5:]) == {(1, True)}
    assert show(chooser, DAY, 3.0, 40.0)[-1] == (0, True)


def test_a_flash_changes_nothing():
    chooser = Chooser(SIGNATURES)
    show(chooser, DAY, 20.0)

    assert {number for number, _ in show(chooser, NIGHT, 0.8, 20.0)} == {0}
    assert set(show(chooser, DAY, 20.0, 20.8)) == {(0, True)}


def test_a_light_that_flickers_withholds_a_second_in_ten_at_most():
    chooser = Chooser(SIGNATURES)
    show(chooser, DAY, 20.0)
    withheld = 0
    for second in range(60):
        image = NIGHT if second % 2 else DAY
        withheld += sum(not certain for _, certain in show(chooser, image, 0.8, 20.0 + second))

    assert 0 < withheld <= 6 * 4


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_whoever_stands_in_front_changes_nothing(share):
    chooser = Chooser(SIGNATURES)
    covered = DAY.copy()
    covered[:, : round(share * 320)] = NIGHT[:, : round(share * 320)]

    assert set(show(chooser, DAY, 5.0) + show(chooser, covered, 20.0, 5.0)) == {(0, True)}


def test_between_the_two_it_stays_where_it_is():
    """Hysteresis: dusk goes over once and not back and forth."""
    numbers = []
    chooser = Chooser(SIGNATURES)
    for second in range(200):
        share = second / 200 + 0.1 * (second % 2)  # with clouds
        image = ((1.0 - min(share, 1.0)) * DAY + min(share, 1.0) * NIGHT).astype(np.uint8)
        numbers += [number for number, _ in show(chooser, image, 1.0, float(second))]

    assert numbers[0] == 0
    assert numbers[-1] == 1
    assert int(np.abs(np.diff(numbers)).sum()) == 1


def test_a_signature_is_as_it_was_when_it_comes_back_from_a_bundle():
    arrays = SIGNATURES[0].arrays()

    back = Signature.from_arrays(arrays)

    tiles = tiles_of(NIGHT)
    assert back.distance(tiles) == pytest.approx(SIGNATURES[0].distance(tiles))
    with pytest.raises(KeyError):
        Signature.from_arrays({"usual": arrays["usual"]})


def test_usual_pictures_are_within_some_spreads_and_others_far_away():
    assert SIGNATURES[0].distance(tiles_of(noisy(DAY, 99))) < 1.0
    assert SIGNATURES[0].distance(tiles_of(NIGHT)) > 5.0

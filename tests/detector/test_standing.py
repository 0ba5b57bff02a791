import cv2
import numpy as np
import pytest

from detector.bundle import Budget, Bundle, BundleError, Preparation, Provenance
from detector.condition import Study
from detector.fusion import Evidence
from detector.standing import Standing

GENERATOR = np.random.default_rng(0)
SCENE = cv2.resize(GENERATOR.integers(0, 255, (12, 16, 3), np.uint8), (320, 240), interpolation=cv2.INTER_NEAREST)
CELLS = np.arange(30)


def noisy(image, number):
    return np.clip(image + np.random.default_rng(number).normal(0.0, 2.0, image.shape), 0, 255).astype(np.uint8)


def made(arrays):
    return Bundle(
        preparation=Preparation(width=320, height=240, rate_fps=5.0, smoothing_s=0.0),
        provenance=Provenance(
            code_version="1",
            created_utc="2026-01-31T12:00:00Z",
            footage=(),
            footage_fingerprint="",
            footage_s=600.0,
            seed=0,
        ),
        budget=Budget(alerts_per_day=1.0, threshold=4.0, low=3.0, high=5.0),
        families=(),
        arrays=arrays,
    )


@pytest.fixture(scope="module")
def arrays():
    study = Study([SCENE])
    for number in range(50):
        study.step(noisy(SCENE, number), number / 5)
    means = np.random.default_rng(1).normal(0.5, 0.05, 100)
    return {
        "scene.background": np.zeros((60, 80), np.float32),
        "drift.shape": means,
        **{f"condition.{name}": array for name, array in study.reference().arrays().items()},
    }


def conditions(standing, image, decades, seconds, start_s=0.0):
    evidence = {"shape": Evidence(CELLS, np.full(len(CELLS), decades))}
    return [standing.step(noisy(image, second), evidence, start_s + second) for second in range(seconds)]


def test_families_that_drift_are_a_change(arrays):
    standing = Standing(made(arrays), "gate", 30.0)
    assert set(conditions(standing, SCENE, 0.5, 100)) == {"ok"}
    states = conditions(standing, SCENE, 1.5, 600, 100.0)
    assert states[-1] == "changed"
    assert set(states) == {"ok", "changed"}


def test_trouble_with_the_picture_comes_first_and_leaves_no_drift_behind(arrays):
    standing = Standing(made(arrays), "gate", 30.0)
    covered = np.full_like(SCENE, 20)
    states = conditions(standing, covered, 3.0, 600)
    assert set(states) == {"ok", "covered"}
    assert conditions(standing, SCENE, 0.5, 30, 600.0)[-1] == "ok"


def test_an_older_bundle_says_nothing(arrays):
    standing = Standing(made({"scene.background": arrays["scene.background"]}), "gate", 30.0)
    assert set(conditions(standing, np.full_like(SCENE, 20), 3.0, 60)) == {"ok"}


def test_arrays_that_do_not_fit_are_refused(arrays):
    with pytest.raises(BundleError, match="gate: its arrays do not fit"):
        Standing(made({**arrays, "condition.usual": np.zeros(3)}), "gate", 30.0)


def test_it_goes_on_with_a_bundle_that_differs_in_something_else(arrays):
    standing = Standing(made(arrays), "gate", 30.0)
    assert standing.is_of(made({**arrays, "harmless.a.cells": np.zeros(3)}))
    assert not standing.is_of(made({**arrays, "drift.shape": np.zeros(100)}))

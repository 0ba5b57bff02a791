import numpy as np
import pytest

from benchmarks._simple import SimpleDetector, nearest_neighbour, one_gaussian
from benchmarks.scenes import DETECTORS, Result, measure, print_results
from calibrate.blocks import Block
from calibrate.train import Taught
from configs.schema import Config
from detector.detector import Detector, Features, Sample
from detector.family import FAMILIES, Family
from detector.features.grid import Grid


@pytest.mark.parametrize("fit", [one_gaussian, nearest_neighbour])
@pytest.mark.parametrize("dims", [1, 4])
def test_simple_detectors_rank_an_outlier_highest(fit, dims):
    normal = np.random.default_rng(0).normal(size=(500, dims))
    seen = np.concatenate([normal[:50], np.full((1, dims), 6.0), np.zeros((1, dims))])

    assert np.argmax(fit(normal)(seen)) == 50


def test_the_gaussian_measures_in_deviations_along_each_axis():
    normal = np.random.default_rng(0).normal(size=(20_000, 2)) * (1.0, 10.0)

    assert one_gaussian(normal)(np.array([[3.0, 0.0], [0.0, 30.0]])) == pytest.approx(3.0, rel=0.05)


def test_between_two_modes_only_the_nearest_neighbour_sees_something_abnormal():
    normal = np.random.default_rng(0).normal(5.0, 0.1, size=(500, 1))
    normal[::2] *= -1.0
    middle, mode = np.array([[0.0]]), np.array([[5.0]])

    assert one_gaussian(normal)(middle) < one_gaussian(normal)(mode)
    assert nearest_neighbour(normal)(middle) > nearest_neighbour(normal)(mode)


def test_a_family_with_too_little_footage_counts_as_it_does_in_the_product():
    vectors = np.random.default_rng(0).normal(size=(10, 1)).astype(np.float32)
    cells = np.arange(10)
    seen = [Features(cells=cells, samples={"motion": Sample(cells, vectors)})]
    family = Family.learn(FAMILIES[0], vectors, seed=0)
    grid = Grid(96, 160)
    simple = SimpleDetector(one_gaussian, grid)

    simple.take(Taught(family=family, learned_from=vectors, held_out=[Block(segment=0, seen=seen)], share=1.0))
    simple.take(Taught(family=family, learned_from=vectors, held_out=[], share=1.0))

    assert simple.scores(seen) == pytest.approx([Detector([family], grid).judge(seen[0]).score])
    assert simple.scores(seen)[0] > 0.0


def test_a_scene_has_an_area_for_every_detector_and_family():
    street = "demo://street?camera=1&width=128&height=64&fps=3"
    labelled = f"{street}&seed=2&seconds=34&anomalies=1&kinds=vehicle,cyclist"

    results = measure("street", f"{street}&seconds=30", labelled, Config(), 5, 0, 1)

    assert [one.kind for one in results] == ["all", "cyclist", "vehicle"]
    assert [one.events for one in results] == [2, 1, 1]
    assert results[0].share == pytest.approx(sum(one.share for one in results[1:]))
    assert 0.0 < results[0].share < 1.0
    for one in results:
        assert tuple(one.auc) == DETECTORS
        assert set(one.alone) == {family.name for family in FAMILIES}
        assert all(0.0 <= area <= 1.0 for area in (*one.auc.values(), *one.alone.values()))


def test_tables_end_with_means_over_scenes_and_over_kinds(capsys):
    def result(scene, kind, area):
        areas = dict.fromkeys(DETECTORS, area)
        return Result(scene=scene, kind=kind, events=1, share=0.25, auc=areas, alone={"motion": area})

    print_results(
        [result("a", "all", 0.5), result("a", "runner", 0.2), result("b", "all", 0.9), result("b", "x", 0.4)]
    )

    detectors, families = (table.splitlines() for table in capsys.readouterr().out.strip().split("\n\n"))
    assert detectors[0].split() == ["scene:", "anomaly", "events", "frames", *" ".join(DETECTORS).split()]
    assert detectors[2].split() == ["a:", "runner", "1", "25%", *["0.200"] * 4]
    assert detectors[-2].split() == ["mean", "of", "scenes", *["0.700"] * 4]
    assert detectors[-1].split() == ["mean", "of", "kinds", "and", "scenes", *["0.300"] * 4]
    assert families[-1].split() == ["mean", "of", "scenes", "0.700"]

from dataclasses import replace

import numpy as np
import pytest

from configs.settings import ConnectionSettings
from detector import bundle
from detector.detector import Detector, Features, Sample, features
from detector.energy import EnergyNet
from detector.family import FAMILIES, Family
from detector.features import motion, stay
from detector.features.grid import Grid
from detector.features.network import Network
from detector.fusion import Evidence, fuse
from detector.usual import Usual
from detector.watcher import Watcher
from detector.words import words
from stream.source import open_source

GRID = Grid(64, 96)  # 4 rows, 6 columns
CELL = 8
NEIGHBOURS = [1, 2, 3, 7, 8, 9, 13, 14, 15]
USUAL = Usual(
    share=np.full((4, 6), 0.2, np.float32),
    moves=np.full((4, 6), 0.1, np.float32),
    speed=np.full((4, 6), 3.0, np.float32),
)


def family(name, typical=0.0, learned=True):
    settings = next(one for one in FAMILIES if one.name == name)
    net = EnergyNet(1, (4,), layer_norm=False, dropout=0.0) if learned else None
    return Family(settings=settings, mean=np.array([typical]), projection=np.eye(1), net=net, aggregate=None)


def said(decades, usual=USUAL, speed=None, still_s=None, learned=True):
    """Of a picture in which these families have that many decades in the cell and its neighbours."""
    cells = np.array(NEIGHBOURS)
    samples = {}
    if speed is not None:
        samples["motion"] = Sample(cells, motion.vectors(np.full(9, speed, np.float32)))
    if still_s is not None:
        samples["stay"] = Sample(cells, stay.vectors(cells, np.full(9, still_s, np.float32), GRID))
    evidence = {name: Evidence(cells, np.full(9, value)) for name, value in decades.items()}
    detector = Detector([family("motion", np.log1p(5.0), learned)], GRID)
    return words(fuse(evidence, GRID), Features(cells=cells, samples=samples), detector, usual)


def test_a_speed_is_compared_with_the_usual_one_of_its_place():
    assert said({"motion": 3.0}, speed=10.2) == "moving 3.4× as fast as normal here"
    assert said({"motion": 3.0}, speed=1.5) == "moving 0.5× as fast as normal here"
    assert said({"motion": 3.0}, speed=3.1) == "moving in an unusual way"


def test_without_a_usual_speed_of_the_place_it_is_compared_with_that_of_the_picture():
    assert said({"motion": 3.0}, usual=None, speed=10.0) == "moving 2.0× as fast as normal in this picture"
    empty = np.zeros((4, 6), np.float32)
    nowhere = Usual(share=empty, moves=empty, speed=np.full((4, 6), np.nan, np.float32))
    assert (
        said({"motion": 3.0}, usual=nowhere, speed=10.0)
        == "moving 2.0× as fast as normal in this picture, where nothing moves normally"
    )
    assert (
        said({"motion": 3.0}, usual=None, speed=10.0, learned=False)
        == "moving, as hardly anything does in this picture"
    )


def test_how_long_something_stands_is_said_with_what_stands_there_normally():
    assert said({"stay": 3.0}, still_s=37.0) == "standing still for 40 s"
    assert said({"stay": 3.0}, still_s=60.0) == "standing still for over a minute"
    never = replace(USUAL, share=USUAL.moves)
    assert said({"stay": 3.0}, usual=never, still_s=37.0) == "standing still for 40 s, where nothing stands normally"
    seldom = replace(USUAL, share=USUAL.moves + np.float32(0.005))
    assert "where hardly anything stands normally" in said({"stay": 3.0}, usual=seldom, still_s=37.0)


@pytest.mark.parametrize(
    ("decades", "phrase"),
    [
        ({"shape": 3.0, "texture": 0.5}, "a shape not seen here"),
        ({"shape": 0.5, "texture": 3.0}, "a surface not seen here"),
        ({"shape": 2.0, "texture": 3.0}, "looks like nothing seen here"),
    ],
)
def test_looks_are_named_by_the_layer_that_finds_them_strange(decades, phrase):
    assert said(decades) == phrase


def test_the_strongest_family_comes_first_and_a_weak_one_is_not_mentioned():
    assert said({"motion": 2.0, "shape": 4.0}, speed=6.0) == (
        "a shape not seen here, moving 2.0× as fast as normal here"
    )
    assert said({"motion": 1.0, "shape": 4.0}, speed=6.0) == "a shape not seen here"


def test_of_nothing_nothing_is_said():
    assert words(fuse({}, GRID), Features(cells=np.empty(0, np.int64), samples={}), Detector([], GRID), USUAL) == ""


def test_what_is_usual_goes_through_a_bundle_and_may_be_missing_in_one_of_before():
    again = Usual.from_arrays(USUAL.arrays())
    assert all(np.array_equal(getattr(again, name), array) for name, array in USUAL.arrays().items())
    assert Usual.from_arrays({}) is None


def test_what_a_watch_says_of_a_van_is_compared_with_what_its_model_holds_also_one_of_before(street):
    """Models made before this was kept have no usual speed of each place; they load, and say what they can."""
    bundles = bundle.read_all(street.model)
    before = [
        replace(one, arrays={k: v for k, v in one.arrays.items() if not k.startswith("usual.")}) for one in bundles
    ]
    made, network, told = bundles[0].preparation, Network("cpu", 1), []
    watchers = [Watcher(some, "street.mulde", "cpu", None, 30.0) for some in (bundles, before)]
    with open_source(
        street.van, size=(made.width, made.height), rate_fps=made.rate_fps, connection=ConnectionSettings()
    ) as source:
        for picture in source:
            if picture.stream_time_s > 17.0:
                break
            sights = [watcher.sight(picture.image, picture.stream_time_s) for watcher in watchers]
            seen = features(network, [sight.sighting for sight in sights])
            judgements = [
                watcher.judge(*each) for watcher, each in zip(watchers, zip(sights, seen, strict=True), strict=True)
            ]
            if judgements[0].verdict.score > bundles[0].budget.threshold:
                told.append(
                    [
                        watcher.words(sight, one, judgement)
                        for watcher, sight, one, judgement in zip(watchers, sights, seen, judgements, strict=True)
                    ]
                )
    assert told
    assert all(now for now, _ in told)
    assert any("as fast as normal" in then and "in this picture" in then for _, then in told)
    assert not any("normally" in then or "normal here" in then for _, then in told)
    assert any("normally" in now or "normal here" in now for now, _ in told)

"""The optional clip family in calibration and evaluation, by a network that needs no package."""

from dataclasses import replace

import numpy as np
import pytest

from calibrate import clips
from calibrate.blocks import BLOCK_S, Block, Footage
from calibrate.calibration import calibrate
from calibrate.evaluate.evaluation import Settings, evaluate
from calibrate.evaluate.labels import Dataset, LabelledCamera, LabelledVideo
from calibrate.evaluate.variants import Variants
from calibrate.footage import FootageError, Shot, plan
from calibrate.train import fused, learn, stacked
from configs.schema import Config
from configs.settings import AnalysisSettings, CalibrationSettings, ConnectionSettings, PolicySettings
from detector.bundle import ClipPreparation
from detector.clips import ClipView, Whole
from detector.detector import WIDTHS, Detector, Features, Sample
from detector.family import CLIP, FAMILIES
from detector.features.grid import Grid
from stream.source import Picture
from tests.clip_network import WIDTH, FakeClipNetwork
from tests.clips import film

GRID = Grid(96, 160)
NO_CELLS = np.empty(0, np.int64)
NAMES = [settings.name for settings in (*FAMILIES, CLIP)]


def seen(end_s, value=0.0):
    """A picture in which nothing is; its clip ended then, None = it has none."""
    whole = None if end_s is None else Whole(vectors=np.full((1, WIDTH), value, np.float32), end_s=end_s)
    return Features(cells=NO_CELLS, samples={}, whole=whole)


def block(seed, *, clips=130, pictures_each=3, shift=0.0):
    """Normal footage in which something always moves, each clip standing for some pictures, but the first two."""
    generator = np.random.default_rng(seed)
    made = Block(segment=0)
    for number in range(2 + clips * pictures_each):
        made.times_s.append(100.0 * seed + number / 30)
        cells = np.sort(generator.choice(60, 3, replace=False))
        samples = {
            name: Sample(cells, generator.normal(size=(3, width)).astype(np.float16))
            for name, width in WIDTHS.items()
        }
        if number >= 2 and (number - 2) % pictures_each == 0:
            vectors = (generator.normal(size=(1, WIDTH)) + shift).astype(np.float16)
            whole = Whole(vectors=vectors, end_s=made.times_s[-1])
        made.seen.append(Features(cells=cells, samples=samples, whole=whole if number >= 2 else None))
    return made


def taught(blocks, on_taught=None):
    return learn(
        blocks,
        GRID,
        folds=2,
        steps=60,
        seed=0,
        device="cpu",
        on_progress=lambda share: None,
        on_taught=on_taught,
    )


@pytest.fixture(scope="module")
def blocks():
    return [block(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def learned(blocks):
    return taught(blocks)


def test_a_clip_is_one_vector_however_many_pictures_it_stands_for():
    pictures = [seen(None), seen(2.0, 1.0), seen(2.0, 1.0), seen(2.5, 2.0), seen(None), seen(9.0, 3.0)]

    assert clips.numbers(pictures) == [None, 0, 0, 1, None, 2]
    assert stacked(pictures, "clip", WIDTH)[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert clips.held(pictures, np.array([0.5, 1.5, 2.5])) == [None, 0.5, 0.5, 1.5, None, 2.5]
    assert clips.width([Block(segment=0), Block(segment=0, seen=pictures)]) == WIDTH


def test_pictures_without_clips_have_no_vectors_of_them():
    assert stacked([seen(None)] * 3, "clip", WIDTH).shape == (0, WIDTH)
    assert clips.width([Block(segment=0, seen=[seen(None)])]) is None


def test_the_decades_of_a_clip_are_added_to_every_picture_it_stands_for():
    pictures = [seen(None), seen(2.0), seen(2.0), seen(2.5)]

    assert fused(pictures, {"clip": np.array([1.5, 0.5])}, GRID).tolist() == [0.0, 1.5, 1.5, 0.5]


def test_a_block_keeps_only_clips_that_began_in_it():
    """The others are known to the block before, which is in another fold."""
    footage = Footage(1000)
    for number in range(round(2.5 * BLOCK_S * 10)):
        end_s = number // 5 / 2  # every half second
        shot = Shot(0, Picture(np.zeros((16, 16, 3), np.uint8), number / 10), 0.0)
        footage.take(shot, seen(end_s if end_s >= 2.0 else None, value=0.25))

    assert [block.seen[0].whole for block in footage.blocks] == [None] * 3
    for made in footage.blocks:
        kept = {one.whole.end_s - made.times_s[0] for one in made.seen if one.whole is not None}
        assert sorted(kept) == pytest.approx(np.arange(2.0, len(made.seen) / 10, 0.5))
    assert footage.blocks[1].seen[-1].whole.vectors.dtype == np.float16


def test_each_clip_is_learned_from_once(blocks):
    densities = []

    taught(blocks, densities.append)

    assert [one.family.settings.name for one in densities] == [name for name in NAMES for _ in range(3)]
    assert [len(one.learned_from) for one in densities[-3:]] == [260, 260, 520]
    assert [one.share for one in densities[-3:]] == [1.0] * 3


def test_held_out_scores_have_the_clip_family_s_part(blocks, learned):
    without = taught([replace_wholes(one) for one in blocks])

    assert [family.settings.name for family in learned.families] == NAMES
    assert [family.settings.name for family in without.families] == NAMES[:-1]
    for both, cells_only in zip(learned.held_out, without.held_out, strict=True):
        added = both.scores - cells_only.scores
        assert added[:2].tolist() == [0.0, 0.0]
        assert added[2:].reshape(-1, 3) == pytest.approx(np.repeat(added[2::3, None], 3, axis=1))
        assert 0.2 < added[2:].mean() < 0.8  # normal ones have 0.43 decades on average


def replace_wholes(block):
    """The same footage without clips."""
    return Block(segment=0, times_s=block.times_s, seen=[replace(one, whole=None) for one in block.seen])


def test_live_scores_are_those_of_held_out_footage_in_kind(blocks, learned):
    detector = Detector(learned.families, GRID)

    live = [detector.judge(one).score for of in blocks for one in of.seen[2:]]
    held_out = np.concatenate([scored.scores[2:] for scored in learned.held_out])

    assert np.median(live) == pytest.approx(np.median(held_out), rel=0.3)


def test_a_clip_that_normal_footage_never_showed_stands_out(learned):
    detector = Detector([learned.families[-1]], GRID)

    normal, odd = (
        [detector.judge(one).score for one in block(9, clips=20, pictures_each=1, shift=shift).seen[2:]]
        for shift in (0.0, 5.0)
    )

    assert min(odd) > max(normal)


def test_variants_hold_clips_over_pictures_as_the_product_does(blocks):
    variants = Variants(seed=0)
    families = taught(blocks, variants.take).families
    pictures = [seen(None), *block(9, clips=3).seen[2:]]

    scores = variants.scores(pictures, GRID)
    later = variants.scores(pictures[2:], GRID)

    product = [Detector(families, GRID).judge(one).score for one in pictures]
    assert all(np.isfinite(of_variant).all() for of_variant in scores.values())
    mean = next(one for one in scores if one.reading == "energy" and one.aggregate == "mean" and one.scale is None)
    assert np.corrcoef(scores[mean], product)[0, 1] > 0.9
    for variant in scores:
        assert later[variant] == pytest.approx(scores[variant][2:], abs=1e-4)


def test_too_few_clips_are_told_before_anything_is_learned():
    with pytest.raises(FootageError, match=r"its 300 clips are too few for the clip network: about 400 are needed"):
        clips.check([block(seed, clips=75) for seed in range(4)], 2)

    clips.check([block(seed, clips=100) for seed in range(4)], 2)


# The whole way.

SIZE = "width=160&height=96"
SETTINGS = CalibrationSettings(alerts_per_day=1000.0, folds=2, steps=20, seed=1)


def calibrated(view, seconds):
    source = f"demo://street?seconds={seconds}&{SIZE}"
    return calibrate(
        plan([source], long_side_px=160, rate_fps=10.0, minutes=10.0, connection=ConnectionSettings()),
        mask=(),
        policy=PolicySettings(),
        settings=SETTINGS,
        device="cpu",
        threads=1,
        on_progress=lambda stage, share: None,
        clips=view,
    )


def test_a_calibration_with_clips_makes_a_bundle_that_says_so():
    network = FakeClipNetwork()

    made = calibrated(ClipView(network=network, stride_s=0.1), 60).bundle

    assert made.preparation.clip == ClipPreparation(
        network=network.name, weights_sha256=network.weights_sha256, stride_s=0.1
    )
    assert [family["name"] for family in made.families] == NAMES
    assert made.arrays["clip.mean"].shape == (WIDTH,)
    assert "clip.rarity.values" in made.arrays
    assert sum(network.calls) == 580  # one with every picture from second 2 on


def test_a_calibration_with_too_few_clips_is_refused():
    with pytest.raises(FootageError, match=r"clips are too few for the clip network"):
        calibrated(ClipView(network=FakeClipNetwork(), stride_s=1.0), 45)


def test_an_evaluation_with_clips_measures_their_family(tmp_path):
    for name, seconds in (("1", 20), ("2", 20), ("test", 4)):
        film(tmp_path / f"{name}.mp4", f"demo://street?seed=3&seconds={seconds}&{SIZE}")
    video = LabelledVideo(
        name="test", source=str(tmp_path / "test.mp4"), fps=15.0, anomalous=np.arange(60) > 40, masks=None
    )
    camera = LabelledCamera(name="street", train=tuple(str(tmp_path / f"{name}.mp4") for name in "12"), test=(video,))
    config = Config(
        analysis=AnalysisSettings(rate_fps=10.0, long_side_px=160), calibration=CalibrationSettings(folds=4, steps=10)
    )
    view = ClipView(network=FakeClipNetwork(), stride_s=0.1)
    settings = Settings(config=config, device="cpu", threads=1, seeds=(1,), ablation=True, clips=view)

    (judged,) = evaluate(Dataset(name="street", cameras=(camera,)), settings, lambda stage, share: None).videos

    assert list(judged.families) == NAMES
    of_clips = judged.families["clip"]
    assert not of_clips[:29].any()  # two seconds at 15 frames/s
    assert of_clips[31:].all()

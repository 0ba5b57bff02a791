import random

import numpy as np
import pytest

from configs.settings import PolicySettings
from detector import stretch
from detector.detector import Features, Sample
from detector.stretch import ALERT, NORMAL, About
from stream import kept
from stream.kept import APART_S, STRETCH_S, Keeper
from stream.worker_spec import MemorySpec

RATE_FPS = 2.0
ABOUT = About(camera="gate", model="/gate.mulde", width=320, height=176, rate_fps=RATE_FPS)
POLICY = PolicySettings(enter_count=1, enter_window=1, hold_s=2.0, merge_gap_s=0.0, cooldown_s=0.0)
THRESHOLD = 4.0
NOON_S = 1769860800.0
"""UTC of stream time 0."""


def features(cells=1):
    where = np.arange(cells)
    return Features(cells=where, samples={"shape": Sample(where, np.ones((cells, 112), np.float32))})


class Camera:
    """A keeper and the clock of its camera."""

    def __init__(self, folder, episodes=3, normal_s=300.0, policy=POLICY, seed=0, most_bytes=1_000_000_000):
        spec = MemorySpec(folder=folder, episodes=episodes, normal_s=normal_s, most_bytes=most_bytes)
        self.keeper = Keeper(ABOUT, policy, spec, random.Random(seed))
        self.folder = folder / "gate"
        self.time_s = 0.0
        self.utc_s = NOON_S

    def show(self, seconds, score=0.0, cells=1, usual=True, regime="usual"):
        for _ in range(round(seconds * RATE_FPS)):
            self.keeper.step(self.time_s, self.utc_s, score, THRESHOLD, features(cells), usual=usual, regime=regime)
            self.time_s += 1.0 / RATE_FPS
            self.utc_s += 1.0 / RATE_FPS

    def kept(self, kind):
        return [stretch.read(path) for path in stretch.files(self.folder, kind)]


@pytest.fixture
def camera(tmp_path):
    return Camera(tmp_path)


def test_an_alert_is_kept_when_it_ends_with_what_came_before_it(camera):
    camera.show(40)
    camera.show(5, score=9.0)
    assert camera.kept(ALERT) == []
    camera.show(6)
    (made,) = camera.kept(ALERT)
    assert made.times_s[0] == pytest.approx(25.0, abs=0.6)
    assert made.times_s[-1] == pytest.approx(46.0, abs=0.6)
    assert np.diff(made.times_s) == pytest.approx(0.5)
    assert made.about.started_utc == "2026-01-31T12:00:25.000Z"
    assert (made.about.camera, made.about.model, made.about.turn) == ("gate", "/gate.mulde", 0)
    assert made.seen[0].samples["shape"].vectors.dtype == np.float16


def test_only_the_latest_alerts_are_kept(camera):
    for _ in range(5):
        camera.show(5, score=9.0)
        camera.show(20)
    starts = [made.about.started_utc for made in camera.kept(ALERT)]
    assert len(starts) == 3
    assert starts == sorted(starts)
    assert starts[-1].startswith("2026-01-31T12:01:2")


def test_what_is_open_at_the_end_is_kept(camera):
    camera.show(20)
    camera.show(4, score=9.0)
    camera.keeper.close()
    (made,) = camera.kept(ALERT)
    assert made.times_s[-1] == 23.5
    camera.keeper.close()
    assert len(camera.kept(ALERT)) == 1


def test_an_alert_of_a_source_that_starts_again_has_nothing_of_the_new_one(camera):
    camera.show(20)
    camera.show(4, score=9.0)
    camera.time_s = 0.0
    camera.show(1)
    (made,) = camera.kept(ALERT)
    assert made.times_s == tuple(sorted(made.times_s))
    assert made.times_s[-1] == 23.5


def test_a_long_alert_is_thinned_and_kept_to_its_end(camera, monkeypatch):
    monkeypatch.setattr(kept, "_MOST_VECTORS", 100)
    camera.show(60, score=9.0, cells=5)
    camera.show(6)
    (made,) = camera.kept(ALERT)
    assert 8 <= len(made.times_s) <= 30
    assert sum(len(one.cells) for one in made.seen) <= 150
    assert made.times_s[0] < 1.0
    assert made.times_s[-1] > 50.0
    assert (np.diff(made.times_s) > 0).all()


def normal_times(camera):
    return sorted((made.times_s[0], made.times_s[-1]) for made in camera.kept(NORMAL))


def test_normal_time_is_kept_in_stretches_away_from_the_start_and_from_alerts(camera):
    camera.show(100)
    camera.show(5, score=9.0)
    camera.show(100)
    stretches = normal_times(camera)
    assert len(stretches) == 4 + 4
    for first, last in stretches:
        assert last - first == STRETCH_S - 1.0 / RATE_FPS
        assert first >= APART_S
        assert last <= 100.0 - APART_S or first >= 105.0 + APART_S
        assert last <= 205.0 - APART_S


def test_a_score_above_the_threshold_that_opens_no_alert_is_no_normal_time(tmp_path):
    camera = Camera(tmp_path, policy=replace_policy(cooldown_s=3600.0))
    camera.show(5, score=9.0)
    for _ in range(10):
        camera.show(20)
        camera.show(1, score=9.0)
    assert normal_times(camera) == []


def replace_policy(**changes):
    return POLICY.model_copy(update=changes)


def test_a_gap_in_the_stream_is_in_no_stretch(camera):
    camera.show(75)
    camera.time_s += 60.0
    camera.show(75)
    for made in camera.kept(NORMAL):
        assert np.diff(made.times_s) == pytest.approx(0.5)
    assert len(camera.kept(NORMAL)) > 0


def test_normal_time_is_bounded_and_drawn_from_all_of_it(tmp_path):
    firsts = []
    for seed in range(8):
        camera = Camera(tmp_path / str(seed), normal_s=40.0, seed=seed)
        camera.show(1200)
        stretches = normal_times(camera)
        assert len(stretches) == 4
        firsts += [first for first, _ in stretches]
    assert 350.0 < np.mean(firsts) < 850.0
    assert min(firsts) < 200.0
    assert max(firsts) > 900.0


def test_a_keeper_goes_on_where_the_last_one_stopped(tmp_path):
    first = Camera(tmp_path, normal_s=40.0)
    first.show(600)
    turn = max(made.about.turn for made in first.kept(NORMAL))
    second = Camera(tmp_path, normal_s=40.0)
    second.utc_s += 10_000.0
    second.show(100)
    assert second.keeper._turn >= turn + 5
    assert len(second.kept(NORMAL)) == 4


def test_no_more_space_is_taken_than_there_may_be(tmp_path):
    camera = Camera(tmp_path, episodes=10, most_bytes=100_000)
    for _ in range(4):
        camera.show(100, cells=5)
        camera.show(5, score=9.0, cells=5)
    camera.show(6)
    for kind in (ALERT, NORMAL):
        sizes = [path.stat().st_size for path in stretch.files(camera.folder, kind)]
        assert 0 < sum(sizes) <= 50_000
        assert sum(sizes) + max(sizes) > 50_000
    assert camera.kept(ALERT)[-1].about.ended_utc > "2026-01-31T12:06:50"


@pytest.mark.parametrize(("episodes", "normal_s", "kind"), [(0, 300.0, ALERT), (3, 0.0, NORMAL)])
def test_none_of_a_kind_may_be_wanted(tmp_path, episodes, normal_s, kind):
    camera = Camera(tmp_path, episodes=episodes, normal_s=normal_s)
    camera.show(100)
    camera.show(5, score=9.0)
    camera.show(10)
    assert camera.kept(kind) == []
    assert len([*camera.kept(ALERT), *camera.kept(NORMAL)]) > 0


def test_a_folder_that_cannot_be_written_is_told_once_and_counted(tmp_path, caplog):
    blocked = tmp_path / "footage"
    blocked.write_text("a file")
    camera = Camera(blocked)
    for _ in range(3):
        camera.show(5, score=9.0)
        camera.show(20)
    assert camera.keeper.errors == 3
    assert len(caplog.records) == 1
    assert "camera gate: its features are not kept" in caplog.text


def test_a_damaged_file_does_not_stand_in_the_way(tmp_path):
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "normal-0.features").write_bytes(b"damaged")
    camera = Camera(tmp_path)
    camera.show(100)
    assert len(stretch.files(camera.folder, NORMAL)) == 1 + 4


def test_nothing_is_normal_while_the_camera_itself_is_in_trouble(camera):
    camera.show(300, usual=False)
    assert camera.kept(NORMAL) == []
    camera.show(300)
    assert camera.kept(NORMAL)
    assert min(normal_times(camera))[0] >= 300.0


def test_what_is_seen_in_one_regime_is_kept_apart_from_another(camera):
    camera.show(100)
    camera.show(100, regime="night")
    camera.show(5, score=9.0, regime="night")
    camera.show(20, regime="night")

    (alert,) = camera.kept(ALERT)
    assert alert.about.regime == "night"
    regimes = {made.about.regime: made for made in camera.kept(NORMAL)}
    assert set(regimes) == {"usual", "night"}
    assert max(regimes["usual"].times_s) < 100.0 <= min(regimes["night"].times_s)

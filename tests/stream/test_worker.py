import multiprocessing
import os
import shutil
import signal
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from configs.settings import WorkerSettings
from detector import bundle, stretch
from detector.bundle import ClipPreparation
from detector.detector import contents, detector_of
from detector.family import CLIP, Family
from detector.features import clip
from detector.features.background import Scene
from detector.features.clip_weights import WIDTHS, ClipError, fingerprint
from stream import child
from stream.bus import Broker, Endpoints, ScoreReceiver, Subscriber
from stream.messages import Health, Score
from stream.ring import Ring
from stream.scene import open_scene
from stream.source import open_source
from stream.worker_spec import MemorySpec, WorkerCamera, WorkerSpec
from tests.program import Program

SIZE = (320, 176)
RATE_FPS = 3.0
START_S, FRAMES = 8.0, 24  # 8 s of the van's scene, from before it comes to when it has gone
SETTINGS = WorkerSettings(device="cpu", threads=1, staleness_s=30.0)
LEFT_HALF = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)
LOW_THRESHOLD = 0.5


class Worker:
    """A worker process, the rings it reads and both lanes it sends on."""

    def __init__(self, process, parent, rings, lossless, broadcast, log_file):
        self.process, self.parent, self.rings = process, parent, rings
        self.lossless, self.broadcast, self.log_file = lossless, broadcast, log_file

    def next_word(self, within_s=60.0):
        assert self.parent.poll(within_s), self.log_file.read_text()
        return self.parent.recv()

    def write(self, picture):
        for ring in self.rings.values():
            ring.write(picture.image, picture.stream_time_s, time.monotonic(), time.time())

    def receive(self, count, within_s=20.0):
        """Scores with their heat maps from the lossless lane."""
        deadline_s = time.monotonic() + within_s
        received = []
        while len(received) < count:
            assert time.monotonic() < deadline_s, self.log_file.read_text()
            if (one := self.lossless.receive(0.2)) is not None:
                received.append(one)
        return received

    def stop(self):
        """Exit status and how long it took."""
        started_s = time.monotonic()
        self.parent.send(child.STOP)
        self.process.join(10)
        return self.process.exitcode, time.monotonic() - started_s


@contextmanager
def worker(folder, settings=SETTINGS, memory=None, **cameras):
    """A worker for cameras given as name=(model, threshold, mask) or with weights of the clip network beside."""
    endpoints = Endpoints.in_folder(folder / "bus")
    log_file = folder / "worker.log"
    rings = {name: Ring.create(40, SIZE[1], SIZE[0]) for name in cameras}
    made = tuple(
        WorkerCamera(
            name=name,
            ring=rings[name].spec,
            model=model,
            threshold=threshold,
            mask=mask,
            clip_weights=weights[0] if weights else None,
        )
        for name, (model, threshold, mask, *weights) in cameras.items()
    )
    spec = WorkerSpec(endpoints=endpoints, settings=settings, cameras=made, memory=memory)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(
        target=child.main, args=("worker", "stream.worker:run", spec, there, log_file), daemon=True
    )
    with Broker(endpoints), ScoreReceiver(endpoints) as lossless, Subscriber(endpoints) as broadcast:
        process.start()
        there.close()
        try:
            yield Worker(process, here, rings, lossless, broadcast, log_file)
        finally:
            process.kill()
            process.join(10)
            process.close()
            here.close()
            for ring in rings.values():
                ring.close()


def pictures(url):
    """Some seconds of a scene as a capture process would write them."""
    with open_source(url, size=SIZE, rate_fps=RATE_FPS, connection=None) as source:
        seen = [picture for picture in source if picture.stream_time_s >= START_S]
    return seen[:FRAMES]


class Run:
    """What a worker with three cameras sent about the same pictures."""

    def __init__(self, folder, street):
        self.threshold = bundle.read(street.model).budget.threshold
        self.pictures = pictures(street.van)
        model = street.model
        plain, low, masked = (model, None, None), (model, LOW_THRESHOLD, None), (model, None, LEFT_HALF)
        with worker(folder, plain=plain, low=low, masked=masked) as made:
            self.first_word = made.next_word()
            self.received = []
            self.heard = []
            for number, picture in enumerate(self.pictures):
                made.write(picture)
                self.received += made.receive(3)
                if number == 0:  # the broadcast lane may only now be connected
                    while made.broadcast.receive(0.3) is not None:
                        pass
            while (one := made.broadcast.receive(1.2)) is not None and len(self.heard) < 4 * FRAMES:
                self.heard.append(one)
                if isinstance(one[0], Health) and one[0].counters["frames"] == 3 * FRAMES:
                    break
            self.status, self.stopped_s = made.stop()
            self.log = made.log_file.read_text()

    def scores(self, camera):
        return [score for score, _ in self.received if score.camera == camera]

    def heats(self, camera):
        return [heat for score, heat in self.received if score.camera == camera]


@pytest.fixture(scope="module")
def scored(tmp_path_factory, street):
    return Run(tmp_path_factory.mktemp("worker"), street)


def test_it_is_ready_once_the_models_are_loaded(scored):
    assert scored.first_word == (child.READY, "")
    assert "scoring on cpu with 1 thread(s)" in scored.log


@pytest.mark.parametrize("camera", ["plain", "low", "masked"])
def test_every_frame_has_one_score_in_order(scored, camera):
    scores = scored.scores(camera)
    assert [score.seq for score in scores] == list(range(FRAMES))
    assert [score.stream_time_s for score in scores] == pytest.approx(
        [picture.stream_time_s for picture in scored.pictures], abs=1e-4
    )


def test_the_lanes_carry_the_same(scored):
    broadcast = [one for one in scored.heard if isinstance(one[0], Score)]
    assert len(broadcast) == 3 * (FRAMES - 1)
    assert broadcast == scored.received[3:]


def test_a_covered_lens_is_told_after_some_seconds(tmp_path, street):
    seen = pictures(street.van)
    with worker(tmp_path, gate=(street.model, None, None)) as made:
        assert made.next_word() == (child.READY, "")
        scores = []
        for number, picture in enumerate(seen):
            image = picture.image if number < 3 else np.full_like(picture.image, 20 + number % 2)
            made.write(replace(picture, image=image))
            scores += [score for score, _ in made.receive(1)]
    assert [score.condition for score in scores[:12]] == ["ok"] * 12
    assert scores[-1].condition == "covered"


def test_heat_maps_have_their_shape_and_latencies_are_real(scored):
    for score, heat in scored.received:
        rows, columns = score.heat_shape
        assert len(heat) == rows * columns > 100
        assert 0.0 < score.latency_ms < 20_000.0
        assert abs(score.captured_at_s + score.latency_ms / 1000.0 - time.monotonic()) < 300.0


def test_the_van_is_above_the_threshold_where_it_is_and_only_then(scored, street):
    (event,) = [one for one in open_scene(street.van).events if one.start_s < START_S + FRAMES / RATE_FPS]
    before = [score.score for score in scored.scores("plain") if score.stream_time_s < event.start_s - 1.0]
    during = [one for one in scored.scores("plain") if event.start_s + 1.0 <= one.stream_time_s <= event.end_s]
    assert len(before) > 3
    assert len(during) > 3
    assert max(before) < min(score.score for score in during)
    for score in during:
        assert score.score > score.threshold
        left, top, right, bottom = event.box(score.stream_time_s)
        x0, y0, x1, y1 = score.region
        assert x0 < right
        assert left < x1
        assert y0 < bottom
        assert top < y1
    hottest = max(during, key=lambda score: score.score)
    assert max(scored.heats("plain")[hottest.seq]) == 255


def test_the_threshold_is_the_model_s_unless_it_is_given(scored):
    assert {score.threshold for score in scored.scores("plain")} == {round(scored.threshold, 4)}
    assert {score.threshold for score in scored.scores("low")} == {LOW_THRESHOLD}
    assert [score.score for score in scored.scores("low")] == [score.score for score in scored.scores("plain")]
    for plain, low in zip(scored.heats("plain"), scored.heats("low"), strict=True):
        assert sum(low) > sum(plain)  # 255 is at least the threshold


def test_a_given_mask_takes_the_place_of_the_model_s(scored, street):
    (event,) = [one for one in open_scene(street.van).events if one.start_s < START_S + FRAMES / RATE_FPS]
    hidden = shown = 0
    for plain, masked in zip(scored.scores("plain"), scored.scores("masked"), strict=True):
        if not event.start_s + 1.0 <= plain.stream_time_s <= event.end_s:
            continue
        left, _, right, _ = event.box(plain.stream_time_s)
        if right < 0.45:
            assert masked.score < masked.threshold < plain.score
            hidden += 1
        elif left > 0.5:
            assert masked.threshold < masked.score
            shown += 1
    assert min(hidden, shown) > 0
    for score, heat in zip(scored.scores("masked"), scored.heats("masked"), strict=True):
        rows, columns = score.heat_shape
        for row in range(rows):  # a cell beside the edge has its share of what its neighbour sees
            assert set(heat[row * columns : row * columns + columns // 2 - 1]) == {0}


def test_it_reports_what_it_did_and_dropped(scored):
    counters = [one.counters for one, _ in scored.heard if isinstance(one, Health)][-1]
    assert counters["frames"] == 3 * FRAMES
    assert 0 < counters["batches"] <= 3 * FRAMES
    assert counters["busy_s"] > 0.0
    sizes = {int(name.removeprefix("batches/")): n for name, n in counters.items() if name.startswith("batches/")}
    assert sum(sizes.values()) == counters["batches"]
    assert set(sizes) <= {1, 2}  # more are not put together on a CPU
    assert sum(size * n for size, n in sizes.items()) == counters["frames"]
    assert [counters[f"waiting/{camera}"] for camera in ("plain", "low", "masked")] == [0, 0, 0]
    assert counters["backlog_dropped"] == 0
    drops = {name: value for name, value in counters.items() if name.startswith("drop/")}
    causes = ("overwritten", "stale")
    assert drops == {f"drop/{camera}/{cause}": 0 for camera in ("plain", "low", "masked") for cause in causes}


def test_it_stops_at_once(scored):
    """Python once took torch apart in order before the process ended, and the supervisor lost its patience."""
    assert scored.status == 0
    assert scored.stopped_s < 0.6
    assert "WARNING" not in scored.log


def test_stale_frames_are_not_scored_but_counted(tmp_path, street):
    settings = SETTINGS.model_copy(update={"staleness_s": 0.5})
    with worker(tmp_path, settings, gate=(street.model, None, None)) as made:
        ring = made.rings["gate"]
        picture = pictures(street.van)[0]
        for _ in range(3):
            ring.write(picture.image, picture.stream_time_s, time.monotonic() - 5.0, time.time())
        assert made.next_word()[0] == child.READY
        made.write(picture)
        ((score, _),) = made.receive(1)
        assert score.seq == 3
        counters = {}
        deadline_s = time.monotonic() + 10.0
        while counters.get("frames") != 1 and time.monotonic() < deadline_s:
            received = made.broadcast.receive(0.2)
            if received is not None and isinstance(received[0], Health):
                counters = received[0].counters
        assert (counters["frames"], counters["drop/gate/stale"], counters["drop/gate/overwritten"]) == (1, 3, 0)


@pytest.mark.parametrize("fault", ["missing", "cut off"])
def test_a_model_that_cannot_be_used_is_one_line_and_a_failure(tmp_path, street, fault):
    model = tmp_path / "street.mulde"
    if fault == "cut off":
        model.write_bytes(street.model.read_bytes()[:-1000])
    with worker(tmp_path, gate=(model, None, None)) as made:
        word, text = made.next_word()
        made.process.join(10)
        assert word == child.ERROR
        assert str(model) in text
        assert "\n" not in text
        assert made.process.exitcode == 1
        assert "Traceback" not in (made.log_file.read_text() if made.log_file.exists() else "")


def test_it_keeps_the_features_of_an_alert_and_nothing_where_that_is_not_wanted(tmp_path, street):
    shown = pictures(street.van)
    memory = MemorySpec(folder=tmp_path / "footage", episodes=5, normal_s=60.0, most_bytes=100_000_000)
    for wanted in (None, memory):
        with worker(tmp_path, memory=wanted, gate=(street.model, None, None)) as made:
            assert made.next_word()[0] == child.READY
            for picture in shown:
                made.write(picture)
                made.receive(1)
            assert made.stop()[0] == 0  # with the van still there
        assert (tmp_path / "footage").exists() == (wanted is not None)
    (path,) = stretch.files(tmp_path / "footage" / "gate", stretch.ALERT)
    kept = stretch.read(path)
    assert kept.about.model == str(street.model)
    assert (kept.about.camera, kept.about.rate_fps) == ("gate", RATE_FPS)
    detector = detector_of(bundle.read(street.model), "street.mulde", "cpu")
    assert max(detector.judge(seen).score for seen in kept.seen) > bundle.read(street.model).budget.threshold
    times_s = [round(picture.stream_time_s, 4) for picture in shown]
    assert set(kept.times_s) <= set(times_s)
    assert len(kept.times_s) > 10


def changed(model, **changes):
    """Put another model at its place, as marking an alert does."""
    made = bundle.read(model)
    preparation = {name: changes.pop(name) for name in ("smoothing_s",) if name in changes}
    made = replace(made, preparation=replace(made.preparation, **preparation), budget=replace(made.budget, **changes))
    bundle.write(made, model)


def thresholds_until(made, picture, done, within_s=15.0):
    """Thresholds of a picture's scores until one of them, or the log, is as wanted."""
    deadline_s = time.monotonic() + within_s
    thresholds = []
    while not thresholds or not done(thresholds[-1]):
        assert time.monotonic() < deadline_s, made.log_file.read_text()
        made.write(picture)
        ((score, _),) = made.receive(1)
        thresholds.append(score.threshold)
    return thresholds


def test_a_model_that_changes_while_it_works_is_taken_up_unless_it_does_not_fit(tmp_path, street):
    model = tmp_path / "gate.mulde"
    shutil.copy(street.model, model)
    before = round(bundle.read(model).budget.threshold, 4)
    picture = pictures(street.van)[0]
    with worker(tmp_path, gate=(model, None, None)) as made:
        assert made.next_word()[0] == child.READY
        assert thresholds_until(made, picture, lambda _: True) == [before]
        changed(model, threshold=7.5)
        seen = thresholds_until(made, picture, lambda threshold: threshold == 7.5)
        assert set(seen) <= {before, 7.5}
        changed(model, threshold=9.5, smoothing_s=2.0)
        thresholds_until(made, picture, lambda _: "prepares pictures in another way" in made.log_file.read_text())
        model.write_bytes(model.read_bytes()[:-1000])
        thresholds_until(made, picture, lambda _: "cut off" in made.log_file.read_text())
        model.unlink()
        assert set(thresholds_until(made, picture, lambda _: True)) == {7.5}
        assert made.stop()[0] == 0
    log = made.log_file.read_text()
    assert log.count("the model has changed and is used from now on") == 1
    assert log.count("goes on with the model it has") == 2


def test_scores_say_which_regime_they_are_of_where_there_are_several(tmp_path, street):
    model = tmp_path / "gate.mulde"
    shutil.copy(street.model, model)
    made = bundle.read(model)
    dark = {**made.arrays, "regime.usual": made.arrays["regime.usual"] - (2.0, 0.0, 0.0)}
    budget = replace(made.budget, threshold=8.25)
    bundle.put(replace(made, regime="night", arrays=dark, budget=budget), model)
    picture = pictures(street.van)[0]
    night = replace(picture, image=picture.image // 4)
    with worker(tmp_path, gate=(model, None, None), plain=(street.model, None, None)) as running:
        assert running.next_word()[0] == child.READY
        seen = {}
        for shown in (night, replace(picture, stream_time_s=picture.stream_time_s + 1.0)):
            running.write(shown)
            for score, _ in running.receive(2):
                seen.setdefault(score.camera, []).append((score.regime, score.threshold))
        assert running.stop()[0] == 0
    assert seen["gate"][0] == ("night", 8.25)
    assert {regime for regime, _ in seen["plain"]} == {""}
    assert "camera gate: regime night" in running.log_file.read_text()


CLIP_NETWORK = "hiera_base_16x224"


@pytest.fixture(scope="module")
def hiera_weights(tmp_path_factory):
    """Random ones."""
    try:
        hiera = clip._package()
    except ClipError as error:
        pytest.skip(str(error))
    path = tmp_path_factory.mktemp("weights") / f"{CLIP_NETWORK}.pth"
    torch.manual_seed(0)
    torch.save({"model_state": getattr(hiera, CLIP_NETWORK)().state_dict()}, path)
    return path


def with_clips(folder, street, weights_sha256):
    """The street's model as if it had been calibrated with clips, of which nothing real is normal."""
    made = bundle.read(street.model)
    quick = replace(CLIP, training=replace(CLIP.training, units=(16, 16), steps=20))
    vectors = np.random.default_rng(0).normal(size=(400, WIDTHS[CLIP_NETWORK])).astype(np.float32)
    family = Family.learn(quick, vectors, seed=0)
    family = family.with_rarity(family.levels(vectors), share=1.0)
    scene = Scene(made.arrays["scene.background"], made.arrays["scene.spread"])
    settings, arrays = contents([family], scene)
    prepared = ClipPreparation(network=CLIP_NETWORK, weights_sha256=weights_sha256, stride_s=1.0)
    model = folder / "clips.mulde"
    bundle.write(
        replace(
            made,
            preparation=replace(made.preparation, clip=prepared),
            families=(*made.families, *settings),
            arrays={**made.arrays, **arrays},
        ),
        model,
    )
    return model


def test_cameras_share_the_clip_network_and_have_its_family_in_their_scores(tmp_path, street, hiera_weights):
    model = with_clips(tmp_path, street, fingerprint(hiera_weights))
    clips = (model, None, None, hiera_weights)
    with worker(tmp_path, a=clips, b=clips, plain=(street.model, None, None)) as made:
        assert made.next_word() == (child.READY, "")
        received = []
        for picture in pictures(street.van)[:9]:
            made.write(picture)
            received += made.receive(3)
        assert made.stop()[0] == 0
    for camera in ("a", "b"):
        parts = [score.families.get("clip") for score, _ in received if score.camera == camera]
        assert parts[:6] == [None] * 6  # two seconds at 3 pictures/s
        assert parts[6] > 0.0
        assert parts[6:] == [parts[6]] * 3
    assert all("clip" not in score.families for score, _ in received if score.camera == "plain")


def test_other_weights_than_the_calibration_s_are_one_line_and_a_failure(tmp_path, street, hiera_weights):
    model = with_clips(tmp_path, street, "ab" * 32)
    with worker(tmp_path, gate=(model, None, None, hiera_weights)) as made:
        word, text = made.next_word()
    assert word == child.ERROR
    assert f"{model}: the clip network's weights have the SHA-256 {fingerprint(hiera_weights)}" in text
    assert f"it was calibrated with {'ab' * 32}" in text


@pytest.mark.parametrize(
    ("weights", "why"),
    [("none.pth", "none.pth: no such weights: fetch them first"), (None, "needs the clip network hiera_base_16x224")],
)
def test_a_clip_network_that_cannot_be_had_is_one_line_and_a_failure(tmp_path, street, weights, why):
    model = with_clips(tmp_path, street, "ab" * 32)
    with worker(tmp_path, gate=(model, None, None, weights and tmp_path / weights)) as made:
        word, text = made.next_word()
        made.process.join(10)
        assert (word, made.process.exitcode) == (child.ERROR, 1)
        assert why in text
        assert "\n" not in text
        assert "Traceback" not in (made.log_file.read_text() if made.log_file.exists() else "")


def test_a_worker_that_is_killed_or_hangs_is_replaced_and_scoring_goes_on(tmp_path, street):
    config = tmp_path / "site.yaml"
    config.write_text(street.config.read_text() + "supervisor: {heartbeat_timeout_s: 3}\n")
    arguments = ("watch", street.normal, "--model", street.model, "--config", config, "--json")
    with Program(tmp_path / "run", *arguments) as watching:
        watching.wait_for_score()
        first = worker_of(watching)
        before = watching.objects("score")[-1]["seq"]
        os.kill(first, signal.SIGKILL)
        watching.wait_for(lambda: worker_of(watching) not in (None, first))
        watching.wait_for_score(after=before + 3)
        assert "worker: ended by SIGKILL; restarting it at once" in watching.stderr

        second = worker_of(watching)
        os.kill(second, signal.SIGSTOP)
        watching.wait_for(lambda: "worker: no sign of work for 3 s; restarting it" in watching.stderr)
        stopped = watching.objects("score")[-1]["seq"]
        watching.wait_for_score(after=stopped)
        assert worker_of(watching) not in (None, first, second)
        watching.remember_memory()
        watching.interrupt()
        assert watching.end() == 0
    assert "capture-cam1: " not in watching.stderr.replace("capture-cam1: camera cam1 live", "")


def worker_of(watching):
    """The process that has torch loaded."""
    return next((pid for pid, text in watching.maps().items() if "libtorch_cpu" in text), None)

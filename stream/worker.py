"""The worker process: frames of all cameras in micro-batches through the detector, scores out on both lanes.

The one process that loads torch. Its heartbeat comes from the loop that scores.
"""

import logging
import math
import os
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from detector import bundle
from detector.clips import ClipCall
from detector.detector import Features, features
from detector.device import DeviceError, use_device
from detector.features.clip_memory import PICTURES, SIDE_PX
from detector.features.clip_weights import ClipError
from detector.features.network import Network
from detector.stretch import About
from detector.watcher import Judgement, Sight, Watcher
from stream.batching import Batcher, Intake, Item
from stream.bus import Publisher, ScoreSender
from stream.child import ChildError, Parent
from stream.clock import utc_now, utc_text
from stream.kept import Keeper
from stream.messages import Health, Score
from stream.policy import Smoother
from stream.ring import Ring, RingSpec
from stream.worker_spec import PROCESS, WorkerCamera, WorkerSpec

logger = logging.getLogger(__name__)

_WAIT_S = 0.1
_REPORT_EVERY_S = 1.0
_DRAIN_S = 0.5


def run(spec: WorkerSpec, parent: Parent) -> None:
    """Score frames until the parent says stop; what is in the rings by then is still scored, for half a second.

    Does not return: the process ends here.

    Raises:
        ChildError: A bundle or the device cannot be used.
        RingError: A camera's ring is not there.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        device, threads = use_device(spec.settings.device, spec.settings.threads or max(1, cores - 1))
    except DeviceError as error:
        raise ChildError(str(error)) from error
    network = Network(device, threads)
    with ExitStack() as stack:
        worker = _Worker(
            device,
            network,
            stack.enter_context(ScoreSender(spec.endpoints)),
            stack.enter_context(Publisher(spec.endpoints)),
        )
        stack.callback(worker.let_go)
        try:
            worker.take_up(spec)
        except (bundle.BundleError, ClipError) as error:
            raise ChildError(str(error)) from error
        logger.info("scoring on %s with %d thread(s)", device, threads)
        parent.ready()
        while not parent.stopping():
            worker.step(_WAIT_S)
            if (new := parent.new_spec()) is not None:
                try:
                    worker.take_up(new)
                except (bundle.BundleError, ClipError) as error:
                    parent.refuse(str(error))
                else:
                    parent.ready()
        end_s = time.monotonic() + _DRAIN_S
        while worker.step(0.0) and time.monotonic() < end_s:
            pass
        worker.close()
    # Taking torch apart lasts most of a second, of the three that a Ctrl-C may take, and nothing is open any more.
    os._exit(0)


class _ClipNetworks:
    """Those that some camera's model needs, each once."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._loaded: dict[tuple[str, Path], ClipCall] = {}

    def of(self, camera: WorkerCamera, model: bundle.Bundle) -> ClipCall | None:
        """The network of a camera's model, None where it needs none or its weights are not named.

        Raises:
            ClipError: It cannot be had.
        """
        clip, weights = model.preparation.clip, camera.clip_weights
        if clip is None or weights is None:
            return None
        if (clip.network, weights) not in self._loaded:
            from detector.features.clip import ClipNetwork

            network = ClipNetwork(clip.network, weights, self._device)
            network(np.zeros((1, PICTURES, SIDE_PX, SIDE_PX, 3), np.uint8))  # the first run is slow
            self._loaded[clip.network, weights] = network
        return self._loaded[clip.network, weights]


@dataclass(slots=True, kw_only=True)
class _Camera:
    spec: WorkerCamera
    version: tuple[int, ...] | None
    """Of the model's file, None where that is gone."""
    watcher: Watcher
    smoother: Smoother
    keeper: Keeper | None
    regime: str = ""
    """That it is in, empty before its first picture."""

    @classmethod
    def open(cls, camera: WorkerCamera, device: str, clip_networks: _ClipNetworks, spec: WorkerSpec) -> "_Camera":
        version = _version(camera.model)
        bundles = _bundles(camera)
        made = bundles[0].preparation
        about = About(
            camera=camera.name,
            model=str(camera.model.absolute()),
            width=made.width,
            height=made.height,
            rate_fps=made.rate_fps,
        )
        return cls(
            spec=camera,
            version=version,
            watcher=Watcher(
                bundles, str(camera.model), device, clip_networks.of(camera, bundles[0]), spec.settings.drift_days
            ),
            smoother=Smoother(made.smoothing_s),
            keeper=None if spec.memory is None else Keeper(about, camera.policy, spec.memory),
        )

    def differs_from(self, camera: WorkerCamera) -> bool:
        """Whether it would have to be opened anew, because more changes than how its scores are judged."""
        return replace(camera, threshold=self.spec.threshold, policy=self.spec.policy) != self.spec

    def judge_as(self, camera: WorkerCamera) -> None:
        """Go on with another threshold and policy."""
        self.spec = camera
        if self.keeper is not None:
            self.keeper.change(camera.policy)

    def close(self) -> None:
        """Nothing more will come."""
        if self.keeper is not None:
            self.keeper.close()

    def take_up_changes(self) -> None:
        """Go on with the model's file where it has changed; one that does not fit is told of and left."""
        version = _version(self.spec.model)
        if version is None or version == self.version:
            return
        self.version = version
        try:
            self.watcher.take_up(_bundles(self.spec))
        except bundle.BundleError as error:
            logger.warning("camera %s: goes on with the model it has: %s", self.spec.name, error)
            return
        logger.info("camera %s: the model has changed and is used from now on", self.spec.name)

    def enter(self, regime: str) -> None:
        """Follow the camera into a regime."""
        if regime != self.regime:
            if self.several:
                logger.info("camera %s: regime %s", self.spec.name, regime)
            self.regime = regime

    @property
    def preparation(self) -> bundle.Preparation:
        """How its pictures are made."""
        return self.watcher.bundles[0].preparation

    @property
    def several(self) -> bool:
        """Whether it is calibrated for more than one regime."""
        return len(self.watcher.bundles) > 1


def _bundles(camera: WorkerCamera) -> list[bundle.Bundle]:
    """What the camera's model holds, with the camera's own mask."""
    bundles = bundle.read_all(camera.model)
    if camera.mask is None:
        return list(bundles)
    return [replace(one, preparation=replace(one.preparation, mask=camera.mask)) for one in bundles]


def _version(path: Path) -> tuple[int, ...] | None:
    """What tells a file from the one that was there before."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


class _Worker:
    def __init__(
        self,
        device: str,
        network: Network,
        sender: ScoreSender,
        publisher: Publisher,
    ) -> None:
        self._device = device
        self._network = network
        self._clip_networks = _ClipNetworks(device)
        self._cameras: dict[str, _Camera] = {}
        self._intakes: dict[RingSpec, Intake] = {}
        self._batcher: Batcher  # of these; made by `take_up`, which comes first
        self._sender = sender
        self._publisher = publisher
        self._reported_s = 0.0
        self._frames = 0
        self._batches = 0
        self._sizes: Counter[int] = Counter()
        """Batches by their frames, these rounded up to a power of two."""
        self._busy_s = 0.0

    def take_up(self, spec: WorkerSpec) -> None:
        """Score these cameras from now on. What has not changed goes on as it was, and misses nothing.

        Blocks for some milliseconds for each camera to be opened; where a clip network is loaded, for seconds.

        Raises:
            BundleError, ClipError: A camera cannot be opened; those of before go on.
            RingError: A camera's ring is not there.
        """
        opened = {
            camera.name: _Camera.open(camera, self._device, self._clip_networks, spec)
            for camera in spec.cameras
            if camera.name not in self._cameras or self._cameras[camera.name].differs_from(camera)
        }
        for size in {(made.height, made.width) for made in (camera.preparation for camera in opened.values())}:
            self._network(np.zeros((1, *size, 3), np.uint8))  # the first run is slow
        for camera in spec.cameras:
            if camera.ring not in self._intakes:
                self._intakes[camera.ring] = Intake(camera.name, Ring.attach(camera.ring))
        before, self._cameras = self._cameras, {}
        for camera in spec.cameras:
            self._cameras[camera.name] = opened.get(camera.name) or before.pop(camera.name)
            self._cameras[camera.name].judge_as(camera)
        for gone in before.values():
            gone.close()
        for ring in self._intakes.keys() - {camera.ring for camera in spec.cameras}:
            self._intakes.pop(ring).close()
        self._batcher = Batcher([*self._intakes.values()], spec.settings, share=self._device == "cuda")

    def step(self, wait_s: float) -> bool:
        """Score one batch and report when it is time; False where no frame came within `wait_s`."""
        batch = self._batcher.gather(wait_s)
        if batch:
            started_s = time.monotonic()
            self._score(batch)
            ran_s = time.monotonic() - started_s
            self._batcher.ran(ran_s)
            self._frames += len(batch)
            self._batches += 1
            self._sizes[1 << (len(batch) - 1).bit_length()] += 1
            self._busy_s += ran_s
        if time.monotonic() - self._reported_s >= _REPORT_EVERY_S:
            for camera in self._cameras.values():
                camera.take_up_changes()
            self._report()
        return bool(batch)

    def _score(self, batch: list[Item]) -> None:
        cameras = [self._cameras[item.camera] for item in batch]
        sights = [
            camera.watcher.sight(item.frame.image, item.frame.stream_time_s)
            for camera, item in zip(cameras, batch, strict=True)
        ]
        found = features(self._network, [sight.sighting for sight in sights])
        for camera, item, sight, seen in zip(cameras, batch, sights, found, strict=True):
            judgement = camera.watcher.judge(sight, seen)
            camera.enter(judgement.regime)
            score = self._send(camera, item, sight, seen, judgement)
            if camera.keeper is not None:
                camera.keeper.step(
                    score.stream_time_s,
                    item.frame.utc_s,
                    score.score,
                    score.threshold,
                    seen,
                    regime=judgement.regime,
                    usual=sight.certain and judgement.condition in ("ok", "changed"),
                )

    def close(self) -> None:
        """Nothing more will come."""
        for camera in self._cameras.values():
            camera.close()

    def let_go(self) -> None:
        """Close the rings."""
        for intake in self._intakes.values():
            intake.close()

    def _send(self, camera: _Camera, item: Item, sight: Sight, seen: Features, judgement: Judgement) -> Score:
        frame, verdict = item.frame, judgement.verdict
        threshold = judgement.threshold if camera.spec.threshold is None else camera.spec.threshold
        score = camera.smoother.step(frame.stream_time_s, verdict.score)
        if not math.isfinite(score):
            raise ArithmeticError(f"camera {item.camera}: frame {frame.seq} has the score {score}")
        heat = np.clip(verdict.heat * (255.0 / max(threshold, 1e-6)), 0.0, 255.0).astype(np.uint8)
        message = Score(
            camera=item.camera,
            seq=frame.seq,
            stream_time_s=round(frame.stream_time_s, 4),
            utc=utc_text(datetime.fromtimestamp(frame.utc_s, UTC)),
            score=round(score, 4),
            threshold=round(threshold, 4),
            latency_ms=round((time.monotonic() - frame.captured_at_s) * 1000.0, 1),
            captured_at_s=frame.captured_at_s,
            condition=judgement.condition,
            regime=judgement.regime if camera.several else "",
            region=verdict.region,
            families={name: round(part, 3) for name, part in verdict.families.items()},
            words=camera.watcher.words(sight, seen, judgement) if score > threshold else "",
            heat_shape=(heat.shape[0], heat.shape[1]),
        )
        self._sender.send(message, heat.tobytes())
        self._publisher.send(message, heat.tobytes())
        return message

    def _report(self) -> None:
        """Say on the bus that this process works, and what it dropped."""
        counters = {
            "frames": float(self._frames),
            "batches": float(self._batches),
            "busy_s": round(self._busy_s, 3),
            "backlog_dropped": float(self._sender.dropped),
            "not_kept": float(sum(one.keeper.errors for one in self._cameras.values() if one.keeper is not None)),
        }
        counters |= {f"batches/{size}": float(count) for size, count in self._sizes.items()}
        for intake in self._intakes.values():
            counters |= {f"drop/{intake.camera}/{cause}": float(count) for cause, count in intake.drops.items()}
            counters[f"waiting/{intake.camera}"] = float(intake.waiting)
        self._publisher.send(Health(process=PROCESS, utc=utc_now(), counters=counters))
        self._reported_s = time.monotonic()

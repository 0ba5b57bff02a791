"""The footage's features in blocks of time, which are what is held out together: neighbouring frames are alike."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from calibrate.footage import Shot
from detector.clips import Whole
from detector.detector import Features, Sample, Sighting, features
from detector.features.clip_memory import SPAN_S
from detector.features.network import Network
from detector.observer import Observer

BLOCK_S = 10.0
"""Length of a block; a shorter segment is one."""
_BATCH = 8
_CLIP_TOLERANCE_S = 0.1  # a clip comes up to half a picture early
_FINGERPRINT_STEP = 8  # pixels
_THUMBNAIL_PX = 240  # long side
_THUMBNAIL_QUALITY = 80
_THUMBNAIL_EVERY_S = 1.0
_THUMBNAIL_TOLERANCE_S = 0.05
_MOST_THUMBNAIL_BYTES = 64_000_000  # some three hours in which there is always something to see


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture of the footage."""

    segment: int
    time_s: float
    jpeg: bytes = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Block:
    """Pictures that follow each other."""

    segment: int
    times_s: list[float] = field(default_factory=list)
    seen: list[Features] = field(default_factory=list)
    """Vectors in half precision: there are many."""
    thumbnails: list[Thumbnail] = field(default_factory=list)
    """About one a second while there is something to see."""

    @property
    def vectors(self) -> int:
        """Active cells over all pictures."""
        return sum(len(one.cells) for one in self.seen)


@dataclass(slots=True)
class Footage:
    """All that is kept of the footage.

    When there are more vectors than `most_vectors`, every other block is given up and so is every other one of those
    that follow: what is kept still covers the whole time, in stretches without gaps.
    """

    most_vectors: int
    blocks: list[Block] = field(default_factory=list)
    pictures: int = 0
    """All, kept or not."""
    _keep_every: int = 1
    _begun: int = 0
    _thumbnail_every_s: float = _THUMBNAIL_EVERY_S
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def seconds(self) -> float:
        """Time covered by the blocks kept."""
        return sum(_duration_s(block) for block in self.blocks)

    @property
    def fingerprint(self) -> str:
        """Hash of all pictures, hexadecimal."""
        return self._hash.hexdigest()

    @property
    def thinned(self) -> bool:
        """Whether blocks were given up."""
        return self._keep_every > 1

    def take(self, shot: Shot, seen: Features) -> None:
        """Add one picture."""
        self.pictures += 1
        self._hash.update(shot.picture.image[::_FINGERPRINT_STEP, ::_FINGERPRINT_STEP].tobytes())
        if not self.blocks or self._is_full(shot):
            self._begin(shot.segment)
        block = self.blocks[-1]
        block.times_s.append(shot.picture.stream_time_s)
        block.seen.append(
            Features(
                cells=seen.cells,
                samples={
                    name: Sample(one.cells, one.vectors.astype(np.float16)) for name, one in seen.samples.items()
                },
                whole=within(block, seen.whole),
            )
        )
        if (len(seen.cells) or seen.whole is not None) and self._is_thumbnail_due(block):
            block.thumbnails.append(_thumbnail(shot))

    def _is_thumbnail_due(self, block: Block) -> bool:
        if not block.thumbnails:
            return True
        passed_s = block.times_s[-1] - block.thumbnails[-1].time_s
        return passed_s >= self._thumbnail_every_s - _THUMBNAIL_TOLERANCE_S

    def _is_full(self, shot: Shot) -> bool:
        block = self.blocks[-1]
        return shot.segment != block.segment or shot.picture.stream_time_s - block.times_s[0] >= BLOCK_S

    def _begin(self, segment: int) -> None:
        if self.blocks and (self._begun - 1) % self._keep_every:
            self.blocks.pop()  # complete now, and not one of those that are kept
        if sum(block.vectors for block in self.blocks) > self.most_vectors:
            del self.blocks[1::2]
            self._keep_every *= 2
        if sum(len(one.jpeg) for block in self.blocks for one in block.thumbnails) > _MOST_THUMBNAIL_BYTES:
            self._thin_thumbnails()
        self._begun += 1
        self.blocks.append(Block(segment=segment))

    def _thin_thumbnails(self) -> None:
        """Give up every other one."""
        self._thumbnail_every_s *= 2.0
        before = 0
        for block in self.blocks:
            first = before % 2
            before += len(block.thumbnails)
            block.thumbnails = block.thumbnails[first::2]


def collect(shots: Iterable[Shot], observer: Observer, network: Network, most_vectors: int) -> Footage:
    """Features of all pictures."""
    footage = Footage(most_vectors)
    batch: list[Shot] = []
    for shot in shots:
        batch.append(shot)
        if len(batch) == _BATCH:
            _extract(batch, observer, network, footage)
            batch = []
    _extract(batch, observer, network, footage)
    return footage


def _extract(batch: list[Shot], observer: Observer, network: Network, footage: Footage) -> None:
    sightings = [
        Sighting(observer=observer, image=shot.picture.image, time_s=shot.picture.stream_time_s) for shot in batch
    ]
    for shot, seen in zip(batch, features(network, sightings), strict=True):
        footage.take(shot, seen)


def _thumbnail(shot: Shot) -> Thumbnail:
    image = shot.picture.image
    height, width = image.shape[:2]
    scale = min(1.0, _THUMBNAIL_PX / max(height, width))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    written, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _THUMBNAIL_QUALITY])
    assert written, "OpenCV writes any picture of 8 bits as a JPEG"
    return Thumbnail(shot.segment, shot.picture.stream_time_s, data.tobytes())


def within(block: Block, whole: Whole | None) -> Whole | None:
    """What was seen of the whole picture, unless its clip began before the block, which would be no longer unseen."""
    if whole is None or whole.end_s - block.times_s[0] < SPAN_S - _CLIP_TOLERANCE_S:
        return None
    return replace(whole, vectors=whole.vectors.astype(np.float16))


def _duration_s(block: Block) -> float:
    """From the first picture to one interval after the last."""
    count = len(block.times_s)
    if count < 2:
        return 0.0
    return (block.times_s[-1] - block.times_s[0]) * count / (count - 1)

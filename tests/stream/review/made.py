"""Alerts with real evidence, made quickly: pictures, an H.264 clip that a browser plays, a trace."""

import json
import subprocess
from dataclasses import replace
from datetime import UTC, timedelta

import cv2
import numpy as np

from stream.clock import utc_text
from stream.store import EVIDENCE, AlertRecord, evidence_path

WIDTH, HEIGHT = 320, 180
CLIP_START_S, CLIP_S = 95.0, 8.0
"""Stream time of the clip's first picture, and how long it is."""
STARTED_S, PEAKED_S, ENDED_S = 98.0, 99.5, 101.0


def record(index, camera="gate", *, started, kind="anomaly", **fields):
    """One alert whose id tells its place in the row."""
    values = {
        "id": f"{started.astimezone(UTC):%Y%m%d-%H%M%S}-{camera}-{index:05d}",
        "camera": camera,
        "kind": kind,
        "state": "ended",
        "started_utc": utc_text(started),
        "ended_utc": utc_text(started + timedelta(seconds=3)),
        "started_s": STARTED_S,
        "peaked_s": PEAKED_S,
        "ended_s": ENDED_S,
        "score": 6.0 if kind == "anomaly" else 0.0,
        "threshold": 2.0 if kind == "anomaly" else 0.0,
        "region": (0.4, 0.3, 0.6, 0.7) if kind == "anomaly" else None,
        "reason": "" if kind == "anomaly" else "covered: sees nothing",
        "words": "moving 3.4x faster than normal here" if kind == "anomaly" else "",
    }
    return AlertRecord(**{**values, **fields})


def with_pictures(folder, one, hue=0, roles=("picture", "clean", "strip")):
    """The alert with pictures of this hue on disk."""
    for role in roles:
        path = evidence_path(folder, one.camera, one.id, role)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture(hue), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return replace(one, evidence=tuple(str(evidence_path(folder, one.camera, one.id, role)) for role in roles))


def with_clip(folder, one):
    """The alert with a clip and its trace on disk."""
    clip, trace = (evidence_path(folder, one.camera, one.id, role) for role in ("clip", "trace"))
    comment = json.dumps({"stream_time_s": CLIP_START_S})
    source = f"testsrc=size={WIDTH}x{HEIGHT}:rate=10:duration={CLIP_S}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-c:v", "libx264"]
    command += ["-g", "10", "-movflags", "+faststart", "-metadata", f"comment={comment}", "-y", str(clip)]
    subprocess.run(command, check=True, timeout=60)
    trace.write_text(json.dumps(traced()))
    return replace(one, evidence=(*one.evidence, str(clip), str(trace)))


def traced():
    """Scores that rise to the peak and fall again, and a heat map with one hot place."""
    times = np.arange(CLIP_START_S, CLIP_START_S + CLIP_S, 0.2)
    scores = 0.8 + 5.2 * np.exp(-(((times - PEAKED_S) / 0.9) ** 2))
    heat = np.zeros((9, 16), np.uint8)
    heat[3:6, 7:10] = 255
    return {
        "version": 1,
        "times_s": times.round(3).tolist(),
        "scores": scores.round(4).tolist(),
        "thresholds": [2.0] * len(times),
        "families": {"motion": scores.round(4).tolist()},
        "peaked_s": PEAKED_S,
        "heat": {"shape": list(heat.shape), "values": heat.ravel().tolist()},
        "region": [0.4, 0.3, 0.6, 0.7],
        "words": "moving 3.4x faster than normal here",
    }


def picture(hue):
    """A street of one colour, (HEIGHT, WIDTH, 3) BGR."""
    hsv = np.full((HEIGHT, WIDTH, 3), (hue % 180, 60, 140), np.uint8)
    hsv[HEIGHT // 2 :, :, 2] = 90
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    cv2.rectangle(image, (140, 60), (180, 120), (40, 60, 200), -1)
    return image


def evidence_folder(folder):
    return folder / EVIDENCE

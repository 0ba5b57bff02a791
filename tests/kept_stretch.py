"""What a watch keeps of a stretch of a scene, as its worker would have seen it."""

from datetime import timedelta

from detector import bundle
from detector.detector import Sighting, features, from_bundle
from detector.features.network import Network
from detector.stretch import About, Stretch
from stream.clock import utc_text
from stream.source import open_source


def seen(model, source, *, camera, began):
    """The stretch of this source with the model's settings, whose first moment was `began`."""
    prepared, network = bundle.read(model), Network("cpu", 1)
    made = prepared.preparation
    _, observer = from_bundle(prepared, model.name, "cpu")
    times_s, found = [], []
    with open_source(source, size=(made.width, made.height), rate_fps=made.rate_fps, connection=None) as opened:
        for one in opened:
            times_s.append(one.stream_time_s)
            found += features(network, [Sighting(observer=observer, image=one.image, time_s=one.stream_time_s)])
    about = About(
        camera=camera,
        model="",
        width=made.width,
        height=made.height,
        rate_fps=made.rate_fps,
        started_utc=utc_text(began + timedelta(seconds=times_s[0])),
        ended_utc=utc_text(began + timedelta(seconds=times_s[-1])),
    )
    return Stretch(about=about, times_s=tuple(times_s), seen=tuple(found))

"""What a network does to a camera, and what shall become of it: for the tests, and to be timed."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.proxy import Proxy


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault between a live camera and its capture process."""

    name: str
    begin: Callable[[Proxy], None]
    lasts: bool = True
    """Until the proxy is healed; otherwise it is over at once."""
    states: tuple[str, ...]
    """Entered in this order, before "live" again; "lost" twice where its cause changes."""
    reasons: tuple[str, ...]
    """What they say."""


SILENT = "connected, but no whole picture comes"
FAULTS = (
    Fault(
        name="connection closed",
        begin=Proxy.drop,
        lasts=False,
        states=("lost",),
        reasons=("the camera ended the stream",),
    ),
    Fault(
        name="cut in the middle of a packet",
        begin=Proxy.cut,
        lasts=False,
        states=("lost",),
        reasons=("the camera ended the stream",),
    ),
    Fault(
        name="connection refused",
        begin=Proxy.refuse,
        states=("lost", "lost"),
        reasons=("the camera ended the stream", "nothing listens at port"),
    ),
    Fault(
        name="accepted, then silence",
        begin=Proxy.mute,
        states=("lost", "lost"),
        reasons=("the camera ended the stream", "connected, but no answer within"),
    ),
    Fault(
        name="stall: open, nothing comes",
        begin=Proxy.stall,
        states=("stalled", "lost", "lost"),
        reasons=(SILENT, "no picture for", "connected, but no answer within"),
    ),
)

"""What a command computes with: a device, and a clip network where the settings name one."""

from typing import TYPE_CHECKING

from calibrate.interrupt import exit_on_interrupt
from configs.options import Device, fail, messages
from configs.settings import ClipSettings

if TYPE_CHECKING:
    from detector.clips import ClipView


def use(device: Device, threads: int = 0) -> tuple[str, int]:
    """Set this process up to compute there; "cpu" or "cuda", and how many threads, where 0 asks for all cores."""
    from detector.device import DeviceError, use_device

    try:
        return use_device(device.value, threads)
    except DeviceError as error:
        fail(str(error))


def clip_view(settings: ClipSettings, device: str) -> "ClipView | None":
    """How whole pictures are looked at in clips, the network loaded; None where the settings have none."""
    if settings.network is None:
        return None
    assert settings.weights is not None, "asked in the schema"
    with exit_on_interrupt(messages):
        from detector.clips import ClipView
        from detector.features.clip import ClipNetwork

        network = ClipNetwork(settings.network, settings.weights, device)
    return ClipView(network=network, stride_s=settings.stride_s)

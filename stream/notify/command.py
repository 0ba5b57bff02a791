"""The command that sends a test notice by each channel and says whether it arrived."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from configs.options import ConfigFile, output
from configs.schema import ConfigError, load_notify

if TYPE_CHECKING:
    from configs.notify import AppriseSettings, MqttSettings, NotifySettings, WebhookSettings


def notify_test(
    config_file: ConfigFile = None,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Only this channel.")] = None,
) -> None:
    """Send a test notice by each channel of a site file, one after the other, and say which arrived.

    A watch that runs is not disturbed. Exit status 1 where one did not arrive.
    """
    from stream.notify.apprise_service import check_installed

    settings = None if config_file is None else load_notify(config_file)
    if settings is None:
        where = "name a site file with --config" if config_file is None else f"{config_file} has no section notify"
        raise ConfigError(f"no channel to test: {where}; see docs/notifications.md")
    chosen = [one for one in settings.channels if channel in (None, one.name)]
    if not chosen:
        raise ConfigError(f"no channel {channel!r}: there is {', '.join(one.name for one in settings.channels)}")
    check_installed(settings)
    arrived = [_try(settings, one) for one in chosen]
    if not all(arrived):
        raise typer.Exit(1)


def _try(settings: "NotifySettings", chosen: "MqttSettings | WebhookSettings | AppriseSettings") -> bool:
    """Send to one and say how that went; whether it arrived."""
    from stream.clock import utc_now
    from stream.notice import Notice
    from stream.notify.channel import NotDeliveredError, RefusedError
    from stream.notify.channels import opened

    utc, started_s = utc_now(), time.monotonic()
    receiver = opened(settings, chosen, test=True)
    try:
        receiver.deliver(Notice(id=f"test/{utc}", event="test", utc=utc), None)
    except (NotDeliveredError, RefusedError) as error:
        said, arrived = f"failed: {error}", False
    else:
        said, arrived = f"arrived after {time.monotonic() - started_s:.2f} s", True
    finally:
        receiver.close()
    way = type(chosen).__name__.removesuffix("Settings").lower()
    output.print(f"{chosen.name} ({way}): {said}", soft_wrap=True, highlight=False, markup=False)
    return arrived

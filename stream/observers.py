"""Who listens to the bus, as lines of the table of processes: what shows it here, answers others, tells them."""

from pathlib import Path
from typing import Literal

from configs.notify import NotifySettings
from configs.settings import BusSettings, HealthSettings
from stream.bus import Endpoints
from stream.bus.keys import server_options
from stream.bus.relay import PROCESS as RELAY
from stream.bus.relay import RelaySpec
from stream.dashboard.process import DashboardSpec
from stream.health.process import PROCESS as HEALTH
from stream.health.process import HealthSpec
from stream.notify.spec import PROCESS as NOTIFY
from stream.notify.spec import NotifySpec
from stream.printer import PrinterSpec
from stream.seat import Child

Show = Literal["dashboard", "json", "log"]

STAGE = 0
"""They are there before anything is said."""


def viewers(
    show: Show,
    endpoints: Endpoints,
    cameras: tuple[str, ...] | None,
    *,
    title: str,
    here: bool = True,
    picture: Path | None = None,
) -> list[Child]:
    """What shows on this machine what is heard on the bus.

    Args:
        cameras: As in `DashboardSpec`.
        here: As in `DashboardSpec`.
        picture: Where the dashboard writes a picture of itself while an anomaly is open.
    """
    if show == "dashboard":
        spec = DashboardSpec(endpoints=endpoints, cameras=cameras, title=title, here=here, picture=picture)
        return [Child(name="view", target="stream.dashboard.process:run", spec=spec, stage=STAGE, adapts=True)]
    if show == "json":
        printer = PrinterSpec(endpoints=endpoints)
        return [Child(name="printer", target="stream.printer:run", spec=printer, stage=STAGE)]
    return []


def servers(health: HealthSettings, bus: BusSettings, endpoints: Endpoints, cameras: tuple[str, ...]) -> list[Child]:
    """What others may ask, where the settings want that.

    Raises:
        KeysError: Those of the bus cannot be used.
    """
    children = []
    if health.listen is not None:
        asked = HealthSpec(endpoints=endpoints, cameras=cameras, listen=health.listen)
        children.append(Child(name=HEALTH, target="stream.health.process:run", spec=asked, stage=STAGE, adapts=True))
    if bus.listen is not None:
        assert bus.keys is not None, "asked by the schema"
        server_options(bus.keys)  # what is wrong with them is told now
        relay = RelaySpec(endpoints=endpoints, listen=bus.listen, keys=bus.keys)
        children.append(Child(name=RELAY, target="stream.bus.relay:run", spec=relay, stage=STAGE))
    return children


def notifiers(
    settings: NotifySettings | None, endpoints: Endpoints, folder: Path, cameras: tuple[str, ...]
) -> list[Child]:
    """What tells people of alerts, where the settings want that. It ends after the sink, whose last ones it tells.

    Args:
        folder: Of the store.
    """
    if settings is None:
        return []
    spec = NotifySpec(endpoints=endpoints, folder=folder, cameras=cameras, settings=settings)
    return [Child(name=NOTIFY, target="stream.notify.process:run", spec=spec, stage=STAGE)]

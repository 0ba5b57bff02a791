"""Another machine's cameras on this one's screen: the same observers, fed by that machine's relay.

The processes here have a bus of their own, on which they say that they work; only what they show comes from there.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from configs.settings import SupervisorSettings
from stream.bus import Endpoints
from stream.bus.reach import reach
from stream.observers import Show, viewers
from stream.running import sockets
from stream.site import Outcome, run
from stream.stopping import StopSignals
from stream.store import default_folder
from stream.supervisor import Supervisor

LOG_NAME = "remote.log"


def look(address: str, keys: Path, *, show: Show, seconds: float | None = None) -> Outcome:
    """Show what the machine at this address watches, until it is told to stop. Call it in the main thread.

    A connection that breaks later is made again; meanwhile the dashboard says how long nothing has come.

    Args:
        address: tcp://HOST:PORT of its relay.
        keys: Folder with the client's keys.
        seconds: Time to show it, None = no end.

    Raises:
        BusError: It cannot be reached, or does not let us in.
        KeysError: The keys cannot be used.
        LogError: The log cannot be written.
    """
    reach(address, keys)
    log_file = default_folder() / LOG_NAME if show == "dashboard" else None
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())  # so that what is made here is also taken away
        here = Endpoints.in_folder(stack.enter_context(sockets()))
        there = replace(here, subscribe=address, keys=keys.absolute())
        children = viewers(show, there, None, title=f"MULDE stream · {address}", here=False)
        return run(Supervisor(SupervisorSettings(), children, here, log_file), signals, log_file, seconds)

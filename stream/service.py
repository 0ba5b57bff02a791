"""What a service manager such as systemd is told about this process: one datagram to the socket it names.

Says nothing where the program was not started by one.
"""

import contextlib
import os
import socket

_PATIENCE_S = 0.5  # with a manager that is busy; one that is gone must not hold up the work either


def tell(**assignments: str | int) -> None:
    """Tell the service manager: `tell(READY=1, STATUS="4 processes work")`; see sd_notify(3).

    A value is one line. Blocks for half a second at most; what the manager does not take by then is lost.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # a name that is in no folder
        address = f"\0{address[1:]}"
    text = "\n".join(f"{name}={value}" for name, value in assignments.items())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(_PATIENCE_S)
        sender.sendto(text.encode(), address)

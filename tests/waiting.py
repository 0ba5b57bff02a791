"""The one place where tests wait by looking again and again."""

import time

_LOOK_S = 0.01


def wait_until(condition, within_s):
    """What `condition` returns as soon as it is true, or in the end."""
    deadline_s = time.monotonic() + within_s
    while not (found := condition()) and time.monotonic() < deadline_s:
        time.sleep(_LOOK_S)
    return found

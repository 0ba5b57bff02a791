"""Ctrl-C that ends the process at once, also while a library computes for seconds and Python cannot react."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

_STATUS = 130  # of a process that ended by Ctrl-C
_OVER = 0  # no signal has this number


@contextmanager
def exit_on_interrupt(console: Console) -> Iterator[None]:
    """Within the block Ctrl-C prints "stopped" and ends the process on the spot; nothing is cleaned up.

    For the main thread only. It does not matter which thread the signal reaches: Python's own handler in C writes it
    to a pipe, and a thread of this block reads it there.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(writing, False)

    def wait() -> None:
        while (number := os.read(reading, 1)[0]) != _OVER:
            if number == signal.SIGINT:
                console.show_cursor()
                console.print("stopped")
                os._exit(_STATUS)

    waiting = threading.Thread(target=wait, name="interrupt")
    waiting.start()
    # A handler that raises nothing: a KeyboardInterrupt would become an error of whatever is being loaded.
    handler = signal.signal(signal.SIGINT, lambda *_: None)
    descriptor = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGINT, handler)
        os.write(writing, bytes([_OVER]))
        waiting.join()
        os.close(reading)
        os.close(writing)

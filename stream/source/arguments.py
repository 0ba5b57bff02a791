"""Sources as they stand on a command line: environment variables filled in, passwords taken out of sight."""

import sys
from collections.abc import Sequence

from setproctitle import setproctitle

from configs.schema import ConfigError
from configs.settings import expand_environment
from stream.source.error import redact


def expanded(sources: Sequence[str] | None) -> list[str]:
    """The sources with ${NAME} replaced from the environment.

    URLs with a password also leave the process list, where every user of the machine could read them.

    Raises:
        ConfigError: A variable is not set.
    """
    try:
        names = [expand_environment(source) for source in sources or []]
    except ValueError as error:
        raise ConfigError(f"SOURCE: {error}") from error
    if any(redact(source) != source for source in sources or []):
        setproctitle("mulde-stream " + " ".join(redact(argument) for argument in sys.argv[1:]))
    return names

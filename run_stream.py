"""The command line: which commands there are, and how errors are told. Imports nothing heavy; commands do."""

import signal

if __name__ == "__main__":  # until `main` a Ctrl-C ends it without a traceback; not in the processes it spawns
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from calibrate import clip_command
from calibrate import command as calibrate_command
from calibrate.backtest import command as backtest_command
from calibrate.evaluate import command as evaluate_command
from calibrate.feedback import commands as feedback_commands
from calibrate.toy import command as toy_command
from configs.options import fail, messages
from stream import commands as stream
from stream import remote_commands as remote
from stream.alerts import commands as alerts
from stream.doctor import command as doctor_command
from stream.health import status_command
from stream.notify import command as notify
from stream.probe import command as probe_command
from stream.review import command as review_command

_UsageError: type[Any] = typer.BadParameter.__bases__[0]  # which typer has under no name of its own


def main() -> None:
    """Run the command line; a wrong use of it is exit status 2."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Threads that spin while they wait take the cores from those that work. Read once, when torch is loaded, also by
    # the processes started from here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = app(standalone_mode=False)
    except _UsageError as error:
        line = error.format_message()  # empty where the help was shown instead
        if line:
            messages.print(f"error: {line.rstrip('.')}: see --help", soft_wrap=True, highlight=False, markup=False)
        sys.exit(2)
    sys.exit(status)


@contextmanager
def _errors_in_one_line(interrupted: int = 130) -> Iterator[None]:
    """Turn every error that a user can mend into its line and exit status 1, and Ctrl-C into `interrupted`."""
    try:
        yield
    except KeyboardInterrupt:
        messages.print("stopped")
        raise typer.Exit(interrupted) from None
    except _mendable() as error:
        fail(str(error))


def _mendable() -> tuple[type[Exception], ...]:
    """Errors whose message is a line for the user. Asked for only when something was raised: it takes imports."""
    from calibrate.evaluate.labels import LabelsError
    from calibrate.feedback.error import MarkingError
    from calibrate.footage import FootageError
    from calibrate.toy.settings import ToyError
    from configs.schema import ConfigError
    from detector.bundle import BundleError
    from detector.features.clip_weights import ClipError
    from stream.bus import BusError
    from stream.bus.keys import KeysError
    from stream.evidence import EvidenceError
    from stream.logs import LogError
    from stream.probe.facts import ProbeError
    from stream.review.error import ReviewError
    from stream.ring import RingError
    from stream.running import RunningError
    from stream.source.error import SourceError
    from stream.store import StoreError

    return (
        BundleError,
        BusError,
        ClipError,
        ConfigError,
        EvidenceError,
        FootageError,
        KeysError,
        LabelsError,
        LogError,
        MarkingError,
        ProbeError,
        ReviewError,
        RingError,
        RunningError,
        SourceError,
        StoreError,
        ToyError,
    )


def _group(text: str) -> typer.Typer:
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app = _group("Watch cameras for what is not normal: calibrate on normal footage, then watch.")
_alerts = _group("Look at the alerts that were kept, say which were right or about nothing, remove them.")
app.add_typer(_alerts, name="alerts")
app.command()(_errors_in_one_line()(stream.demo))
app.command()(_errors_in_one_line()(doctor_command.doctor))
app.command()(_errors_in_one_line()(probe_command.probe))
app.command()(_errors_in_one_line()(calibrate_command.calibrate))
# Ctrl-C is how people end a monitor, also one that only starts.
app.command()(_errors_in_one_line(interrupted=0)(stream.watch))
app.command()(_errors_in_one_line()(status_command.status))
app.command()(_errors_in_one_line()(stream.reload))
app.command()(_errors_in_one_line(interrupted=0)(review_command.review))
app.command()(_errors_in_one_line()(notify.notify_test))
app.command()(_errors_in_one_line()(remote.keys))
app.command()(_errors_in_one_line(interrupted=0)(remote.dashboard))
app.command()(_errors_in_one_line()(backtest_command.backtest))
app.command()(_errors_in_one_line()(evaluate_command.evaluate))
app.command()(_errors_in_one_line()(clip_command.fetch_clip_weights))
app.command(cls=toy_command.ToyCommand)(_errors_in_one_line()(toy_command.toy))
_alerts.command("list")(_errors_in_one_line()(alerts.list_alerts))
_alerts.command()(_errors_in_one_line()(alerts.show))
_alerts.command()(_errors_in_one_line()(alerts.export))
_alerts.command()(_errors_in_one_line()(alerts.delete))
_alerts.command()(_errors_in_one_line()(feedback_commands.mark_normal))
_alerts.command()(_errors_in_one_line()(feedback_commands.mark_real))
_alerts.command()(_errors_in_one_line()(feedback_commands.undo))


if __name__ == "__main__":
    main()

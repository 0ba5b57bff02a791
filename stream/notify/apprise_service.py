"""Apprise: e-mail, ntfy, Telegram and a hundred other services, each behind a URL of its own form.

The library is an optional part of the product and is loaded only where a channel names it. It says of a failure only
that there was one, so that everything it does not take is tried again. No service of it knows a repeated message, so
of one whose acknowledgement is lost there may be two.
"""

import importlib.util
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from configs.notify import AppriseSettings, NotifySettings
from configs.schema import ConfigError
from stream.notice import Notice
from stream.notify.channel import NotDeliveredError, scrubbed
from stream.notify.text import body, title

if TYPE_CHECKING:
    import apprise

_MISSING = "needs the package apprise: pip install 'mulde-stream[apprise]'"


def check_installed(settings: NotifySettings) -> None:
    """Say at the start what would otherwise be said at the first alert. Does not load the library.

    Raises:
        ConfigError: A channel needs it, and it is not there.
    """
    if settings.apprise and not _is_installed():
        raise ConfigError(f"notify.apprise.0 ({settings.apprise[0].name}): {_MISSING}")


class AppriseService:
    """One service."""

    def __init__(self, settings: AppriseSettings) -> None:
        self._settings = settings
        self._service: apprise.Apprise | None = None

    def deliver(self, notice: Notice, picture: Path | None) -> None:
        """See `Channel`. Blocks for Apprise's own time-outs, 4 s each unless the URL says otherwise."""
        service = self._loaded()
        kind = "warning" if notice.event == "start" and notice.kind == "anomaly" else "info"
        with _Told() as told:
            taken = service.notify(
                title=title(notice),
                body=body(notice),
                notify_type=kind,
                body_format="text",
                attach=str(picture) if picture is not None else None,
            )
        if not taken:
            reason = scrubbed(" ".join(told.lines), self._settings.url)
            raise NotDeliveredError(reason or "the service did not take it")

    def close(self) -> None:
        """Nothing is held between two notices."""

    def _loaded(self) -> "apprise.Apprise":
        if self._service is None:
            if not _is_installed():
                raise NotDeliveredError(_MISSING)
            import apprise

            # In this thread, and within each service's own time-outs: its pool would outlive this process's end.
            asset = apprise.AppriseAsset(app_id="MULDE stream", async_mode=False, service_timeout=0)
            service = apprise.Apprise(asset=asset)
            with _Told():  # what it says of a URL that it does not understand quotes it
                understood = service.add(self._settings.url)
            if not understood:
                raise NotDeliveredError("url is not one that Apprise understands: see its documentation")
            self._service = service
        return self._service


def _is_installed() -> bool:
    return importlib.util.find_spec("apprise") is not None


class _Told(logging.Handler):
    """What Apprise logs meanwhile, which goes nowhere else: it holds tokens."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()
        self._logger = logging.getLogger("apprise")

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:  # another channel's secrets are not known here
            self.lines.append(record.getMessage())

    def __enter__(self) -> "_Told":
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

"""The section `notify`: who is told of alerts, which way, how often and when. Secrets come from the environment."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from configs.settings import Section, expand_environment, from_site_folder

_CAMERA = r"^[A-Za-z0-9_-]{1,32}$"
_HOST = r"^([A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)$"
_SHORTEST_SECRET = 16
_SECRETS = ("url", "username", "password", "secret", "authorization")

Kind = Literal["anomaly", "camera", "drift"]


class ChannelSettings(Section):
    """What all ways have in common: what goes that way, and how often."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="1 to 32 letters, digits, - or _, unique")
    cameras: tuple[Annotated[str, Field(pattern=_CAMERA)], ...] | None = Field(
        None, strict=False, min_length=1, description="only of these cameras, null = of all"
    )
    kinds: tuple[Kind, ...] = Field(
        ("anomaly", "camera", "drift"), strict=False, min_length=1, description="only alerts of these kinds"
    )
    ends: bool = Field(True, description="false tells only that an alert begins")
    pictures: bool = Field(True, description="send the alert's picture where there is one")
    per_camera_per_hour: int = Field(
        6, ge=1, le=3600, description="alerts of a camera told one by one; further ones come in an hourly digest"
    )
    quiet: str | None = Field(
        None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description='hours such as "22:00-06:00", local time, whose alerts are told afterwards in one digest',
    )
    urgent: float | None = Field(
        None, ge=1.0, le=1000.0, description="in quiet hours alerts above so many thresholds are told at once"
    )

    @field_validator(*_SECRETS, check_fields=False)
    @classmethod
    def _expand_environment(cls, text: str | None) -> str | None:
        return None if text is None else expand_environment(text)

    @model_validator(mode="after")
    def _urgent_is_about_quiet_hours(self) -> "ChannelSettings":
        if self.urgent is not None and self.quiet is None:
            raise ValueError("urgent: must be given with quiet: at other hours alerts are told at once anyhow")
        if self.quiet is not None and self.quiet[:5] == self.quiet[6:]:
            raise ValueError("quiet: must end at another time than it begins")
        return self


class _OverNetwork(ChannelSettings):
    """Whose certificate is checked by this program."""

    ca_file: Path | None = Field(
        None, strict=False, description="certificates to trust (PEM) instead of the system's, for one's own"
    )

    @field_validator("ca_file")
    @classmethod
    def _ca_file_beside_site_file(cls, ca_file: Path | None, info: ValidationInfo) -> Path | None:
        return None if ca_file is None else from_site_folder(ca_file, info)


class MqttSettings(_OverNetwork):
    """An MQTT broker, as home automation has it."""

    host: str = Field(pattern=_HOST, description="the broker's name or address, without port")
    port: int | None = Field(None, ge=1, le=65535, description="null = 1883, or 8883 with tls")
    tls: bool = Field(False, description="encrypt, and check the broker's certificate")
    username: str | None = Field(None, repr=False)
    password: str | None = Field(None, repr=False)
    topic: str = Field(
        "mulde",
        pattern=r"^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,7}$",
        description="what topics begin with, letters, digits, -, _ and /; each watch at a broker has its own",
    )
    discovery: str | None = Field(
        "homeassistant",
        pattern=r"^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,7}$",
        description="Home Assistant's discovery prefix, null = do not announce the cameras there",
    )
    level_every_s: float = Field(10.0, ge=1.0, le=3600.0, description="time from one level of a camera to the next")

    @model_validator(mode="after")
    def _password_belongs_to_somebody(self) -> "MqttSettings":
        if self.password is not None and self.username is None:
            raise ValueError("username: must be given with password")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file: must be given with tls: true only")
        return self

    @property
    def effective_port(self) -> int:
        """The one that is meant where none is given."""
        return self.port or (8883 if self.tls else 1883)


class WebhookSettings(_OverNetwork):
    """A POST with JSON to a URL."""

    url: str = Field(repr=False, description="http:// or https:// URL; ${NAME} is an environment variable")
    secret: str | None = Field(None, repr=False, description="key of the signature, null = none")
    authorization: str | None = Field(None, repr=False, description='header Authorization, as "Bearer ${TOKEN}"')

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not url.isascii() or re.search(r"[\s\x00-\x1f\x7f]", url):
            raise ValueError("must be an http:// or https:// URL of ASCII characters")
        if "@" in parts.netloc:
            raise ValueError("must have no user and password: give them with authorization")
        return url

    @field_validator("secret")
    @classmethod
    def _cannot_be_guessed(cls, secret: str | None) -> str | None:
        if secret is not None and len(secret) < _SHORTEST_SECRET:
            raise ValueError(f"must have at least {_SHORTEST_SECRET} characters: openssl rand -hex 32")
        return secret

    @field_validator("authorization")
    @classmethod
    def _is_a_header(cls, text: str | None) -> str | None:
        if text is not None and not re.fullmatch(r"[\x20-\x7e]+", text):
            raise ValueError("must be printable ASCII characters")
        return text


class AppriseSettings(ChannelSettings):
    """Any service that Apprise knows: e-mail, ntfy, Telegram and a hundred others."""

    url: str = Field(repr=False, min_length=1, description="Apprise's URL; ${NAME} is an environment variable")


class NotifySettings(Section):
    """Who is told of alerts. Each entry is a channel; its name is what logs and counters call it."""

    mqtt: tuple[MqttSettings, ...] = Field((), strict=False)
    webhook: tuple[WebhookSettings, ...] = Field((), strict=False)
    apprise: tuple[AppriseSettings, ...] = Field((), strict=False)
    timeout_s: float = Field(10.0, ge=0.5, le=60.0, description="patience with a receiver, each time")
    retry_first_s: float = Field(2.0, ge=0.1, le=60.0, description="wait before the second try; doubles")
    retry_max_s: float = Field(300.0, ge=0.1, le=3600.0, description="longest wait between two tries")
    give_up_hours: float = Field(
        72.0, gt=0.0, le=8760.0, description="what could not be delivered for so long is given up"
    )

    @property
    def channels(self) -> tuple[MqttSettings | WebhookSettings | AppriseSettings, ...]:
        """All of them."""
        return (*self.mqtt, *self.webhook, *self.apprise)

    @model_validator(mode="after")
    def _channels_have_names_of_their_own(self) -> "NotifySettings":
        if not self.channels:
            raise ValueError("must have a channel in mqtt, webhook or apprise, or be left out")
        if self.retry_first_s > self.retry_max_s:
            raise ValueError(f"retry_first_s: must be at most retry_max_s ({self.retry_max_s:g})")
        names: set[str] = set()
        for way in ("mqtt", "webhook", "apprise"):
            for index, channel in enumerate(getattr(self, way)):
                if channel.name in names:
                    raise ValueError(f"{way}.{index}.name: must be unique, another channel is {channel.name!r}, too")
                names.add(channel.name)
        return self

    def unknown_camera(self, known: set[str]) -> tuple[str, str] | None:
        """Where a channel names a camera that is not one of these, and that name; None where none does."""
        for way in ("mqtt", "webhook", "apprise"):
            for index, channel in enumerate(getattr(self, way)):
                for place, name in enumerate(channel.cameras or ()):
                    if name not in known:
                        return f"{way}.{index}.cameras.{place}", name
        return None

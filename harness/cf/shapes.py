"""The parts of Cloud Controller's resources that operations look at; anything else in them is let be. Values only."""

from typing import Any

import msgspec


class Resource(msgspec.Struct, frozen=True):
    """Any resource."""

    guid: str


class Named(msgspec.Struct, frozen=True):
    """A space, an organization."""

    guid: str
    name: str


class _Guid(msgspec.Struct, frozen=True):
    guid: str


class ToOne(msgspec.Struct, frozen=True):
    """A relationship to one other resource."""

    data: _Guid | None = None

    @property
    def guid(self) -> str | None:
        """Of the other."""
        return self.data.guid if self.data is not None else None


class OfApp(msgspec.Struct, frozen=True):
    """What an app belongs to."""

    space: ToOne = ToOne()


class App(msgspec.Struct, frozen=True):
    """An app."""

    guid: str
    name: str
    state: str = "STARTED"
    relationships: OfApp = OfApp()


class Instance(msgspec.Struct, frozen=True):
    """One instance, of a process's stats or embedded in the process; `uptime` in seconds."""

    state: str
    index: int = 0
    type: str = "web"
    uptime: float | None = None
    usage: dict[str, Any] | None = None
    details: str | None = None


class Process(msgspec.Struct, frozen=True):
    """A process and, where they were asked for, its instances."""

    guid: str
    type: str
    instances: int
    process_instances: list[Instance] | None = None


class Stats(msgspec.Struct, frozen=True):
    """Of one process: all of its instances, never paginated."""

    resources: list[Instance]


class RateLimits(msgspec.Struct, frozen=True):
    """Of `/v3/info`: requests per interval and user."""

    enabled: bool = False
    general_limit: int | None = None
    reset_interval_in_minutes: int | None = None


class Info(msgspec.Struct, frozen=True):
    """`/v3/info`."""

    name: str | None = None
    rate_limits: RateLimits | None = None


class Anything(msgspec.Struct, frozen=True):
    """An object, whatever is in it."""

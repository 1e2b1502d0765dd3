"""What a carrier must do: keep small values under keys. Few functions, so that a shared directory and a bucket can."""

from typing import Protocol

from harness.errors import HarnessError


class ChannelError(HarnessError):
    """A channel that can't be used: its URL, its rights, its settings."""


class SilentError(ChannelError):
    """A channel that does not answer at this moment; asking again may help."""

    exit_code = 3
    patience = 60.0  # seconds for which it is worth asking again


class NobodyError(SilentError):
    """Nothing listens there: what was to answer has not begun, or has ended."""

    patience = 10.0


class Store(Protocol):
    """Values under keys such as `runs/42/1/stop.json`. What one wrote, others read from then on, at the latest after
    `staleness` seconds. May be called from any thread.

    Every method raises SilentError where asking again may help, and ChannelError where it can't.
    """

    @property
    def name(self) -> str:
        """Its URL without secrets, for people."""

    @property
    def staleness(self) -> float:
        """Seconds after which the last reader sees what was written."""

    def create(self, key: str, value: bytes) -> bool:
        """Write what is not there yet. Of many that race exactly one is told True; who asks again with the same value,
        as after a lost answer, is told the same again."""

    def put(self, key: str, value: bytes) -> None:
        """Write, in place of what was there. A reader sees the old value or the new one, and never a part."""

    def get(self, key: str) -> bytes | None:
        """Read; None: nothing is there."""

    def list(self, prefix: str, after: str = "") -> list[str]:
        """The keys that begin with `prefix` and come after `after`, in order."""

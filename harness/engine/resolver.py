"""Host names to addresses: asked of the system, asked again on an interval, every address kept.

A look-up that fails while addresses are known is asked again at once; the second failure in a row counts, since a user
who arrives now would meet it too.
"""

import asyncio
import ipaddress
import socket
from typing import Protocol

from harness.engine.blame import Blame, of_names

AGAIN_AFTER_FAILURE = 0.5  # seconds
_FAILURES_THAT_COUNT = 2


class Address(tuple[str, int]):
    """A peer's numeric host and port; prints as 10.0.0.1:443 or [::1]:443."""

    __slots__ = ()

    def __str__(self) -> str:
        host, port = self
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Resolver(Protocol):
    """Where a target's addresses come from."""

    addresses: tuple[Address, ...]
    failure: Blame | None

    async def resolve(self) -> None:
        """Ask now; updates `addresses` and `failure`."""

    async def keep_asking(self) -> None:
        """Ask on the interval until cancelled."""


class SystemResolver:
    """getaddrinfo on the loop's thread pool. IP literals and `resolve: {host: ip}` need no asking."""

    def __init__(self, host: str, port: int, *, every: float, pinned: str | None) -> None:
        self._host = pinned or host
        self._port = port
        self._every = every
        self._failures = 0
        self.addresses: tuple[Address, ...] = ()
        self.failure: Blame | None = None
        self.changes = 0
        try:
            ipaddress.ip_address(self._host)
            self._literal = True
        except ValueError:
            self._literal = False

    async def resolve(self) -> None:
        """Ask the system. Addresses keep the order in which they first came."""
        if self._literal:
            self.addresses = (Address((self._host, self._port)),)
            return
        loop = asyncio.get_running_loop()
        try:
            # AI_ADDRCONFIG: no IPv6 addresses on a machine without IPv6
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        except OSError as error:
            self._failures += 1
            if not self.addresses or self._failures >= _FAILURES_THAT_COUNT:
                self.failure = of_names(error)
            return
        self._failures = 0
        self.failure = None
        fresh = dict.fromkeys(Address((str(entry[4][0]), int(entry[4][1]))) for entry in found)
        kept = [address for address in self.addresses if address in fresh]
        new = [address for address in fresh if address not in self.addresses]
        if self.addresses and (new or len(kept) != len(self.addresses)):
            self.changes += 1
        self.addresses = (*kept, *new)

    async def keep_asking(self) -> None:
        """Ask again every `every` seconds, sooner after a failure."""
        while not self._literal:
            await asyncio.sleep(AGAIN_AFTER_FAILURE if self._failures else self._every)
            await self.resolve()


def families_of(addresses: tuple[Address, ...]) -> tuple[tuple[Address, ...], ...]:
    """Addresses by family, in the system's order of preference (RFC 6724): alternatives for one host (RFC 8305)."""
    six = tuple(address for address in addresses if ":" in address[0])
    four = tuple(address for address in addresses if ":" not in address[0])
    groups = (six, four) if addresses and ":" in addresses[0][0] else (four, six)
    return tuple(group for group in groups if group)

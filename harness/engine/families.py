"""A host with addresses of both families is one host: which of them to use (RFC 8305). For every probe that dials."""

import asyncio
from collections.abc import Sequence

from harness.engine.dial import Dialer
from harness.engine.resolver import Address, families_of

_TRIAL = 1.0  # seconds that a family's first address gets to connect


async def preferred_family(addresses: Sequence[Address], dialer: Dialer, limit: float) -> bool | None:
    """True for IPv6, False for IPv4, the first that connects within `limit` seconds, or a target that listens on
    127.0.0.1 alone would fail every second attempt on `localhost`. None if there is no choice, or neither connects."""
    groups = families_of(tuple(addresses))
    if len(groups) < 2:
        return None
    for group in groups:
        try:
            wire = dialer.prepare(group[0])
        except OSError:
            continue
        try:
            async with asyncio.timeout(min(_TRIAL, limit)):
                await dialer.connect(wire, group[0])
        except (OSError, TimeoutError):
            continue
        finally:
            wire.close()
        return ":" in group[0][0]
    return None


def in_family(addresses: tuple[Address, ...], six: bool | None) -> tuple[Address, ...]:
    """Those of the preferred family, or all if none is left; without a preference those that the system prefers."""
    if six is None:
        groups = families_of(addresses)
        return groups[0] if groups else ()
    return tuple(address for address in addresses if (":" in address[0]) == six) or addresses

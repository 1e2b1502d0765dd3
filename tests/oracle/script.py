"""The script of a deployment, as plain data: what the platform does, what befalls the harness, and what is asked of it.

`draw` makes one from any source of choices: hypothesis shrinks it, a seeded generator makes a thousand of them.
Times are seconds after the run's start.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

KINDS = (
    "down",  # every connection is reset, new ones are refused
    "refuse",  # new connections are refused, old ones go on
    "reset",  # every connection is reset, and so is every request
    "drain",  # idle connections are closed in order, others once they are idle: a moment, not a time
    "stall",  # requests that come meanwhile are answered at the end
    "mute",  # requests that come meanwhile are never answered
    "freeze",  # nothing at all is answered until the end
    "503",
    "502",
    "router",
    "slow",  # answered `extra` seconds later
    "hole",  # the network loses every packet
    "dns",  # the name server does not answer
)


@dataclass(frozen=True)
class Fault:
    """What the platform does wrong."""

    kind: str
    at: float
    seconds: float = 0.0
    address: int | None = None  # of which of the target's addresses; None: all
    extra: float = 0.0  # seconds, of `slow`

    @property
    def end(self) -> float:
        """When it is over."""
        return self.at + self.seconds


@dataclass(frozen=True)
class Pause:
    """The harness stands still."""

    who: str  # workers | conductor | everything
    at: float
    seconds: float


@dataclass(frozen=True)
class Script:
    """One deployment."""

    rate: float = 20.0
    shards: int = 1
    fresh: bool = False
    addresses: int = 1
    timeout: float = 1.0
    one_way: float = 0.001  # seconds from us to the target, and from the target to us
    service: float = 0.01  # seconds that an answer takes, about
    spread: float = 0.0  # how far that varies
    stop_at: float = 25.0
    drain: float = 3.0
    faults: tuple[Fault, ...] = ()
    pauses: tuple[Pause, ...] = ()
    kills: tuple[float, ...] = ()  # of the first worker
    objectives: tuple[str, ...] = ()  # none: the probe's own
    mercy: bool = True  # blind time may be set aside
    reads_first: bool = False

    @property
    def undisturbed(self) -> bool:
        """Nothing befalls the harness."""
        return not self.pauses and not self.kills


class Pick(Protocol):
    """A source of choices."""

    def one_of(self, choices: Sequence[T]) -> T:
        """One of them."""

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""


class Dice:
    """Choices by a seeded generator."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def one_of(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def between(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


class _Drawn:
    """Choices by hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def one_of(self, choices: Sequence[T]) -> T:
        return self._draw(st.sampled_from(choices))

    def between(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


_LENGTHS = (0, 20, 80, 300, 500, 900, 970, 1000, 1030, 1100, 2000, 3000, 5500)  # ms
_PAUSES = (15, 30, 90, 150, 400, 1200, 3000, 5000, 6500)  # ms
_FIRST = 4000  # ms: until then the run becomes ready

_OBJECTIVES: tuple[tuple[str, ...], ...] = (
    (),
    (),
    (),
    ("success >= 99%", "longest_outage < 500ms"),
    ("p90 < 100ms",),
    ("p99 < 300ms over 12s",),
    ("p95 < 300ms", "success >= 90% over 10s"),
    ("failures < 5", "silence < 1s"),
    ("outages < 3", "total_outage < 1500ms"),
    ("max < 800ms", "longest_outage < 3s"),
)
_OBJECTIVES_OF_FEW = tuple(texts for texts in _OBJECTIVES if not any(text.startswith("p99") for text in texts))


def draw(pick: Pick, *, disturbed: bool | None = None) -> Script:
    """A script. `disturbed`: whether something befalls the harness too; None: as it comes."""
    if disturbed is None:
        disturbed = pick.between(0, 2) == 2
    rate = pick.one_of((20, 10, 50, 100, 5, 33))
    stop = pick.between(14_000, 30_000) / 1000
    addresses = pick.one_of((1, 1, 2))
    return Script(
        rate=float(rate),
        shards=pick.one_of((1, 1, 1, 2)),
        fresh=pick.one_of((False, False, True)),
        addresses=addresses,
        timeout=pick.one_of((1000, 300, 500, 2000, 4000)) / 1000,
        one_way=pick.one_of((1, 3, 20)) / 1000 / 2,
        service=pick.one_of((10, 2, 45)) / 1000,
        spread=pick.one_of((0, 5, 60)) / 1000,
        stop_at=stop,
        drain=pick.one_of((3000, 3000, 1000)) / 1000,
        faults=tuple(_fault(pick, stop, addresses) for _ in range(pick.one_of((1, 0, 1, 1, 2, 3)))),
        pauses=tuple(_pause(pick, stop) for _ in range(pick.one_of((1, 1, 2, 0)))) if disturbed else (),
        kills=tuple(_moment(pick, stop) for _ in range(pick.one_of((0, 0, 1, 2)))) if disturbed else (),
        objectives=pick.one_of(_OBJECTIVES if rate >= 10 else _OBJECTIVES_OF_FEW),
        mercy=pick.one_of((True, True, False)),
        reads_first=pick.one_of((False, True)),
    )


def _moment(pick: Pick, stop: float) -> float:
    return pick.between(_FIRST, int(stop * 1000) + 200) / 1000 + 0.0004


def _fault(pick: Pick, stop: float, addresses: int) -> Fault:
    kind = pick.one_of(KINDS)
    return Fault(
        kind=kind,
        at=_moment(pick, stop),
        seconds=0.0 if kind == "drain" else pick.one_of(_LENGTHS) / 1000,
        address=pick.one_of((None, *range(addresses))) if addresses > 1 else None,
        extra=pick.one_of((50, 250, 700, 1500)) / 1000 if kind == "slow" else 0.0,
    )


def _pause(pick: Pick, stop: float) -> Pause:
    who = pick.one_of(("workers", "conductor", "everything"))
    return Pause(who, _moment(pick, stop), pick.one_of(_PAUSES) / 1000)


@st.composite
def scripts(draw_: st.DrawFn, disturbed: bool | None = None) -> Script:
    """Scripts for hypothesis."""
    return draw(_Drawn(draw_), disturbed=disturbed)

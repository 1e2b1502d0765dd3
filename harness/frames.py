"""What workers say on standard output: one JSON object a line.

A stream is one `Hello`, then a `Frame` each quarter second, then one `Bye`. Frames are additive: counts and histograms
are deltas keyed by the *intended* second, runs of ticks are told once, so frames may be merged (a worker whose pipe is
full does) and replayed. `python -m harness.worker < spec.json | tee frames` keeps them.

Ticks are told by the ordinal of the shard. Times are seconds after the run's start unless they say otherwise;
latencies are whole microseconds in sparse HdrHistogram layout (`harness.histogram`).
"""

import base64
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from harness.histogram import Histogram, merge_into, merged
from harness.outcome import Cause, Component, Outcome

VERSION = 2
RUNS_BEFORE_BITMAP = 300
_BITMAP_SPAN = 1 << 15  # ordinals, about: shifting a longer integer for each run would hold up the loop


class Run(NamedTuple):
    """Consecutive ordinals, both ends included, that ended alike."""

    first: int
    last: int
    cause: Cause
    component: Component


class Bitmap(NamedTuple):
    """Scattered ordinals that ended alike: bit i (little-endian within bytes) of `bits` (base64) is ordinal first +
    i."""

    first: int
    bits: str
    cause: Cause
    component: Component


class Address(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What came of the attempts on one peer address."""

    good: int = 0
    causes: dict[str, int] = {}
    latency: Histogram = {}


class Second(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One second of one runner: what came of the ticks *intended* in it. Mutable only while a frame is gathered.

    Nothing is told twice, since at high rates a frame is little but histograms: each good answer's latency stands at
    its address, and only if it is told at none in `latency`; each answer's service time in `alike`, if its lower
    latency is the same (nearly all are), else one in `service` and the other in `latency_low`. The `whole_` ones add
    up.
    """

    sent: int = 0  # attempts whose fate is known or that were begun; missed ticks are not among them
    good: int = 0  # ok or degraded
    degraded: int = 0
    causes: dict[str, int] = {}  # every not-ok cause, our own included -> ticks
    latency: Histogram = {}  # good answers, from the intended start (upper)
    alike: Histogram = {}  # good answers, from the send, which was when the loop reached the tick
    latency_low: Histogram = {}  # good answers, from the moment the loop reached the tick, without our pauses
    service: Histogram = {}  # good answers, from the send
    lag: Histogram = {}  # every tick reached: how late the loop came to it
    statuses: dict[int, int] = {}  # status code -> answers
    addresses: dict[str, Address] = {}

    def whole_latency(self) -> Histogram:
        """All good answers, from the intended start."""
        return merged((*(address.latency for address in self.addresses.values()), self.latency))

    def whole_latency_low(self) -> Histogram:
        """All good answers, from the moment the loop reached the tick, without our pauses."""
        return merged((self.alike, self.latency_low))

    def whole_service(self) -> Histogram:
        """All good answers, from the send."""
        return merged((self.alike, self.service))


class Silence(NamedTuple):
    """A stretch without a good answer while attempts were outstanding; `paused` of it the harness itself stood
    still."""

    begin: float
    end: float
    paused: float


class Pause(NamedTuple):
    """The loop came to its timer late by more than 20 ms: from when it should have come to when it did."""

    begin: float
    end: float


class Health(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The worker's own state during one second (keyed by the second it was taken in)."""

    second: int
    wake_gap: float = 0.0  # worst lateness of a wake, seconds
    run_delay: float = 0.0  # seconds runnable but not running (/proc/self/schedstat)
    steal: float = 0.0  # share of the machine's time stolen by its host, 0 to 1
    pressure: float = 0.0  # PSI "some" for CPU, share of the second, 0 to 1
    gc: float = 0.0  # longest garbage collection, seconds
    cpu: float = 0.0  # seconds of CPU of this process
    rss: int = 0  # bytes
    files: int = 0  # open file descriptors
    in_flight: int = 0
    connections: int = 0
    waiting: int = 0  # ticks in line for a connection
    canary: float | None = None  # worst round trip to our own responder on loopback, seconds


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The first line of a stream."""

    runner: str
    shard: int
    shards: int
    incarnation: int
    first: int
    rate: float
    start: float  # CLOCK_MONOTONIC of the schedule's start
    pid: int
    version: int = VERSION
    timer: str = ""  # what paces the loop, with its resolution


class Frame(msgspec.Struct, kw_only=True, omit_defaults=True, tag="frame"):
    """A delta. `watermark`, `settled`, `settled_bits`, `reached` and `quiet_since` are states; all else adds up."""

    seq: int
    at: float  # when it was gathered
    runner: str = ""  # whose, where one worker serves several
    reached: int = 0  # every ordinal below was reached by the loop (sent, waiting or missed)
    watermark: int = 0  # every ordinal below is settled
    settled: list[tuple[int, int]] = []  # settled ranges above the watermark, ends included
    settled_bits: str = ""  # or, when they are many: a bitmap (base64), bit i is ordinal watermark + i
    bad: list[Run] = []
    unknown: list[Run] = []
    degraded: list[Run] = []  # good by default, told apart so that a plan can say otherwise
    bitmaps: list[Bitmap] = []
    seconds: dict[int, Second] = {}
    stages: dict[str, Histogram] = {}  # queue, dns, connect, tls, first_byte, body
    pieces: Histogram = {}  # service times of answers in several pieces; the first byte of all others was their last
    counters: dict[str, int] = {}  # opened, kept, fresh, retried, truncated, bytes_read …
    examples: list[Outcome] = []
    silences: list[Silence] = []
    quiet_since: float | None = None  # an open silence's beginning
    last_good: float | None = None  # when the newest good answer came
    pauses: list[Pause] = []
    health: list[Health] = []
    canary: Histogram = {}
    problems: list[str] = []


class Bye(msgspec.Struct, frozen=True, kw_only=True, tag="bye"):
    """The last line: the worker ended by itself, having settled every tick below `planned`."""

    seq: int
    at: float
    planned: int  # ordinals that were due, from 0
    reason: str
    runner: str = ""  # as in frames
    problem: str = ""  # what broke, when it ended for a fault of its own


Message = Hello | Frame | Bye
_MESSAGES = msgspec.json.Decoder(Message)


def decode_message(line: bytes) -> Message:
    """Read one line of a stream. Raises msgspec.DecodeError or ValidationError."""
    message: Message = _MESSAGES.decode(line)
    return message


def encode_message(message: Message) -> bytes:
    """One line, its newline included."""
    return msgspec.json.encode(message) + b"\n"


def bitmaps_of(runs: Iterable[Run]) -> Iterator[Bitmap]:
    """Pack many short runs into bitmaps, of one cause and component each."""
    grouped: dict[tuple[Cause, Component, int], list[Run]] = {}
    for run in runs:
        grouped.setdefault((run.cause, run.component, run.first // _BITMAP_SPAN), []).append(run)
    for (cause, component, _), members in sorted(grouped.items()):
        first = min(run.first for run in members)
        bits = 0
        for run in members:
            bits |= ((1 << (run.last - run.first + 1)) - 1) << (run.first - first)
        packed = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
        yield Bitmap(first, base64.b64encode(packed).decode(), cause, component)


def runs_of(bitmap: Bitmap) -> Iterator[Run]:
    """The runs that a bitmap stands for, in order."""
    digits = f"{int.from_bytes(base64.b64decode(bitmap.bits), 'little'):b}"[::-1]
    begin = digits.find("1")
    while begin >= 0:
        end = digits.find("0", begin)
        if end < 0:
            end = len(digits)
        yield Run(bitmap.first + begin, bitmap.first + end - 1, bitmap.cause, bitmap.component)
        begin = digits.find("1", end)


def settled_state(
    reached: int, waiting: Iterable[range], in_flight: Iterable[int]
) -> tuple[int, list[tuple[int, int]], str]:
    """Watermark, settled ranges above it, and the bitmap that takes their place when they are many.

    `waiting` and `in_flight` are the open ordinals, all below `reached`.
    """
    open_runs = sorted([*((r.start, r[-1], r.step) for r in waiting if r), *((n, n, 1) for n in in_flight)])
    if not open_runs:
        return reached, [], ""
    watermark = open_runs[0][0]
    if len(open_runs) <= RUNS_BEFORE_BITMAP and all(step == 1 for _, _, step in open_runs):
        settled = []
        position = watermark
        for first, last, _ in open_runs:
            if first > position:
                settled.append((position, first - 1))
            position = max(position, last + 1)
        if position < reached:
            settled.append((position, reached - 1))
        return watermark, settled, ""
    digits = bytearray(b"1" * (reached - watermark))  # a slice at a time: a line may hold a million ordinals
    for first, last, step in open_runs:
        digits[first - watermark : last - watermark + 1 : step] = b"0" * ((last - first) // step + 1)
    digits.reverse()
    bits = int(digits, 2).to_bytes((reached - watermark + 7) // 8, "little")
    return watermark, [], base64.b64encode(bits).decode()


def settled_above(frame: Frame) -> list[tuple[int, int]]:
    """The settled ranges above a frame's watermark, in whichever form they were told; ends included."""
    if not frame.settled_bits:
        return [(first, last) for first, last in frame.settled]
    bitmap = Bitmap(frame.watermark, frame.settled_bits, Cause.INTERNAL, Component.HARNESS)
    return [(run.first, run.last) for run in runs_of(bitmap)]


def merge_second(target: Second, other: Second) -> None:
    """Add one second's delta to another, in place."""
    target.sent += other.sent
    target.good += other.good
    target.degraded += other.degraded
    for cause, count in other.causes.items():
        target.causes[cause] = target.causes.get(cause, 0) + count
    merge_into(target.latency, other.latency)
    merge_into(target.alike, other.alike)
    merge_into(target.latency_low, other.latency_low)
    merge_into(target.service, other.service)
    merge_into(target.lag, other.lag)
    for status, count in other.statuses.items():
        target.statuses[status] = target.statuses.get(status, 0) + count
    for name, address in other.addresses.items():
        merge_address(target.addresses.setdefault(name, Address()), address)


def merge_address(target: Address, other: Address) -> None:
    """Add one address's delta to another, in place."""
    target.good += other.good
    for cause, count in other.causes.items():
        target.causes[cause] = target.causes.get(cause, 0) + count
    merge_into(target.latency, other.latency)

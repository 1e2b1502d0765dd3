"""A worker without an engine: it speaks frames as `harness.worker` does, and misbehaves as its URL's query says.

`answer=refused`, `bad_from=SECONDS` and `bad_until=SECONDS` (refused in between), `stop=ignore`, `die_at=SECONDS`,
`die=always` (else the first incarnation alone), `say=TEXT` (on stderr), `babble=SECONDS` (from then on only noise).
"""

import os
import select
import signal
import sys
import time
from urllib.parse import parse_qs, urlsplit

import msgspec

from harness.frames import Bye, Frame, Health, Hello, Run, Second, encode_message
from harness.outcome import Cause, Component, Outcome
from harness.schedule import Schedule
from harness.spec import Spec, Stop, decode_spec


def said_of(schedule: Schedule, first: int, end: int, bad_from: float, bad_until: float) -> Frame:
    """A frame over the ordinals first … end - 1, answered in 5 ms each."""
    frame = Frame(seq=0, at=0.0)
    frame.seconds, frame.bad, frame.examples = {}, [], []
    for ordinal in range(first, end):
        intended = schedule.intended(ordinal)
        second = frame.seconds.setdefault(int(intended), Second(causes={}, latency={}, latency_low={}, lag={}))
        second.sent += 1
        second.lag[100] = second.lag.get(100, 0) + 1
        if bad_from <= intended < bad_until:
            second.causes[Cause.CONNECT_REFUSED] = second.causes.get(Cause.CONNECT_REFUSED, 0) + 1
            if frame.bad and frame.bad[-1].last == ordinal - 1:
                frame.bad[-1] = frame.bad[-1]._replace(last=ordinal)
            else:
                frame.bad.append(Run(ordinal, ordinal, Cause.CONNECT_REFUSED, Component.NETWORK))
                frame.examples.append(
                    Outcome(
                        tick=ordinal,
                        intended=intended,
                        reached=intended,
                        finished=intended,
                        cause=Cause.CONNECT_REFUSED,
                        component=Component.NETWORK,
                        detail="127.0.0.1:9 refused the connection",
                    )
                )
        else:
            second.good += 1
            for histogram in (second.latency, second.latency_low, second.service):
                histogram[2048] = histogram.get(2048, 0) + 1
    return frame


class Talk:
    """What one worker says. Knows no process: `python talker.py` and the virtual worker carry it."""

    def __init__(self, spec: Spec) -> None:
        assert spec.start is not None
        self.spec = spec
        self.start = spec.start
        self.options = {key: values[0] for key, values in parse_qs(urlsplit(spec.url).query).items()}
        self.schedule = Schedule(spec.rate, spec.shard, spec.shards)
        self.bad_from = float(self.options.get("bad_from", 0 if self.options.get("answer") == "refused" else "inf"))
        self.bad_until = float(self.options.get("bad_until", "inf"))
        mortal = self.options.get("die") == "always" or not spec.incarnation
        self.die_at = float(self.options.get("die_at", "inf")) if mortal else float("inf")
        self.babble_at = float(self.options.get("babble", "inf"))
        self.reached = spec.first
        self.seq = 0
        self.stop: Stop | None = None

    def hello(self) -> bytes:
        """The first line."""
        spec = self.spec
        return encode_message(
            Hello(
                runner=spec.runner,
                shard=spec.shard,
                shards=spec.shards,
                incarnation=spec.incarnation,
                first=spec.first,
                rate=spec.rate,
                start=self.start,
                pid=os.getpid(),
            )
        )

    def told(self, stop: Stop) -> None:
        """Obey, or not."""
        if self.options.get("stop") != "ignore":
            self.stop = stop

    def look(self, monotonic: float) -> tuple[list[bytes], int | None]:
        """What is to be said now, and the exit code if it ends now."""
        now = monotonic - self.start
        if now >= self.die_at:
            return [], -int(signal.SIGABRT)
        if now >= self.babble_at:
            return [b"what is this\n"], None
        limit = now if self.stop is None else min(now, self.stop.at)
        end = max(self.reached, self.schedule.first_from(limit))
        frame = said_of(self.schedule, self.reached, end, self.bad_from, self.bad_until)
        self.seq += 1
        self.reached = end
        frame.seq, frame.at, frame.reached, frame.watermark = self.seq, now, end, end
        frame.health = [Health(second=int(now), cpu=0.001, rss=10_000_000)]
        lines = [encode_message(frame)]
        if self.stop is None or now < self.stop.at:
            return lines, None
        return [*lines, encode_message(Bye(seq=self.seq + 1, at=now, planned=end, reason="told to stop"))], 0


def main() -> int:
    """Talk until told to stop, or until standard input ends."""
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return 2
        data += piece
    talk = Talk(decode_spec(data))
    if "say" in talk.options:
        print(talk.options["say"], file=sys.stderr, flush=True)
    os.write(1, talk.hello())
    buffer = b""
    while True:
        if select.select([0], [], [], 0.05)[0]:
            piece = os.read(0, 65536)
            if not piece:
                return 1
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                talk.told(msgspec.json.decode(line, type=Stop))
        said, code = talk.look(time.monotonic())
        for line in said:
            os.write(1, line)
        if code is not None and code < 0:
            os.kill(os.getpid(), -code)
        if code is not None:
            return code


if __name__ == "__main__":
    sys.exit(main())

"""A worker without an engine: it speaks frames as `harness.worker` does, and misbehaves as its URL's query says.

`answer=ok|refused`, `until_bad=SECONDS` (good before, refused after), `stop=obey|ignore`, `die_at=SECONDS`,
`die=once|always`, `say=TEXT` (on stderr), `babble=SECONDS` (no frame any more, but noise).
"""

import os
import select
import sys
import time
from urllib.parse import parse_qs, urlsplit

import msgspec

from harness.frames import Bye, Frame, Health, Hello, Run, Second, encode_message
from harness.outcome import Cause, Component, Outcome
from harness.schedule import Schedule
from harness.spec import Spec, Stop, decode_spec


def said_of(spec: Spec, schedule: Schedule, first: int, end: int, bad_from: float, bad_until: float) -> Frame:
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


def main() -> None:
    """Talk until told to stop, or until standard input ends."""
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return
        data += piece
    spec = decode_spec(data)
    assert spec.start is not None
    options = {key: values[0] for key, values in parse_qs(urlsplit(spec.url).query).items()}
    if "say" in options:
        print(options["say"], file=sys.stderr, flush=True)
    schedule = Schedule(spec.rate, spec.shard, spec.shards)
    bad_from = float(options.get("bad_from", 0 if options.get("answer") == "refused" else "inf"))
    bad_until = float(options.get("bad_until", "inf"))
    die_at = float(options.get("die_at", "inf")) if options.get("die") == "always" or not spec.incarnation else 1e9
    babble = float(options.get("babble", "inf"))

    def write(line: bytes) -> None:
        os.write(1, line)

    write(
        encode_message(
            Hello(
                runner=spec.runner,
                shard=spec.shard,
                shards=spec.shards,
                incarnation=spec.incarnation,
                first=spec.first,
                rate=spec.rate,
                start=spec.start,
                pid=os.getpid(),
            )
        )
    )
    reached, seq, stop, buffer = spec.first, 0, None, b""
    while True:
        if select.select([0], [], [], 0.05)[0]:
            piece = os.read(0, 65536)
            if not piece:
                return
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                if options.get("stop") != "ignore":
                    stop = msgspec.json.decode(line, type=Stop)
        now = time.monotonic() - spec.start
        if now >= die_at:
            os.abort()
        if now >= babble:
            write(b"what is this\n")
        limit = now if stop is None else min(now, stop.at)
        end = max(reached, schedule.first_from(limit))
        frame = said_of(spec, schedule, reached, end, bad_from, bad_until)
        seq += 1
        reached = end
        frame.seq, frame.at, frame.reached, frame.watermark = seq, now, reached, reached
        frame.health = [Health(second=int(now), cpu=0.001, rss=10_000_000)]
        write(encode_message(frame))
        if stop is not None and now >= stop.at:
            write(encode_message(Bye(seq=seq + 1, at=now, planned=reached, reason="told to stop")))
            return


if __name__ == "__main__":
    main()

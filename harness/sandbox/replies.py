"""What a component of the API's side answers, as a value, and how it is sent: by a coroutine, since it may take its
time, in one write, unless it trickles."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

import msgspec

from harness.sandbox.message import Headers, Request, answer
from harness.sandbox.served import Served

JSON = (b"Content-Type", b"application/json; charset=utf-8")
HTML = (b"Content-Type", b"text/html; charset=utf-8")


@dataclass(frozen=True)
class Answer:
    """A whole answer, not yet of this or that connection."""

    status: int
    body: bytes
    headers: Headers = field(default=())


def json_answer(status: int, value: object, headers: Headers = ()) -> Answer:
    """An answer in JSON."""
    return Answer(status, msgspec.json.encode(value), (JSON, *headers))


class Making:
    """See `Answering`: a coroutine makes it, and is cancelled when the client goes."""

    def __init__(self, tasks: asyncio.TaskGroup, making: Coroutine[None, None, None]) -> None:
        self._task = tasks.create_task(making)

    def abandon(self) -> None:
        """See `Answering`."""
        self._task.cancel()

    def pause(self) -> None:
        """See `Answering`."""

    def resume(self) -> None:
        """See `Answering`."""


async def send(request: Request, served: Served, said: Answer, every: float | None = None) -> None:
    """Send it in one write; with `every` (seconds) its body byte by byte."""
    whole = answer(request, said.status, said.headers, said.body)
    if every is None:
        served.send(whole)
    else:
        begin = whole.index(b"\r\n\r\n") + 4
        served.send(whole[:begin])
        for place in range(begin, len(whole)):
            await asyncio.sleep(every)
            served.send(whole[place : place + 1])
    served.done(request.keep)

"""`python -m harness.sandbox.app`: one instance of the app. Its pages are in docs/sandbox.md.

No answer of an app carries X-Cf-RouterError or X-Vcap-Request-Id: the router sets those.
"""

import asyncio
import sys
from email.utils import formatdate
from pathlib import Path

import msgspec

from harness import units
from harness.sandbox import component
from harness.sandbox.bbs import Report
from harness.sandbox.drain import drain_front
from harness.sandbox.fault import obey_fault
from harness.sandbox.front import Front
from harness.sandbox.message import TEXT, Request, answer, head, reason
from harness.sandbox.served import Answering, Served
from harness.sandbox.truth import Truth
from harness.sandbox.wire import AppSpec, Command, Drain, Fault, Reply, Spec

_JSON = (b"Content-Type", b"application/json")
_LARGEST = 64 << 20  # bytes of a page
_PARTS = 1000  # chunks of one
_GRACE = 10.0  # seconds between the platform's TERM and its KILL


class _Late:
    """A page that comes after a while."""

    def __init__(self, seconds: float, request: Request, served: Served, body: bytes) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._answer)
        self._request, self._served, self._body = request, served, body

    def _answer(self) -> None:
        _page(self._request, self._served, 200, self._body)

    def abandon(self) -> None:
        self._timer.cancel()

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


def _page(request: Request, served: Served, code: int, body: bytes, kind: tuple[bytes, bytes] = TEXT) -> None:
    served.send(answer(request, code, [kind, (b"Date", formatdate(usegmt=True).encode())], body))
    served.done(request.keep)


class App:
    """Answers its pages."""

    def __init__(self, spec: AppSpec, truth: Truth) -> None:
        self._spec = spec
        self._truth = truth
        self._index = b"ok instance %d\n" % spec.index
        self._known = Report(Path(spec.folder), spec.index)
        self._front = Front((spec.port,), lambda front: Served(front, self._serve, self._refuse), None)

    async def open(self) -> None:
        """See `Component`."""
        await self._front.open()
        self._known.run()

    async def obey(self, command: Command) -> Reply:
        """See `Component`."""
        return await obey_fault(self._front, self._truth, self._spec.name, command)

    async def drain(self, order: Drain) -> None:
        """As a container's end: what is under way is finished, within the platform's ten seconds."""
        self._known.stop()
        await drain_front(self._front, self._truth, self._spec.name, order, wait=0.0, timeout=_GRACE)

    def close(self) -> None:
        """See `Component`."""
        self._front.close()
        self._known.close()

    def _refuse(self, request: Request, fault: Fault) -> bytes:
        code = fault.code or 503
        return answer(request, code, [TEXT], f"{reason(code)}: the app says so itself\n".encode())

    def _serve(self, request: Request, served: Served) -> Answering | None:
        _, name, *rest = request.path.split("/", 2)
        argument = rest[0] if rest else ""
        try:
            return self._find(name, argument, request, served)
        except ValueError as error:
            _page(request, served, 404, f"no such page: {error}\n".encode())
            return None

    def _find(self, name: str, argument: str, request: Request, served: Served) -> Answering | None:
        if name == "" and not argument:
            _page(request, served, 200, self._index)
        elif name == "status":
            code = int(argument)
            if not 200 <= code <= 599:
                raise ValueError(f"a status from 200 to 599, not {code}")
            _page(request, served, code, f"status {code}\n".encode())
        elif name == "slow":
            return _Late(units.duration(argument), request, served, self._index)
        elif name == "size":
            size = units.size(argument)
            if size > _LARGEST:
                raise ValueError(f"at most {_LARGEST} bytes")
            _page(request, served, 200, b"x" * size)
        elif name == "headers":
            _page(request, served, 200, _told(self._spec.index, request), _JSON)
        elif name == "echo":
            _page(request, served, 200, request.body)
        elif name == "chunked":
            self._chunked(min(int(argument), _PARTS), request, served)
        elif name == "unframed":  # as long as the connection lives
            served.send(head(200, [TEXT]) + self._index)
            served.done(keep=False)
        elif name == "early":
            served.send(head(200, [TEXT, (b"Content-Length", b"1000")]) + self._index)
            served.break_off()
        elif name == "reset":
            served.cut()
        else:
            raise ValueError(name)
        return None

    def _chunked(self, parts: int, request: Request, served: Served) -> None:
        body = b"".join(b"%x\r\n%s\r\n" % (len(self._index), self._index) for _ in range(parts)) + b"0\r\n\r\n"
        closing = [] if request.keep else [(b"Connection", b"close")]
        served.send(
            head(200, [TEXT, (b"Transfer-Encoding", b"chunked"), *closing])
            + (b"" if request.method == b"HEAD" else body)
        )
        served.done(request.keep)


def _told(index: int, request: Request) -> bytes:
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers]
    told = {
        "instance": index,
        "method": request.method.decode("latin-1"),
        "target": request.target.decode("latin-1"),
        "headers": headers,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _build(spec: Spec, truth: Truth, group: asyncio.TaskGroup) -> App:
    assert isinstance(spec, AppSpec)
    return App(spec, truth)


if __name__ == "__main__":
    sys.exit(component.run(_build))

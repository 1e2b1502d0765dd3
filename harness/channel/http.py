"""`http(s)://host:port`: the control API of the run itself, as a task asks it.

It is there for as long as the run lasts, and some seconds longer for whoever stopped it. CF_HARNESS_TOKEN (or the file
in CF_HARNESS_TOKEN_FILE) is its bearer token, SSL_CERT_FILE the authority of its certificate.
"""

import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from harness.channel.alive import Attempt
from harness.channel.messages import (
    Acceptances,
    AcceptBody,
    MarkBody,
    MarksBody,
    Refusal,
    RunState,
    StopBody,
)
from harness.channel.records import MarkNote, StopWish
from harness.channel.store import ChannelError, GoneError, SilentError
from harness.gate import Acceptance

Shape = TypeVar("Shape", bound=msgspec.Struct)

_TIMEOUT = 10.0  # seconds
_GONE_AFTER = 5.0  # seconds for which one that had answered refuses every connection


class HttpPipeline:
    """Asks the run."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        """Raises ChannelError where the URL or the token can't be used."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        if not parts.hostname or port is None:
            raise ChannelError(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}: expected http(s)://host:port")
        if parts.username or parts.password:
            raise ChannelError("a channel's URL holds no password: set CF_HARNESS_TOKEN")
        self._name = f"{parts.scheme}://{parts.netloc}"
        token = _token(environ)
        context: ssl.SSLContext | bool = True
        if parts.scheme == "https" and environ.get("SSL_CERT_FILE"):
            context = ssl.create_default_context(cafile=environ["SSL_CERT_FILE"])
        self._client = httpx.Client(
            base_url=self._name,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT,
            verify=context,
            trust_env=False,
        )
        self._answered = False
        self._refused_since: float | None = None

    @property
    def name(self) -> str:
        """See Pipeline, as all that follows."""
        return self._name

    def newest(self) -> str | None:  # noqa: D102
        return self._state().owner.run

    def attempts(self, run: str) -> list[int]:  # noqa: D102
        state = self._state()
        if state.owner.run != run:
            return []
        return [*(one.attempt for one in state.earlier), state.owner.attempt]

    def look(self, run: str, attempt: int) -> Attempt:  # noqa: D102
        state = self._state()
        if attempt == state.owner.attempt:
            return Attempt(run, attempt, state.owner, state.pulse, state.stop, state.ended)
        ended = next((one.ended for one in state.earlier if one.attempt == attempt), None)
        return Attempt(run, attempt, owner=None, pulse=None, stop=None, ended=ended)

    def mark(self, run: str, attempt: int, notes: Sequence[MarkNote]) -> None:  # noqa: D102
        for begin in range(0, len(notes), 500):
            marks = [_mark(note, time.time()) for note in notes[begin : begin + 500]]
            self._ask("POST", "/v1/marks", MarksBody(marks=marks))

    def marks(self, run: str, attempt: int) -> list[MarkNote]:  # noqa: D102
        return self._state().marks

    def stop(self, run: str, attempt: int, wish: StopWish) -> None:  # noqa: D102
        self._ask("POST", "/v1/stop", StopBody(by=wish.by[:200]))

    def report(self, run: str, attempt: int, file: str) -> bytes | None:  # noqa: D102
        return self._ask("GET", f"/v1/attempts/{attempt}/reports/{file}", None)

    def accept(self, run: str, acceptance: Acceptance) -> None:  # noqa: D102
        body = AcceptBody(
            by=acceptance.by[:200],
            reason=acceptance.reason[:2000],
            attempts=acceptance.attempts,
            outcome=acceptance.outcome,
        )
        self._ask("POST", "/v1/acceptances", body)

    def acceptances(self, run: str) -> list[Acceptance]:  # noqa: D102
        return self._read(self._ask("GET", "/v1/acceptances", None), Acceptances).acceptances

    def _state(self) -> RunState:
        return self._read(self._ask("GET", "/v1/run", None), RunState)

    def _read(self, data: bytes | None, kind: type[Shape]) -> Shape:
        try:
            return msgspec.json.decode(data or b"", type=kind)
        except msgspec.MsgspecError:
            raise ChannelError(
                f"{self._name}: what answers there is no run of cf-harness (or of another version)"
            ) from None

    def _ask(self, method: str, path: str, body: msgspec.Struct | None) -> bytes | None:
        """The answer's body; None: there is no such thing."""
        content = msgspec.json.encode(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._client.request(method, path, content=content, headers=headers)
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY" in str(error):
                raise ChannelError(f"{self._name}: its certificate is not trusted: set SSL_CERT_FILE") from None
            raise self._refused(str(error)) from None
        except httpx.HTTPError as error:
            raise SilentError(f"{self._name}: {str(error) or type(error).__name__}") from None
        self._answered, self._refused_since = True, None
        if answer.status_code == 404 and method == "GET":
            return None
        if answer.is_success:
            return answer.content
        said = _why(answer)
        if answer.status_code in (401, 403):
            raise ChannelError(f"{self._name}: {said}; set CF_HARNESS_TOKEN as the run has it")
        if answer.status_code >= 500:
            raise SilentError(f"{self._name}: {answer.status_code} {said}")
        raise ChannelError(f"{self._name}: {said}")

    def _refused(self, why: str) -> ChannelError:
        now = time.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        if self._answered and now - self._refused_since > _GONE_AFTER:
            return GoneError(
                f"{self._name}: the run has ended or died, and its API with it; what it saw is in its run folder"
            )
        return SilentError(f"{self._name}: {why}")


def _mark(note: MarkNote, now: float) -> MarkBody:
    if note.within is not None:
        return MarkBody(id=note.id, name=note.name, edge=note.edge, at=note.at, within=note.within, source=note.source)
    return MarkBody(id=note.id, name=note.name, edge=note.edge, age=max(0.0, now - note.at), source=note.source)


def _token(environ: Mapping[str, str]) -> str | None:
    file = environ.get("CF_HARNESS_TOKEN_FILE")
    if environ.get("CF_HARNESS_TOKEN") or not file:
        return environ.get("CF_HARNESS_TOKEN") or None
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelError(f"CF_HARNESS_TOKEN_FILE {file}: {error}") from None


def _why(answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=Refusal).error
    except msgspec.MsgspecError:
        return f"HTTP status {answer.status_code}"

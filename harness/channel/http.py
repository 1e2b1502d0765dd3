"""`http(s)://host:port`: the tasks' side of a run's own control API, which `harness.control` serves.

It is there for as long as the run is: before, and soon after the verdict, nothing listens. A mark says how old it is,
so the clocks of two machines may differ.
"""

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from harness.channel.alive import Attempt
from harness.channel.api import (
    LONGEST_BODY,
    LONGEST_NAME,
    MOST_MARKS,
    TOKEN_VARIABLES,
    AcceptanceWish,
    Afterwards,
    MarksWish,
    MarkWish,
    Refusal,
    RunState,
    StopRequest,
)
from harness.channel.records import MarkNote, StopWish
from harness.channel.store import ChannelError, NobodyError, SilentError
from harness.gate import Acceptance

_TIMEOUT = 10.0  # seconds until it connects, and between two pieces of an answer
_CA = ("CF_HARNESS_CA", "SSL_CERT_FILE")
_LOOPBACK = ("localhost", "127.", "::1")
_OVER = 409

T = TypeVar("T")


class OverError(ChannelError):
    """The run takes nothing any more."""

    exit_code = 3


class HttpPipeline:
    """By the run's control API."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        """`environ`: the token is in CF_HARNESS_TOKEN, or in the file that CF_HARNESS_TOKEN_FILE names; a CA of one's
        own in the file of CF_HARNESS_CA or SSL_CERT_FILE. Raises ChannelError."""
        self._url = _checked(url)
        token = _token(environ)
        host = urlsplit(self._url).hostname or ""
        self._has_token = token is not None
        self._client = httpx.Client(
            base_url=self._url,
            headers={"connection": "close", **({"authorization": f"Bearer {token}"} if token is not None else {})},
            timeout=_TIMEOUT,
            verify=_trust(self._url, environ),
            trust_env=not host.startswith(_LOOPBACK),  # proxies
        )

    @property
    def name(self) -> str:
        """See Pipeline, as all that follows."""
        return self._url

    def newest(self) -> str | None:  # noqa: D102
        return self._run().owner.run

    def attempts(self, run: str) -> list[int]:  # noqa: D102
        state = self._run()
        if state.owner.run != run:
            return []
        return [*(one.attempt for one in state.earlier), state.owner.attempt]

    def look(self, run: str, attempt: int) -> Attempt:  # noqa: D102
        state = self._run(run)
        if attempt == state.owner.attempt:
            return Attempt(run, attempt, state.owner, state.pulse, state.stop, state.ended)
        ended = next((one.ended for one in state.earlier if one.attempt == attempt), None)
        return Attempt(run, attempt, None, None, None, ended)

    def mark(self, run: str, attempt: int, notes: Sequence[MarkNote]) -> None:  # noqa: D102
        self._run(run, attempt)
        now = time.time()
        for body in _bodies([_wish(note, now) for note in notes]):
            self._said(self._ask("POST", "/v1/marks", body))

    def marks(self, run: str, attempt: int) -> list[MarkNote]:  # noqa: D102
        state = self._run(run)
        return state.marks if attempt == state.owner.attempt else []

    def stop(self, run: str, attempt: int, wish: StopWish) -> None:  # noqa: D102
        self._run(run, attempt)
        answer = self._ask("POST", "/v1/stop", msgspec.json.encode(StopRequest(by=wish.by[:LONGEST_NAME])))
        if answer.status_code != _OVER:  # then there is no need to
            self._said(answer)

    def report(self, run: str, attempt: int, file: str) -> bytes | None:  # noqa: D102
        self._run(run)
        answer = self._ask("GET", f"/v1/attempts/{attempt}/reports/{file}")
        return None if answer.status_code == 404 else self._said(answer).content

    def accept(self, run: str, acceptance: Acceptance) -> None:  # noqa: D102
        self._run(run)
        wish = {name: getattr(acceptance, name) for name in AcceptanceWish.__struct_fields__}
        self._said(self._ask("POST", "/v1/acceptances", msgspec.json.encode(wish)))

    def acceptances(self, run: str) -> list[Acceptance]:  # noqa: D102
        self._run(run)
        return self._read(self._ask("GET", "/v1/acceptances"), list[Acceptance])

    # How it asks

    def _run(self, run: str | None = None, attempt: int | None = None) -> RunState:
        """What it says of its run, which must be the one that is meant. Raises ChannelError."""
        state = self._read(self._ask("GET", "/v1/run"), RunState)
        owner = state.owner
        if (run is not None and owner.run != run) or (attempt is not None and owner.attempt != attempt):
            meant = f"{run}, attempt {attempt}" if attempt is not None else run
            raise OverError(f"{self._url} tells of the run {owner.run}, attempt {owner.attempt}, not of {meant}")
        return state

    def _read(self, answer: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(self._said(answer).content, type=kind)
        except msgspec.MsgspecError as error:
            raise ChannelError(f"{self._url}: that is no control API of cf-harness ({error})") from error

    def _ask(self, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        headers = {"content-type": "application/json"} if body is not None else {}
        try:
            return self._client.request(method, path, content=body, headers=headers)
        except httpx.TimeoutException as error:
            raise SilentError(f"{self._url} does not answer within {_TIMEOUT:g} s") from error
        except httpx.HTTPError as error:
            raise self._told(error) from error

    def _told(self, error: httpx.HTTPError) -> ChannelError:
        """What came in the way, for people."""
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return ChannelError(
                    f"{self._url}: its certificate is not trusted ({cause.verify_message}): name its CA's file in "
                    f"{_CA[0]} (or {_CA[1]})"
                )
            if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
                return ChannelError(f"{self._url}: it speaks no TLS: is it http://?")
            if isinstance(cause, ConnectionRefusedError):
                return NobodyError(
                    f"nothing listens at {self._url}: the run has not begun, or it has ended or died; what it came to "
                    "is in its folder (on its machine: cf-harness verdict RUN --runs-dir DIR)"
                )
        return SilentError(f"{self._url}: {str(error) or type(error).__name__}")

    def _said(self, answer: httpx.Response) -> httpx.Response:
        """The same, if it is what was asked for."""
        if answer.is_success:
            return answer
        try:
            why = msgspec.json.decode(answer.content, type=Refusal).error
        except msgspec.MsgspecError:
            why = f"{answer.status_code} {answer.reason_phrase}"
        said = f"{self._url}: {why}"
        if answer.status_code == 401:
            known = "another one is in" if self._has_token else "set"
            raise ChannelError(f"{said}; {known} {' or '.join(TOKEN_VARIABLES)}")
        if answer.status_code == _OVER:
            raise OverError(said)
        if answer.status_code >= 500 or answer.status_code == 429:
            raise SilentError(said)
        raise ChannelError(said)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError:
        known, parts = False, urlsplit("")
    if parts.username is not None or parts.password is not None:
        raise ChannelError(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}: no password belongs into a channel's URL, others "
            f"would see it: put the token into {' or '.join(TOKEN_VARIABLES)}"
        )
    if not known or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ChannelError(f"{url}: expected http(s)://host:port, as the run printed it")
    return f"{parts.scheme.lower()}://{parts.netloc}"


def _token(environ: Mapping[str, str]) -> str | None:
    value, path = (environ.get(name) for name in TOKEN_VARIABLES)
    where = TOKEN_VARIABLES[0]
    if not value and path:
        where = f"{TOKEN_VARIABLES[1]}={path}"
        try:
            value = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ChannelError(f"{where}: {getattr(error, 'strerror', None) or 'that is no text'}") from error
    value = (value or "").strip()
    if not value.isascii() or not value.isprintable():
        raise ChannelError(f"{where}: a token is one line of ASCII")
    return value or None


def _trust(url: str, environ: Mapping[str, str]) -> ssl.SSLContext:
    """The CA that is named, or the system's."""
    if not url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in _CA:
        if path := environ.get(name):
            try:
                return ssl.create_default_context(cafile=path)
            except OSError as error:
                why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no PEM certificate"
                raise ChannelError(f"{name}={path}: {why}: name a file with the CA's certificate") from error
    return ssl.create_default_context()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _wish(note: MarkNote, now: float) -> MarkWish:
    """Of this moment: by its age."""
    if note.within is not None:
        told = Afterwards(at=note.at, within=note.within, source=note.source)
        return MarkWish(id=note.id, name=note.name[:LONGEST_NAME], edge=note.edge, afterwards=told)
    return MarkWish(id=note.id, name=note.name[:LONGEST_NAME], edge=note.edge, age=max(0.0, now - note.at))


def _bodies(wishes: Sequence[MarkWish]) -> Iterator[bytes]:
    """As many requests as their size asks for, in order."""
    if not wishes:
        return
    body = msgspec.json.encode(MarksWish(marks=list(wishes)))
    if len(wishes) > 1 and (len(wishes) > MOST_MARKS or len(body) > LONGEST_BODY):
        half = len(wishes) // 2
        yield from _bodies(wishes[:half])
        yield from _bodies(wishes[half:])
    else:
        yield body

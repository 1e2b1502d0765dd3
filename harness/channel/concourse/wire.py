"""One question to Concourse over HTTP, with its token. Every answer is bounded in bytes and in time. What went wrong is
told as SilentError (asking again may help), RefusedError or MissingError, and never with a secret in it."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import assert_never

import httpx
import msgspec

from harness.channel.concourse.login import Credentials, Kept, Password, checked
from harness.channel.concourse.offset import Offset
from harness.channel.concourse.pace import Pace
from harness.channel.store import ChannelError, SilentError

LARGEST = 8 << 20  # bytes of one answer

# fly is a public client: every Concourse knows it by this secret (concourse/concourse, fly/commands/login.go)
_CLIENT = ("fly", "Zmx5")
_SCOPE = "openid profile email federated:id groups"
_TOKEN_PATHS = ("/sky/issuer/token", "/sky/token")  # the second one: before Concourse 6.1

Parameters = Sequence[tuple[str, str]]


class RefusedError(ChannelError):
    """Concourse does not let us."""


class MissingError(ChannelError):
    """Concourse knows of no such thing."""


class _Granted(msgspec.Struct):
    access_token: str


class Wire:
    """To one Concourse, for one event loop."""

    def __init__(self, site: str, credentials: Credentials, context: ssl.SSLContext, pace: Pace) -> None:
        """`site`: its URL. Nothing is asked yet."""
        self._credentials = credentials
        self._client = httpx.AsyncClient(verify=context, timeout=pace.answer, base_url=site)
        self._pace = pace
        self._granted: str | None = None
        self._granting = asyncio.Lock()
        self.offset = Offset()  # of its clock, by all answers so far

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def get(self, path: str, query: Parameters = ()) -> tuple[bytes, Mapping[str, str]]:
        """A whole answer, and its headers."""
        try:
            async with (
                asyncio.timeout(self._pace.answer),
                self._answer(path, query, {"accept": "application/json"}) as answer,
            ):
                return await _body(answer), answer.headers
        except TimeoutError:
            raise SilentError("no answer in time") from None

    async def stream(self, path: str, last_id: str) -> AsyncGenerator[bytes, None]:
        """An event stream, from the event after `last_id` on, until it ends or breaks."""
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last_id} if last_id else {})
        async with self._answer(path, (), headers, quiet=self._pace.quiet) as answer:
            with _silence():
                async for chunk in answer.aiter_bytes():
                    yield chunk

    @asynccontextmanager
    async def _answer(
        self, path: str, query: Parameters, headers: Mapping[str, str], quiet: float | None = None
    ) -> AsyncIterator[httpx.Response]:
        """One with status 200. A token that is not taken is renewed once, where that can be done."""
        token, answer = await self._token(), None
        try:
            answer = await self._sent(path, query, headers, quiet, token)
            if answer.status_code == 401 and (renewed := await self._other_than(token)) is not None:
                await answer.aclose()
                answer = await self._sent(path, query, headers, quiet, renewed)
            _check(answer, self._credentials)
            yield answer
        finally:
            if answer is not None:
                await answer.aclose()

    async def _sent(
        self, path: str, query: Parameters, headers: Mapping[str, str], quiet: float | None, token: str | None
    ) -> httpx.Response:
        bearer = {"authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(self._pace.answer, read=quiet or self._pace.answer)
        request = self._client.build_request(
            "GET", path, params=list(query), headers={**headers, **bearer}, timeout=timeout
        )
        sent = time.time()
        answer = await self._send(request)
        self.offset.saw(answer.headers.get("date"), sent, time.time())
        return answer

    async def _send(self, request: httpx.Request, auth: tuple[str, str] | None = None) -> httpx.Response:
        """The head of an answer, in time; of a stream that is quiet too."""
        with _silence():
            async with asyncio.timeout(self._pace.answer):
                return await self._client.send(request, stream=True, auth=auth)

    async def _token(self) -> str | None:
        match self._credentials:
            case Password() as password:
                async with self._granting:
                    if self._granted is None:
                        self._granted = await self._grant(password)
                    return self._granted
            case Kept() as kept:
                return kept.read()
            case None:
                return None
            case _:
                assert_never(self._credentials)

    async def _other_than(self, refused: str | None) -> str | None:
        """A token in place of one that was not taken; None: there is no other."""
        if self._granted == refused:
            self._granted = None
        token = await self._token()
        return token if token != refused else None

    async def _grant(self, password: Password) -> str:
        form = {"grant_type": "password", "username": password.username, "password": password.password, "scope": _SCOPE}
        status, body = 404, b""
        for path in _TOKEN_PATHS:
            answer = await self._send(self._client.build_request("POST", path, data=form), _CLIENT)
            try:
                async with asyncio.timeout(self._pace.answer):
                    status, body = answer.status_code, await _body(answer)
            except TimeoutError:
                raise SilentError("no answer in time") from None
            finally:
                await answer.aclose()
            if status not in (404, 405):
                break
        if status in (400, 401, 403):
            raise RefusedError(f"Concourse gives CONCOURSE_USERNAME no token ({status}): is the password right?")
        if status != 200:
            raise SilentError(f"asked for a token, it answered with {status}")
        try:
            return checked(msgspec.json.decode(body, type=_Granted).access_token, "what Concourse gave")
        except (msgspec.MsgspecError, UnicodeDecodeError, ChannelError):
            raise SilentError("asked for a token, it answered with something else") from None


def _check(answer: httpx.Response, credentials: Credentials) -> None:
    """Raises SilentError, RefusedError, MissingError for all but 200."""
    status = answer.status_code
    if status == 200:
        return
    if status == 401 and credentials is None:
        raise RefusedError("Concourse wants a login (401): set CONCOURSE_TOKEN, or CONCOURSE_USERNAME and _PASSWORD")
    if status == 401:
        raise RefusedError(f"Concourse does not take {_name(credentials)} (401): it expired, or is another one's")
    if status == 403:
        raise RefusedError(f"Concourse does not let {_name(credentials)} see it (403): is it of the pipeline's team?")
    if status in (404, 410) and "x-cf-routererror" not in answer.headers:  # a router says so of an app that is away
        raise MissingError(f"Concourse knows no such thing ({status})")
    raise SilentError(f"it answered with {status}")


def _name(credentials: Credentials) -> str:
    match credentials:
        case Password():
            return "the token of CONCOURSE_USERNAME"
        case Kept():
            return credentials.name
        case None:
            return "somebody without a login"
        case _:
            assert_never(credentials)


async def _body(answer: httpx.Response) -> bytes:
    data = bytearray()
    with _silence():
        async for chunk in answer.aiter_bytes():
            data += chunk
            if len(data) > LARGEST:
                raise SilentError(f"an answer of more than {LARGEST} bytes")
    return bytes(data)


@contextmanager
def _silence() -> Iterator[None]:
    """An error's own text is kept only where it can't show a header."""
    try:
        yield
    except (httpx.TimeoutException, TimeoutError):
        raise SilentError("no answer in time") from None
    except httpx.ConnectError as error:
        raise SilentError(str(error) or "no connection") from None
    except httpx.RemoteProtocolError:
        raise SilentError("the answer was cut off") from None
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        raise SilentError(f"the connection broke ({type(error).__name__})") from None

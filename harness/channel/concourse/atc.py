"""What Concourse's API (concourse/concourse, atc/routes.go) is asked: paths, parameters, and answers as values."""

import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from harness.channel.concourse.builds import Build, Input, Pipeline, PublicPlan, Resources
from harness.channel.concourse.job import Job
from harness.channel.concourse.login import certificate_of, credentials_of
from harness.channel.concourse.look import PAGE, AskPage
from harness.channel.concourse.offset import Offset
from harness.channel.concourse.pace import Pace
from harness.channel.concourse.sse import Event, EventStream
from harness.channel.concourse.wire import Wire
from harness.channel.store import ChannelError, SilentError

_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_OLDER = frozenset({"to", "since", "limit"})  # what Concourse puts there, now and before version 7

T = TypeVar("T")


class Atc:
    """One Concourse, asked about one job. Every method raises what Wire raises."""

    def __init__(self, job: Job, environ: Mapping[str, str], pace: Pace) -> None:
        """Raises ChannelError for settings that can't work."""
        self._job = job
        self._wire = Wire(job.site, credentials_of(environ, job.site), _context(environ), pace)

    @property
    def offset(self) -> Offset:
        """Of its clock."""
        return self._wire.offset

    async def close(self) -> None:
        """Close its connections."""
        await self._wire.close()

    async def builds(self, page: AskPage) -> tuple[list[Build], list[tuple[str, str]] | None]:
        """Builds of the job, and how to ask for those before them; None: there are none."""
        query = list(page.older) or [("limit", str(PAGE))]
        data, headers = await self._wire.get(f"{self._job.path}/builds", [*query, *self._job.instance])
        return _decoded(data, headers, list[Build]), _older(headers)

    async def build(self, build: int) -> Build:
        """One of them."""
        return _decoded(*await self._wire.get(f"/api/v1/builds/{build}"), Build)

    async def inputs(self, build: int) -> list[Input]:
        """What it gets; nothing while that is not chosen."""
        return _decoded(*await self._wire.get(f"/api/v1/builds/{build}/resources"), Resources).inputs or []

    async def pipeline(self) -> Pipeline:
        """The job's."""
        return _decoded(*await self._wire.get(self._job.pipeline_path, self._job.instance), Pipeline)

    async def plan(self, build: int) -> Any:
        """The tree of its steps."""
        return _decoded(*await self._wire.get(f"/api/v1/builds/{build}/plan"), PublicPlan).plan

    async def events(self, build: int, last_id: str) -> AsyncGenerator[Event, None]:
        """What happens in a build, after the event `last_id` ("": from the first)."""
        stream = EventStream()
        async with aclosing(self._wire.stream(f"/api/v1/builds/{build}/events", last_id)) as chunks:
            async for chunk in chunks:
                for event in stream.feed(chunk):
                    yield event


def _decoded(data: bytes, headers: Mapping[str, str], kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        what = headers.get("content-type", "").partition(";")[0][:40]
        raise SilentError(f"what it answered is cut off or no JSON ({what or 'of no type'})") from None


def _older(headers: Mapping[str, str]) -> list[tuple[str, str]] | None:
    """The parameters of the link to older builds. The link's host is the ATC's idea of itself, and not used: a token
    goes nowhere but to where it was meant for."""
    found = _NEXT.search(headers.get("link", ""))
    if found is None:
        return None
    return [(key, value) for key, value in parse_qsl(urlsplit(found[1]).query) if key in _OLDER] or None


def _context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """By CONCOURSE_CA, SSL_CERT_FILE, the certificate that `fly login` kept, or the system's authorities."""
    for name in ("CONCOURSE_CA", "SSL_CERT_FILE"):
        if file := environ.get(name):
            try:
                return ssl.create_default_context(cafile=file)
            except (OSError, ssl.SSLError) as error:
                raise ChannelError(f"{name} {file}: {error.strerror or 'no certificates in PEM form'}") from None
    certificate = certificate_of(environ)
    try:
        return ssl.create_default_context(cadata=certificate)
    except ssl.SSLError:
        raise ChannelError("the ca_cert of CONCOURSE_TARGET is no certificate in PEM form") from None

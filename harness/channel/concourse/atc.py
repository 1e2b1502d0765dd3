"""Asks Concourse's API (the ATC), one question at a time. What goes wrong is told in one way, since the answer to all
of it is the same: ask again."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from harness.channel.concourse.access import Access
from harness.channel.concourse.builds import Build, Resources
from harness.channel.concourse.place import Place
from harness.channel.store import SilentError

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)  # seconds
_STREAM = httpx.Timeout(10.0, connect=5.0, read=60.0)
_PAGE = 50  # builds
_LARGEST = 32 * 1024 * 1024  # bytes of an answer

T = TypeVar("T")


class MissingError(SilentError):
    """There is no such thing there: not yet, or no more."""


class Atc:
    """Belongs to one thread. Every question raises SilentError, MissingError where there is no such thing, and
    ChannelError where the credentials are refused."""

    def __init__(self, place: Place, access: Access, environ: Mapping[str, str]) -> None:
        """`environ`: SSL_CERT_FILE names an authority besides the system's."""
        self._place = place
        self._access = access
        verify: ssl.SSLContext | bool = True
        if environ.get("SSL_CERT_FILE"):
            verify = ssl.create_default_context(cafile=environ["SSL_CERT_FILE"])
        self._client = httpx.Client(timeout=_TIMEOUT, verify=verify, trust_env=False)

    def close(self) -> None:
        """Ends its connections."""
        self._client.close()

    def builds(self) -> list[Build]:
        """The newest of the job, newest first."""
        return self._get(f"{self._place.path}/builds", list[Build], limit=str(_PAGE))

    def build(self, id: int) -> Build:
        """One of them."""
        return self._get(f"/api/v1/builds/{id}", Build)

    def resources(self, id: int) -> Resources:
        """What went into a build."""
        return self._get(f"/api/v1/builds/{id}/resources", Resources)

    def plan(self, id: int) -> Any:
        """The steps of a build."""
        return self._get(f"/api/v1/builds/{id}/plan", dict[str, Any])

    def archived(self) -> bool:
        """The job's pipeline was put away: it builds no more."""
        return bool(self._get(self._place.pipeline_path, dict[str, Any]).get("archived"))

    @contextmanager
    def events(self, id: int) -> Iterator[Iterator[str]]:
        """The lines of a build's events, from the first one on, and as they come."""
        with (
            self._told(),
            self._client.stream(
                "GET", f"{self._place.base}/api/v1/builds/{id}/events", headers=self._headers(), timeout=_STREAM
            ) as answer,
        ):
            self._check(answer)
            yield answer.iter_lines()

    def _get(self, path: str, kind: type[T], **query: str) -> T:
        with self._told():
            answer = self._client.get(
                self._place.base + path,
                params=[*query.items(), *(self._place.variables if "/teams/" in path else ())],
                headers=self._headers(),
            )
            self._check(answer)
            try:
                return msgspec.json.decode(answer.content[:_LARGEST], type=kind)
            except msgspec.MsgspecError:
                raise SilentError(f"{self._place.base}: its answer to {path} is not what Concourse says") from None

    def _headers(self) -> dict[str, str]:
        token = self._access.token(self._client)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code == 401:
            self._access.refused()
            raise SilentError(f"{self._place.base} refuses the token (401), or wants one: CONCOURSE_TOKEN, or a user")
        if answer.status_code in (403, 404):
            raise MissingError(f"{self._place.base}: {answer.status_code} for {answer.url.path}")
        if not answer.is_success:
            raise SilentError(f"{self._place.base}: {answer.status_code}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise SilentError(f"{self._place.base}: {str(error) or type(error).__name__}") from None

"""`cloudfoundry-client`, its ways out replaced: discovery, tokens and calls all leave by one session, whose transport
is `wire`. What the library knows stays the library's: grants, lists and their pages. Decision 14 has the whole list."""

import logging
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import msgspec
import requests
from cloudfoundry_client.client import CloudFoundryClient, Info
from cloudfoundry_client.v3.entities import EntityManager

from harness.cf.attribute import Question, fault, of_shape
from harness.cf.dial import site_of
from harness.cf.origin import Endpoint
from harness.cf.performed import Failed
from harness.cf.wire import Wire
from harness.outcome import Cause, Component

ROOT = Question("root")
LOG_IN = Question("token", Endpoint.TOKEN)
_LOGGERS = ("cloudfoundry_client", "oauth2_client", "requests", "urllib3")


class _Link(msgspec.Struct):
    href: str


class _Meta(msgspec.Struct):
    version: str = ""


class _Versioned(msgspec.Struct):
    href: str
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Links(msgspec.Struct):
    cloud_controller_v3: _Versioned
    login: _Link | None = None
    uaa: _Link | None = None


class Root(msgspec.Struct):
    """The API's root document."""

    links: _Links


class Issued(msgspec.Struct):
    """UAA's answer to a log-in, as far as it matters here."""

    access_token: str
    expires_in: float | None = None  # seconds
    refresh_token: str | None = None


class Client(CloudFoundryClient):  # type: ignore[misc]  # the library has no types
    """The library's client, for one thread. Making one discovers the API: it raises Failed."""

    def __init__(
        self, api: str, http: requests.Session, wire: Wire, *, client_id: str, client_secret: str, token_url: str | None
    ) -> None:
        self._http = http  # first: the library discovers while it is made, and looks up what it lacks in v2
        self._wire = wire
        self._token_url = token_url
        self.version: tuple[int, ...] = ()
        self.issued: Issued | None = None
        super().__init__(api, client_id, client_secret)

    @property
    def _session(self) -> requests.Session:
        """Always ours: the library makes one of its own for every new token, without what this one was given."""
        return self._http

    @_session.setter
    def _session(self, session: object) -> None:
        """The library drops its session when a refresh is refused: that is to say, the token."""
        self._http.headers.pop("Authorization", None)

    def _get_info(self, target_endpoint: str, proxy: object = None, verify: object = True) -> Info:
        self._wire.ask(ROOT)
        self._wire.sites = frozenset({site_of(target_endpoint)})
        try:
            root = msgspec.convert(self._http.get(f"{target_endpoint}/").json(), Root).links
            v3 = site_of(root.cloud_controller_v3.href)
        except ValueError as error:  # msgspec's and site_of's
            raise Failed(
                of_shape(ROOT, self._wire.last, f"no root document of a Cloud Foundry API ({error})")
            ) from None
        self.version = version_of(root.cloud_controller_v3.meta.version)
        log_in = root.login or root.uaa or _Link(target_endpoint)
        self._use_token_url(target_endpoint, self._token_url or f"{log_in.href.rstrip('/')}/oauth/token")
        self._wire.sites |= {v3}
        # neither v2 nor log streams: they are optional, and bring clients of their own
        return Info(
            None, root.cloud_controller_v3.href.rstrip("/"), log_in.href.rstrip("/"), target_endpoint, None, None
        )

    def _use_token_url(self, api: str, url: str) -> None:
        """Raises Failed where the password would go out in clear although the API is called by TLS."""
        try:
            secure = site_of(url).secure
        except ValueError as error:
            raise Failed(of_shape(ROOT, self._wire.last, f"its log-in link is {error}")) from None
        if site_of(api).secure and not secure:
            evidence = "the root document's links are Cloud Controller's"
            words = f"logs in at {url}, in clear: nothing was sent there"
            raise Failed(fault(ROOT, Cause.PROTOCOL, Component.CLOUD_CONTROLLER, evidence, words))
        self._wire.token_url = url

    def _token_request(self, request_parameters: dict[str, str], refresh_token_mandatory: bool) -> None:
        """Raises Failed. A refresh token is never mandatory: not every client of UAA gets one."""
        headers = {**self._token_request_headers(""), "Authorization": self.service_information.authorization_header}
        with self._wire.aside(LOG_IN):
            answer = self._http.post(self._wire.token_url, data=request_parameters, headers=headers).json()
        try:
            self.issued = msgspec.convert(answer, Issued)
        except msgspec.ValidationError as error:
            shown = self._wire.last._replace(body=b"")  # it may hold a token
            raise Failed(of_shape(LOG_IN, shown, f"no token in it ({error})")) from None
        self._process_token_response(answer, False)

    def get(self, url: str, params: dict[str, Any] | None = None, **kwargs: Any) -> requests.Response:
        """One GET with our token. Raises Failed. Whether a refused token is renewed is `tokens`' decision; the library
        would also write the whole body to its log's arguments."""
        return self._http.get(url, params=params, **kwargs)

    def without_token(self) -> str | None:
        """Put it aside; returns what `with_token` puts back."""
        return self._http.headers.pop("Authorization", None)

    def with_token(self, held: str | None) -> None:
        """What `without_token` put aside is in force again."""
        if held is not None:
            self._http.headers["Authorization"] = held

    def take(self, access_token: str) -> None:
        """A token from elsewhere."""
        self._access_token = access_token

    def listing(self, path: str) -> EntityManager[Any]:
        """The library's lists and their pages, for any path under the API, as plain dictionaries: its entities refuse
        links that the CLI does not mind."""
        return EntityManager(self.info.api_v3_url.removesuffix("/v3"), self, path, _plain)

    def address(self, path: str) -> str:
        """Of a path under the API, such as "/v3/info"; absolute."""
        return f"{self.info.api_v3_url.removesuffix('/v3')}{path}"


def session_of(wire: Wire, user_agent: str) -> requests.Session:
    """The session under the library: no environment, no cookies kept, nothing packed, our name on every request."""
    http = requests.Session()
    http.trust_env = False  # neither proxies nor .netrc
    http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    http.headers.update({"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"})
    for scheme in ("http://", "https://"):
        http.mount(scheme, wire)
    return http


def keep_quiet() -> None:
    """The library's log at DEBUG holds tokens and passwords' answers: keep it, and what lies under it, at INFO."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))


def version_of(text: str) -> tuple[int, ...]:
    """(3, 211, 0) of "3.211.0"; empty where it is no version."""
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else ()


def _plain(_endpoint: str, _client: object, **fields: Any) -> dict[str, Any]:
    return fields

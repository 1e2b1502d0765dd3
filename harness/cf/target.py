"""What is called, as whom, within which limits: values that travel to a worker. No I/O."""

from typing import Literal

import msgspec

Kind = Literal["password", "client", "token"]
OPERATION_NAMES = ("info", "login", "list-apps", "app-stats", "list-routes", "list-spaces", "watch-app")
OPERATIONS_GROUP = "cf_harness.operations"
"""Entry points by which other packages add operations."""


class ApiTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A foundation's API and the way to it. Paths are absolute; the environment's proxies are ignored."""

    api: str  # "https://api.example.org"
    verify: bool = True
    ca: str | None = None  # a file of PEM certificates, instead of the system's
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None  # "http://[USER:PASSWORD@]HOST:PORT"

    def __repr__(self) -> str:
        """Without the proxy, whose URL may hold a password."""
        proxied = ", by a proxy" if self.proxy else ""
        return f"ApiTarget({self.api}{proxied}{'' if self.verify else ', not verified'})"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: to look a name up, to connect and to shake hands each; of a peer's silence; of a whole operation."""

    connect: float
    read: float
    total: float


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, and the secrets that prove it. Its repr shows none of them."""

    kind: Kind
    username: str = ""
    password: str = ""
    client_id: str = "cf"
    client_secret: str = ""
    access_token: str = ""
    refresh_token: str = ""  # only where its use was allowed: where UAA rotates it, its first owner is logged out
    origin: str  # where they came from: "CF_USERNAME and CF_PASSWORD", "~/.cf/config.json"
    token_url: str | None = None  # None: as the API's root document says

    def __repr__(self) -> str:
        """What may be shown to anybody."""
        name = {"password": self.username, "client": self.client_id, "token": "an access token"}[self.kind]
        return f"Credentials({self.kind}: {name}, from {self.origin})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be written anywhere."""
        held = (self.password, self.client_secret, self.access_token, self.refresh_token)
        return tuple(secret for secret in held if secret)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One operation and what it is about. GUIDs that preflight found spare a look-up by name."""

    operation: str
    app: str | None = None
    app_guid: str | None = None
    org: str | None = None
    org_guid: str | None = None
    space: str | None = None
    space_guid: str | None = None
    per_page: int = 5000  # 1 to 5000 (CC v3 documentation, pagination)
    max_pages: int = 20  # of one list
    body_limit: int = 32 * 1024 * 1024  # bytes of one answer

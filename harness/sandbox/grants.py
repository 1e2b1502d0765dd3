"""How UAA grants tokens (RFC 6749 §4.3, §4.4, §6): who gets one, what it says, what is refused. No I/O; the time comes
in as an argument.

Refresh tokens are opaque and need no memory, so they outlive a restart and a new signing key; only which of them were
used up is forgotten at a restart.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from harness.sandbox.resources import guid_of
from harness.sandbox.tokens import SigningKey
from harness.sandbox.wire import UaaSpec

GRANTS = ("password", "client_credentials", "refresh_token")
_CLI = "cf"  # the client that a user's tools are; its secret is empty
_USER_SCOPES = ("openid", "uaa.user", "password.write", "cloud_controller.read", "cloud_controller.write")
_CLIENT_SCOPES = ("cloud_controller.admin_read_only",)
_LOCKED_AFTER = 5  # wrong passwords in a row
_LOCKED_FOR = 300.0  # seconds


class Refused(Exception):
    """An error of OAuth (RFC 6749 §5.2), in UAA's words."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


class _Refresh(msgspec.Struct, frozen=True):
    jti: str
    user: str
    rev_sig: str


@dataclass(frozen=True)
class Terms:
    """On which tokens are granted now."""

    key: SigningKey
    now: float  # Unix seconds
    lifetime: float  # seconds of an access token
    rotate: bool  # each use of a refresh token ends it


class Grants:
    """Knows users and clients, wrong passwords, and used refresh tokens."""

    def __init__(self, spec: UaaSpec) -> None:
        self.rev_sig = spec.rev_sig
        self._spec = spec
        self._clients = {_CLI: "", spec.client_id: spec.client_secret}
        self._secret = hashlib.sha256(f"{spec.password}\0{spec.client_secret}".encode()).digest()
        self._used: set[str] = set()
        self._wrong: dict[str, tuple[int, float]] = {}  # by user: how often in a row, and the last time

    def grant(self, authorization: str, form: Mapping[str, str], terms: Terms) -> dict[str, object]:
        """The answer to a request at the token endpoint. Raises Refused."""
        client = self._client(authorization, form)
        kind = form.get("grant_type", "")
        if kind == "password":
            self._check_password(form.get("username", ""), form.get("password", ""), terms.now)
            return self._tokens(client, kind, form["username"], self._make_refresh(form["username"]), terms)
        if kind == "refresh_token":
            return self._renew(client, form.get("refresh_token", ""), terms)
        if kind == "client_credentials":
            if client == _CLI:
                raise Refused(401, "unauthorized_client", f"Unauthorized grant type: {kind}")
            return self._tokens(client, kind, "", "", terms)
        if not kind:
            raise Refused(400, "invalid_request", "Missing grant type")
        raise Refused(400, "unsupported_grant_type", "Unsupported grant type")

    def _client(self, authorization: str, form: Mapping[str, str]) -> str:
        """By Basic (RFC 7617), else by the form."""
        scheme, _, packed = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                client, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
            except ValueError:
                raise Refused(401, "unauthorized", "Bad credentials") from None
        elif "client_id" in form:
            client, secret = form["client_id"], form.get("client_secret", "")
        else:
            raise Refused(401, "unauthorized", "An Authentication object was not found in the SecurityContext")
        if not _same(self._clients.get(client), secret):
            raise Refused(401, "unauthorized", "Bad credentials")
        return client

    def _check_password(self, user: str, password: str, now: float) -> None:
        times, last = self._wrong.get(user, (0, 0.0))
        if times >= _LOCKED_AFTER and now < last + _LOCKED_FOR:
            raise Refused(
                401, "unauthorized", "Your account has been locked because of too many failed attempts to login."
            )
        if user not in (self._spec.username, self._spec.stranger) or not _same(self._spec.password, password):
            self._wrong[user] = (times % _LOCKED_AFTER + 1, now)
            raise Refused(401, "unauthorized", "Bad credentials")
        self._wrong.pop(user, None)

    def _renew(self, client: str, token: str, terms: Terms) -> dict[str, object]:
        refresh = self._read_refresh(token)
        if refresh is None or refresh.rev_sig != self.rev_sig or refresh.jti in self._used:
            raise Refused(401, "invalid_token", "The token expired, was revoked, or the token ID is incorrect.")
        if terms.rotate:
            self._used.add(refresh.jti)
            token = self._make_refresh(refresh.user)
        return self._tokens(client, "refresh_token", refresh.user, token, terms)

    def _tokens(self, client: str, kind: str, user: str, refresh: str, terms: Terms) -> dict[str, object]:
        scopes = _USER_SCOPES if user else _CLIENT_SCOPES
        jti = uuid.uuid4().hex
        subject = guid_of("user", user) if user else client
        begun = int(terms.now)
        url = self._spec.url
        claims: dict[str, object] = {
            "jti": jti,
            "sub": subject,
            "scope": scopes,
            "client_id": client,
            "cid": client,
            "azp": client,
            "grant_type": kind,
            "rev_sig": self.rev_sig,
            "iat": begun,
            "exp": begun + int(terms.lifetime),
            "iss": f"{url}/oauth/token",
            "zid": "uaa",
            "aud": sorted({client, *(scope.partition(".")[0] for scope in scopes)}),
        }
        if user:
            claims |= {"user_id": subject, "origin": "uaa", "user_name": user, "email": user, "auth_time": begun}
        told: dict[str, object] = {
            "access_token": terms.key.sign(claims, url),
            "token_type": "bearer",
            "expires_in": int(terms.lifetime),
            "scope": " ".join(scopes),
            "jti": jti,
        }
        return {**told, "refresh_token": refresh} if refresh else told

    def _make_refresh(self, user: str) -> str:
        body = base64.urlsafe_b64encode(msgspec.json.encode(_Refresh(uuid.uuid4().hex, user, self.rev_sig))).decode()
        return f"{body}.{self._seal(body)}-r"

    def _read_refresh(self, token: str) -> _Refresh | None:
        body, _, seal = token.removesuffix("-r").partition(".")
        if not _same(self._seal(body), seal):
            return None
        return msgspec.json.decode(base64.urlsafe_b64decode(body), type=_Refresh)

    def _seal(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()


def _same(right: str | None, said: str) -> bool:
    return right is not None and hmac.compare_digest(right.encode(), said.encode())

"""One session's access token: got, renewed before it expires, renewed when it is refused. Each session has its own, so
no two ever refresh the same one, which would end both where UAA rotates refresh tokens."""

import contextlib
import math
from collections.abc import Callable
from time import time

from harness.cf.attribute import Stage, fault
from harness.cf.client import LOG_IN, Client
from harness.cf.identity import Identity
from harness.cf.jwt import claims
from harness.cf.performed import Failed, Fault
from harness.cf.target import Credentials
from harness.cf.watch import Over, Watch
from harness.cf.wire import Wire
from harness.outcome import Cause, Component

_AHEAD, _PART_AHEAD = 30.0, 0.1  # renewed so many seconds before its end, or in the last tenth of a short life
_PATIENCE = 1.0  # seconds of UAA's silence, while the old token still holds


class Tokens:
    """The state of one client's token; times on the clock."""

    def __init__(
        self,
        client: Client,
        credentials: Credentials,
        identity: Identity,
        *,
        wire: Wire,
        watch: Watch,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._identity = identity
        self._wire = wire
        self._watch = watch
        self._clock = clock
        self._held = False
        self._issued = -math.inf
        self._ends = math.inf
        self._due = math.inf  # when to renew it
        if credentials.kind == "token":
            client.refresh_token = credentials.refresh_token or None
            if credentials.access_token:
                client.take(credentials.access_token)
                expires = claims(credentials.access_token).expires
                self._hold(None if expires is None else expires - time())

    @property
    def age(self) -> float:
        """Seconds since UAA issued it to us."""
        return self._clock() - self._issued

    def ready(self) -> None:
        """See that there is one which should do. Raises Failed."""
        now = self._clock()
        if self._held and now < (self._due if self._renewable else self._ends):
            return
        if not self._held or now >= self._ends:
            self.renew()
            return
        self._due = self._ends  # tried ahead once: if that fails, the old one holds until its end
        self._wire.patience = _PATIENCE
        try:
            # what failed is in the trail as a call; an operation that needs no new token must not fail for it
            with contextlib.suppress(Failed):
                self.renew()
        finally:
            self._wire.patience = math.inf

    def renew(self, refused: Failed | None = None) -> None:
        """Another token: by refresh, or by a new log-in where that is refused or there is none to refresh with. Raises
        Failed; where nothing can be done, `refused` is why one was wanted."""
        client = self._client
        if client.refresh_token is not None:
            try:
                client.init_with_token(client.refresh_token)
            except Failed as failed:
                if failed.fault.cause is not Cause.LOGIN or self._credentials.kind == "token":
                    raise
                client.refresh_token = None  # it is dead: log in again
            else:
                self._got()
                return
        if self._credentials.kind == "token":
            raise Failed(self._at_an_end(refused))
        self.log_in()

    def log_in(self) -> None:
        """A fresh log-in. Raises Failed."""
        credentials = self._credentials
        match credentials.kind:
            case "client":
                self._by_secret(self._client.init_with_client_credentials)
            case "password":
                self._by_secret(
                    lambda: self._client.init_with_user_credentials(credentials.username, credentials.password)
                )
            case "token":
                if self._client.refresh_token is None:
                    raise Failed(self._at_an_end(None))
                self._client.init_with_token(self._client.refresh_token)
        self._got()

    @property
    def _renewable(self) -> bool:
        return self._credentials.kind != "token" or self._client.refresh_token is not None

    def _by_secret(self, log_in: Callable[[], object]) -> None:
        try:
            with self._identity.log_in(self._watch):
                try:
                    log_in()
                except Failed as failed:
                    if failed.fault.cause is Cause.LOGIN:
                        self._identity.refuse(failed.fault)
                    raise
                self._identity.prove()
        except Over as over:
            self._wire.ask(LOG_IN)
            raise self._wire.failed(over, Stage.TURN) from None

    def _got(self) -> None:
        issued = self._client.issued
        assert issued is not None
        self._issued = self._clock()
        self._wire.secrets = (*self._credentials.secrets, issued.access_token, issued.refresh_token or "")
        self._hold(issued.expires_in)

    def _hold(self, life: float | None) -> None:
        """A token that lives for so many seconds; None: nobody knows."""
        now = self._clock()
        self._held = True
        self._ends = math.inf if life is None else now + life
        self._due = math.inf if life is None else self._ends - min(_AHEAD, max(0.0, life) * _PART_AHEAD)

    def _at_an_end(self, refused: Failed | None) -> Fault:
        """An access token alone can't be renewed. That it ran out is our doing; that it is refused before is not."""
        mend = "an access token alone can't be renewed: give CF_CLIENT_ID and CF_CLIENT_SECRET, or log in again"
        origin = self._credentials.origin
        if self._clock() >= self._ends:
            evidence = f"the access token of {origin} says itself that it expired"
            return fault(LOG_IN, Cause.INTERNAL, Component.HARNESS, evidence, f"expired; {mend}")
        if refused is None:
            evidence = f"{origin} holds no password and no refresh token"
            return fault(LOG_IN, Cause.INTERNAL, Component.HARNESS, evidence, mend)
        told = refused.fault
        return Fault(
            cause=told.cause,
            component=told.component,
            evidence=told.evidence,
            detail=f"{told.detail[:150]}; {mend}",
            call=told.call,
        )

"""Performs operations for one call slot: the door of this package for traffic.

Nothing that a platform can do makes it raise: every operation ends in time, with what came of it.
"""

import math
import time
from collections.abc import Callable, Sequence

import msgspec
import requests

from harness.cf.api import Api
from harness.cf.attribute import Question, fault, of_internal
from harness.cf.client import Client, keep_quiet, session_of
from harness.cf.dial import Dialer, site_of
from harness.cf.identity import Identity
from harness.cf.operations import operation_named
from harness.cf.performed import Call, Failed, Fault, Performed, one_line
from harness.cf.scrub import scrubbed
from harness.cf.sightings import Sightings
from harness.cf.target import ApiTarget, Asked, Credentials, Limits
from harness.cf.tokens import Tokens
from harness.cf.trail import Lack, Trail
from harness.cf.watch import Watch
from harness.cf.wire import Throttled, Wire
from harness.errors import HarnessError
from harness.outcome import Cause, Component

__all__ = ["Call", "Fault", "Performed", "Session"]

_UNTOLD_WAIT = 1.0  # seconds to hold back after a 429 that does not say how long
_LONGEST_WAIT = 3600.0


class Session:
    """A client of its own: connections, token, deadline. One thread uses it; `cut` may be called by any other.

    Each operation opens its connections and closes them, as each `cf` command does; within it they are kept.
    """

    def __init__(
        self,
        target: ApiTarget,
        credentials: Credentials,
        limits: Limits,
        *,
        user_agent: str,
        clock: Callable[[], float] = time.monotonic,
        identity: Identity | None = None,
        sightings: Sightings | None = None,
    ) -> None:
        """No I/O. Sessions with the same credentials share `identity`, those that watch the same app `sightings`.
        Raises HarnessError if the target's URLs are none."""
        try:
            site_of(target.api)
            self._watch = Watch(clock)
            dialer = Dialer(target, limits, self._watch)
        except ValueError as error:
            raise HarnessError(str(error)) from None
        self._target = target
        self._credentials = credentials
        self._clock = clock
        self._identity = identity or Identity()
        self._sightings = sightings or Sightings()
        self._wire = Wire(dialer, limits, self._watch, clock)
        self._wire.secrets = credentials.secrets
        self._http: requests.Session = session_of(self._wire, user_agent)
        self._client: Client | None = None
        self._tokens: Tokens | None = None
        self._quiet_until = -math.inf
        self._quiet_for = Component.CLOUD_CONTROLLER  # who asked for it
        keep_quiet()

    def perform(self, asked: Asked, until: float) -> Performed:
        """One operation, over by `until` on the clock, in seconds. Never raises for what a platform does."""
        return self.attempt(lambda api, asked: operation_named(asked.operation).run(api, asked), asked, until)

    def attempt(self, run: Callable[[Api, Asked], Sequence[Lack]], asked: Asked, until: float) -> Performed:
        """As `perform`, for what is in no table."""
        trail = self._wire.trail = Trail(body_limit=asked.body_limit, max_pages=asked.max_pages)
        held_back = self._quiet_until - self._clock()
        if held_back > 0:
            evidence = "an earlier answer was 429, and asked to wait"
            words = f"nothing sent for {held_back:.0f} s more, as Retry-After asked"
            return trail.performed(fault(Question(asked.operation), Cause.THROTTLED, self._quiet_for, evidence, words))
        with self._watch.call(until):
            try:
                found = self._run(run, asked, trail)
            except Throttled as throttled:
                wait = _UNTOLD_WAIT if throttled.wait is None else min(throttled.wait, _LONGEST_WAIT)
                self._quiet_until = self._clock() + wait
                self._quiet_for = throttled.fault.component
                found = throttled.fault
            except Failed as failed:
                found = failed.fault
            except Exception as error:  # told as ours: what no answer explains, and mistakes in others' operations
                found = of_internal(asked.operation, error)
            finally:
                self._wire.close()
        return trail.performed(found and self._clean(found))

    def cut(self) -> None:
        """End the operation under way at once, as `cut`. Without one it does nothing."""
        self._watch.cut()

    def expire(self) -> None:
        """End the operation under way at once, as its deadline would. Without one it does nothing."""
        self._watch.expire()

    def close(self) -> None:
        """No operation may follow."""
        self._http.close()

    def _run(self, run: Callable[[Api, Asked], Sequence[Lack]], asked: Asked, trail: Trail) -> Fault | None:
        client, tokens = self._discovered()
        api = Api(client, tokens, wire=self._wire, trail=trail, sightings=self._sightings, clock=self._clock)
        trail.lacks += run(api, asked)
        if not trail.lacks:
            return None
        worst = trail.lacks[-1]  # the operation's own findings come after the API's warnings, and say more
        words = "; ".join(dict.fromkeys(f"{lack.call}: {lack.words}" for lack in reversed(trail.lacks)))
        return Fault(
            cause=Cause.DEGRADED,
            component=worst.component,
            evidence=one_line(worst.evidence),
            detail=one_line(words),
            call=worst.call,
        )

    def _clean(self, found: Fault) -> Fault:
        """Whatever its words quote: no secret is among them."""

        def without(text: str) -> str:
            return scrubbed(text.encode(), self._wire.secrets).decode()

        return msgspec.structs.replace(found, evidence=without(found.evidence), detail=without(found.detail))

    def _discovered(self) -> tuple[Client, Tokens]:
        """The client, made once the API answers: making it asks for the root document."""
        if self._client is None or self._tokens is None:
            credentials = self._credentials
            client = Client(
                self._target.api.rstrip("/"),
                self._http,
                self._wire,
                client_id=credentials.client_id,
                client_secret=credentials.client_secret,
                token_url=credentials.token_url,
            )
            self._tokens = Tokens(
                client, credentials, self._identity, wire=self._wire, watch=self._watch, clock=self._clock
            )
            self._client = client
        return self._client, self._tokens

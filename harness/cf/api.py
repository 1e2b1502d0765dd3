"""What an operation can ask: named reads of the API and log-ins, each judged, timed and remembered. Operations, also
those of other packages, are written against `Api` alone."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from harness.cf.attribute import Question, of_shape, refused_anew
from harness.cf.client import ROOT, Client, Root
from harness.cf.performed import Failed
from harness.cf.sightings import Sightings
from harness.cf.tokens import Tokens
from harness.cf.trail import Trail
from harness.cf.wire import TokenRefused, Wire

_Kind = TypeVar("_Kind")
# what the library raises where an answer has another shape than it expects
_OF_SHAPE = (msgspec.ValidationError, KeyError, AttributeError, TypeError, ValueError)


class Api:
    """One operation's view of a session. Every method raises Failed, which the operation lets pass."""

    def __init__(
        self,
        client: Client,
        tokens: Tokens,
        *,
        wire: Wire,
        trail: Trail,
        sightings: Sightings,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._wire = wire
        self._trail = trail
        self.sightings = sightings
        self.now = clock
        """Monotonic seconds."""

    @property
    def version(self) -> tuple[int, ...]:
        """Of the v3 API, (3, 211, 0); empty where it said none."""
        return self._client.version

    def resources(
        self, call: str, path: str, kind: type[_Kind], *, instances: bool = False, **query: Any
    ) -> list[_Kind]:
        """All pages of a list under `path` ("/v3/apps"). `call` names it in reports; `instances`: Cloud Controller must
        ask Diego for it. A query's lists are joined by commas, its None are left out."""
        wanted = {name: value for name, value in query.items() if value is not None}
        question = Question(call, instances=instances, lists=True)
        kinds = list[kind]  # type: ignore[valid-type]  # made at run time, for msgspec
        return self._authorized(question, lambda: list(self._client.listing(path).list(**wanted)), kinds)

    def get(self, call: str, path: str, kind: type[_Kind], *, instances: bool = False, **query: Any) -> _Kind:
        """One object."""
        url = self._client.address(path)
        return self._authorized(
            Question(call, instances=instances), lambda: self._client.get(url, query or None).json(), kind
        )

    def read(self, call: str, path: str, kind: type[_Kind]) -> _Kind:
        """One object that anybody may read, without our token."""
        held = self._client.without_token()
        self._wire.ask(Question(call))
        try:
            return self._shaped(Question(call), lambda: self._client.get(self._client.address(path)).json(), kind)
        finally:
            self._client.with_token(held)

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the last answer; names in lower case."""
        return self._wire.last.headers

    def root(self) -> None:
        """The API's root document, which the session discovered it by."""
        self.read(ROOT.call, "/", Root)

    def log_in(self) -> None:
        """A fresh log-in."""
        self._tokens.log_in()

    def _authorized(self, question: Question, ask: Callable[[], object], kind: type[_Kind]) -> _Kind:
        """With a token that holds; once more with another where it is refused."""
        self._tokens.ready()
        self._wire.ask(question)
        try:
            return self._shaped(question, ask, kind)
        except TokenRefused as refused:
            self._tokens.renew(refused)
        self._trail.retried += 1
        self._wire.ask(question)
        try:
            return self._shaped(question, ask, kind)
        except TokenRefused as again:
            raise Failed(refused_anew(question, again.answer, self._tokens.age)) from None

    def _shaped(self, question: Question, ask: Callable[[], object], kind: type[_Kind]) -> _Kind:
        try:
            return msgspec.convert(ask(), kind)
        except _OF_SHAPE as error:
            words = f"not the shape that was due ({type(error).__name__}: {error})"
            raise Failed(of_shape(question, self._wire.last, words)) from None

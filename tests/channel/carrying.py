"""Owners, claims and stores that misbehave, for the tests of a channel."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness.channel.claim import Claim, claim
from harness.channel.folder import FolderStore
from harness.channel.process import this_process
from harness.channel.records import Owner
from harness.channel.store import SilentError, Store


def owner(**changes: object) -> Owner:
    """This process."""
    here = this_process()
    own = Owner(
        run="42",
        attempt=1,
        id="0123456789abcdef",
        at=1000.0,
        host=here.host,
        pid=here.pid,
        boot=here.boot,
        namespace=here.namespace,
        version="",
        target="plan.yml",
    )
    return msgspec.structs.replace(own, **changes)


class Elsewhere(FolderStore):
    """A folder that all look into at once, as on one machine."""

    staleness = 0.0


class Faulty:
    """A store before which something stands in the way: `before` sees each call and may raise, `after` each answer."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.before: Callable[[str, str], None] = lambda what, key: None
        self.after: Callable[[str, str], None] = lambda what, key: None
        self.calls: list[tuple[str, str]] = []
        self._grown = threading.Condition()

    @property
    def name(self) -> str:
        return self.store.name

    @property
    def staleness(self) -> float:
        return self.store.staleness

    @contextmanager
    def _in_the_way(self, what: str, key: str) -> Iterator[None]:
        with self._grown:
            self.calls.append((what, key))
            self._grown.notify_all()
        self.before(what, key)
        yield
        self.after(what, key)

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait, looking with each call, until it holds."""
        with self._grown:
            assert self._grown.wait_for(condition, seconds), self.calls[-20:]

    def create(self, key: str, value: bytes) -> bool:
        with self._in_the_way("create", key):
            return self.store.create(key, value)

    def put(self, key: str, value: bytes) -> None:
        with self._in_the_way("put", key):
            self.store.put(key, value)

    def get(self, key: str) -> bytes | None:
        with self._in_the_way("get", key):
            return self.store.get(key)

    def list(self, prefix: str, after: str = "") -> list[str]:
        with self._in_the_way("list", prefix):
            return self.store.list(prefix, after)


class Once:
    """Raises SilentError at the first call that `meant` picks."""

    def __init__(self, meant: Callable[[str, str], bool]) -> None:
        self._meant = meant
        self.raised = 0

    def __call__(self, what: str, key: str) -> None:
        if not self.raised and self._meant(what, key):
            self.raised += 1
            raise SilentError("lost")


def claimed(store: Store, run: str = "42", floor: int = 1) -> Claim:
    """An attempt of this process."""
    return claim(store, run, floor=floor, target="plan.yml")


def folder(path: Path) -> Faulty:
    """A folder that can be stood in the way of."""
    return Faulty(Elsewhere(path))

"""Connections to the control API are few and short: clients that send nothing, or a byte now and then, make room."""

from asyncio import BaseTransport, TimerHandle
from collections.abc import Callable

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 100  # at once; the one that has been open longest without a request in progress makes room
HEAD_WITHIN = 10.0  # seconds in which a connection must have asked something
LIFE = 60.0  # seconds


def bounded(most: int = MOST, head_within: float = HEAD_WITHIN, life: float = LIFE) -> type[H11Protocol]:
    """A protocol for uvicorn, whose connections share the bounds (connections, seconds, seconds)."""
    opened: dict[H11Protocol, None] = {}  # in order of age

    class _Bounded(H11Protocol):
        """uvicorn wants a class; all that is added is when a connection ends."""

        _timers: tuple[TimerHandle, ...] = ()

        def connection_made(self, transport: BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            opened[self] = None
            if len(opened) > most:
                _end(next((one for one in opened if _is_idle(one)), self))
            later: Callable[..., TimerHandle] = self.loop.call_later
            self._timers = (later(head_within, self._asked_nothing), later(life, _end, self))

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            opened.pop(self, None)
            for timer in self._timers:
                timer.cancel()

        def _asked_nothing(self) -> None:
            if _has_asked_nothing(self):
                _end(self)

    return _Bounded


def _has_asked_nothing(connection: H11Protocol) -> bool:
    return getattr(connection, "cycle", None) is None


def _is_idle(connection: H11Protocol) -> bool:
    return _has_asked_nothing(connection) or connection.cycle.response_complete


def _end(connection: H11Protocol) -> None:
    connection.transport.abort()

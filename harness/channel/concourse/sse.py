"""The bytes of an event stream, made into events (WHATWG HTML, server-sent events). Of an event that is longer than a
limit only its id and name are kept, so no stream takes more memory than that."""

from dataclasses import dataclass, field

LIMIT = 1 << 20  # bytes of one event


@dataclass(frozen=True)
class Event:
    """One event; `data` is empty where it was too long."""

    id: str
    name: str
    data: bytes


@dataclass
class EventStream:
    """Of one connection."""

    _line: bytearray = field(default_factory=bytearray)
    _length: int = 0  # of the line, kept or not
    _kept: int = 0  # bytes of the event
    _cut: bool = False
    _id: str = ""
    _name: str = ""
    _data: list[bytes] = field(default_factory=list)

    def feed(self, chunk: bytes) -> list[Event]:
        """What is complete now."""
        events: list[Event] = []
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._take(part)
            event = self._end_line()
            if event is not None:
                events.append(event)
        self._take(rest)
        return events

    def _take(self, part: bytes) -> None:
        room = LIMIT - self._kept
        self._line += part[:room]
        self._length += len(part)
        self._kept += min(len(part), room)
        self._cut = self._cut or len(part) > room

    def _end_line(self) -> Event | None:
        blank = self._length == 0 or (self._length == 1 and self._line == b"\r")
        line = bytes(self._line).removesuffix(b"\r")
        self._line.clear()
        self._length = 0
        if blank:
            return self._end_event()
        key, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if key == b"id":
            self._id = value.decode("ascii", "replace")
        elif key == b"event":
            self._name = value.decode("ascii", "replace")
        elif key == b"data":
            self._data.append(value)
        return None

    def _end_event(self) -> Event | None:
        data = b"" if self._cut else b"\n".join(self._data)
        event = Event(self._id, self._name, data) if self._name or self._data else None
        self._name, self._kept, self._cut = "", 0, False
        self._data.clear()
        return event

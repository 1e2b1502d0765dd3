"""What one operation leaves behind as it goes, so that one that is ended still tells how far it came."""

from dataclasses import dataclass, field
from typing import NamedTuple

from harness.cf.performed import Call, Fault, Performed
from harness.outcome import Component


class Lack(NamedTuple):
    """A success without something that was asked for."""

    call: str
    component: Component
    evidence: str
    words: str


@dataclass(slots=True)
class Trail:
    """Mutable, of one operation under way. Times are monotonic seconds."""

    body_limit: int  # bytes of one answer
    max_pages: int  # of one list
    calls: list[Call] = field(default_factory=list)
    lacks: list[Lack] = field(default_factory=list)
    answered: bool = False  # the API answered one of its calls
    retried: int = 0
    address: str = ""
    sent: float | None = None
    first_byte: float | None = None

    def performed(self, fault: Fault | None) -> Performed:
        """The operation is over. Operators look for the request that went wrong: its id is the one that is told."""
        blamed = [call for call in self.calls if fault is not None and call.name == fault.call]
        told = blamed or self.calls
        last = told[-1] if told else None
        return Performed(
            fault=fault,
            status=last.status if last else None,
            request_id=last.request_id if last else "",
            address=self.address,
            calls=tuple(self.calls),
            retried=self.retried,
            sent=self.sent,
            first_byte=self.first_byte,
        )

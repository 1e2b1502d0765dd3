"""What came of an operation: its calls, and if it is not well, who said no and how we know. Values only."""

import msgspec

from harness.outcome import Cause, Component

LONGEST_DETAIL = 300  # characters


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why an operation is not ok. `evidence` says why this component, and says so where it is a guess."""

    cause: Cause
    component: Component
    evidence: str
    detail: str  # one line that names the call; no secrets
    call: str  # "apps", "stats", "token", …


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request of an operation. Times are monotonic seconds; the status is None if no answer came."""

    name: str
    began: float
    ended: float
    status: int | None = None
    request_id: str = ""  # X-Vcap-Request-Id, as the answer gave it


class Performed(msgspec.Struct, frozen=True, kw_only=True):
    """One operation that is over. Status and request id are the call's that went
    wrong, or the last one's, the address is the last one's; times are monotonic seconds, of
    the first request written and of the first head of an answer."""

    fault: Fault | None
    status: int | None = None
    request_id: str = ""
    address: str = ""  # "10.0.0.1:443"
    calls: tuple[Call, ...] = ()
    retried: int = 0  # requests sent a second time: after a stale connection, or a token that was refused
    sent: float | None = None
    first_byte: float | None = None


class Failed(Exception):
    """Ends an operation with its fault, on the way from a call to the session. It never leaves this package."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


def one_line(text: str, limit: int = LONGEST_DETAIL) -> str:
    """Printable, without line breaks, no longer than the limit."""
    flat = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 4 * limit]).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"

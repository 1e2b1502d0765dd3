"""Why a tick is not simply good, as one small number, so that millions of ticks fit into arrays."""

from harness.outcome import Cause, Component, is_own

Kind = int
"""A cause and a component in one number; 0 is good."""

GOOD: Kind = 0
_CAUSES = tuple(Cause)
_COMPONENTS = tuple(Component)
_KINDS = {
    (cause, component): 1 + i * len(_COMPONENTS) + j
    for i, cause in enumerate(_CAUSES)
    for j, component in enumerate(_COMPONENTS)
}
_PAIRS = {kind: pair for pair, kind in _KINDS.items()}

UNKNOWN = frozenset(kind for kind, (cause, component) in _PAIRS.items() if is_own(cause, component))
WAITED = frozenset(kind for kind, (cause, _) in _PAIRS.items() if cause in (Cause.CUT, Cause.POOL_LIMIT))
"""Unknown, though the target was asked or would have been: it had not answered. No mercy for these."""
DEGRADED = frozenset(kind for kind, (cause, _) in _PAIRS.items() if cause is Cause.DEGRADED)
_SAID = frozenset(
    {
        Cause.CONNECT_REFUSED,
        Cause.TLS_CERTIFICATE,
        Cause.PROTOCOL,
        Cause.STATUS_4XX,
        Cause.STATUS_5XX,
        Cause.STATUS_UNEXPECTED,
        Cause.ROUTER,
        Cause.THROTTLED,
        Cause.HEADER_MISMATCH,
        Cause.BODY_MISMATCH,
        Cause.LOGIN,
        Cause.API_ERROR,
    }
)
OUTRIGHT = frozenset(kind for kind, (cause, _) in _PAIRS.items() if cause in _SAID)
"""Bad by what the peer or its kernel said, whatever befell us meanwhile."""
LOST = _KINDS[Cause.LOST, Component.HARNESS]
TAINTED = _KINDS[Cause.TAINTED, Component.HARNESS]


def kind_of(cause: Cause, component: Component) -> Kind:
    """The number of a cause at a component."""
    return _KINDS[cause, component]


def cause_of(kind: Kind) -> Cause:
    """The cause that a number stands for."""
    return _PAIRS[kind][0]


def component_of(kind: Kind) -> Component:
    """The component that a number stands for."""
    return _PAIRS[kind][1]

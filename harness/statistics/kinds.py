"""Why a tick is not simply good, as one small number, so that millions of ticks fit into arrays."""

from harness.outcome import OWN_CAUSES, Cause, Component

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

UNKNOWN = frozenset(kind for kind, (cause, _) in _PAIRS.items() if cause in OWN_CAUSES)
DEGRADED = frozenset(kind for kind, (cause, _) in _PAIRS.items() if cause is Cause.DEGRADED)
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

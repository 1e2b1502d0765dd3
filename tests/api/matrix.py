"""What a cell of the matrix must show: one fault, one operation, held against what a run told."""

from harness.outcome import Cause, Component
from tests.api.faults import Fault, Sign
from tests.api.played import NEAR, RATE, Played, Tick, Window

_STRIKES = 0.1  # seconds within which a step befalls all that it is done to
_LATEST = 0.1  # seconds of lag
_NO_OUTAGE = (Cause.DEGRADED, Cause.THROTTLED)
_PAUSED = 0.02  # share of ticks that a busy machine may spoil


def see_cell(played: Played, fault: Fault, operation: str) -> None:
    """The fault is told by its sign, from its begin to its end, or not at all."""
    window = played.windows[fault.name]
    ticks = [tick for tick in played.ticks(operation) if window.holds(tick.at)]
    sign = fault.signs.get(operation)
    if sign is None:
        assert [tick for tick in ticks if not _is_ours(tick)] == []
        return
    # one that was under way as the fault struck may tell otherwise: the trials of attribution judge those
    struck_later = [tick for tick in ticks if tick.at > window.begin + _STRIKES and not _is_ours(tick)]
    told = {tick.sign for tick in struck_later}
    if sign.cause is Cause.TOTAL_TIMEOUT:  # those that waited for the one call slot meanwhile are our setting's
        told -= {Sign(Cause.POOL_LIMIT, Component.HARNESS)}
        told |= {tick.sign for tick in ticks if tick.sign == sign}  # the first one may have the slot to the end
    assert told == {_in_a_run(sign)}
    assert all(played.evidence(operation, window)), "a component without evidence"
    if sign.cause is Cause.THROTTLED:
        assert all(said.startswith(f"{sign.component}: ") for said in played.evidence(operation, window))
    _see_place(played, window, ticks, operation)


def _see_place(played: Played, window: Window, ticks: list[Tick], operation: str) -> None:
    first, beyond = ticks[0].at, ticks[-1].at + 1 / RATE
    assert len(ticks) == round((beyond - first) * RATE), "good ticks among the bad ones"
    earliest, latest = (window.end + over for over in window.fault.over)
    assert window.begin - NEAR <= first <= window.begin + NEAR + _STRIKES
    assert earliest - NEAR <= beyond <= latest + NEAR + _STRIKES
    told = [(spell.start, spell.end) for spell in played.outages(operation, window)]
    if window.fault.signs[operation].cause in _NO_OUTAGE:
        assert told == []
    else:
        assert told == [(first, beyond)]


def see_rest(played: Played, operation: str) -> None:
    """Nothing went wrong but what a fault explains, and all was asked on schedule."""
    harmful = [window for window in played.windows.values() if operation in window.fault.signs]
    ticks = list(played.ticks(operation))
    assert [tick for tick in ticks if not any(window.holds(tick.at) for window in harmful) and not _is_ours(tick)] == []
    axis = played.axis(operation)
    assert sum(_is_ours(tick) for tick in ticks) <= _PAUSED * (axis.stop - axis.first)
    assert played.lag(operation) <= _LATEST


def _in_a_run(sign: Sign) -> Sign:
    """That we asked too often is our own mistake."""
    return sign._replace(component=Component.HARNESS) if sign.cause is Cause.THROTTLED else sign


def _is_ours(tick: Tick) -> bool:
    """The machine stood still meanwhile: no test can help that."""
    return tick.sign.cause is Cause.TAINTED

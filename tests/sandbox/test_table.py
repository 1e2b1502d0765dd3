"""The routing table: whose turn it is."""

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.forward import Endpoint
from harness.sandbox.router import Table
from harness.sandbox.wire import Backends


def table_of(size: int, registered: Iterable[int], connections: int | None = None) -> Table:
    backends = Backends(
        kind="app",
        hosts=(),
        ports=tuple(range(1, size + 1)),
        registered=tuple(registered),
        connections=connections,
    )
    return Table(backends, dropped_for=30.0)


def names(table: Table, count: int, now: float = 0.0) -> Counter[str]:
    picked = [table.pick((), now) for _ in range(count)]
    return Counter(one.name if isinstance(one, Endpoint) else one for one in picked)


@given(st.integers(1, 6), st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
def test_turns_go_to_registered_ones_that_did_not_fail(size: int, registered: set[int], failed: set[int]) -> None:
    registered, failed = {i for i in registered if i < size}, {i for i in failed if i < size}
    table = table_of(size, registered)
    for index in failed:
        table.drop(table.endpoints[index], now=0.0)
    picked = names(table, 60, now=1.0)
    if not registered:
        assert picked == {"no_endpoints": 60}
    else:  # when all have failed, all are forgiven
        good = registered - failed or registered
        assert set(picked) == {f"app/{index}" for index in good}
        assert max(picked.values()) - min(picked.values()) <= 1


def test_a_failure_is_forgotten_in_time_and_at_registration() -> None:
    table = table_of(2, (0, 1))
    table.drop(table.endpoints[0], now=0.0)
    assert set(names(table, 4, now=29.9)) == {"app/1"}
    assert set(names(table, 4, now=30.0)) == {"app/0", "app/1"}
    table.drop(table.endpoints[0], now=31.0)
    table.set(0, present=True)
    assert set(names(table, 4, now=31.0)) == {"app/0", "app/1"}


def test_another_try_goes_elsewhere_while_there_is_an_elsewhere() -> None:
    table = table_of(2, (0, 1))
    first = table.pick((), 0.0)
    assert isinstance(first, Endpoint)
    for _ in range(4):
        assert table.pick((first,), 0.0) is not first
    assert isinstance(table.pick(table.endpoints, 0.0), Endpoint)


def test_a_cap_counts_what_is_in_flight() -> None:
    table = table_of(2, (0, 1), connections=2)
    table.endpoints[0].in_flight = 2
    assert {one.name for one in (table.pick((), 0.0) for _ in range(4)) if isinstance(one, Endpoint)} == {"app/1"}
    table.endpoints[1].in_flight = 3
    assert table.pick((), 0.0) == "Connection Limit Reached"

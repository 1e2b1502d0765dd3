"""Names by the system's own resolver, and what is kept when answers change."""

import asyncio
import socket

import pytest

from harness.engine.resolver import Address, SystemResolver, families_of
from harness.outcome import Cause, Component


def test_localhost() -> None:
    resolver = SystemResolver("localhost", 8080, every=10.0, pinned=None)
    asyncio.run(resolver.resolve())
    assert resolver.failure is None
    assert Address(("127.0.0.1", 8080)) in resolver.addresses or Address(("::1", 8080)) in resolver.addresses
    assert len(set(resolver.addresses)) == len(resolver.addresses)
    asyncio.run(resolver.resolve())
    assert resolver.changes == 0


def test_a_name_that_never_exists() -> None:
    """RFC 6761 §6.4. The first failure counts, since nothing is known."""
    resolver = SystemResolver("harness.invalid", 80, every=10.0, pinned=None)
    asyncio.run(resolver.resolve())
    assert resolver.addresses == ()
    assert resolver.failure is not None
    assert resolver.failure[:2] == (Cause.DNS, Component.DNS)


@pytest.mark.parametrize(("host", "pinned"), [("127.0.0.2", None), ("::1", None), ("harness.invalid", "127.0.0.2")])
def test_addresses_need_no_look_up(host: str, pinned: str | None) -> None:
    """As numbers, or as in curl's --resolve; and there is nothing to ask again."""
    resolver = SystemResolver(host, 81, every=0.0, pinned=pinned)
    asyncio.run(resolver.resolve())
    asyncio.run(asyncio.wait_for(resolver.keep_asking(), 10))
    assert resolver.addresses == (Address((pinned or host, 81)),)


class Loop(asyncio.SelectorEventLoop):
    """Its system's answers are scripted: numbers of hosts in 10.0.0.0/24, or a failure."""

    def __init__(self, script: list[list[int] | None]) -> None:
        super().__init__()
        self.script = script

    async def getaddrinfo(self, host: object, port: object, **more: object) -> list[tuple[object, ...]]:  # type: ignore[override]
        answer = self.script.pop(0)
        if answer is None:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"10.0.0.{number}", port)) for number in answer]


def told(script: list[list[int] | None]) -> list[tuple[list[int], bool, int]]:
    """After each answer: the hosts, whether there is a failure, how many changes there were."""
    resolver = SystemResolver("app.test", 80, every=10.0, pinned=None)
    seen = []

    async def ask() -> None:
        for _ in range(len(script)):
            await resolver.resolve()
            hosts = [int(address[0].rpartition(".")[2]) for address in resolver.addresses]
            seen.append((hosts, resolver.failure is not None, resolver.changes))

    with asyncio.Runner(loop_factory=lambda: Loop(script)) as runner:
        runner.run(ask())
    return seen


def test_answers_that_change() -> None:
    """What stays keeps its place, whatever the order of an answer; doubles are one."""
    assert told([[1, 2], [2, 1], [3, 2, 2], [3]]) == [
        ([1, 2], False, 0),
        ([1, 2], False, 0),
        ([2, 3], False, 1),
        ([3], False, 2),
    ]


def test_the_second_failure_in_a_row_counts() -> None:
    """The addresses are kept for those who have connections; a user who arrives now would fail."""
    assert told([[1], None, [1], None, None, [1]]) == [
        ([1], False, 0),
        ([1], False, 0),
        ([1], False, 0),
        ([1], False, 0),
        ([1], True, 0),
        ([1], False, 0),
    ]
    assert told([None])[0][1], "nothing is known at all"


def test_families() -> None:
    four, six = Address(("10.0.0.1", 80)), Address(("::1", 80))
    assert families_of((six, four, six)) == ((six, six), (four,))
    assert families_of((four, six)) == ((four,), (six,))
    assert families_of((four,)) == ((four,),)
    assert families_of(()) == ()

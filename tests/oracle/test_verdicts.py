"""No wrong verdict: scripted deployments through the real engine, worker, conductor and judge, held against what users
met. `bench.oracle` plays a thousand more.
"""

from hypothesis import given, settings

from harness.verdict import Decision
from tests.oracle.deployment import play
from tests.oracle.script import Dice, Fault, Pause, Script, draw, scripts
from tests.oracle.truth import Truth

NEVER_READY = 4
DICE = 60


def check(script: Script) -> None:
    """Everything that is said of it is so."""
    played = play(script)
    if played.verdict.exit_code == NEVER_READY:
        assert played.verdict.verdict is Decision.INCONCLUSIVE
        return
    assert Truth(played).wrong() == []


@given(scripts(disturbed=False))
@settings(max_examples=40, deadline=None)
def test_an_undisturbed_harness_is_right(script: Script) -> None:
    """Whatever the platform does."""
    check(script)


@given(scripts(disturbed=True))
@settings(max_examples=60, deadline=None)
def test_a_disturbed_harness_is_right_or_says_that_it_does_not_know(script: Script) -> None:
    """Whatever befalls the harness meanwhile."""
    check(script)


def test_an_undisturbed_harness_seldom_says_that_it_does_not_know() -> None:
    """At most one in fifty, and both other verdicts come often."""
    verdicts = [play(draw(Dice(f"seldom {n}"), disturbed=False)).verdict.verdict for n in range(DICE)]
    assert verdicts.count(Decision.INCONCLUSIVE) <= DICE / 50
    assert verdicts.count(Decision.PASS) > DICE / 5
    assert verdicts.count(Decision.FAIL) > DICE / 5


def test_the_same_script_ends_alike() -> None:
    """To the last digit: nothing in a world depends on this machine."""
    script = Script(faults=(Fault("down", 9.0004, 0.5),), pauses=(Pause("everything", 12.0004, 0.7),), shards=2)
    one, other = play(script).verdict, play(script).verdict
    assert one.objectives == other.objectives
    assert one.runners == other.runners


# Scripts that were judged wrongly once


def test_unknown_ticks_don_t_make_many_outages_of_one() -> None:
    """A dead worker's lost ticks lie between the bad ones of the other shard."""
    check(
        Script(
            rate=100.0, shards=2, timeout=0.3, one_way=0.0005, service=0.002, spread=0.06, stop_at=28.0, mercy=False,
            objectives=("outages < 3", "total_outage < 1500ms"), kills=(13.2894, 15.6604),
            faults=(Fault("reset", 12.8624, 0.97),),
        )
    )  # fmt: skip


def test_blind_time_proves_no_violation() -> None:
    """Set aside, it must not make the share of the failures larger: 50 of 492 are more than a tenth, of 502 not."""
    check(
        Script(
            rate=50.0, timeout=0.3, one_way=0.01, service=0.002, stop_at=26.201, kills=(11.2354, 26.1304),
            objectives=("p95 < 300ms", "success >= 90% over 10s"), faults=(Fault("503", 7.7624, 1.0),),
            pauses=(Pause("everything", 23.6154, 0.015),),
        )
    )  # fmt: skip


def test_a_silence_of_ours_stays_ours_though_the_worker_dies_after_it() -> None:
    """The frame that is told right after a freeze must know of the freeze."""
    check(
        Script(
            rate=33.0, timeout=2.0, one_way=0.01, service=0.002, stop_at=21.065, kills=(19.5454, 19.7184),
            objectives=("failures < 5", "silence < 1s"), pauses=(Pause("everything", 16.5054, 3.0),),
        )
    )  # fmt: skip


def test_a_connection_that_is_closed_between_two_of_its_requests_is_stale() -> None:
    """A router that drains ends each connection after its answer, and a tick in line may just have taken it over."""
    check(
        Script(
            rate=100.0, timeout=1.0, one_way=0.0015, service=0.045, spread=0.005, stop_at=20.0, drain=1.0,
            faults=(Fault("drain", 14.4324), Fault("hole", 12.9324, 0.02)),
        )
    )  # fmt: skip


def test_shards_of_which_one_waited_first() -> None:
    """Their common silence began before the other one had a tick to wait for."""
    check(
        Script(
            rate=10.0, shards=2, timeout=0.5, one_way=0.0005, service=0.01, spread=0.005, stop_at=15.715,
            objectives=("failures < 5", "silence < 1s"), faults=(Fault("freeze", 4.1094, 1.03),),
        )
    )  # fmt: skip


def test_unknown_ticks_may_hide_many_outages() -> None:
    """One address of two is down, so that every second tick fails, and we look away."""
    check(
        Script(
            rate=20.0, addresses=2, timeout=0.5, one_way=0.01, service=0.002, spread=0.005, stop_at=19.331,
            objectives=("outages < 3", "total_outage < 1500ms"), pauses=(Pause("workers", 16.6624, 3.0),),
            faults=(Fault("reset", 16.4654, 0.5, address=0),),
        )
    )  # fmt: skip


def test_a_worker_that_is_started_while_no_name_is_known() -> None:
    """It fails, and so does everyone who comes then."""
    check(
        Script(
            rate=10.0, addresses=2, timeout=4.0, one_way=0.0005, service=0.002, stop_at=19.28, mercy=False,
            objectives=("outages < 3", "total_outage < 1500ms"), kills=(6.7594,), faults=(Fault("dns", 4.0014, 5.5),),
        )
    )  # fmt: skip


def test_a_pool_waits_for_connections_whose_first_packet_was_lost() -> None:
    """A second at most, after the network is whole again."""
    check(
        Script(
            rate=33.0, timeout=1.0, one_way=0.01, service=0.045, spread=0.06, stop_at=20.0,
            objectives=("outages < 3", "total_outage < 1500ms"), faults=(Fault("hole", 8.3404, 1.1),),
        )
    )  # fmt: skip

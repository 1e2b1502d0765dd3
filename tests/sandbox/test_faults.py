"""Each action as a client sees it: while it lasts, and that it is over afterwards."""

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.sandbox import Sandbox, SandboxConfig, SandboxError, ScriptError, Step
from tests.sandbox.asking import HOST, Answer, Client, Early, ask, clients, facts, outcome, truth, until


@pytest.fixture
def mended(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Whatever a test does to it, it serves afterwards."""
    yield sandbox
    until(lambda: [outcome(sandbox) for _ in range(4)] == [200] * 4)


def everywhere(sandbox: Sandbox, count: int = 6) -> set[int | str]:
    return {outcome(sandbox) for _ in range(count)}


@pytest.mark.parametrize("target", ["balancer", "routers"])
def test_reset(mended: Sandbox, target: str) -> None:
    with clients(mended, 4) as kept, mended.during(Step(do="reset", target=target)):
        assert everywhere(mended) == {"ConnectionResetError"}
        for client in kept:
            with pytest.raises(ConnectionResetError):
                client.ask()


def test_reset_of_all_apps_is_the_routers_502(mended: Sandbox) -> None:
    with mended.during(Step(do="reset", target="apps")):
        answer = ask(mended)
    assert answer.status == 502
    assert answer.headers["x-cf-routererror"].startswith("endpoint_failure (read tcp")


def test_reset_of_one_app_is_hidden_by_the_router(mended: Sandbox) -> None:
    with mended.during(Step(do="reset", target="app/0")):
        assert {ask(mended).body for _ in range(6)} == {b"ok instance 1\n"}


@pytest.mark.parametrize("target", ["balancer", "routers", "apps"])
def test_close_early(mended: Sandbox, target: str) -> None:
    with clients(mended, 2) as kept, mended.during(Step(do="close_early", target=target)):
        came = r"^(HTTP/1.1 200 OK|x{100}$)"  # of the head, or of the body
        with pytest.raises(Early, match=came):
            ask(mended)
        with pytest.raises(Early, match=came):
            kept[0].ask()


@pytest.mark.parametrize("target", ["balancer", "routers"])
def test_refuse(mended: Sandbox, target: str) -> None:
    """A balancer that can't reach a router has accepted already: the client sees a reset."""
    seen = "ConnectionRefusedError" if target == "balancer" else "ConnectionResetError"
    with clients(mended, 4) as kept, mended.during(Step(do="refuse", target=target)):
        assert everywhere(mended) == {seen}
        assert all(client.closed() for client in kept)


def test_refuse_of_all_apps_is_the_routers_502(mended: Sandbox) -> None:
    with mended.during(Step(do="refuse", target="apps")):
        answer = ask(mended)
    assert answer.status == 502
    assert answer.headers["x-cf-routererror"].startswith("endpoint_failure (dial tcp 127.0.0.1:")
    assert answer.headers["x-cf-routererror"].endswith(": connect: connection refused)")


def test_refuse_of_one_app_is_hidden_and_it_is_dropped(mended: Sandbox) -> None:
    before = len(facts(mended, "endpoint_failed"))
    with mended.during(Step(do="refuse", target="app/1")):
        assert {ask(mended).body for _ in range(6)} == {b"ok instance 0\n"}
    assert {fact["app"] for fact in facts(mended, "endpoint_failed")[before:]} == {"app/1"}


@pytest.mark.parametrize("target", ["balancer", "routers", "apps"])
def test_stall(mended: Sandbox, target: str) -> None:
    with clients(mended, 2) as kept, Client(mended.url) as fresh:
        with mended.during(Step(do="stall", target=target)):
            assert everywhere(mended, 2) == {"TimeoutError"}
            for client in (*kept, fresh):
                client.say(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            kept[0].sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                kept[0].answer()
            kept[0].sock.settimeout(5)
        for client in (*kept, fresh):  # late, and not lost
            assert client.answer().status == 200


def test_a_stall_holds_answers_that_are_under_way(mended: Sandbox) -> None:
    with Client(mended.url, timeout=5) as client:
        client.say(f"GET /slow/100ms HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        begin = time.monotonic()
        mended.perform(Step(do="stall", target="apps", lasts=0.4))
        assert client.answer().status == 200
        assert time.monotonic() - begin >= 0.4


@pytest.mark.parametrize("target", ["balancer", "routers", "apps"])
def test_slow(mended: Sandbox, target: str) -> None:
    with mended.during(Step(do="slow", target=target, by=0.2)), Client(mended.url) as client:
        for _ in range(2):
            begin = time.monotonic()
            assert client.ask().status == 200
            assert time.monotonic() - begin >= 0.195
    assert outcome(mended) == 200


def test_status_of_apps_and_routers(mended: Sandbox) -> None:
    with mended.during(Step(do="status", target="apps")):
        answer = ask(mended)
        assert answer.status == 503
        assert "x-cf-routererror" not in answer.headers
        assert "x-vcap-request-id" in answer.headers
    with mended.during(Step(do="status", target="routers", error="Connection Limit Reached")):
        answer = ask(mended)
        assert (answer.status, answer.headers["x-cf-routererror"]) == (503, "Connection Limit Reached")
    with mended.during(Step(do="status", target="routers", code=496)):
        answer = ask(mended)
        assert (answer.status, answer.headers["x-cf-routererror"]) == (496, "endpoint_failure")
    with mended.during(Step(do="unknown_route", target="routers")):
        answer = ask(mended)
        assert (answer.status, answer.headers["x-cf-routererror"]) == (404, "unknown_route")


@pytest.mark.parametrize("target", ["balancer", "routers", "apps"])
def test_freeze(mended: Sandbox, target: str) -> None:
    with clients(mended, 1) as kept:
        with mended.during(Step(do="freeze", target=target)):
            kept[0].say(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert outcome(mended) == "TimeoutError"
        assert kept[0].answer().status == 200


def test_a_frozen_router_is_taken_out_by_the_balancer(mended: Sandbox) -> None:
    before = len(facts(mended, "router_unhealthy"))
    with mended.during(Step(do="freeze", target="router/0")):
        until(lambda: len(facts(mended, "router_unhealthy")) > before)
        assert everywhere(mended, 4) == {200}
    until(lambda: facts(mended, "router_healthy")[-1]["router"] == "router/0")


@pytest.mark.parametrize("target", ["balancer", "apps"])
def test_black_hole(mended: Sandbox, target: str) -> None:
    """SYNs get no answer: at the balancer the client's own, at the apps those of the routers."""
    with clients(mended, 1) as kept:
        with mended.during(Step(do="black_hole", target=target)):
            kept[0].say(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            if target == "balancer":
                for _ in range(3):
                    with pytest.raises(TimeoutError), Client(mended.url, timeout=0.2):
                        pass
            else:
                assert everywhere(mended, 2) == {"TimeoutError"}
        assert kept[0].answer().status == 200


def test_an_unhealthy_router_serves_and_is_not_sent_to(mended: Sandbox) -> None:
    before = len(facts(mended, "router_unhealthy"))
    with clients(mended, 4) as kept, mended.during(Step(do="unhealthy", target="routers")):
        until(lambda: len(facts(mended, "router_unhealthy")) == before + 2)
        assert outcome(mended) == "ConnectionResetError"
        assert {client.ask().status for client in kept} == {200}
    until(lambda: outcome(mended) == 200)


def test_layer_7_statuses_are_its_own(layer7: Sandbox) -> None:
    def own(answer: Answer, status: int) -> None:
        assert (answer.status, answer.headers["server"]) == (status, "sandbox-balancer")
        assert not {"x-vcap-request-id", "x-cf-routererror"} & set(answer.headers)

    with layer7.during(Step(do="status", target="balancer")):
        own(ask(layer7), 502)
    with layer7.during(Step(do="refuse", target="routers")):
        own(ask(layer7), 502)
    with layer7.during(Step(do="reset", target="routers")):
        own(ask(layer7), 502)
    with layer7.during(Step(do="stall", target="routers")):
        own(ask(layer7), 504)
    assert outcome(layer7) == 200


def test_a_component_bears_one_fault_at_a_time(mended: Sandbox) -> None:
    with (
        mended.during(Step(do="slow", target="app/0", name="first")),
        pytest.raises(SandboxError, match=r"app/0: slow of step 'first' is still going on"),
        mended.during(Step(do="reset", target="app/0")),
    ):
        pass
    assert facts(mended, "failed")[-1]["step"] == "reset app/0"


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(do="kill", target="router/7"), r"there is no router/7: this sandbox has router/0 to router/1"),
        (Step(do="status", target="balancer"), r"layer 4 speaks no HTTP"),
        (Step(do="wrong_certificate", target="routers"), r"no certificate without TLS"),
        (Step(do="unknown_route", target="apps"), r"`unknown_route` is for a router, not for an app"),
        (Step(do="rolling_restart", target="app/0"), r'write "apps", or do `restart`'),
        (Step(do="stall", target="the moon"), r"'the moon' is no target"),
        (Step(do="stall", target="apps", code=500), r"code: means nothing to `stall`"),
        (Step(do="restart", target="apps", lasts=1.0), r"`restart` takes as long as it takes"),
    ],
)
def test_steps_that_make_no_sense(sandbox: Sandbox, step: Step, text: str) -> None:
    before = len(truth(sandbox))
    with pytest.raises(ScriptError, match=text):
        sandbox.perform(step)
    assert len(truth(sandbox)) == before


def test_the_truth_brackets_what_a_client_saw(mended: Sandbox) -> None:
    """Everything that failed did so between the begin and the end that were logged, within a request's own length."""
    failed: list[tuple[float, float]] = []
    good: list[tuple[float, float]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            begin = time.monotonic()
            kind = outcome(mended)
            (good if kind == 200 else failed).append((begin, time.monotonic()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        until(lambda: len(good) > 10)
        mended.perform(Step(do="refuse", target="balancer", name="the fault", lasts=0.3))
        seen = len(good)
        until(lambda: len(good) > seen + 10)
    finally:
        stop.set()
        thread.join()
    lines = [line for line in truth(mended) if line["step"] == "the fault"]
    assert [line["event"] for line in lines] == ["begin", "fault_began", "fault_ended", "end"]
    begin, began, ended, end = (line["monotonic"] for line in lines)
    assert 0.3 <= ended - began <= end - begin
    assert failed
    assert all(done >= begin and start <= ended for start, done in failed)
    assert not [one for one in good if one[0] >= began and one[1] <= ended]


def test_steps_are_told_before_they_take_effect() -> None:
    told: list[tuple[str, str, float]] = []
    with Sandbox(SandboxConfig(routers=1, instances=1), on_step=lambda *news: told.append(news)) as made:
        made.perform(Step(do="refuse", target="balancer", name="one", lasts=0.05))
        lines = truth(made)
    assert [(name, edge) for name, edge, _ in told] == [("one", "begin"), ("one", "end")]
    moments = {line["event"]: line["monotonic"] for line in lines if line["step"] == "one"}
    assert [moment for _, _, moment in told] == [moments["begin"], moments["end"]]
    assert moments["begin"] <= moments["fault_began"] <= moments["fault_ended"] <= moments["end"]


@pytest.mark.parametrize("layer", [4, 7])
def test_tls_and_wrong_certificates(layer: int, tmp_path: Path) -> None:
    ends = "routers" if layer == 4 else "balancer"
    config = SandboxConfig(tls=True, layer=layer, folder=tmp_path)  # type: ignore[arg-type]
    with Sandbox(config) as made:
        assert made.url.startswith("https://127.0.0.1:")
        assert made.ca == tmp_path / "ca.pem"
        with Client(made.url, made.ca, name=HOST) as client:
            assert client.ask().status == 200
        for kind, text in (
            ("wrong_name", "IP address mismatch"),
            ("unknown_ca", "unable to get local issuer certificate"),
            ("expired", "has expired"),
        ):
            step = Step(do="wrong_certificate", target=ends, certificate=kind)  # type: ignore[arg-type]
            with clients(made, 1) as kept, made.during(step):
                with pytest.raises(ssl.SSLCertVerificationError, match=text):
                    ask(made)
                assert kept[0].ask().status == 200  # what was agreed upon stays
            assert outcome(made) == 200
        with made.during(Step(do="black_hole", target="balancer")), pytest.raises(TimeoutError):
            Client(made.url, timeout=0.2)
        with clients(made, 1) as kept, made.during(Step(do="reset", target=ends)):
            with pytest.raises((ConnectionResetError, Early)):  # Python's ssl takes ECONNRESET for an end
                kept[0].ask()
            with pytest.raises(OSError, match="not connected"):  # which after a mere end it would still be
                kept[0].sock.getpeername()
        assert (tmp_path / "truth.jsonl").stat().st_size > 0
    assert (tmp_path / "truth.jsonl").exists()

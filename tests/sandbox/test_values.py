"""What of the API is computed: tokens, grants, pages, rate limits, instances."""

import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.bbs import Report, read_instance
from harness.sandbox.cc_errors import ApiError
from harness.sandbox.endpoints import ENDPOINTS, find_endpoint
from harness.sandbox.pages import Listed, page_of, parse_query
from harness.sandbox.rate_limits import RateLimits
from harness.sandbox.tokens import SigningKey, TokenError, load_signing_key, make_signing_key, read_keys, read_token

CLAIMS = {"sub": "x", "exp": 10, "rev_sig": "r", "scope": ["a"], "user_name": "somebody", "client_id": "cf"}
NUMBERS = Listed(lambda number: {"number": number}, {"guids": str}, {"created_at": lambda n: f"{n:09}"}, {})


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return load_signing_key(tmp_path_factory.mktemp("key"))


def keys_of(*signing: SigningKey) -> Any:
    return read_keys(json.dumps({"keys": [one.public() for one in signing]}).encode())


def test_a_token_is_read_by_its_key_alone(key: SigningKey, tmp_path: Path) -> None:
    token = key.sign(CLAIMS, "http://uaa")
    claims = read_token(token, keys_of(key))
    assert (claims.sub, claims.exp, claims.scope, claims.user_name) == ("x", 10, ("a",), "somebody")
    another = make_signing_key(tmp_path)
    with pytest.raises(TokenError, match="a key that nobody knows"):
        read_token(token, keys_of(another))
    assert load_signing_key(tmp_path).kid == another.kid  # it outlives a restart
    assert (tmp_path / "uaa-signing-key.pem").stat().st_mode & 0o077 == 0
    with pytest.raises(TokenError):
        read_token(SigningKey(another.kid, key.private).sign(CLAIMS, ""), keys_of(another))


@given(st.data())
def test_a_token_that_was_changed_is_none(key: SigningKey, data: st.DataObject) -> None:
    token = key.sign(CLAIMS, "http://uaa")
    place = data.draw(st.integers(0, len(token) - 2))  # the last character has bits that mean nothing
    char = data.draw(st.sampled_from("Az09-_.").filter(lambda char: char != token[place]))
    with pytest.raises(TokenError):
        read_token(token[:place] + char + token[place + 1 :], keys_of(key))


@given(st.text())
def test_no_text_is_more_than_an_error(text: str) -> None:
    with pytest.raises(TokenError):
        read_token(text, {})
    with pytest.raises(ValueError, match=r".*"):
        read_keys(text.encode("utf-8", "replace"))


@given(count=st.integers(0, 40), size=st.integers(1, 50))
def test_pages_hold_everything_once(count: int, size: int) -> None:
    query = {"per_page": str(size)}
    seen: list[int] = []
    pages = 0
    while query and pages < 50:
        page = page_of(NUMBERS, range(count), "http://api/v3/numbers", query, endless=False)
        pages += 1
        seen += [one["number"] for one in page["resources"]]
        assert page["pagination"]["total_results"] == count
        assert page["pagination"]["total_pages"] == max(1, -(-count // size))
        following = page["pagination"]["next"]
        query = parse_query(following["href"].encode()) if following else {}
    assert seen == list(range(count))
    assert pages == max(1, -(-count // size))


@given(st.dictionaries(st.sampled_from(["page", "per_page", "order_by", "guids", "x"]), st.text(max_size=8)))
def test_a_query_gives_a_page_or_an_error_of_the_query(query: dict[str, str]) -> None:
    try:
        page = page_of(NUMBERS, range(9), "http://api/v3/numbers", query, endless=False)
    except ApiError as error:
        page = {"resources": [], "refused": error.title}
    assert page.get("refused", "CF-BadQueryParameter") == "CF-BadQueryParameter"
    assert len(page["resources"]) <= 9


@given(st.integers(1, 300), st.integers(1, 400))
def test_limits_let_so_many_through(limit: int, asked: int) -> None:
    limits = RateLimits(interval=60.0)
    counted = [limits.count("somebody", limit, now=100.0) for _ in range(asked)]
    assert [one.over for one in counted] == [number >= limit for number in range(asked)]
    for number, one in enumerate(counted, 1):
        left = max(0, limit - number)
        assert 0 <= left - one.remaining <= limit / 10 + 1
        assert one.reset == 160
    assert not limits.count("another", limit, now=100.0).over
    assert not limits.count("somebody", limit, now=160.0).over


def test_every_endpoint_is_found_by_its_path() -> None:
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("*", "some-guid") or "/"
        found = find_endpoint(path)
        assert found is not None
        assert found[0] is endpoint
        assert found[1] == ("some-guid" if "*" in endpoint.path else found[1])
    assert find_endpoint("/v3/apps/some-guid/nothing") is None
    assert find_endpoint("/v2/apps") is None


def _live(folder: str, ready: Any, ending: Any) -> None:
    report = Report(Path(folder), 3)
    report.run()
    ready.set()
    ending.wait(20)
    report.stop()


@pytest.mark.parametrize("killed", [True, False])
def test_an_instance_is_known_by_its_life(tmp_path: Path, killed: bool) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready, ending = spawn.Event(), spawn.Event()
    assert read_instance(tmp_path, 3).state == "DOWN"
    process = spawn.Process(target=_live, args=(str(tmp_path), ready, ending))
    process.start()
    try:
        assert ready.wait(20)
        running = read_instance(tmp_path, 3)
        assert (running.state, len(running.guid)) == ("RUNNING", 36)
        if killed:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        else:
            ending.set()
    finally:
        process.join(20)
        process.kill()
    ended = read_instance(tmp_path, 3)
    assert (ended.state, ended.guid) == (("CRASHED", running.guid) if killed else ("DOWN", ""))

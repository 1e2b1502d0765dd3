"""Whatever a store says, nothing of its text is shown but a status and a code, and it is known whether to ask again."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.channel.object_errors import CLOUDS, Cloud, meaning, misconfigured
from harness.channel.store import SilentError

SECRETS = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).map(lambda text: f"zq{text}")
clouds = st.sampled_from(list(CLOUDS.values()))


@given(clouds, st.integers(400, 599), SECRETS, st.booleans())
def test_nothing_of_the_text_is_shown(cloud: Cloud, status: int, secret: str, coded: bool) -> None:
    body = f"<Error><Code>Odd</Code><Message>{secret}</Message></Error>" if coded else secret
    text = (
        f"Generic error: Error performing GET https://host/c/x?sig={secret} in 1ms - "
        f"Server returned non-2xx status code: {status} X: {body}\n\nDebug source:\nGeneric {{ uri: {secret} }}"
    )
    for error in (meaning("s3://b/x", cloud, text), misconfigured("s3://b/x", cloud, text)):
        assert secret not in str(error)
        assert "\n" not in str(error)


@given(clouds, st.integers(400, 599))
def test_what_passes_is_told_by_the_status(cloud: Cloud, status: int) -> None:
    error = meaning("s3://b/x", cloud, f"Server returned non-2xx status code: {status} X: ")
    passes = status in (408, 425, 429) or (status >= 500 and status not in (501, 505))
    assert isinstance(error, SilentError) is passes


@given(clouds, st.text(max_size=200))
def test_any_text_has_a_meaning(cloud: Cloud, text: str) -> None:
    assert str(meaning("s3://b/x", cloud, text)).startswith("the channel s3://b/x")


@pytest.mark.parametrize("kind", ["Timeout", "Connect", "Body", "Unknown"])
def test_without_an_answer_it_is_worth_another_try(kind: str) -> None:
    text = f"HTTP error: error sending request\n\nDebug source:\nHttpError {{\n    kind: {kind},"
    assert isinstance(meaning("s3://b/x", CLOUDS["s3"], text), SilentError)

"""Secrets are taken out of what a server echoes."""

from hypothesis import given
from hypothesis import strategies as st

from harness.cf.scrub import forms_of, scrubbed


@given(st.text(min_size=3), st.text(), st.text())
def test_secrets_are_taken_out(secret: str, before: str, after: str) -> None:
    for form in forms_of(secret):
        text = before.encode("utf-8", "replace") + form + after.encode("utf-8", "replace")
        assert form not in scrubbed(text, [secret]) or form in b"[removed]"

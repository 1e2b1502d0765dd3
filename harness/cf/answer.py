"""An HTTP answer as a value, and what its headers tell: request ids, warnings, limits, when to come back. Pure."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import unquote_plus

_EPOCH = 1_000_000_000  # a number of seconds beyond this is a date, not a delay
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_OF_CLOUD_CONTROLLER = re.compile(rf"\S+::{_UUID}|{_UUID}::\S+")


class Answer(NamedTuple):
    """Whole. Header names are in lower case; repeated ones are joined by commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """X-Vcap-Request-Id."""
        return self.headers.get("x-vcap-request-id", "")

    @property
    def by_cloud_controller(self) -> bool:
        """Its request id is `<uuid>::<uuid>` [CC middleware/vcap_request_context_setter.rb]."""
        return _OF_CLOUD_CONTROLLER.fullmatch(self.request_id.strip()) is not None

    @property
    def is_html(self) -> bool:
        """By its type, or by how it begins."""
        begins = self.body[:200].lstrip().lower()
        return "html" in self.headers.get("content-type", "").lower() or begins.startswith(
            (b"<!doctype html", b"<html")
        )


def warnings_of(headers: Mapping[str, str]) -> list[str]:
    """X-Cf-Warnings: each is form-encoded, with commas between [CC app/controllers/v3/application_controller.rb]."""
    return [words for part in headers.get("x-cf-warnings", "").split(",") if (words := unquote_plus(part).strip())]


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A header that is a whole number, not negative; None if it is none."""
    value = headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def wait_of(headers: Mapping[str, str], wall: float) -> float | None:
    """Seconds that Retry-After asks for, from `wall` (epoch seconds) on: a delay or a date (RFC 9110 §10.2.3), or, as
    Cloud Controller writes it, epoch seconds [CC middleware/base_rate_limiter.rb]. None if it asks for nothing."""
    seconds = number(headers, "retry-after")
    if seconds is not None:
        return max(0.0, seconds - wall) if seconds >= _EPOCH else float(seconds)
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - wall)
    except (TypeError, ValueError, OverflowError):
        return None

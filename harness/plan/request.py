"""What a plan may say of a request and its answer: URLs, headers, statuses, patterns. Pure; each raises ValueError,
saying what would be right, and never quotes what may be a secret."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_THE_HARNESS = frozenset({"content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade"})
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_SECRET_WORDS = frozenset(
    {"auth", "authorization", "cookie", "credential", "credentials", "jwt", "passwd", "password", "secret", "session",
     "token"}
)  # fmt: skip
_SECRET_PAIRS = ("api-key", "apikey", "access-key", "private-key")
_SECRET_VALUE = re.compile(r"(bearer|basic|digest|negotiate)\s+\S", re.IGNORECASE)


def check_url(value: str) -> str:
    """An http or https URL with a host and nothing secret."""
    shown = _without_user(value)
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        raise ValueError(f"{shown!r} is not a URL: expected http(s)://host[:port]/path") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{shown!r}: expected a URL that starts with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError(f"{shown!r}: no user or password in a URL; use headers with {{env: NAME}}")
    if not value.isascii():
        raise ValueError(f"{shown!r}: write the host in punycode and the path percent-encoded")
    if re.search(r"[\s\x00-\x1f\x7f]", value) or not (_HOST.fullmatch(host) or _is_address(host)):
        raise ValueError(f"{shown!r}: expected http(s)://host[:port]/path")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"{shown!r}: ports go from 1 to 65535")
    for name, content in parse_qsl(parts.query, keep_blank_values=True):
        if content and is_secret(name):
            raise ValueError(f"{name!r} in the URL is a secret: send it in a header, as {{env: NAME}}")
    return value


def check_proxy(value: str) -> str:
    """A proxy's URL: nothing secret, no path."""
    if urlsplit(check_url(value)).path not in ("", "/"):
        raise ValueError(f"{value!r}: a proxy is http(s)://host[:port], without a path")
    return value


def check_header(name: str, content: str | None) -> None:
    """A header may be sent, and is no secret in plain sight; None: its value comes from the environment."""
    check_header_name(name)
    if name.lower() in _OF_THE_HARNESS:
        raise ValueError(f"{name} is set by the harness: leave it out")
    if content is None:
        return
    if is_secret(name) or _SECRET_VALUE.match(content.strip()):
        raise ValueError(f"{name} is a secret: write {{env: NAME}} and put it into the environment variable NAME")
    check_value(name, content)


def check_value(name: str, content: str) -> None:
    """RFC 9110 §5.5: what a header may carry, without the obsolete parts."""
    if not content.isprintable() or not content.isascii():
        raise ValueError(f"{name}: a header's value is one line of printable ASCII characters")


def check_header_name(name: str) -> None:
    """RFC 9110 §5.6.2: a token."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a header's name: write letters, digits and '-'")


def twice(names: Mapping[str, object]) -> str | None:
    """The first header that stands twice, in whatever case."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            return name
        seen.add(name.lower())
    return None


def check_variable(name: str) -> str:
    """An environment variable's name."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"{clipped_name(name)} is not the name of an environment variable")
    return name


def clipped_name(name: str) -> str:
    """What stands where a variable's name should may be the secret itself: only its beginning is told."""
    return repr(name if len(name) <= 8 else name[:4] + "…")


def is_secret(name: str) -> bool:
    """Whether a header or a parameter of this name carries a secret."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower().replace("_", "-")
    return not _SECRET_WORDS.isdisjoint(plain.split("-")) or any(pair in plain for pair in _SECRET_PAIRS)


def check_pattern(text: str) -> str:
    """A regular expression."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


def status_ranges(value: str | int | list[str | int]) -> tuple[tuple[int, int], ...]:
    """Inclusive ranges of status codes."""
    form = 'write 200, "200-299" or [200, 204]'
    items = value if isinstance(value, list) else [value]
    if not items:
        raise ValueError(f"expected at least one status: {form}")
    ranges = []
    for item in items:
        if isinstance(item, bool) or not isinstance(item, str | int):
            raise ValueError(f"expected status codes: {form}")
        for part in str(item).split(","):
            match = re.fullmatch(r"\s*([0-9]{3})(?:\s*-\s*([0-9]{3}))?\s*", part)
            if match is None:
                raise ValueError(f"{part!r} is not a status: {form}")
            low, high = int(match[1]), int(match[2] or match[1])
            if not 100 <= low <= high <= 599:
                raise ValueError(f"{part.strip()!r}: status codes go from 100 to 599, the lower one first")
            ranges.append((low, high))
    return tuple(ranges)


def _without_user(url: str) -> str:
    """For messages: whatever may be a user or a password in front of the host, and what follows a question mark."""
    shown = re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*://|//)?[^/?#]*@", r"\1***@", url)
    return re.sub(r"\?.*", "?…", shown, flags=re.DOTALL)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

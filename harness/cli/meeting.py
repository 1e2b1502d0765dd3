"""Where a run meets its pipeline, from its options and the environment."""

import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from harness.channel.address import carrier_of, is_watched
from harness.cli.ci import SYSTEMS, run_id_of
from harness.control.listen import Listen
from harness.duty import Meeting
from harness.errors import HarnessError
from harness.run_folder import check_run_id, new_run_id


class MeetingError(HarnessError):
    """Options of a pipeline that don't go together."""


def meeting_of(
    run_id: str | None,
    channels: Sequence[str] | None,
    listen: str | None,
    token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> Meeting:
    """Raises MeetingError, ChannelError."""
    urls = tuple(channels or ())
    if not urls and listen is None and os.environ.get("CF_HARNESS_CHANNEL"):
        urls = (os.environ["CF_HARNESS_CHANNEL"],)
    if listen is None:  # the same URL as in the verbs: the run serves it
        served_at = [url for url in urls if url.startswith(("http://", "https://"))]
        urls = tuple(url for url in urls if url not in served_at)
        listen = _address(served_at, tls_cert)
    if listen is None and (token_file or tls_cert or tls_key):
        raise MeetingError("--token-file, --tls-cert and --tls-key belong to --listen HOST:PORT, which is missing")
    served = None if listen is None else _listen(listen, token_file, tls_cert, tls_key)
    shared = any(carrier_of(url).shared for url in urls)
    if not urls and served is None:
        return Meeting(run_id=run_id)
    name = run_id or run_id_of(os.environ)
    if name is None and (shared or any(is_watched(url) for url in urls)):
        known = ", ".join(system.name for system in SYSTEMS)
        raise MeetingError(
            "which run is this? Several machines meet at that channel: give --run-id, the same in every task, such as "
            f"a version that all jobs pass on (it comes by itself on {known})"
        )
    return Meeting(run_id=check_run_id(name) if name else _new(), channels=urls, listen=served)


def _address(urls: Sequence[str], tls_cert: Path | None) -> str | None:
    """HOST:PORT of a channel that is the run's own API."""
    if not urls:
        return None
    scheme, _, rest = urls[0].partition("://")
    if len(urls) > 1 or "@" in rest or rest.rstrip("/").count("/"):
        raise MeetingError(f"--channel {scheme}://…: one address that the run serves, such as http://127.0.0.1:8765")
    if (scheme == "https") != (tls_cert is not None):
        raise MeetingError("an https channel is served with --tls-cert and --tls-key, and an http channel without")
    return rest.rstrip("/")


def _new() -> str:
    from datetime import UTC, datetime

    return new_run_id(datetime.now(UTC))


def _listen(text: str, token_file: Path | None, tls_cert: Path | None, tls_key: Path | None) -> Listen:
    host, _, digits = text.rpartition(":")
    host = host.strip("[]")
    if not host or not digits.isdecimal() or int(digits) > 65535:
        raise MeetingError(f"--listen {text}: expected HOST:PORT, such as 127.0.0.1:8765 (port 0: any free one)")
    if (tls_cert is None) != (tls_key is None):
        raise MeetingError("--tls-cert and --tls-key go together: give both")
    token = _token(token_file)
    if token is None and not _is_loopback(host):
        raise MeetingError(
            f"--listen {text}: beyond loopback it wants a token: set CF_HARNESS_TOKEN, or give --token-file FILE"
        )
    return Listen(host, int(digits), token, tls_cert, tls_key)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("CF_HARNESS_TOKEN") or None
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MeetingError(f"--token-file {file}: {getattr(error, 'strerror', None) or error}") from error
    if not token:
        raise MeetingError(f"--token-file {file} is empty")
    return token

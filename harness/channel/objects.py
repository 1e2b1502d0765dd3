"""`s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`: an object store, through obstore.

Whose credentials is obstore's business: the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, GOOGLE_SERVICE_ACCOUNT,
AZURE_STORAGE_ACCOUNT_NAME …), or the instance's role, for which nothing needs to be set. `create` is a conditional
write (If-None-Match: *, RFC 9110 §13.1.2), decided for one writer alone; all three stores are strongly consistent.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.channel.store import ChannelError, SilentError

if TYPE_CHECKING:
    pass

_VARIABLES = ("AWS_", "GOOGLE_", "AZURE_")
_REQUEST = timedelta(seconds=5)  # a request may take …
_CONNECT = timedelta(seconds=3)
_TRIES = timedelta(seconds=5)  # … and obstore's own second try: whoever asks here asks again anyway
_LONGEST = 300  # characters of a store's own words
_MENDED_BY_HAND = re.compile(
    r"NoSuchBucket|InvalidBucketName|AccessDenied|builder error|status code: 40[0134]|AuthorizationHeader"
)


class ObjectStore:
    """Keys are the names of objects under a prefix."""

    staleness = 2.0  # seconds; they are consistent at once, this is for clocks

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        """Raises ChannelError where no store can be made of the URL, or obstore is not installed."""
        try:
            import obstore
            from obstore import store
        except ImportError:
            raise ChannelError(
                f"{url}: a bucket needs one more package: pip install 'cf-harness[objectstore]'"
            ) from None
        self._obstore = obstore
        self._name = _without_secrets(url)
        if not urlsplit(url).netloc:
            raise ChannelError(f"{self._name}: which bucket? Expected {url.partition(':')[0]}://bucket/prefix")
        _forget_empty_ones()
        allow_http = any(
            environ.get(name, "").lower() in ("true", "1", "yes") for name in ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP")
        )
        try:
            self._store: obstore.store.ObjectStore = store.from_url(
                url,
                client_options={"timeout": _REQUEST, "connect_timeout": _CONNECT, "allow_http": allow_http},
                retry_config={"max_retries": 1, "retry_timeout": _TRIES},
            )
        except (obstore.exceptions.BaseError, ValueError, TypeError) as error:
            raise ChannelError(f"the channel {self._name} can't be used: {_first_line(error)}") from None

    @property
    def name(self) -> str:
        """Its URL without secrets."""
        return self._name

    def create(self, key: str, value: bytes) -> bool:
        """See Store."""
        with self._told("write"):
            try:
                self._obstore.put(self._store, key, value, mode="create")
            except (self._obstore.exceptions.AlreadyExistsError, self._obstore.exceptions.PreconditionError):
                return self.get(key) == value
        return True

    def put(self, key: str, value: bytes) -> None:
        """See Store."""
        with self._told("write"):
            self._obstore.put(self._store, key, value)

    def get(self, key: str) -> bytes | None:
        """See Store."""
        with self._told("read"):
            try:
                return bytes(self._obstore.get(self._store, key).bytes())
            except FileNotFoundError as error:
                if _MENDED_BY_HAND.search(str(error).replace("status code: 404", "")):
                    raise
                return None

    def list(self, prefix: str, after: str = "") -> list[str]:
        """See Store."""
        folder = prefix.rpartition("/")[0]  # obstore's prefixes end at a slash
        with self._told("list"):
            pages = self._obstore.list(self._store, folder or None, offset=after or None)
            found = [entry["path"] for page in pages for entry in page]
        return sorted(key for key in found if key.startswith(prefix) and key > after)

    @contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        exceptions = self._obstore.exceptions
        try:
            yield
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise ChannelError(
                f"the channel {self._name}: its store does not let us {verb}: {_first_line(error)}; "
                "look at the credentials, the role and the bucket's policy"
            ) from None
        except (exceptions.BaseError, OSError) as error:
            said = f"the channel {self._name}: {_first_line(error)}"
            if _MENDED_BY_HAND.search(str(error)):
                raise ChannelError(f"{said}; look at the URL, the region and the endpoint") from None
            raise SilentError(said) from None


def _forget_empty_ones() -> None:
    """A pipeline's parameter that was left empty is a variable that is set to nothing, which obstore takes for one."""
    for name in [name for name, value in os.environ.items() if not value and name.startswith(_VARIABLES)]:
        del os.environ[name]


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _first_line(error: Exception) -> str:
    """What went wrong: the store's own code and message, or obstore's words without addresses and insides."""
    text = str(error).partition("\n\nDebug source")[0]
    code, message = (re.search(rf"<{tag}>([^<]*)</{tag}>", text) for tag in ("Code", "Message"))
    if code is not None and message is not None:
        return f"{message[1].rstrip('.')} ({code[1]})"[:_LONGEST]
    line = re.sub(r"https?://[^\s?]*(\?\S*)?", "its address", re.sub(r"\s+", " ", text))
    return re.sub(r"Error performing (list request: Error performing )?", "", line)[:_LONGEST]

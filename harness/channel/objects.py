"""`s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`: an object store, through obstore.

Its objects appear whole, all readers see them at once, and of many conditional writes one succeeds (`If-None-Match: *`,
RFC 9110 §13.1.2; at Google `x-goog-if-generation-match: 0`). A store that ignores the condition is refused. What an
error of it means is told in `object_errors`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.channel.object_errors import CLOUDS, Cloud, meaning, misconfigured, no_such_object
from harness.channel.store import ChannelError, SilentError

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

_LIMIT = 4.0  # seconds for one request: a run that got a TERM waits for it, and is killed after ten
_CONNECT = 2.0  # seconds
_RETRY: dict[str, Any] = {  # what was refused at once is tried again at once; otherwise the callers ask again
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=0.8),
    "backoff": {"init_backoff": timedelta(seconds=0.05), "max_backoff": timedelta(seconds=0.5), "base": 2},
}
_URL = re.compile(r"(?P<scheme>s3|gs|az)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]*)(?:/(?P<prefix>[^?#@\s]*))?")


class ObjectStore:
    """Keys are objects under one prefix of one bucket.

    Credentials and settings come from the environment as obstore reads it, and from the machine's role where it has
    none. S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; a web identity (AWS_ROLE_ARN,
    AWS_WEB_IDENTITY_TOKEN_FILE); ECS and EKS (AWS_CONTAINER_CREDENTIALS_*); the instance's role. AWS_REGION (default
    us-east-1), AWS_ENDPOINT_URL for other makes of it, AWS_ALLOW_HTTP=true for an endpoint without TLS. Google:
    GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT. Azure: AZURE_STORAGE_ACCOUNT_NAME with
    AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_KEY, or AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID.
    SSL_CERT_FILE adds a CA. Profiles in ~/.aws are not read.
    """

    staleness = 2.0  # seconds: all three are consistent, so only as long as an answer may take on its way

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        """`environ`: its settings are put over those of this process. Nothing is asked yet. Raises ChannelError."""
        found = _URL.fullmatch(url)
        scheme = url.partition("://")[0].lower()
        prefix = (found["prefix"] or "").strip("/") if found else ""
        if not found or any(part in ("", ".", "..") for part in prefix.split("/") if prefix):
            raise ChannelError(  # without the URL, which may hold a password
                f"which bucket? Expected {scheme}://bucket/prefix and no more: credentials come from the environment"
            )
        self._name = f"{scheme}://{found['bucket']}" + (f"/{prefix}" if prefix else "")
        self._cloud = CLOUDS[scheme]
        self._conditional = False  # it refused a second write: it knows conditions
        _forget_empty_ones(self._cloud)
        config = _settings(self._name, self._cloud, environ)
        with self._set_up():
            self._objects = _opened(scheme, found["bucket"], prefix, config)

    @property
    def name(self) -> str:
        """Its URL."""
        return self._name

    def create(self, key: str, value: bytes) -> bool:
        """See Store. The first success is proven by a second write, which must be refused."""
        if not self._put_new(key, value):
            return self._is(key, value)
        if not self._conditional and self._put_new(key, value):
            raise ChannelError(
                f"the channel {self._name} ignores the condition If-None-Match, so two runs could take the same place; "
                "use a store that honours it"
            )
        return True

    def put(self, key: str, value: bytes) -> None:
        """See Store."""
        import obstore

        with self._told():
            try:
                obstore.put(self._objects, key, value, use_multipart=False)
            except obstore.exceptions.AlreadyExistsError:  # 409: another write of it is under way
                raise SilentError(f"the channel {self._name} is busy with another write of {key}") from None

    def get(self, key: str) -> bytes | None:
        """See Store."""
        import obstore

        with self._told():
            try:
                return bytes(obstore.get(self._objects, key).bytes())
            except FileNotFoundError as error:
                if no_such_object(str(error)):
                    return None
                raise

    def list(self, prefix: str, after: str = "") -> list[str]:
        """See Store. All pages of it."""
        import obstore

        folder = prefix.rpartition("/")[0]  # the store lists whole parts of a path
        with self._told():
            pages = obstore.list(self._objects, folder or None, offset=after or None)
            keys = [found["path"] for page in pages for found in page]
        return sorted(key for key in keys if key.startswith(prefix) and key > after)

    def _put_new(self, key: str, value: bytes) -> bool:
        import obstore

        with self._told():
            try:
                obstore.put(self._objects, key, value, mode="create", use_multipart=False)
            except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
                self._conditional = True
                return False
        return True

    def _is(self, key: str, value: bytes) -> bool:
        there = self.get(key)
        if there is None:  # S3 answers 409 while another conditional write is under way, which may yet fail
            raise SilentError(f"the channel {self._name} is busy with another write of {key}")
        return there == value

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Without the original, whose text may hold a signed URL."""
        import obstore

        try:
            yield
        except (obstore.exceptions.BaseError, OSError, ValueError) as error:
            raise meaning(self._name, self._cloud, str(error)) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # Rust's; no Exception, so a thread would die of it unseen
                raise
            raise misconfigured(self._name, self._cloud, "") from None

    @contextmanager
    def _set_up(self) -> Iterator[None]:
        try:
            import obstore
        except ImportError:
            raise ChannelError(
                f"the channel {self._name} needs obstore: pip install 'cf-harness[objectstore]'"
            ) from None
        try:
            yield
        except (obstore.exceptions.BaseError, OSError, ValueError) as error:
            raise misconfigured(self._name, self._cloud, str(error)) from None


def _forget_empty_ones(cloud: Cloud) -> None:
    """A pipeline's parameter that was left empty is a variable that is set to nothing, which obstore takes for one."""
    for name in [name for name, value in os.environ.items() if not value and name.startswith(cloud.variables)]:
        del os.environ[name]


def _settings(name: str, cloud: Cloud, environ: Mapping[str, str]) -> dict[str, str]:
    """What `environ` says beyond this process's own environment, which obstore reads itself. Raises ChannelError."""
    for variable in cloud.endpoints:
        value = environ.get(variable)
        if value and not _is_endpoint(value):
            raise ChannelError(f"the channel {name}: {variable} is no URL such as https://host:port, without a user")
    return {
        variable: value
        for variable, value in environ.items()
        if value and variable.startswith(cloud.variables) and os.environ.get(variable) != value
    }


def _is_endpoint(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        return False


def _opened(scheme: str, bucket: str, prefix: str, config: Mapping[str, str]) -> "S3Store | GCSStore | AzureStore":
    """Limits go with the settings: options of the client would take the place of those in the environment."""
    from obstore.store import AzureStore, GCSStore, S3Store

    limits = {"timeout": f"{_LIMIT * 1000:.0f}ms", "connect_timeout": f"{_CONNECT * 1000:.0f}ms"}
    settings: Any = {**config, **limits}
    retry: Any = _RETRY
    under = prefix or None
    if scheme == "s3":
        settings["conditional_put"] = "etag"
        return S3Store(bucket, prefix=under, config=settings, retry_config=retry)
    if scheme == "gs":
        return GCSStore(bucket, prefix=under, config=settings, retry_config=retry)
    return AzureStore(bucket, prefix=under, config=settings, retry_config=retry)

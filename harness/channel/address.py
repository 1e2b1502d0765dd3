"""Which carrier a channel's URL means. `CARRIERS` has a line for each scheme; what is slow to import is imported when
it is asked for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from harness.channel.pipeline import Pipeline, StorePipeline
from harness.channel.store import ChannelError, Store

Environ = Mapping[str, str]


class Carrier(NamedTuple):
    """How runs and tasks use it. None: that side can't."""

    store: Callable[[str, Environ], Store] | None
    pipeline: Callable[[str, Environ], Pipeline] | None
    shared: bool  # several machines meet there, so a run needs a name that all of them know


def _folder(url: str, environ: Environ) -> Store:
    from harness.channel.folder import FolderStore

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ChannelError(f"{url}: expected three slashes, file:///{parts.netloc}{parts.path}")
    if not parts.path.startswith("/"):
        raise ChannelError(f"{url}: expected an absolute path, such as file:///var/run/cf-harness")
    return FolderStore(Path(unquote(parts.path)))


def _objects(url: str, environ: Environ) -> Store:
    from harness.channel.objects import ObjectStore

    return ObjectStore(url, environ)


def _store_pipeline(url: str, environ: Environ) -> Pipeline:
    return StorePipeline(open_store(url, environ))


def _http(url: str, environ: Environ) -> Pipeline:
    from harness.channel.http import HttpPipeline

    return HttpPipeline(url, environ)


CARRIERS: dict[str, Carrier] = {
    "file": Carrier(_folder, _store_pipeline, shared=False),
    "s3": Carrier(_objects, _store_pipeline, shared=True),
    "gs": Carrier(_objects, _store_pipeline, shared=True),
    "az": Carrier(_objects, _store_pipeline, shared=True),
    "http": Carrier(None, _http, shared=False),
    "https": Carrier(None, _http, shared=False),
    "concourse+http": Carrier(None, None, shared=False),
    "concourse+https": Carrier(None, None, shared=False),
}
"""Scheme of the URL -> carrier."""


def carrier_of(url: str) -> Carrier:
    """Raises ChannelError where nothing is known of such a URL."""
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    carrier = CARRIERS.get(scheme)
    if carrier is None:
        known = "file:///dir, s3://bucket/prefix, gs://…, az://…, http://host:port, concourse+https://…"
        raise ChannelError(f"{url!r} is no channel: expected {known}")
    return carrier


def open_store(url: str, environ: Environ) -> Store:
    """Where a run meets its pipeline. Raises ChannelError."""
    opened = carrier_of(url).store
    if opened is None:
        raise ChannelError(f"{url}: a run can't use that as its channel; an API of its own is served with --listen")
    return opened(url, environ)


def open_pipeline(url: str, environ: Environ) -> Pipeline:
    """Where a task meets a run. Raises ChannelError."""
    opened = carrier_of(url).pipeline
    if opened is None:
        raise ChannelError(
            f"{url}: nothing meets there. A run that watches a Concourse job stops by itself, and gives its verdict in "
            "its own build"
        )
    return opened(url, environ)


def is_watched(url: str) -> bool:
    """A pipeline that knows nothing of the run, and is watched instead."""
    return url.startswith("concourse+")

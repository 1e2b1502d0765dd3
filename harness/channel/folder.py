"""`file:///dir`: a shared directory.

Whole files appear at once: a draft is written beside them, then linked (create) or renamed (put); both are atomic on
local disks and on NFS from version 3 on (RFC 1813 §3.3.14, §3.3.15). Where a mount knows no hard links (SMB, FAT, FUSE
over a bucket) `create` falls back to an exclusive open, whose reader may meet half a record and asks again.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.channel.store import ChannelError, SilentError

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EACCES}
_SILENT = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOSPC, errno.EDQUOT}
_DRAFT = "."  # begins the names of what is not finished


class FolderStore:
    """Keys are paths under one directory."""

    staleness = 60.0  # seconds that an NFS client may go without looking for new names (acdirmax, nfs(5))

    def __init__(self, root: Path) -> None:
        """`root` is made at the first write. Relative ones mean the working directory."""
        self._root = root.absolute()

    @property
    def name(self) -> str:
        """Its URL."""
        return self._root.as_uri()

    @property
    def root(self) -> Path:
        """The directory."""
        return self._root

    def create(self, key: str, value: bytes) -> bool:
        """See Store."""
        path = self._root / key
        with self._told(path):
            if path.exists():
                return path.read_bytes() == value
            with self._draft(path, value) as draft:
                try:
                    os.link(draft, path)
                except FileExistsError:
                    return path.read_bytes() == value
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    return _open_exclusively(path, value)
                return True

    def put(self, key: str, value: bytes) -> None:
        """See Store."""
        path = self._root / key
        with self._told(path), self._draft(path, value) as draft:
            draft.replace(path)

    def get(self, key: str) -> bytes | None:
        """See Store."""
        path = self._root / key
        with self._told(path):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def list(self, prefix: str, after: str = "") -> list[str]:
        """See Store."""
        folder, _, begin = prefix.rpartition("/")
        with self._told(self._root / folder):
            found = [f"{folder}/{name}" for name in _walk(self._root / folder, begin)]
        return sorted(key for key in found if key > after)

    @contextmanager
    def _draft(self, path: Path, value: bytes) -> Iterator[Path]:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{_DRAFT}{path.name}.{secrets.token_hex(4)}")
        try:
            draft.write_bytes(value)
            yield draft
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    @contextmanager
    def _told(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            said = f"the channel {self.name}: {path}: {error.strerror or error}"
            if error.errno in _SILENT:
                raise SilentError(said) from error
            raise ChannelError(f"{said}; give a directory that all tasks can write to") from error


def _open_exclusively(path: Path, value: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(value)
    except FileExistsError:
        return path.read_bytes() == value
    return True


def _walk(folder: Path, begin: str) -> Iterator[str]:
    """Paths of the files under a folder whose first part begins with `begin`, drafts left out."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith(_DRAFT) or not entry.name.startswith(begin):
            continue
        if entry.is_dir():
            yield from (f"{entry.name}/{rest}" for rest in _walk(Path(entry.path), ""))
        else:
            yield entry.name

"""Where the control API is served, and to whom."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Listen:
    """Where the run's own control API is served."""

    host: str
    port: int
    token: str | None = field(default=None, repr=False)
    tls_cert: Path | None = None
    tls_key: Path | None = None

"""cf-harness: an availability and performance test harness for Cloud Foundry platforms.

The public API is four names: `load_plan`, `run`, `Plan` and `Verdict`. They are loaded on first use, so that the data
plane's processes, which need none of them, start quickly and stay small.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.plan import Plan, load_plan
    from harness.run import run
    from harness.verdict import Verdict

try:
    __version__ = version("cf-harness")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["Plan", "Verdict", "__version__", "load_plan", "run"]

_HOMES = {"Plan": "harness.plan", "load_plan": "harness.plan", "run": "harness.run", "Verdict": "harness.verdict"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")

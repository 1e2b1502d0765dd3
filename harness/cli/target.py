"""From the word behind `run` to a plan: a file, a URL, or one message that says what it may have been meant to be."""

import difflib
import re
from pathlib import Path

from harness.errors import HarnessError
from harness.plan import Overrides, Plan, load_plan, plan_from_url

_PLAN_SUFFIXES = (".yml", ".yaml", ".json")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?(/.*)?")


class TargetError(HarnessError):
    """The target is neither a file nor a URL."""


def plan_of(target: str, overrides: Overrides) -> Plan:
    """Raises TargetError, or PlanError with every mistake at once."""
    if not target.strip():
        raise TargetError("the target is empty: give a plan file or a URL")
    if target.startswith(("http://", "https://")):
        return plan_from_url(target, overrides)
    try:
        exists = Path(target).exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        exists = False
    if exists:
        return load_plan(target, overrides)
    raise TargetError(_advice(target))


def _advice(target: str) -> str:
    shown = _masked(target)
    if "://" in target:
        return f"{shown!r}: expected a URL that starts with http:// or https://"
    if target.endswith(_PLAN_SUFFIXES) or target.startswith((".", "/", "~")):
        return f"there is no file {shown!r}{_near(target)}"
    host = target.partition("/")[0].partition(":")[0]
    if _HOST.fullmatch(target) and ("." in host or ":" in target or host == "localhost"):
        scheme = "http" if host in ("localhost", "127.0.0.1") else "https"
        return f"{shown!r} is neither a file nor a URL: did you mean {scheme}://{target} ?"
    return f"{shown!r} is neither a file nor a URL{_near(target)}: give a plan.yml or https://host/path"


def _masked(target: str) -> str:
    """Without what may be a password before the host."""
    return re.sub(r"[^/\s]*@", "***@", target[:200])


def _near(target: str) -> str:
    """The plan file beside it that may have been meant."""
    path = Path(target)
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in _PLAN_SUFFIXES]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, names, 1, 0.5)
    return f" (did you mean {path.parent / near[0]} ?)" if near else ""

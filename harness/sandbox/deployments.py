"""Two deployments that are always at hand, for two routers and two instances: one that nobody should notice, and one
that everybody should. Written as a script is, for people to copy."""

from harness.sandbox.load import parse_script
from harness.sandbox.script import Script, ScriptError

DEPLOYMENTS: dict[str, str] = {
    "rolling_with_drain": """\
# Each router tells the balancer first (drain_wait), which asks ten times a second, and the next one's turn comes when
# the last one serves again. About 12 seconds.
name: a rolling deployment with drain
steps:
  - {at: 1s, step: restart-router-0, do: restart, target: router/0, drain_wait: 2s, down: 1s}
  - {at: 6s, step: restart-router-1, do: restart, target: router/1, drain_wait: 2s, down: 1s}
  - {at: 11s, step: restart-apps, do: rolling_restart, target: apps}
""",
    "rolling_without_drain": """\
# No router warns anybody, and the second stops before the first is back: for a second or two there is no router at all.
name: a rolling deployment without drain
steps:
  - {at: 2s, step: restart-router-0, do: restart, target: router/0, drain_wait: 0s, down: 1500ms}
  - {at: 2500ms, step: restart-router-1, do: restart, target: router/1, drain_wait: 0s, down: 1500ms}
  - {at: 8s, step: restart-apps, do: rolling_restart, target: apps}
""",
}


def deployment(name: str) -> Script:
    """One of them. Raises ScriptError."""
    if name not in DEPLOYMENTS:
        raise ScriptError(f"there is no deployment {name!r}: there is {', '.join(DEPLOYMENTS)}")
    return parse_script(name, DEPLOYMENTS[name].encode())

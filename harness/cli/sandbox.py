"""The verb `sandbox`: a small Cloud Foundry on loopback, in the foreground."""

import sys
from pathlib import Path

from harness import units
from harness.cli import INCONCLUSIVE
from harness.errors import HarnessError
from harness.sandbox import DEPLOYMENTS, SandboxConfig, Script, deployment, load_script, serve

_APIS = 2  # Cloud Controllers of a sandbox with an API


def serve_sandbox(
    *,
    routers: int,
    instances: int,
    tls: bool,
    layer: int,
    script: str | None,
    script_after: str,
    once: bool,
    form: str,
    port: int,
    api: bool,
    rate_limit: int | None,
) -> int:
    """Serve until a signal, or to the script's end if it is to be played `once`. Returns the exit code: 3 if a step
    could not be done. Raises HarnessError."""
    if layer not in (4, 7):
        raise HarnessError(f"--layer {layer}: the load balancer works on layer 4 or 7")
    try:
        after = units.duration(script_after)
    except ValueError as error:
        raise HarnessError(f"--script-after: {error}") from error
    config = SandboxConfig(
        routers=routers,
        instances=instances,
        tls=tls,
        layer=7 if layer == 7 else 4,
        script=_script(script) if script is not None else None,
        port=port,
        api=_APIS if api else 0,
        rate_limit=rate_limit,
        ip_rate_limit=rate_limit,
    )
    failed = serve(config, sys.stdout, as_json=form == "json", script_after=after, exit_after_script=once)
    return INCONCLUSIVE if failed else 0


def _script(name: str) -> Script:
    """A file, or one of the scripts that come with it."""
    return deployment(name) if name in DEPLOYMENTS and not Path(name).exists() else load_script(Path(name))

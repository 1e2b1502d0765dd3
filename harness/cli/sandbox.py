"""The verb `sandbox`: a small Cloud Foundry on loopback, in the foreground."""

from pathlib import Path

from harness.errors import HarnessError


def serve_sandbox(
    *, routers: int, instances: int, tls: bool, layer: int, script: Path | None, form: str, port: int
) -> int:
    """Serve until a signal. Returns the exit code. Raises HarnessError."""
    from harness.sandbox import SandboxConfig, load_script, serve

    if layer not in (4, 7):
        raise HarnessError(f"--layer {layer}: the load balancer works on layer 4 or 7")
    config = SandboxConfig(
        routers=routers,
        instances=instances,
        tls=tls,
        layer=7 if layer == 7 else 4,
        script=load_script(script) if script is not None else None,
        port=port,
    )
    return serve(config, form=form)

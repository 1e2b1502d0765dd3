"""The verb `sandbox`: a small Cloud Foundry on loopback, in the foreground."""

from pathlib import Path


def serve_sandbox(
    *, routers: int, instances: int, tls: bool, layer: int, script: Path | None, form: str, port: int
) -> int:
    """Serve until a signal. Returns the exit code. Raises HarnessError."""
    from harness.sandbox import SandboxConfig, load_script, serve

    config = SandboxConfig(
        routers=routers,
        instances=instances,
        tls=tls,
        layer=layer,
        script=load_script(script) if script is not None else None,
        port=port,
    )
    return serve(config, form=form)

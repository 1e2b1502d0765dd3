"""A small Cloud Foundry on loopback: a load balancer over routers over app instances, each a process of its own, and a
scripted deployment that breaks them while the truth is logged.

`with Sandbox(SandboxConfig()) as sandbox: sandbox.url`. Loaded on first use: the components' processes, which are
modules of this package, need none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sandbox.config import SandboxConfig
    from harness.sandbox.deployments import DEPLOYMENTS, deployment
    from harness.sandbox.foreground import serve
    from harness.sandbox.load import load_script
    from harness.sandbox.member import SandboxError
    from harness.sandbox.sandbox import Sandbox
    from harness.sandbox.script import Script, ScriptError, Step

__all__ = [
    "DEPLOYMENTS",
    "Sandbox",
    "SandboxConfig",
    "SandboxError",
    "Script",
    "ScriptError",
    "Step",
    "deployment",
    "load_script",
    "serve",
]

_HOMES = {
    "DEPLOYMENTS": "deployments",
    "Sandbox": "sandbox",
    "SandboxConfig": "config",
    "SandboxError": "member",
    "Script": "script",
    "ScriptError": "script",
    "Step": "script",
    "deployment": "deployments",
    "load_script": "load",
    "serve": "foreground",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"harness.sandbox.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'harness.sandbox' has no attribute {name!r}")

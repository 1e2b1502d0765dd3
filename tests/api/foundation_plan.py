"""Plans for the sandbox's API, and the variables by which its users log in."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.sandbox import Sandbox

NOBODY = {"CF_USERNAME": "", "CF_PASSWORD": "", "CF_CLIENT_ID": "", "CF_CLIENT_SECRET": ""}


def runner(api: str | None, operation: str, **more: Any) -> dict[str, Any]:
    """One API runner, named for its operation."""
    told = {} if api is None else {"api": api}
    return {"name": operation, "probe": "cf-api", "operation": operation, **told, **more}


def write_plan(folder: Path, *runners: Mapping[str, Any], **more: Any) -> Path:
    """A plan in a folder. It takes the lateness of a busy machine, which none of its readers is about."""
    path = folder / "plan.yml"
    path.write_text(json.dumps({"runners": list(runners), "bounds": {"max_lag": "1s"}, **more}))  # JSON is YAML
    return path


def as_user(sandbox: Sandbox, **other: str) -> dict[str, str]:
    """The space developer's variables, and no others of ours; `other` ones go before."""
    return {**NOBODY, "CF_USERNAME": sandbox.username, "CF_PASSWORD": sandbox.password, **other}


def as_client(sandbox: Sandbox) -> dict[str, str]:
    """The client's variables, and no others of ours."""
    return {**NOBODY, "CF_CLIENT_ID": sandbox.client_id, "CF_CLIENT_SECRET": sandbox.client_secret}


def grants(sandbox: Sandbox) -> list[str]:
    """What UAA's token endpoint was asked for, in order."""
    return [line["grant_type"] for line in asked(sandbox) if "grant_type" in line]


def asked(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What the API and UAA were asked, in order."""
    try:
        lines = sandbox.requests.read_text().splitlines(keepends=True)
    except FileNotFoundError:  # nothing yet
        return []
    return [json.loads(line) for line in lines if line.endswith("\n")]

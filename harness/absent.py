"""Whether the app that a plan watches is not there yet: an environment that is being made has no health-check app.

Absent is what the platform itself says so of: its router knows no such route, its DNS no such name. An app that does
not answer is not absent: that is what a run is for.
"""

import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx

from harness.plan import Plan
from harness.plan.models import FromEnvironment, RunnerPlan

_PATIENCE = 10.0  # seconds


def absent(plan: Plan, environ: Mapping[str, str]) -> str:
    """Why nothing can be watched: each app that its runners call is absent. Empty: there is something to watch, or it
    can't be told."""
    whys = {}
    for runner in plan.file.runners:
        if runner.url is None:
            continue
        why = _absent(runner, plan, environ)
        if not why:
            return ""
        whys[runner.url] = why
    return "; ".join(whys.values())


def _absent(runner: RunnerPlan, plan: Plan, environ: Mapping[str, str]) -> str:
    assert runner.url is not None
    url = httpx.URL(runner.url)
    if not runner.resolve and not runner.proxy:
        try:
            socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            return f"the name {url.host} is not known" if error.errno == socket.EAI_NONAME else ""
    headers = {
        name: environ.get(value.env, "") if isinstance(value, FromEnvironment) else value
        for name, value in runner.headers.items()
    }
    host = runner.resolve.get(url.host)
    if host is not None:
        headers = {"Host": url.netloc.decode(), **headers}
    try:
        with httpx.Client(
            verify=_trust(runner, plan), proxy=runner.proxy, timeout=_PATIENCE, trust_env=False
        ) as client:
            answer = client.get(
                url.copy_with(host=host) if host is not None else url,
                headers=headers,
                extensions={"sni_hostname": runner.tls.server_name or url.host},
            )
    except (httpx.HTTPError, OSError, ValueError):
        return ""
    if answer.status_code == 404 and answer.headers.get("x-cf-routererror") == "unknown_route":
        return f"the platform knows no route to {url.host} (404, X-Cf-Routererror: unknown_route)"
    return ""


def _trust(runner: RunnerPlan, plan: Plan) -> ssl.SSLContext | bool:
    if not runner.tls.verify:
        return False
    context = ssl.create_default_context()
    ca = plan.path(runner.tls.ca)
    if ca is not None:
        context.load_verify_locations(Path(ca))
    return context

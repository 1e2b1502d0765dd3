"""Who wrote an answer, by its headers alone, and the words that say why. Pure; the rules of `reference`: gorouter sets
X-Vcap-Request-Id on all that passes through it, Cloud Controller writes a double one of its own."""

from enum import StrEnum
from typing import NamedTuple

from harness.cf.answer import Answer
from harness.outcome import Component


class Endpoint(StrEnum):
    """Whose address was called."""

    API = "api"
    TOKEN = "token"


class Origin(NamedTuple):
    """A component, and the evidence for it."""

    component: Component
    evidence: str


def origin_of(endpoint: Endpoint, answer: Answer) -> Origin:
    """Of an answer that the router did not make itself."""
    if answer.by_cloud_controller:
        return Origin(Component.CLOUD_CONTROLLER, "X-Vcap-Request-Id is Cloud Controller's own (<uuid>::<uuid>)")
    if not answer.request_id:
        if answer.status in (502, 503, 504) or answer.status in range(520, 530):
            return Origin(Component.LOAD_BALANCER, "no X-Cf-RouterError and no X-Vcap-Request-Id: no router wrote it")
        return Origin(
            Component.TARGET,
            "no X-Vcap-Request-Id: it came through no router; the answer does not tell a load balancer from another "
            "server at this address",
        )
    if endpoint is Endpoint.TOKEN:
        return Origin(Component.UAA, "X-Vcap-Request-Id is the router's, which sends the log-in host to UAA")
    if answer.headers.get("server", "").lower().startswith("nginx") and answer.is_html:
        return Origin(Component.NGINX, "Server: nginx with an HTML body, and no request id of Cloud Controller's")
    return Origin(
        Component.TARGET,
        "X-Vcap-Request-Id is the router's alone; the answer does not tell nginx from Cloud Controller behind it",
    )

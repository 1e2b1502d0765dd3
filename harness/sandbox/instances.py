"""Instances of an app as the API shows them: their stats, and what a list of processes embeds of them. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

from harness.sandbox.bbs import Instance
from harness.sandbox.present import DISK, LOG_RATE, MEMORY, Json

_MB = 1 << 20
_TLS_PORT = 61001  # of an instance's Envoy


def stats(instances: Iterable[Instance], now: float, measured: bool) -> list[Json]:
    """All of a process, never a page. Not `measured`: log-cache said nothing. `now` in Unix seconds."""
    return [_stat(instance, now, measured) for instance in instances]


def embedded(instances: Iterable[Instance], now: float) -> list[Json]:
    """What embed=process_instances adds to a process."""
    return [{"index": one.index, "state": one.state, "since": _uptime(one, now)} for one in instances]


def _stat(instance: Instance, now: float, measured: bool) -> Json:
    begin: Json = {"type": "web", "index": instance.index}
    end: Json = {"isolation_segment": None, "details": None}
    if instance.state == "DOWN":  # of which no more is told (CC app/presenters/v3/process_stats_presenter.rb)
        return {**begin, "state": "DOWN", "uptime": 0, **end}
    running = instance.state == "RUNNING"
    usage = {
        "time": f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "cpu": 0.001 * (1 + instance.index),
        "cpu_entitlement": 0.01,
        "mem": 40 * _MB,
        "disk": 90 * _MB,
        "log_rate": 0,
    }
    ports = {"external": None, "internal": 8080}
    return {
        **begin,
        "instance_guid": instance.guid,
        "state": instance.state,
        "routable": running,
        "usage": usage if running and measured else {},
        "host": "127.0.0.1",
        "instance_internal_ip": "127.0.0.1",
        "instance_ports": [{**ports, "external_tls_proxy_port": _TLS_PORT, "internal_tls_proxy_port": _TLS_PORT}],
        "uptime": _uptime(instance, now),
        "mem_quota": MEMORY * _MB,
        "disk_quota": DISK * _MB,
        "log_rate_limit": LOG_RATE,
        "fds_quota": 16384,
        **end,
    }


def _uptime(instance: Instance, now: float) -> int:
    return max(0, int(now - instance.since)) if instance.since else 0

"""`python -m harness.sandbox.uaa`: UAA, which logs people in. What it grants is in `grants`; here are its pages, its
keys and the faults that befall it."""

import asyncio
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl

from harness.sandbox import component
from harness.sandbox.drain import drain_front
from harness.sandbox.fault import obey_fault
from harness.sandbox.front import Front
from harness.sandbox.grants import GRANTS, Grants, Refused, Terms
from harness.sandbox.message import TEXT, Request, answer, reason
from harness.sandbox.replies import HTML, Answer, Making, json_answer, send
from harness.sandbox.request_log import RequestLog
from harness.sandbox.served import Answering, Served
from harness.sandbox.tokens import load_signing_key, make_signing_key
from harness.sandbox.truth import Truth
from harness.sandbox.wire import Command, Drain, Fault, FaultKind, Reply, Revoke, RotateKey, Spec, UaaSpec

_GRACE = 10.0  # seconds that a drain gives to what is under way
_VERSION = "77.20.0"
_UNCACHED = ((b"Cache-Control", b"no-store"), (b"Pragma", b"no-cache"))
_RETRY_AFTER = (b"Retry-After", b"5")  # seconds


class Uaa:
    """Grants tokens and shows the keys that they are checked by."""

    def __init__(self, spec: UaaSpec, truth: Truth, tasks: asyncio.TaskGroup) -> None:
        self._spec = spec
        self._truth = truth
        self._tasks = tasks
        self._key = load_signing_key(Path(spec.folder))
        self._grants = Grants(spec)
        self._log = RequestLog(Path(spec.requests), spec.name)
        self._front = Front((spec.port,), lambda front: Served(front, self._serve, self._refuse), None)

    async def open(self) -> None:
        """See `Component`."""
        await self._front.open()

    async def obey(self, command: Command) -> Reply:
        """See `Component`."""
        if isinstance(command, RotateKey):
            self._key = make_signing_key(Path(self._spec.folder))
            return Reply(at=self._truth.note("key_rotated", self._spec.name, command.step, kid=self._key.kid))
        if isinstance(command, Revoke):
            self._grants.rev_sig = command.rev_sig
            return Reply(at=self._truth.note("tokens_revoked", self._spec.name, command.step))
        return await obey_fault(self._front, self._truth, self._spec.name, command)

    async def drain(self, order: Drain) -> None:
        """See `Component`."""
        await drain_front(self._front, self._truth, self._spec.name, order, wait=0.0, timeout=_GRACE)

    def close(self) -> None:
        """See `Component`."""
        self._front.close()
        self._log.close()

    def _bears(self, kind: FaultKind) -> Fault | None:
        fault = self._front.fault
        return fault if fault is not None and fault.kind == kind else None

    def _refuse(self, request: Request, fault: Fault) -> bytes:
        said = _error_page(fault.code or 503)
        self._note(request, said, {})
        return answer(request, said.status, said.headers, said.body)

    def _serve(self, request: Request, served: Served) -> Answering | None:
        return Making(self._tasks, self._answer(request, served))

    async def _answer(self, request: Request, served: Served) -> None:
        form = dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
        said = self._say(request, form)
        self._note(request, said, form)
        trickle = self._bears("trickle")
        await send(request, served, said, every=trickle.delay if trickle else None)

    def _note(self, request: Request, said: Answer, form: dict[str, str]) -> None:
        kind = form.get("grant_type")
        told = {} if kind is None else {"grant_type": kind if kind in GRANTS else "another"}
        self._log.note(request, said.status, (request.header(b"x-vcap-request-id") or b"").decode("latin-1"), **told)

    def _say(self, request: Request, form: dict[str, str]) -> Answer:
        if self._bears("html_page"):
            return Answer(200, b"<!DOCTYPE html>\n<html><body><h1>Back soon</h1></body></html>\n", (HTML,))
        if self._bears("uaa_limited"):
            return json_answer(
                429, {"error": "rate_limited", "error_description": "Too Many Requests"}, (_RETRY_AFTER,)
            )
        path, get = request.path, request.method in (b"GET", b"HEAD")
        if path == "/oauth/token":
            return self._token(request, form)
        if path in ("/info", "/login") and get:
            return json_answer(200, self._info())
        if path == "/token_keys" and get:
            return json_answer(200, {"keys": [self._key.public()]})
        if path == "/token_key" and get:
            return json_answer(200, self._key.public())
        if path == "/healthz" and get:
            return Answer(200, b"ok\n", (TEXT,))
        return _error_page(404)

    def _token(self, request: Request, form: dict[str, str]) -> Answer:
        if request.method != b"POST":
            return _oauth_error(Refused(405, "method_not_allowed", "Request method not supported"))
        short = self._bears("short_tokens")
        terms = Terms(
            self._key,
            time.time(),
            short.delay if short else self._spec.lifetime,
            self._spec.rotate_refresh or self._bears("rotate_refresh") is not None,
        )
        authorization = (request.header(b"authorization") or b"").decode("latin-1")
        try:
            return json_answer(200, self._grants.grant(authorization, form, terms), _UNCACHED)
        except Refused as refused:
            return _oauth_error(refused)

    def _info(self) -> dict[str, object]:
        url = self._spec.url
        return {
            "app": {"version": _VERSION},
            "links": {"uaa": url, "login": url, "passwd": "/forgot_password", "register": "/create_account"},
            "zone_name": "uaa",
            "entityID": "uaa",
            "commit_id": "sandbox",
            "idpDefinitions": {},
            "prompts": {"username": ["text", "Email"], "password": ["password", "Password"]},
        }


def _oauth_error(refused: Refused) -> Answer:
    said = {"error": refused.error, "error_description": refused.description}
    return json_answer(refused.status, said, _UNCACHED)


def _error_page(code: int) -> Answer:
    """As its servlet container writes one."""
    words = f"HTTP Status {code} – {reason(code)}"
    page = f'<!doctype html><html lang="en"><head><title>{words}</title></head><body><h1>{words}</h1></body></html>'
    return Answer(code, page.encode(), (HTML,))


def _build(spec: Spec, truth: Truth, group: asyncio.TaskGroup) -> Uaa:
    assert isinstance(spec, UaaSpec)
    return Uaa(spec, truth, group)


if __name__ == "__main__":
    sys.exit(component.run(_build))

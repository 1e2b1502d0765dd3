"""What a call that went wrong means: cause, component, and the evidence for it. Pure: an answer, or an exception and
its stage, becomes a fault. The rules are `reference`'s: §1 on who answers, §2 on errors."""

import errno
import http.client
import socket
import ssl
from enum import StrEnum
from typing import NamedTuple

import msgspec

from harness.cf.answer import Answer, number
from harness.cf.origin import Endpoint, origin_of
from harness.cf.performed import Fault, one_line
from harness.cf.target import Limits
from harness.outcome import Cause, Component


class Question(NamedTuple):
    """What was asked."""

    call: str
    endpoint: Endpoint = Endpoint.API
    instances: bool = False  # Cloud Controller must ask Diego for it
    lists: bool = False  # pages of resources
    answered: bool = False  # an earlier call of the same operation was answered by the API


class Stage(StrEnum):
    """How far a call came."""

    NAMES = "looking the name up"
    CONNECT = "connecting"
    TLS = "in the TLS handshake"
    FIRST_BYTE = "waiting for the answer"
    BODY = "reading the body"
    TURN = "waiting for another log-in to prove the password"


class Ended(StrEnum):
    """Why we ended a call ourselves."""

    DEADLINE = "deadline"
    CUT = "cut"


class ProxyRefused(Exception):
    """A proxy did not open the way; its text says what it answered."""


class _Error(msgspec.Struct):
    code: int = 0
    title: str = ""
    detail: str = ""


class _Errors(msgspec.Struct):
    errors: list[_Error]


class _OAuth(msgspec.Struct):
    error: str
    error_description: str = ""


_OF_TOKENS = (1000, 10002)  # CF-InvalidAuthToken, CF-NotAuthenticated
_UNKNOWN = 10001  # UnknownError
# Cloud Controller's codes that speak of somebody else [CC errors/v2.yml]
_COMPONENTS = {
    10011: (Component.DATABASE, "Cloud Controller says so of its database"),
    10015: (Component.DATABASE, "Cloud Controller says so when its database is away"),
    20004: (Component.UAA, "Cloud Controller says that UAA is unavailable"),
    20008: (Component.UAA, "Cloud Controller says that UAA limits it"),
    170015: (Component.DIEGO, "Cloud Controller says that Diego is unavailable"),
    170016: (Component.DIEGO, "Cloud Controller says so of Diego"),
    200001: (Component.DIEGO, "Cloud Controller says so of Diego's BBS"),
    200002: (Component.DIEGO, "Cloud Controller says that Diego's BBS gives no stats"),
    220001: (Component.DIEGO, "Cloud Controller says so of Diego's BBS"),
    220002: (Component.DIEGO, "Cloud Controller says that Diego's BBS gives no instances"),
}
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EACCES, errno.EPERM}
_LOST = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENOTCONN}


def fault(question: Question, cause: Cause, component: Component, evidence: str, words: str) -> Fault:
    """One, with its detail on one line."""
    return Fault(
        cause=cause,
        component=component,
        evidence=one_line(evidence),
        detail=one_line(f"{question.call}: {words}"),
        call=question.call,
    )


# answers


def of_answer(question: Question, answer: Answer) -> Fault | None:
    """Why an answer is none that was wanted; None for 2xx, whose body is judged by who reads it."""
    status, said = answer.status, answer.headers.get("x-cf-routererror")
    if said is not None:
        evidence = f"X-Cf-RouterError: {said}"
        return fault(question, Cause.ROUTER, Component.ROUTER, evidence, f"{status} by the router: {said}")
    if 200 <= status < 300:
        return None
    error = _error_of(answer.body)
    if question.endpoint is Endpoint.TOKEN and error is None:
        return _of_log_in(question, answer)
    return _of_plain(question, answer) if error is None else _of_error(question, answer, error)


def token_refused(answer: Answer) -> bool:
    """Cloud Controller does not take the access token: another one may help."""
    error = _error_of(answer.body) if answer.status == 401 else None
    return error is not None and error.code in _OF_TOKENS


def refused_anew(question: Question, answer: Answer, age: float) -> Fault:
    """A token that UAA issued `age` seconds ago was refused as well."""
    evidence = (
        f"401 for a token that UAA had issued {age:.1f} s before: Cloud Controller does not know UAA's key, or UAA"
    )
    words = f"401, and again with a token that was {age:.1f} s old: {_words(answer.body)}"
    return fault(question, Cause.API_ERROR, Component.CLOUD_CONTROLLER, evidence, words)


def of_shape(question: Question, answer: Answer, words: str) -> Fault:
    """A success whose body is none: HTML, broken JSON, another shape, too large."""
    origin = origin_of(question.endpoint, answer)
    shown = f"{answer.status} {answer.headers.get('content-type', 'without a content type')}"
    return fault(
        question, Cause.PROTOCOL, origin.component, origin.evidence, f"{words}: {shown}: {_words(answer.body)}"
    )


def of_pages(question: Question, words: str) -> Fault:
    """A list that does not end."""
    evidence = "the links to further pages are Cloud Controller's"
    return fault(question, Cause.PROTOCOL, Component.CLOUD_CONTROLLER, evidence, words)


def _error_of(body: bytes) -> _Error | None:
    """The first of Cloud Controller's errors, with a code or a title; None if the body holds none."""
    try:
        errors = msgspec.json.decode(body, type=_Errors).errors
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return errors[0] if errors and (errors[0].code or errors[0].title) else None


def _of_error(question: Question, answer: Answer, error: _Error) -> Fault:
    told = f"{answer.status} {error.code} {error.title}: {error.detail}"
    named = f"Cloud Controller's JSON error {error.code} {error.title}"
    component, why = _COMPONENTS.get(error.code, (Component.CLOUD_CONTROLLER, "it names nobody else"))
    if answer.status == 429:
        return fault(question, Cause.THROTTLED, component, f"{named}: {why}", told + _come_back(answer))
    if error.code in _OF_TOKENS and answer.status == 401:
        evidence = f"{named}; the answer does not tell whether UAA revoked the token or its key changed"
        return fault(question, Cause.LOGIN, Component.UAA, evidence, told)
    if error.code == _UNKNOWN:
        if question.instances:
            component = Component.DIEGO
            why = (
                "for a call that needs instances from Diego's BBS; it does not tell Diego from Cloud Controller itself"
            )
        else:
            why = "it does not tell Cloud Controller from its database"
    return fault(question, Cause.API_ERROR, component, f"{named}: {why}", told)


def _of_log_in(question: Question, answer: Answer) -> Fault:
    try:
        error = msgspec.json.decode(answer.body, type=_OAuth)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        plain = _of_plain(question, answer)
        # whoever said so, a password that was refused must not be tried again
        return msgspec.structs.replace(plain, cause=Cause.LOGIN) if answer.status in (400, 401, 403) else plain
    told = f"{answer.status} {error.error}: {error.error_description}"
    evidence = f"UAA's JSON error {error.error}"
    if answer.status == 429:
        return fault(question, Cause.THROTTLED, Component.UAA, evidence, told + _come_back(answer))
    cause = Cause.STATUS_5XX if 500 <= answer.status < 600 else Cause.LOGIN
    return fault(question, cause, Component.UAA, evidence, told)


def _of_plain(question: Question, answer: Answer) -> Fault:
    """Neither the router's nor an error in JSON."""
    status = answer.status
    origin = origin_of(question.endpoint, answer)
    words = f"status {status}"
    if server := answer.headers.get("server"):
        words += f", server {server[:60]}"
    if status == 429:
        return fault(question, Cause.THROTTLED, origin.component, origin.evidence, words + _come_back(answer))
    if 300 <= status < 400 and (location := answer.headers.get("location")):
        words += f", to {location[:120]}"
    cause = Cause.STATUS_UNEXPECTED
    if 400 <= status < 500:
        cause = Cause.STATUS_4XX
    elif 500 <= status < 600:
        cause = Cause.STATUS_5XX
    said = _words(answer.body)
    return fault(question, cause, origin.component, origin.evidence, f"{words}: {said}" if said else words)


def _come_back(answer: Answer) -> str:
    limit, after = number(answer.headers, "x-ratelimit-limit"), answer.headers.get("retry-after")
    told = f", the limit is {limit} an hour or interval" if limit is not None else ""
    return f"{told}, Retry-After {after[:40]}" if after else told


def _words(body: bytes) -> str:
    return one_line(body[:400].decode("utf-8", "replace"), 100)


# exceptions


def of_break(
    question: Question, error: BaseException, stage: Stage, *, limits: Limits, ended: Ended | None, head: Answer | None
) -> Fault:
    """Why no whole answer came. `ended`: we ended the call ourselves; `head`: what came of the answer."""
    if ended is Ended.CUT:
        return fault(question, Cause.CUT, Component.HARNESS, "we ended the call ourselves", f"cut while {stage}")
    if ended is Ended.DEADLINE:
        component, evidence = _silent(question, stage, head)
        words = f"not answered within the {limits.total:g} s of the operation, {stage}"
        return fault(question, Cause.TOTAL_TIMEOUT, component, evidence, words)
    own = _of_own(question, error, stage)
    if own is not None:
        return own
    match stage:
        case Stage.NAMES:
            return _of_names(question, error, limits)
        case Stage.CONNECT:
            return _of_connect(question, error, limits)
        case Stage.TLS:
            return _of_tls(question, error, limits)
        case Stage.FIRST_BYTE | Stage.BODY | Stage.TURN:
            return _of_exchange(question, error, stage, limits, head)


def of_internal(call: str, error: BaseException) -> Fault:
    """What nobody foresaw is ours."""
    words = f"{type(error).__name__}: {error}"
    evidence = "an error that no answer explains"
    return fault(Question(call), Cause.INTERNAL, Component.HARNESS, evidence, words)


def _silent(question: Question, stage: Stage, head: Answer | None) -> tuple[Component, str]:
    """Who owes us the rest."""
    if stage is Stage.NAMES:
        return Component.DNS, "the look-up was under way"
    if stage in (Stage.CONNECT, Stage.TLS):
        return Component.NETWORK, f"still {stage}"
    if stage is Stage.BODY and head is not None:
        origin = origin_of(question.endpoint, head)
        return origin.component, f"its answer had begun; {origin.evidence}"
    if question.endpoint is Endpoint.TOKEN:
        return Component.UAA, "the log-in host took the request; silence does not tell the router from UAA behind it"
    if question.answered and question.instances:
        return (
            Component.DIEGO,
            "other calls of the operation were answered, the one that needs Diego's BBS was not; silence itself does "
            "not tell",
        )
    if question.answered:
        return (
            Component.CLOUD_CONTROLLER,
            "another call of the operation was answered on the same way; silence does not tell Cloud Controller from "
            "its database",
        )
    return Component.TARGET, "the request was taken; silence does not tell load balancer, router and Cloud Controller"


def _of_own(question: Question, error: BaseException, stage: Stage) -> Fault | None:
    """Of the limits of this machine itself."""
    number = (
        error.errno if isinstance(error, OSError) and not isinstance(error, ssl.SSLError | socket.gaierror) else None
    )
    if number in (errno.EMFILE, errno.ENFILE):
        cause, words = Cause.LOCAL_FILES, "out of file descriptors (raise `ulimit -n`)"
    elif number in (errno.EADDRNOTAVAIL, errno.EADDRINUSE) and stage is Stage.CONNECT:
        cause, words = Cause.LOCAL_PORTS, "no local port left (net.ipv4.ip_local_port_range, TIME_WAIT)"
    elif number in (errno.ENOBUFS, errno.ENOMEM):
        cause, words = Cause.INTERNAL, "the kernel has no memory for a socket"
    elif isinstance(error, OSError | http.client.HTTPException | ProxyRefused):
        return None
    else:
        return of_internal(question.call, error)
    return fault(question, cause, Component.HARNESS, "this machine's kernel said so", f"{words}: {_told(error)}")


def _of_names(question: Question, error: BaseException, limits: Limits) -> Fault:
    late = f"no name server answered within {limits.connect:g} s"
    words = late if isinstance(error, TimeoutError) else _told(error)
    return fault(question, Cause.DNS, Component.DNS, "the name could not be looked up", words)


def _of_connect(question: Question, error: BaseException, limits: Limits) -> Fault:
    number = error.errno if isinstance(error, OSError) else None
    cause, words = Cause.CONNECT_UNREACHABLE, _told(error)
    if isinstance(error, ProxyRefused):
        words = f"the proxy answered {words}"
    elif number == errno.ECONNREFUSED:
        cause = Cause.CONNECT_REFUSED
    elif number == errno.ETIMEDOUT:
        cause, words = Cause.CONNECT_TIMEOUT, f"the kernel gave up: {words}"
    elif isinstance(error, TimeoutError):
        cause, words = Cause.CONNECT_TIMEOUT, f"not connected within {limits.connect:g} s"
    elif number in _LOST or isinstance(error, http.client.HTTPException):
        cause, words = Cause.RESET, f"while {Stage.CONNECT}: {words}"
    return fault(question, cause, Component.NETWORK, "no connection was made", words)


def _of_tls(question: Question, error: BaseException, limits: Limits) -> Fault:
    evidence = "no TLS session was agreed upon"
    if isinstance(error, TimeoutError):
        words = f"TLS handshake not done within {limits.connect:g} s"
        return fault(question, Cause.TLS_TIMEOUT, Component.NETWORK, evidence, words)
    if isinstance(error, ssl.SSLCertVerificationError):
        words = getattr(error, "verify_message", "") or _told(error)
        return fault(question, Cause.TLS_CERTIFICATE, Component.NETWORK, "its certificate does not hold", words)
    return fault(question, Cause.TLS_HANDSHAKE, Component.NETWORK, evidence, f"{type(error).__name__}: {_told(error)}")


def _of_exchange(question: Question, error: BaseException, stage: Stage, limits: Limits, head: Answer | None) -> Fault:
    if isinstance(error, TimeoutError) and error.errno != errno.ETIMEDOUT:
        component, evidence = _silent(question, stage, head)
        if stage is Stage.FIRST_BYTE:
            words = f"no answer within {limits.read:g} s"
            return fault(question, Cause.FIRST_BYTE_TIMEOUT, component, evidence, words)
        words = f"nothing more for {limits.read:g} s, {stage}"
        return fault(question, Cause.TOTAL_TIMEOUT, component, evidence, words)
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead | ssl.SSLEOFError):
        words = f"closed by the peer while {stage}"
        return fault(question, Cause.CLOSED_EARLY, Component.NETWORK, "the connection ended under the call", words)
    if isinstance(error, http.client.HTTPException):
        evidence = "what came is no HTTP"
        return fault(question, Cause.PROTOCOL, Component.TARGET, evidence, f"{type(error).__name__}: {_told(error)}")
    if isinstance(error, ssl.SSLError):
        return fault(question, Cause.TLS_HANDSHAKE, Component.NETWORK, "TLS broke under the call", _told(error))
    if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
        evidence = "the kernel gave up: nothing was acknowledged"
        return fault(question, Cause.TOTAL_TIMEOUT, Component.NETWORK, evidence, f"{_told(error)}, {stage}")
    evidence = "the connection ended under the call"
    return fault(question, Cause.RESET, Component.NETWORK, evidence, f"{_told(error)} while {stage}")


def _told(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__)[:200]

"""What httpx raises, by cause: as a function, and over chains of any shape."""

import errno
import socket
import ssl

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engine.blame import Stage
from harness.outcome import Cause, Component
from harness.probes.httpx_errors import blame_of, chain, is_loss


def wrapped(inner: BaseException, *outer: Exception) -> Exception:
    """`inner` as the cause of the first of `outer`, that of the next, and so on."""
    last: BaseException = inner
    for one in outer:
        one.__cause__ = last
        last = one
    assert isinstance(last, Exception)
    return last


def os_error(number: int) -> OSError:
    return OSError(number, "words of the kernel")


def unverified() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


STAGES = [Stage.CONNECT, Stage.TLS, Stage.FIRST_BYTE, Stage.BODY]


@pytest.mark.parametrize(
    ("inner", "stage", "cause"),
    [
        (os_error(errno.ECONNREFUSED), Stage.CONNECT, Cause.CONNECT_REFUSED),
        (os_error(errno.EMFILE), Stage.CONNECT, Cause.LOCAL_FILES),
        (os_error(errno.EADDRNOTAVAIL), Stage.CONNECT, Cause.LOCAL_PORTS),
        (os_error(errno.EHOSTUNREACH), Stage.CONNECT, Cause.CONNECT_UNREACHABLE),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), Stage.CONNECT, Cause.DNS),
        (unverified(), Stage.TLS, Cause.TLS_CERTIFICATE),
        (ssl.SSLError(1, "handshake failure"), Stage.TLS, Cause.TLS_HANDSHAKE),
        (os_error(errno.ECONNRESET), Stage.TLS, Cause.TLS_HANDSHAKE),
        (os_error(errno.ECONNRESET), Stage.FIRST_BYTE, Cause.RESET),
        (os_error(errno.EPIPE), Stage.BODY, Cause.RESET),
        (os_error(errno.ETIMEDOUT), Stage.BODY, Cause.TOTAL_TIMEOUT),
        (ssl.SSLError(1, "certificate required"), Stage.FIRST_BYTE, Cause.TLS_HANDSHAKE),
    ],
)
def test_the_innermost_tells(inner: Exception, stage: str, cause: Cause) -> None:
    for error in (
        wrapped(inner, ExceptionGroup("of anyio", [ValueError()]), httpx.ConnectError("all attempts failed")),
        httpx.ReadError(inner),  # type: ignore[arg-type]  # as httpcore's pool does
        wrapped(ExceptionGroup("of anyio", [inner]), httpx.ConnectError("all attempts failed")),
    ):
        assert blame_of(error, stage=stage, begun=stage == Stage.BODY).cause is cause


@pytest.mark.parametrize("stage", [Stage.FIRST_BYTE, Stage.BODY])
def test_how_tls_is_read_is_no_cause(stage: str) -> None:
    want = ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "The operation did not complete (read)")
    reset = os_error(errno.ECONNRESET)
    reset.__context__ = want
    blame = blame_of(wrapped(reset, httpx.ReadError("")), stage=stage, begun=False)
    assert (blame.cause, blame.component) == (Cause.RESET, Component.NETWORK)


@pytest.mark.parametrize(
    "words",
    [
        "Server disconnected without sending a response.",
        "peer closed connection without sending complete message body (received 5 bytes, expected 10)",
    ],
)
def test_the_end_is_told_in_words(words: str) -> None:
    blame = blame_of(httpx.RemoteProtocolError(words), stage=Stage.FIRST_BYTE, begun=False)
    assert blame.cause is Cause.CLOSED_EARLY
    assert is_loss(blame)


def test_other_words_are_of_a_malformed_answer() -> None:
    blame = blame_of(httpx.RemoteProtocolError("illegal status line"), stage=Stage.FIRST_BYTE, begun=False)
    assert (blame.cause, blame.component) == (Cause.PROTOCOL, Component.TARGET)
    assert not is_loss(blame)


def test_what_nobody_knows_is_our_own() -> None:
    blame = blame_of(ValueError("what?"), stage=Stage.FIRST_BYTE, begun=False)
    assert (blame.cause, blame.component) == (Cause.INTERNAL, Component.HARNESS)
    assert "ValueError: what?" in blame.detail


errors: st.SearchStrategy[Exception] = st.deferred(
    lambda: st.one_of(
        st.sampled_from([errno.ECONNRESET, errno.ECONNREFUSED, errno.EMFILE]).map(os_error),
        st.text(max_size=300).map(httpx.ReadError),
        st.builds(wrapped, errors, st.text(max_size=5).map(ValueError)),
        st.lists(errors, min_size=1, max_size=3).map(lambda some: ExceptionGroup("some", some)),
    )
)


@given(error=errors, stage=st.sampled_from(STAGES), begun=st.booleans())
def test_every_error_has_a_cause_in_a_few_words(error: Exception, stage: str, begun: bool) -> None:
    blame = blame_of(error, stage=stage, begun=begun)
    assert blame.cause in Cause
    assert 0 < len(blame.detail) < 400


@given(error=errors)
def test_a_chain_ends_even_in_a_circle(error: Exception) -> None:
    last = list(chain(error))[-1]
    last.__context__ = error
    links = list(chain(error))
    assert links[0] is error
    assert len({id(link) for link in links}) == len(links)


@pytest.mark.parametrize(
    ("error", "cause"),
    [(anyio.EndOfStream(), Cause.CLOSED_EARLY), (anyio.ClosedResourceError(), Cause.RESET)],
)
def test_what_httpcore_lets_through_of_anyio(error: Exception, cause: Cause) -> None:
    """On writing, over TLS that the peer has closed, and on a connection that another stream's failure has closed."""
    blame = blame_of(error, stage=Stage.FIRST_BYTE, begun=False)
    assert (blame.cause, blame.component) == (cause, Component.NETWORK)


def test_reset_as_soon_as_it_was_open() -> None:
    error = AttributeError("'NoneType' object has no attribute 'getpeername'")
    assert blame_of(error, stage=Stage.CONNECT, begun=False).cause is Cause.RESET
    assert blame_of(error, stage=Stage.FIRST_BYTE, begun=False).cause is Cause.INTERNAL

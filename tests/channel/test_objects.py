"""What an object store that says no, or nothing, or nonsense, comes to; and what can't be one. Over real sockets."""

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from harness.channel.objects import ObjectStore
from harness.channel.store import ChannelError, SilentError, Store
from tests.channel.bucket import NAME, bucket, leading_to
from tests.cli.commanding import cf

ROOT = Path(__file__).parents[2]
CALLS: dict[str, Callable[[Store], object]] = {
    "get": lambda store: store.get("a"),
    "put": lambda store: store.put("a", b"1"),
    "create": lambda store: store.create("a", b"1"),
    "list": lambda store: store.list("a/"),
}
NOTHING = b""  # said before the connection is closed


class Answering(socketserver.ThreadingTCPServer):
    """A store that answers everything alike; None: nothing ever."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: bytes | None = NOTHING
        self.answers: Iterator[int] = iter(())  # statuses that come first
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def says(self, status: int, code: str = "", body: bytes | None = None, headers: bytes = b"") -> None:
        if body is None:
            body = b"<Error><Code>%s</Code><Message>hunter2hunter2</Message></Error>" % code.encode() if code else b""
        head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n"
        self.answer = head % (status, len(body), headers) + body

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none."""


class _Handler(socketserver.StreamRequestHandler):
    server: Answering

    def handle(self) -> None:
        length = 0
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        self.rfile.read(length)
        for status in self.server.answers:
            self.server.says(status)
            break
        if self.server.answer is None:
            self.server.over.wait()
        else:
            self.wfile.write(self.server.answer)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """Where the environment leads."""
    with Answering() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        for name, value in leading_to(server.url).items():
            monkeypatch.setenv(name, value)
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def told_by(call: Callable[[Store], object]) -> ChannelError:
    with pytest.raises(ChannelError) as told:
        call(ObjectStore(f"s3://{NAME}/x", os.environ))
    said = str(told.value)
    assert said.startswith(f"the channel s3://{NAME}/x")
    assert "hunter2" not in said
    assert "127.0.0.1" not in said
    assert "\n" not in said
    original = told.value.__cause__ or (None if told.value.__suppress_context__ else told.value.__context__)
    assert original is None, "its text may hold a signed URL"
    return told.value


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "AccessDenied", r"not allowed \(403 AccessDenied\); it takes s3:GetObject and s3:PutObject"),
        (403, "", r"not allowed \(403\)"),
        (403, "ExpiredToken", r"does not know these credentials \(403 ExpiredToken\); .*AWS_SESSION_TOKEN"),
        (400, "ExpiredToken", "does not know these credentials"),
        (403, "InvalidAccessKeyId", "does not know these credentials"),
        (401, "", "does not know these credentials"),
        (403, "RequestTimeTooSkewed", "clock"),
        (404, "NoSuchBucket", "no such bucket; make it"),
        (301, "PermanentRedirect", "another region: set AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", "another region: set AWS_REGION"),
        (400, "InvalidRequest", "answers 400 InvalidRequest, which no retry mends"),
        (501, "NotImplemented", "answers 501 NotImplemented, which no retry mends"),
    ],
)
def test_a_no_that_no_retry_mends_says_what_to_do(
    answering: Answering, call: Callable[[Store], object], status: int, code: str, words: str
) -> None:
    answering.says(status, code)
    error = told_by(call)
    assert not isinstance(error, SilentError)
    with pytest.raises(ChannelError, match=words):
        raise error


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "SlowDown"), (429, ""), (500, "InternalError"), (502, ""), (504, ""), (400, "RequestTimeout")],
)
def test_trouble_that_passes_is_worth_another_try(
    answering: Answering, call: Callable[[Store], object], status: int, code: str
) -> None:
    answering.says(status, code)
    error = told_by(call)
    assert isinstance(error, SilentError)
    assert f"answers {status}" in str(error)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("answer", [None, NOTHING, b"what?\r\n\r\n"], ids=["silence", "a broken connection", "garbage"])
def test_no_answer_is_told_after_a_while(
    answering: Answering, call: Callable[[Store], object], answer: bytes | None
) -> None:
    answering.answer = answer  # silence lasts longer than this test may
    error = told_by(call)
    assert isinstance(error, SilentError)
    assert "does not answer" in str(error)


@pytest.mark.parametrize("call", [CALLS["put"], CALLS["create"]], ids=["put", "create"])
def test_a_proxy_that_says_yes_to_everything_is_no_store(answering: Answering, call: Callable[[Store], object]) -> None:
    answering.says(200, body=b"<html>log in</html>")
    assert isinstance(told_by(call), SilentError)


def test_an_answer_that_ends_half_way_is_no_value(answering: Answering) -> None:
    answering.answer = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: "1"\r\nConnection: close\r\n\r\n{"half":'
    assert isinstance(told_by(CALLS["get"]), SilentError)


def test_a_missing_object_is_none_though_the_answer_has_no_code(answering: Answering) -> None:
    answering.says(404)
    assert ObjectStore(f"s3://{NAME}/x", os.environ).get("a") is None


def test_a_store_that_ignores_conditions_is_refused(answering: Answering) -> None:
    """Two starters would both be told that the run is theirs."""
    answering.says(200, body=b"", headers=b'ETag: "1"\r\n')
    error = told_by(CALLS["create"])
    assert not isinstance(error, SilentError)
    assert "ignores the condition If-None-Match" in str(error)


def test_a_conflict_that_leaves_nothing_is_asked_again(answering: Answering) -> None:
    """S3 answers 409 while another conditional write is under way; that one may fail, and then nobody has written."""
    answering.answers = iter([409, 404])
    assert isinstance(told_by(CALLS["create"]), SilentError)


def test_a_store_where_nothing_listens_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in leading_to("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    for call in CALLS.values():
        assert isinstance(told_by(call), SilentError)


# Settings


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3:///x", "which bucket"),
        ("s3://", "which bucket"),
        ("s3://bucket/a//b", "which bucket"),
        ("s3://bucket/../b", "which bucket"),
        ("s3://bucket/x?versionId=1", "which bucket"),
        ("s3://key:hunter2@bucket/x", "which bucket"),
        ("az://container/x", "can't be used: MissingAccount; .*AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_a_url_that_leads_nowhere_is_told(url: str, why: str) -> None:
    with pytest.raises(ChannelError, match=why) as told:
        ObjectStore(url, {})
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("endpoint", ["localhost:9000", "minio", "http://", "https://key:hunter2@host", "ftp://host"])
def test_an_endpoint_that_is_no_url_is_told_in_one_line(tmp_path: Path, endpoint: str) -> None:
    told = cf(tmp_path, "status", "--channel", f"s3://{NAME}/x", **leading_to(endpoint))
    assert told.code == 2
    assert "AWS_ENDPOINT_URL is no URL such as https://host:port" in told.err
    assert "hunter2" not in told.err
    assert len(told.err.splitlines()) == 1


def test_an_endpoint_without_tls_is_allowed_by_a_variable(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    error = told_by(CALLS["get"])
    assert not isinstance(error, SilentError)
    assert "set AWS_ALLOW_HTTP=true" in str(error)


def test_a_certificate_of_a_private_ca(tmp_path: Path) -> None:
    ca = trustme.CA()
    script = (
        "import os, ssl, sys, threading\n"
        "from harness.channel.objects import ObjectStore\n"
        "from tests.channel.test_objects import Answering\n"
        "server = Answering()\n"
        "server.says(404)\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "context.load_cert_chain(sys.argv[1])\n"
        "server.socket = context.wrap_socket(server.socket, server_side=True)\n"
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "os.environ['AWS_ENDPOINT_URL'] = server.url.replace('http:', 'https:')\n"
        "try:\n"
        "    print(ObjectStore('s3://bucket', os.environ).get('a'))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    environ = {**os.environ, **leading_to("https://127.0.0.1"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, str(tmp_path / "server.pem")]
    unknown = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    assert unknown.stdout.startswith("ChannelError ")
    assert "set SSL_CERT_FILE to its CA's" in unknown.stdout
    environ["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    known = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    assert known.stdout == "None\n"


@pytest.mark.parametrize(
    ("status", "silent", "words"),
    [
        (404, False, r"the machine has no role \(404\); set AWS_ACCESS_KEY_ID"),
        (503, True, "does not answer when asked"),
    ],
)
def test_without_credentials_the_machine_is_asked_for_its_role(
    answering: Answering, monkeypatch: pytest.MonkeyPatch, status: int, silent: bool, words: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")  # a parameter that a pipeline left empty is none
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", answering.url)
    answering.says(status)
    error = told_by(CALLS["get"])
    assert isinstance(error, SilentError) is silent
    with pytest.raises(ChannelError, match=words):
        raise error


def test_half_of_the_credentials_is_told(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "MissingSecretAccessKey" in str(told_by(CALLS["get"]))


def test_settings_that_are_given_go_before_the_process_s_own(answering: Answering) -> None:
    with bucket() as there:
        assert ObjectStore(f"s3://{NAME}/x", there).create("a", b"1")
        assert ObjectStore(f"s3://{NAME}/x", there).get("a") == b"1"


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("gs://bucket/x", ("GOOGLE_BASE_URL", "GOOGLE_ALLOW_HTTP", "GOOGLE_SKIP_SIGNATURE")),
        ("az://bucket/x", ("AZURE_STORAGE_ENDPOINT", "AZURE_ALLOW_HTTP", "AZURE_SKIP_SIGNATURE")),
    ],
)
def test_other_clouds_are_asked_alike(
    answering: Answering, monkeypatch: pytest.MonkeyPatch, url: str, settings: tuple[str, str, str]
) -> None:
    for name, value in zip(settings, (answering.url, "true", "true"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    store = ObjectStore(url, os.environ)
    answering.says(404)
    assert store.get("a") is None
    answering.says(404, "ContainerNotFound" if url.startswith("az") else "NoSuchBucket")
    with pytest.raises(ChannelError, match="there is no such bucket"):
        store.get("a")
    answering.says(503)
    with pytest.raises(SilentError, match=f"{url} answers 503"):
        store.get("a")


def test_without_obstore_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['obstore'] = None\n"
        "from harness.cli import main\n"
        "sys.exit(main(['status', '--channel', 's3://bucket/x']))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert ran.returncode == 2
    assert "cf-harness[objectstore]" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1

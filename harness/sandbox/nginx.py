"""The nginx before Cloud Controller: its headers on every answer, its own pages where Ruby does not answer. Pure."""

from email.utils import formatdate

from harness.sandbox.message import Headers, reason
from harness.sandbox.replies import HTML, Answer

_SERVER = (b"Server", b"nginx")


def passed_on(said: Answer, request_id: bytes) -> Answer:
    """Cloud Controller's answer as it leaves the VM. `request_id`: two UUIDs, the router's and its own."""
    identity = (b"X-Vcap-Request-Id", request_id)
    return Answer(said.status, said.body, (_SERVER, _date(), *said.headers, identity))


def error_page(code: int) -> Answer:
    """What nginx says for itself."""
    words = f"{code} {reason(code)}"
    page = (
        f"<html>\r\n<head><title>{words}</title></head>\r\n<body>\r\n<center><h1>{words}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(code, page.encode(), _headers())


def html_page() -> Answer:
    """A page for people with a good status, as from a maintenance page or a login portal in the way."""
    page = "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>\n"
    return Answer(200, page.encode(), _headers())


def _headers() -> Headers:
    return (_SERVER, _date(), HTML)


def _date() -> tuple[bytes, bytes]:
    return (b"Date", formatdate(usegmt=True).encode())

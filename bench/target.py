"""The target of the comparisons: Debian's nginx, one worker on a core of its own, plain and TLS."""

import datetime
import ipaddress
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CONF = """
worker_processes 1; daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log warn;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{plain} backlog=8192; location / {{ return 200 "ok\\n"; }} }}
  server {{ listen 127.0.0.1:{tls} ssl backlog=8192;
            ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
            location / {{ return 200 "ok\\n"; }} }}
}}
"""


class Target(NamedTuple):
    """Where nginx serves, and the CA of its certificate."""

    plain: str
    tls: str
    ca: Path
    pid: int


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextmanager
def nginx(core: int) -> Iterator[Target]:
    """Serve on `core` until the block ends. Raises RuntimeError if nginx is missing or does not come up."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        raise RuntimeError("nginx is missing: run scripts/install-debian-packages")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _certificate(folder)
        plain, tls = _free_port(), _free_port()
        (folder / "nginx.conf").write_text(_CONF.format(folder=folder, plain=plain, tls=tls))
        command = [
            "taskset",
            "-c",
            str(core),
            program,
            "-c",
            str(folder / "nginx.conf"),
            "-e",
            str(folder / "start.log"),
        ]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                _await_port(plain)
                yield Target(
                    f"http://127.0.0.1:{plain}/", f"https://127.0.0.1:{tls}/", folder / "cert.pem", process.pid
                )
            finally:
                process.terminate()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("nginx did not come up")

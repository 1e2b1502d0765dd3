"""A bucket: moto's S3 server as a process of its own, and what stands between it and us."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

NAME = "bucket"


@contextmanager
def bucket() -> Iterator[dict[str, str]]:
    """Serve one; gives the environment that leads there."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("bucket_server.py"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            environ = leading_to(url)
            urllib.request.urlopen(urllib.request.Request(f"{url}/{NAME}", method="PUT"), timeout=20)
            yield environ
        finally:
            server.kill()


def leading_to(url: str) -> dict[str, str]:
    """What obstore needs to find a store there."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "hunter2hunter2",
        "AWS_REGION": "us-east-1",
    }


def keys_in(environ: dict[str, str]) -> list[str]:
    """What the bucket holds, asked without us."""
    at = urlsplit(environ["AWS_ENDPOINT_URL"])
    connection = HTTPConnection(at.hostname or "", at.port)
    connection.request("GET", f"/{NAME}?list-type=2")
    text = connection.getresponse().read().decode()
    return [part.partition("</Key>")[0] for part in text.split("<Key>")[1:]]


if __name__ == "__main__":  # by hand: python -m tests.channel.bucket
    with bucket() as where:
        print(json.dumps(where), flush=True)
        os.read(0, 1)

"""A bucket: moto's S3 server as a process of its own, and what stands between it and us."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

NAME = "bucket"


@contextmanager
def bucket() -> Iterator[dict[str, str]]:
    """Serve one; gives the environment that leads there."""
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            url = next(line for line in server.stderr if "Running on" in line).split()[-1]
            # its further lines would fill the pipe
            drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
            environ = leading_to(url)
            urllib.request.urlopen(urllib.request.Request(f"{url}/{NAME}", method="PUT"), timeout=20)
            yield environ
        finally:
            server.kill()
    drain.wait()


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

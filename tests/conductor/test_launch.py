"""Worker processes: their environment, their stderr, their end."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from harness.conductor.launch import COMPLAINTS, LINE_LIMIT, subprocess_launcher, worker_environment
from tests.conductor.conducting import in_loop, make_spec


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_credentials_are_not_passed_on() -> None:
    environ = {"PATH": "/bin", "CF_PASSWORD": "x", "AWS_SECRET_ACCESS_KEY": "y", "LC_ALL": "C", "TZ": "UTC"}
    passed = worker_environment(environ)
    assert {name: passed[name] for name in ("PATH", "LC_ALL", "TZ")} == {"PATH": "/bin", "LC_ALL": "C", "TZ": "UTC"}
    assert not {"CF_PASSWORD", "AWS_SECRET_ACCESS_KEY"} & set(passed)


@in_loop
async def test_stderr_is_drained_and_its_last_lines_kept() -> None:
    code = "import sys; sys.stdin.readline(); [print('x' * 900, n, file=sys.stderr) for n in range(5000)]; print('{}')"
    worker = await subprocess_launcher(os.environ, python(code))(make_spec())
    assert [line async for line in worker.messages()] == [b"{}\n"]
    assert await worker.wait() == 0
    assert len(worker.complaints) == COMPLAINTS
    assert max(map(len, worker.complaints)) == 500


@in_loop
async def test_a_torn_line_is_left_out_and_a_huge_one_refused() -> None:
    worker = await subprocess_launcher(os.environ, python("print('{}'); print('{', end='')"))(make_spec())
    assert [line async for line in worker.messages()] == [b"{}\n"]
    await worker.wait()
    worker = await subprocess_launcher(os.environ, python(f"print('x' * {2 * LINE_LIMIT + 10})"))(make_spec())
    with pytest.raises(ValueError, match="limit"):
        async for _ in worker.messages():
            pass
    worker.kill()
    assert await worker.wait() in (-9, 1)


@in_loop
async def test_it_leads_a_session_of_its_own_and_is_killed_though_stopped() -> None:
    worker = await subprocess_launcher(os.environ, python("import sys; sys.stdin.read()"))(make_spec())
    assert os.getsid(worker.pid) == worker.pid
    os.kill(worker.pid, 19)
    worker.kill()
    async with asyncio.timeout(5):
        assert await worker.wait() == -9
    worker.kill()
    worker.tell(b"nobody hears\n")


@in_loop
async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such file"):
        await subprocess_launcher(os.environ, ("/no-such",))(make_spec())


@in_loop
async def test_the_worker_finds_the_package_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own folder is not searched: a file there could take a library's name."""
    (tmp_path / "msgspec.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    command = (sys.executable, "-P", "-c", "import harness.spec; print(harness.spec.__name__)")
    worker = await subprocess_launcher({"PATH": os.environ["PATH"]}, command)(make_spec())
    assert [line async for line in worker.messages()] == [b"harness.spec\n"]
    await worker.wait()

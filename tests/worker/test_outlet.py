"""The outlet: what several works write to one full pipe arrives whole, line by line."""

import asyncio
import os

from harness.worker.outlet import Outlet


def test_lines_behind_a_stuck_one_wait_their_turn() -> None:
    """A stopped conductor fills the pipe; at the stop each runner has a frame and a goodbye to write all the same."""
    reader, writer = os.pipe()
    lines = [bytes([ord("a") + number]) * 100_000 + b"\n" for number in range(4)]

    async def write() -> bytes:
        outlet = Outlet(asyncio.get_running_loop(), writer, gone=lambda: None)
        for line in lines:
            outlet.write(line)
        assert not outlet.clear

        def read_all() -> bytes:
            read = b""
            while len(read) < sum(map(len, lines)):
                read += os.read(reader, 65536)
            return read

        read = await asyncio.to_thread(read_all)
        await outlet.emptied()
        assert outlet.clear
        outlet.close()
        return read

    try:
        assert asyncio.run(asyncio.wait_for(write(), 30)) == b"".join(lines)
    finally:
        os.close(reader)
        os.close(writer)

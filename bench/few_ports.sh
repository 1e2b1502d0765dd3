#!/usr/bin/env bash
# In a network namespace of its own: loopback up, twenty ephemeral ports, nginx, and a run on fresh connections.
# nginx closes last here (keep-alive off would move TIME_WAIT to it), so the ports of our side run out.
set -eu
python=$1
ip link set lo up
echo "40000 40019" > /proc/sys/net/ipv4/ip_local_port_range
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cat > "$folder/server.py" <<'PY'
import asyncio

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def serve(reader, writer):
    """Answers each request, and never closes first."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", 8080) as server:
        await server.serve_forever()


asyncio.run(main())
PY
"$python" "$folder/server.py" &
server=$!
for _ in $(seq 100); do
    (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null && break
    sleep 0.05
done
"$python" -m harness run http://127.0.0.1:8080/ --rate 50/s --fresh --duration 4s --quiet --format json --runs-dir "$folder/runs" || true

#!/usr/bin/env bash
# In a network namespace of its own: loopback up, twenty ephemeral ports, a target, and a run on fresh connections.
# The target never closes first, so TIME_WAIT is ours and the ports of our side run out. Prints the verdict.
set -eu
python=$1
cd "$(dirname "$0")/.."
ip link set lo up
echo "40000 40019" > /proc/sys/net/ipv4/ip_local_port_range
folder=$(mktemp -d)
mkfifo "$folder/words"
"$python" -m bench.faulty < "$folder/words" > "$folder/said" &
server=$!
exec 3> "$folder/words"
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    [ -s "$folder/said" ] && break
    sleep 0.05
done
url=$(sed -n 's/.*"\(http[^"]*\)".*/\1/p' "$folder/said" | head -n 1)
"$python" -m harness run "$url" --rate 50/s --fresh --duration 5s --quiet --format json --runs-dir "$folder/runs" || true

#!/bin/bash
# The raw floor of a cluster's start: the same `ray start` commands in the same kind of pods, all started at one moment by
# a shell script. Run in a network namespace of its own (see test_start.py). Arguments: ENVIRONMENT NUMBER_OF_WORKERS
# Prints the seconds from the first pod's start until Ray lists every node ALIVE.
set -eu
environment=$1 workers=$2
scratch=$(mktemp -d /tmp/raw-XXXXXX)
trap 'rm -rf "$scratch" 2>/dev/null || true' EXIT  # what Ray still writes goes with the next run's machine
export PATH="$environment/bin:$PATH" HOME=$scratch RAY_USAGE_STATS_ENABLED=0 RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9
export RAY_gcs_grpc_initial_reconnect_backoff_ms=50 RAY_gcs_grpc_min_reconnect_backoff_ms=100
export RAY_gcs_grpc_max_reconnect_backoff_ms=200
unset PYTHONDONTWRITEBYTECODE
ip link set lo up
ip link add br0 type bridge
ip address add 10.88.0.1/16 dev br0
ip link set br0 up

pod() { # NUMBER COMMAND...
  local number=$1
  shift
  unshare --net --mount --pid --uts --fork --kill-child=SIGKILL bash -c '
    mount --make-rprivate /; mount -t proc proc /proc; mount -t tmpfs -o size=1g tmpfs /dev/shm; hostname "pod-$0"
    until ip link show eth0 >/dev/null 2>&1; do sleep 0.01; done
    ip link set lo up; ip address add "10.88.0.$0/16" dev eth0; ip link set eth0 up
    exec "$@"' "$number" "$@" >"$scratch/$number.log" 2>&1 &
  local shell=$!
  while [ "$(readlink "/proc/$shell/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
  ip link add "veth$number" type veth peer name eth0 netns "$shell"
  ip link set "veth$number" master br0 up
}

common=(--block --disable-usage-stats --num-cpus=1 --object-store-memory=644245094)
started=$(date +%s.%N)
pod 2 ray start --head --port=6379 --node-ip-address=10.88.0.2 --dashboard-host=127.0.0.1 --no-monitor \
  --temp-dir="$scratch/2" "${common[@]}"
for number in $(seq 3 $((workers + 2))); do
  pod "$number" ray start --address=10.88.0.2:6379 --node-ip-address="10.88.0.$number" --temp-dir="$scratch/$number" \
    --dashboard-agent-listen-port=0 --min-worker-port=0 --max-worker-port=0 "${common[@]}"
done
"$environment/bin/python" - "$((workers + 1))" <<'PYTHON'
import sys, time
from ray._raylet import GcsClient
import socket
while True:
    try:
        socket.create_connection(("10.88.0.2", 6379), 1).close()
        break
    except OSError:
        time.sleep(0.05)
client = GcsClient(address="10.88.0.2:6379")
while sum(node.state == 0 for node in client.get_all_node_info(timeout=5).values()) < int(sys.argv[1]):
    time.sleep(0.05)
PYTHON
echo "$(date +%s.%N) $started" | awk '{printf "%.2f\n", $1 - $2}'

#!/bin/bash
# A cluster's start by nothing but `ray start`, in the same kind of pods and with the same commands as ours.
# Run in a network namespace of its own (see test_start.py). Arguments: ENVIRONMENT NUMBER_OF_WORKERS HOW, where HOW is
#   at-once     all pods at one moment, which is the floor: whoever cannot reach the head yet tries again
#   one-by-one  the head, and when it is up one worker after the other, each when the one before is in
#   sleep-N     all pods at one moment, but each worker sleeps N seconds before it joins, so that the head is up by then
# Prints the seconds from the first pod's start until Ray lists every node ALIVE.
set -eu
environment=$1 workers=$2 how=$3
export RAY_gcs_grpc_initial_reconnect_backoff_ms=50 RAY_gcs_grpc_min_reconnect_backoff_ms=100
export RAY_gcs_grpc_max_reconnect_backoff_ms=200
source "$(dirname "$0")/raw_pods.sh"

common=(--block --disable-usage-stats --num-cpus=1 --object-store-memory=644245094)
before=()
case $how in sleep-*) before=(bash -c 'sleep "$0"; exec "$@"' "${how#sleep-}") ;; esac

worker() { # NUMBER
  pod "$1" "${before[@]}" ray start --address=10.88.0.2:6379 --node-ip-address="10.88.0.$1" --temp-dir="$scratch/$1" \
    --dashboard-agent-listen-port=0 --min-worker-port=0 --max-worker-port=0 "${common[@]}"
}

wait_for() { # NODES: until so many are ALIVE
  until [ "$(cat "$scratch/alive" 2>/dev/null || echo 0)" -ge "$1" ]; do sleep 0.02; done
}

started=$(date +%s.%N)
pod 2 ray start --head --port=6379 --node-ip-address=10.88.0.2 --dashboard-host=127.0.0.1 --no-monitor \
  --temp-dir="$scratch/2" "${common[@]}"
"$environment/bin/python" - "$scratch" "$((workers + 1))" <<'PYTHON' &
import os, socket, sys, time
from ray._raylet import GcsClient
from ray.exceptions import RpcError
while True:
    try:
        socket.create_connection(("10.88.0.2", 6379), 1).close()
        break
    except OSError:
        time.sleep(0.05)
client, alive = GcsClient(address="10.88.0.2:6379"), 0
while alive < int(sys.argv[2]):
    try:
        alive = sum(node.state == 0 for node in client.get_all_node_info(timeout=5).values())
    except RpcError:  # on a busy machine the GCS takes its time
        continue
    with open(f"{sys.argv[1]}/alive.new", "w") as file:
        file.write(str(alive))
    os.rename(f"{sys.argv[1]}/alive.new", f"{sys.argv[1]}/alive")
    time.sleep(0.05)
PYTHON
[ "$how" != one-by-one ] || wait_for 1
for number in $(seq 3 $((workers + 2))); do
  worker "$number"
  [ "$how" != one-by-one ] || wait_for $((number - 1))
done
wait_for $((workers + 1))
echo "$(date +%s.%N) $started" | awk '{printf "%.2f\n", $1 - $2}'

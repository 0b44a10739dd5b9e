#!/bin/bash
# What Ray does by itself when its head is killed: `ray start` with Ray's defaults in the same kind of pods, then SIGKILL
# to the head's pod and, as a platform does, a new head at another address. Run in a network namespace of its own (see
# test_head_kills.py). Arguments: ENVIRONMENT NUMBER_OF_WORKERS. Prints what became of the workers, and after how long.
set -eu
environment=$1 workers=$2
source "$(dirname "$0")/../benchmarks/raw_pods.sh"

common=(--block --disable-usage-stats --num-cpus=1 --object-store-memory=300000000)
start_head() { # NUMBER
  pod "$1" ray start --head --port=6379 --node-ip-address="10.88.0.$1" --dashboard-host=127.0.0.1 --temp-dir="$scratch/$1" "${common[@]}"
}
alive() { # ADDRESS AT_LEAST: waits for so many nodes, prints how many there are
  "$environment/bin/python" - "$1" "$2" <<'PYTHON'
import socket, sys, time
from ray._raylet import GcsClient
while True:
    try:
        socket.create_connection((sys.argv[1], 6379), 1).close()
        break
    except OSError:
        time.sleep(0.1)
client = GcsClient(address=f"{sys.argv[1]}:6379")
while (there := sum(node.state == 0 for node in client.get_all_node_info(timeout=5).values())) < int(sys.argv[2]):
    time.sleep(0.1)
print(there)
PYTHON
}

start_head 2
first=$!
declare -A shells
for number in $(seq 3 $((workers + 2))); do
  pod "$number" ray start --address=10.88.0.2:6379 --node-ip-address="10.88.0.$number" --temp-dir="$scratch/$number" "${common[@]}"
  shells[$number]=$!
done
alive 10.88.0.2 $((workers + 1)) >/dev/null

killed=$(date +%s.%N)
kill -KILL "$first"
wait "$first" 2>/dev/null || true
sleep 0.5
next=$((workers + 3))
start_head "$next"
for number in "${!shells[@]}"; do
  status=0
  wait "${shells[$number]}" || status=$?
  echo "$(date +%s.%N) $killed $number $status" |
    awk '{printf "worker %d ended with status %d, %.1f s after the head was killed, with all that ran there\n", $3, $4, $1 - $2}'
done
echo "the next head, at another address, has $(alive "10.88.0.$next" 1) of $((workers + 1)) nodes ALIVE"

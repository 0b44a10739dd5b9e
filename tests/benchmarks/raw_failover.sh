#!/bin/bash
# What becomes of a cluster with Ray's own defaults when pods are killed, on a platform that starts a pod again half a
# second after its end: `ray start` in the same kind of pods as ours, and workers which ask for the head's present address
# each time they start, as a careful script does. Run in a network namespace of its own (see test_failover.py).
# Arguments: ENVIRONMENT NUMBER_OF_WORKERS. Prints what happened and the seconds from the kill until it had, line by line.
set -eu
environment=$1 workers=$2
source "$(dirname "$0")/raw_pods.sh"
eye=$(dirname "$0")/ray_eye.py
common="--block --disable-usage-stats --num-cpus=1 --object-store-memory=300000000"

platform() { # NAME SCRIPT: runs it in one pod after the other, at 10.88.0.N with the N that NAME.number says then
  local name=$1 script=$2 number start=0
  while true; do
    start=$((start + 1)) number=$(cat "$scratch/$name.number")
    while ip link show "veth$number" >/dev/null; do sleep 0.01; done  # the cable of the pod before
    pod "$number" bash -c "$script" "$number" "$scratch/$name-$start"
    echo $! >"$scratch/$name.pid"
    wait $! || true
    sleep 0.5
  done 2>/dev/null
}

strike() { # NAME
  kill -KILL "$(cat "$scratch/$1.pid")"
}

since() { # WHAT MOMENT: reads the moment at which it happened
  awk -v what="$1" -v struck="$2" '{printf "%s %.2f\n", what, $1 - struck}'
}

ask() { # QUESTION...: of the GCS of the present head
  local question=$1
  shift
  "$environment/bin/python" "$eye" "$question" "10.88.0.$(cat "$scratch/head.number"):6379" "$@"
}

echo 2 >"$scratch/head.number"
platform head "exec ray start --head --port=6379 --node-ip-address=10.88.0.\$0 --dashboard-host=127.0.0.1 --temp-dir=\$1 $common" &
for k in $(seq "$workers"); do
  echo $((k + 10)) >"$scratch/worker-$k.number"
  platform "worker-$k" "exec ray start --address=10.88.0.\$(cat $scratch/head.number):6379 --node-ip-address=10.88.0.\$0 --temp-dir=\$1 $common" &
done
ask alive $((workers + 1)) >/dev/null

victim=$(ask at "10.88.0.11")
echo 31 >"$scratch/worker-1.number"
struck=$(date +%s.%N)
ask dead "$victim" >"$scratch/dead" &
noticed=$!
strike worker-1
ask back $((workers + 1)) "$victim" | since worker-back "$struck"
wait "$noticed"
since worker-dead "$struck" <"$scratch/dead"

for what in head-back head-elsewhere; do
  struck=$(date +%s.%N)
  [ "$what" = head-back ] || echo 3 >"$scratch/head.number"
  strike head
  ask back $((workers + 1)) | since "$what" "$struck"
done

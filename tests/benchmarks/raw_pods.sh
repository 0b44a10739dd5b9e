# Pods by a shell script, for raw starts of Ray. To be sourced in a network namespace of its own, with $environment set,
# which is then on the path; makes the directory $scratch, which goes with the script.
scratch=$(mktemp -d /tmp/raw-XXXXXX)
trap 'rm -rf "$scratch" 2>/dev/null || true' EXIT  # what Ray still writes goes with the next run's machine
export PATH="$environment/bin:$PATH" HOME=$scratch RAY_USAGE_STATS_ENABLED=0 RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9
unset PYTHONDONTWRITEBYTECODE

ip link set lo up
ip link add br0 type bridge
ip address add 10.88.0.1/16 dev br0
ip link set br0 up

pod() { # NUMBER COMMAND...: runs the command in a pod at 10.88.0.NUMBER, in the background; its shell is $!
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

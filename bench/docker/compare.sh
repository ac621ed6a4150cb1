#!/bin/sh
# Measures each contender of compose.yaml in a container of its own, interleaved: requests per second, and CPU
# time per request from its control group.
#
#     bench/docker/compare.sh [ROUNDS [SECONDS [CONNECTIONS [NAME...]]]]
#
# Needs Docker with the compose plugin, Linux, and control groups version 2.
set -eu
cd -- "$(dirname -- "$0")"
rounds=${1:-3}
seconds=${2:-4}
connections=${3:-64}
[ $# -ge 3 ] && shift 3 || shift $#
names=${*:-hp-uring hp-epoll hp-net hp-tcp nginx haproxy caddy go http-proxy httpxy fast-proxy fastify relay}

# Microseconds of CPU that the container of $1 has used so far.
cpu_us() {
  docker compose exec -T "$1" cat /sys/fs/cgroup/cpu.stat | sed -n 's/^usage_usec //p'
}

# The port that the command of $1 in compose.yaml names.
port_of() {
  sed -n "s/^    command: \[$1, \"\([0-9]*\)\".*/\1/p" compose.yaml
}

# Requests that wrk counted.
load() {
  docker compose run --rm -T load -t1 -c"$connections" -d"$1"s "http://127.0.0.1:$2/" |
    sed -n 's/^ *\([0-9]*\) requests in .*/\1/p'
}

# Waits until $1 answers: some are built when their container starts. Then 2 s of load that do not count.
warm() {
  tries=30
  until [ -n "$(load 1 "$(port_of "$1")")" ]; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      echo "compare.sh: $1 does not answer; docker compose logs $1 says why" >&2
      return
    fi
    sleep 1
  done
  load 2 "$(port_of "$1")" >/dev/null
}

trap 'docker compose down --timeout 1' EXIT
# shellcheck disable=SC2086 # names are words
docker compose up --build --detach backend $names
docker compose build load
for name in $names; do warm "$name"; done
printf '%s\t%s\t%s\t%s\n' round name requests/s cpu-us/request
round=1
while [ "$round" -le "$rounds" ]; do
  for name in $names; do
    before=$(cpu_us "$name")
    requests=$(load "$seconds" "$(port_of "$name")")
    after=$(cpu_us "$name")
    awk -v r="$round" -v n="$name" -v q="${requests:-0}" -v s="$seconds" -v c="$((after - before))" \
      'BEGIN { printf "%s\t%s\t%.0f\t%s\n", r, n, q / s, (q > 0 ? sprintf("%.1f", c / q) : "none") }'
  done
  round=$((round + 1))
done

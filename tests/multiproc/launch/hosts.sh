#!/usr/bin/env bash
# Goal    the same on four hosts that share nothing but a network: start by a launch agent, both MPI libraries,
#         and a host that crashes or is cut off ends the job within 10 s, by name.
# Method  emulated hosts of namespaces; krgrun runs on a fifth, "login".
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 mpi=$2
tool=$here/../../testing/emulated_hosts
EMULATED_HOSTS_DIR=$(mktemp -d)
export EMULATED_HOSTS_DIR
name=krgrun-$$
trap '"$tool" down "$name"; rm -rf "$EMULATED_HOSTS_DIR"' EXIT
seconds=$((50000 + $$ % 9000))

"$tool" up "$name" 4 --subnet "10.$((64 + $$ % 64)).$(($$ % 250))" >/dev/null || exit 1
agent=$("$tool" path "$name" agent)
file=$("$tool" path "$name" file)

run() {
  timeout 90 "$tool" exec "$name" login "$bin/krgrun" --launch-agent "$agent" --hostfile "$file" \
    --oversubscribe "$@" </dev/null
}
hosts_seen() { [[ $(run --ppn 2 -n 8 hostname | sort | uniq -c | tr -s ' \n' ' ') == " 2 n0 2 n1 2 n2 2 n3 " ]]; }
times() { # COUNT CMD...
  local i
  for ((i = 1; i <= $1; i++)); do "${@:2}" >/dev/null || { echo "round $i failed"; return 1; }; done
}

sleepers() { pgrep -f "^(/usr)?(/bin/)?sleep $seconds\$"; }
all_sleep() { (($(sleepers | wc -l) == 64)); }
nobody_sleeps() { ! sleepers >/dev/null; }

# A job of 64 ranks; `n2` suffers; the job must end in time and name it.
fault() { # crash | cut
  local job code=0 begin took_ms
  run --ppn 16 -n 64 sleep "$seconds" >"$EMULATED_HOSTS_DIR/said" 2>&1 &
  job=$!
  eventually all_sleep || { echo "the ranks did not start"; return 1; }
  begin=$(date +%s%N)
  "$tool" "$1" "$name" n2
  wait "$job" || code=$?
  took_ms=$((($(date +%s%N) - begin) / 1000000))
  cat "$EMULATED_HOSTS_DIR/said"
  echo "$1: exit code $code after $took_ms ms"
  grep -q 'node 2 (host n2)' "$EMULATED_HOSTS_DIR/said" || return 1
  ((code != 0 && took_ms < 10000)) || return 1
  eventually nobody_sleeps || { echo "left: $(sleepers | wc -l)"; return 1; }
}

check "two ranks on each of four hosts" hosts_seen
check "64 short-lived programs" run --ppn 16 -n 64 true
for family in mpich openmpi; do
  check "$family: 16 ranks over four hosts" run --ppn 4 -n 16 "$mpi/$family/hello" -l 4
  check_code 7 "$family: MPI_Abort over four hosts" run --ppn 2 -n 8 "$mpi/$family/hello" abort
done
check "mpich: ranks that end late do not hang the others, 5 times" \
  times 5 run --ppn 2 -n 8 "$mpi/mpich/all_pairs" 1
check_text 'host nowhere' "a host that is not there is named" \
  timeout 60 "$tool" exec "$name" login "$bin/krgrun" --launch-agent "$agent" -H n0,nowhere -n 2 true
check "a host that is cut off ends the job within 10 s" fault cut
"$tool" heal "$name" n2
check "after the cable is back, jobs run" run --ppn 2 -n 8 true
check "a host that crashes ends the job within 10 s" fault crash

finish

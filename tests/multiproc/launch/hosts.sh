#!/usr/bin/env bash
# Goal    the same on four hosts that share nothing but a network: start by a launch agent, both MPI libraries,
#         and a host that crashes or is cut off ends the job within 10 s, by name.
# Method  emulated hosts of namespaces; krgrun runs on a fifth, "login".
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 mpi=$2 finalize_rounds=${3:-5}
examples=$bin/../docs/examples
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

# What a job of 64 ranks does until it is hurt: sleep, or compute by MPI for longer than any test.
long_job() { # sleep | mpich | openmpi
  case $1 in
    sleep) run --ppn 16 -n 64 sleep "$seconds" ;;
    *) run --ppn 16 -n 64 "$examples/heat2d.$1" --size 128 --seconds "$seconds" ;;
  esac
}
# Its ranks, wherever they are.
ranks() { pgrep -f "^(/usr)?(/bin/)?[^ ]*(sleep|heat2d\.[a-z]+ --size 128 --seconds) $seconds\$"; }
all_run() { (($(ranks | wc -l) == 64)); }
nobody_runs() { ! ranks >/dev/null; }
parent_of() { ps -o ppid= -p "$1" | tr -d ' '; }
# One rank on the host. Without a program for each rank: 64 ranks that spin let none begin for a second.
rank_on() { # HOST
  local inside
  inside=$("$tool" exec "$name" "$1" sh -c 'readlink /proc/self/ns/pid')
  # shellcheck disable=SC2046  # The pids are words.
  find $(ranks | sed 's,.*,/proc/&/ns/pid,') -printf '%l %p\n' | awk -v inside="$inside" \
    '$1 == inside {split($2, part, "/"); pid = part[3]} END {print pid}'
}

# What the fault hits, found before the time runs: a pid, or the host.
victim() { # crash | cut | rank | krgd, of HOST
  local rank
  case $1 in
    crash | cut) echo "$2" ;;
    *)
      rank=$(rank_on "$2")
      [[ -n $rank ]] || return 1
      if [[ $1 == rank ]]; then echo "$rank"; else parent_of "$rank"; fi
      ;;
  esac
}
hurt() { # crash | cut | rank | krgd, VICTIM
  case $1 in
    crash | cut) "$tool" "$1" "$name" "$2" ;;
    *) kill -9 "$2" ;;
  esac
}

# A job of 64 ranks; one host or what is on it suffers; the job must end in time and name the node.
fault() { # what HOST job
  local job hit code=0 begin took_ms culprit="node ${2#n} \\(host $2\\)"
  # A rank of MPI that misses a killed one aborts by itself, and may be heard, and named, first.
  [[ $3 == sleep || $1 != rank ]] || culprit='node [0-3] \(host n[0-3]\)'
  long_job "$3" >"$EMULATED_HOSTS_DIR/said" 2>&1 &
  job=$!
  eventually all_run || { echo "the ranks did not start"; cat "$EMULATED_HOSTS_DIR/said"; return 1; }
  hit=$(victim "$1" "$2") || { echo "no victim"; return 1; }
  begin=${EPOCHREALTIME/[.,]/}
  hurt "$1" "$hit" || return 1
  wait "$job" || code=$?
  took_ms=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
  cat "$EMULATED_HOSTS_DIR/said"
  echo "$1 of $2: exit code $code after $took_ms ms"
  grep -qE "$culprit" "$EMULATED_HOSTS_DIR/said" || return 1
  ((code != 0 && took_ms < 10000)) || return 1
  eventually nobody_runs || { echo "left: $(ranks | wc -l)"; return 1; }
}

check "two ranks on each of four hosts" hosts_seen
check "64 short-lived programs" run --ppn 16 -n 64 true
for family in mpich openmpi; do
  check "$family: 16 ranks over four hosts" run --ppn 4 -n 16 "$mpi/$family/hello" -l 4
  check_code 7 "$family: MPI_Abort over four hosts" run --ppn 2 -n 8 "$mpi/$family/hello" abort
done
check "mpich: ranks that end late do not hang the others, $finalize_rounds times" \
  times "$finalize_rounds" run --ppn 2 -n 8 "$mpi/mpich/all_pairs" 1
check_complaint 1 'host nowhere' "a host that is not there is named" \
  timeout 60 "$tool" exec "$name" login "$bin/krgrun" --launch-agent "$agent" -H n0,nowhere -n 2 true
for job in sleep mpich openmpi; do
  check "$job: a killed rank ends the job within 10 s" fault rank n1 "$job"
  check "$job: a killed krgd ends the job within 10 s" fault krgd n3 "$job"
  check "$job: a host that is cut off ends the job within 10 s" fault cut n2 "$job"
  "$tool" heal "$name" n2
done
check "the leader's host is cut off: the job ends within 10 s" fault cut n0 sleep
"$tool" heal "$name" n0
check "after the cable is back, jobs run" run --ppn 2 -n 8 true
check "a host that crashes ends the job within 10 s" fault crash n2 sleep
"$tool" down "$name"

# Hosts start hosts above 16, so they must see each other's processes.
"$tool" up "$name" 20 --no-pidns --subnet "10.$((64 + $$ % 64)).$(($$ % 250))" >/dev/null || exit 1
agent=$("$tool" path "$name" agent)
file=$("$tool" path "$name" file)
all_hosts() { [[ $(run --ppn 1 -n 20 hostname | sort -u | wc -l) == 20 ]]; }
check "20 hosts are started by each other through the agent" all_hosts
check_complaint 1 'host nowhere' "and one that is not there is named by whoever called it" \
  timeout 60 "$tool" exec "$name" login "$bin/krgrun" --launch-agent "$agent" \
  -H "$(paste -sd, "$file"),nowhere" --ppn 1 -n 21 true
check "nothing is left of that" eventually nobody_runs

finish

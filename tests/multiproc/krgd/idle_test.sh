#!/usr/bin/env bash
# Goal    a krgd that has nothing to do uses under 0.2 % of a core: a cluster can stay up for ever.
# Method  the time that each krgd of two nodes, with its guard, has used in 10 s; before and after a job.
# usage: idle_test.sh BIN
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/krgd/standing_cluster.sh
source "$here/standing_cluster.sh"

check "a cluster of two nodes starts" start_cluster
mapfile -t pids < <(krgds)
both() { ((${#pids[@]} == 2)) && kill -0 "${pids[@]}"; }
check "its processes are found" both

# What a krgd and its guard, which is its parent, have used: of all threads, from the scheduler's own clock;
# utime and stime of /proc/PID/stat are counted in ticks of 10 ms, which a krgd that only answers heartbeats is
# never seen in.
used_us() { # PID
  cat "/proc/$1"/task/*/schedstat "/proc/$(ps -o ppid= -p "$1" | tr -d ' ')"/task/*/schedstat |
    awk '{ns += $1} END {printf "%d\n", ns / 1000; exit NR < 2}'
}
idle() {
  local begin took_us used i
  local -a before
  sleep 1  # What a job has left to do is done.
  begin=${EPOCHREALTIME/[.,]/}
  for i in 0 1; do before[i]=$(used_us "${pids[i]}") || return 1; done
  sleep 10
  for i in 0 1; do
    used=$(($(used_us "${pids[i]}") - before[i])) || return 1
    took_us=$((${EPOCHREALTIME/[.,]/} - begin))
    echo "krgd $i: $used us of $took_us us" | tee -a "$XDG_RUNTIME_DIR/used"
    ((before[i] > 0 && used >= 0 && used * 500 < took_us)) || return 1
  done
}
check "each uses under 0.2 % of a core when it is new" idle
check "a job of both nodes runs" on_cluster -n 4 true
check "each uses under 0.2 % of a core after a job" idle
cat "$XDG_RUNTIME_DIR/used"
finish

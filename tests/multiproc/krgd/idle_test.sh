#!/usr/bin/env bash
# Goal    a standing cluster that has nothing to do uses under 0.2 % of a core: it can stay up for ever.
# Method  the time that every krgd of two nodes, and every guard, has used in 10 s; before and after a job.
# usage: idle_test.sh BIN
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/krgd/standing_cluster.sh
source "$here/standing_cluster.sh"

check "a cluster of two nodes starts" start_cluster
# A guard is the parent of its krgd.
mapfile -t pids < <(krgds | while read -r pid; do echo "$pid" "$(ps -o ppid= -p "$pid")"; done | xargs -n 1)
four() { ((${#pids[@]} == 4)) && kill -0 "${pids[@]}"; }
check "its processes are found" four

# Of all threads of all processes, from the scheduler's own clock: utime and stime of /proc/PID/stat are
# counted in ticks of 10 ms, which a krgd that only answers heartbeats is never seen in.
used_us() {
  local pid
  for pid in "${pids[@]}"; do cat /proc/"$pid"/task/*/schedstat || return 1; done |
    awk '{ns += $1} END {printf "%d\n", ns / 1000}'
}
idle() {
  local begin used_before used_after took_us
  sleep 1  # What a job has left to do is done.
  begin=$(date +%s%N)
  used_before=$(used_us) || return 1
  sleep 10
  used_after=$(used_us) || return 1
  took_us=$((($(date +%s%N) - begin) / 1000))
  echo "$((used_after - used_before)) us of $took_us us" | tee -a "$XDG_RUNTIME_DIR/used"
  ((used_before > 0 && (used_after - used_before) * 500 < took_us))
}
check "it uses under 0.2 % of a core when it is new" idle
check "a job of both nodes runs" on_cluster -n 4 true
check "it uses under 0.2 % of a core after a job" idle
cat "$XDG_RUNTIME_DIR/used"
finish

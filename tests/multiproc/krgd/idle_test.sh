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

used_ms() { # utime and stime of all threads, of all processes
  local pid sum=0 fields
  for pid in "${pids[@]}"; do
    fields=$(cat "/proc/$pid/stat") || return 1
    # shellcheck disable=SC2206  # Words; what stands before ") " may have blanks.
    fields=(${fields##*) })
    sum=$((sum + fields[11] + fields[12]))
  done
  echo $((sum * 1000 / $(getconf CLK_TCK)))
}
idle() {
  local begin used_before used_after took_ms
  sleep 1  # What a job has left to do is done.
  begin=$(date +%s%N)
  used_before=$(used_ms) || return 1
  sleep 10
  used_after=$(used_ms) || return 1
  took_ms=$((($(date +%s%N) - begin) / 1000000))
  printf '%d ms of %d ms\n' $((used_after - used_before)) "$took_ms" | tee -a "$XDG_RUNTIME_DIR/used"
  (((used_after - used_before) * 500 < took_ms))
}
check "it uses under 0.2 % of a core when it is new" idle
check "a job of both nodes runs" on_cluster -n 4 true
check "it uses under 0.2 % of a core after a job" idle
cat "$XDG_RUNTIME_DIR/used"
finish

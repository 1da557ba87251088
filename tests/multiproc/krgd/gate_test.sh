#!/usr/bin/env bash
# Goal    a rank that is killed in the middle of calls through the gate ends its own job and nothing else:
#         its krgd lives on, keeps nothing of it, and serves the next job.
# Method  ranks on two nodes call without end; one of them is killed, a few times.
# usage: gate_test.sh BIN GATE_CLIENT
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/krgd/standing_cluster.sh
source "$here/standing_cluster.sh"
client=$2
work=$XDG_RUNTIME_DIR

check "a cluster of two nodes starts" start_cluster
check "ranks on both nodes call their krgd" on_cluster -n 4 "$client" once
mapfile -t before < <(krgds)
two() { ((${#before[@]} == 2)) && [[ ${before[0]} != "${before[1]}" ]]; }
check "there are two krgds" two

# Descriptors and mappings: a lane that is left would show in both.
held() {
  local pid
  for pid in "${before[@]}"; do
    echo "$pid: $(find "/proc/$pid/fd" -mindepth 1 -maxdepth 1 | wc -l) descriptors," \
      "$(grep -c memfd "/proc/$pid/maps") mappings"
  done
}
at_rest=$(held)
as_at_rest() { [[ $(held) == "$at_rest" ]]; }

storms() { [[ $(find "$work" -name 'storm.*' | wc -l) == 4 ]]; }
kill_one() { # RANK
  local job code=0
  rm -f "$work"/storm.*
  # shellcheck disable=SC2016  # Single quotes are for inner shells.
  on_cluster -n 4 sh -c 'echo $$ >"$1/pid.$KRG_RANK"; exec "$0" storm "$1/storm.$KRG_RANK"' \
    "$client" "$work" >"$work/said" 2>&1 &
  job=$!
  eventually storms || { echo "no calls"; kill "$job"; return 1; }
  [[ $(held) != "$at_rest" ]] || { echo "krgd holds no lane of the ranks"; return 1; }
  kill -9 "$(cat "$work/pid.$1")"
  wait "$job" || code=$?
  cat "$work/said"
  ((code == 137)) && grep -q "rank $1 on node .* was killed by signal 9" "$work/said"
}
for rank in 0 3 1; do
  check "rank $rank is killed while it calls: its job ends and names it" kill_one "$rank"
  check "krgd keeps nothing of it" eventually as_at_rest
  check "the next job's calls are answered" on_cluster -n 4 "$client" once
done
mapfile -t after < <(krgds)
same() { [[ ${before[*]} == "${after[*]}" ]]; }
check "they are the same krgds as before" same
finish

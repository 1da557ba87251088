#!/usr/bin/env bash
# Goal    krgrun runs programs on one and on four nodes inside this machine as its manual says.
# Method  each promise once, with programs that show whether it was kept.
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 mpi=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

run() { timeout 60 "$bin/krgrun" "$@" </dev/null; }
four() { run --nodes 4 "$@"; }
lines() { # COUNT CMD...: the command's output has so many different lines
  local wanted=$1
  shift
  (($("$@" | sort -u | wc -l) == wanted))
}

# --- starting ------------------------------------------------------------------------------------

check "64 short-lived programs, 20 times on one node" \
  bash -c 'for i in {1..20}; do timeout 60 "$0/krgrun" -n 64 /bin/true || exit 1; done' "$bin"
check "64 short-lived programs, 5 times on four nodes" \
  bash -c 'for i in {1..5}; do timeout 60 "$0/krgrun" --nodes 4 -n 64 /bin/true || exit 1; done' "$bin"
check "every rank has its own number" lines 64 four -n 64 sh -c 'echo $KRG_RANK'
check "the ranks are on all nodes" lines 4 four -n 16 sh -c 'echo $KRG_NODE'
check "every rank is the leader of its own session" \
  run -n 2 sh -c 'test $(cut -d" " -f6 /proc/$$/stat) = $$'
# Its standard ones, PMI_FD, and the folder that ls reads.
check "a rank has no descriptor that it was not given" \
  bash -c '[[ $(timeout 60 "$0/krgrun" -n 1 ls /proc/self/fd | wc -l) == 5 ]]' "$bin"
check "more than 16 nodes are started by each other" lines 20 run --nodes 20 -n 40 sh -c 'echo $KRG_NODE'

# --- output and input ----------------------------------------------------------------------------

check_text $'^\[[01]\] one\n' "tagged lines name their rank" run -n 2 -l echo one
check "a line is never torn" \
  bash -c '[[ $(timeout 60 "$0/krgrun" --nodes 4 -n 16 -l sh -c "seq 2000" |
             grep -cvE "^\[[0-9]+\] [0-9]+$") == 0 ]]' "$bin"
check "nothing of much output is lost" \
  bash -c '[[ $(timeout 60 "$0/krgrun" --nodes 4 -n 8 seq 100000 | wc -l) == 800000 ]]' "$bin"
check "stdout and stderr stay apart" \
  bash -c '[[ $(timeout 60 "$0/krgrun" -n 2 sh -c "echo e >&2" 2>/dev/null) == "" ]]' "$bin"
check "rank 0 reads standard input, to its end" \
  bash -c '[[ $(seq 300000 | timeout 60 "$0/krgrun" --nodes 4 -n 4 wc -l | sort -n | tr "\n" " ") == \
           "0 0 0 300000 " ]]' "$bin"
check "who never reads stops nobody" \
  bash -c 'yes | timeout 60 "$0/krgrun" -n 2 sleep 0.2' "$bin"
check "a reader that leaves ends the job" \
  bash -c 'timeout 20 "$0/krgrun" -n 2 yes | head -3 >/dev/null; ((PIPESTATUS[0] != 124))' "$bin"

# --- ends ----------------------------------------------------------------------------------------

check_code 3 "the first exit code that is not 0 is returned" \
  four -n 8 sh -c 'if [ $KRG_RANK = 5 ]; then exit 3; else sleep 60; fi'
check_complaint 137 'rank 5 on node [0-9]+ \(host .*\) was killed by signal 9 \(SIGKILL\)' \
  "a killed rank is named" four -n 8 sh -c 'if [ $KRG_RANK = 5 ]; then kill -9 $$; fi; sleep 60'
check_code 124 "--timeout ends the job" run --timeout 1 -n 2 sleep 60
check "nothing is left, not even what has left its session" \
  bash -c 'timeout 60 "$0/krgrun" -n 2 sh -c "setsid sleep 77231 & exit 0" && ! pgrep -f "^(/usr)?(/bin/)?sleep 77231\$"' "$bin"
check "a signal reaches every rank" \
  bash -c 'timeout 60 "$0/krgrun" --nodes 2 -n 4 \
             sh -c "trap \"echo got; exit 0\" USR1; echo up; while :; do sleep 0.02; done" >"$1/usr1" &
           for i in {1..200}; do [[ $(grep -c up "$1/usr1") == 4 ]] && break; sleep 0.05; done
           kill -USR1 $(pgrep -P $! krgrun); wait $! && [[ $(grep -c got "$1/usr1") == 4 ]]' "$bin" "$folder"
check "a second interrupt kills who ignores the first" \
  bash -c 'timeout 60 "$0/krgrun" -n 2 sh -c "trap \"\" INT; echo up; sleep 60" >"$1/int" 2>&1 &
           for i in {1..200}; do [[ $(grep -c up "$1/int") == 2 ]] && break; sleep 0.05; done
           p=$(pgrep -P $! krgrun); kill -INT $p; sleep 0.3; kill -INT $p; wait $!; (($? == 130))' "$bin" "$folder"
# At moments on both sides of the start, and while ranks are being started.
interrupted_after() { # SECONDS
  local code=0
  timeout --foreground -s INT -k 10 "$1" "$bin/krgrun" --nodes 3 -n 8 --oversubscribe sleep 60 </dev/null || code=$?
  ((code != 137)) || echo "after $1 s an interrupt did not end the job"
  ((code != 137))
}
interrupted_at_any_moment() {
  local after
  for after in 0.02 0.06 0.10 0.13 0.16 0.18 0.20 0.22 0.24 0.26 0.28 0.32 0.40 0.60; do
    interrupted_after "$after" || return 1
  done
}
check "one interrupt at any moment ends the job" interrupted_at_any_moment

# --- MPI: that both libraries start; what they compute, krgrun/embedded_test.sh checks ------------

for family in mpich openmpi; do
  check "$family: 8 ranks on one node" run -n 8 "$mpi/$family/hello" -l 8
  check "$family: 8 ranks on four nodes" four -n 8 "$mpi/$family/hello" -l 8
done
check "openmpi: MPI_Comm_spawn on one node" run -n 2 "$mpi/openmpi/spawn"
check "openmpi: MPI_Comm_spawn on two nodes" run --nodes 2 -n 4 "$mpi/openmpi/spawn"

finish

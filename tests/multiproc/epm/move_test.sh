#!/usr/bin/env bash
# Goal    a task of a job moves to other nodes, once, twice and twenty times, and finds everything as it left it;
#         its input, output, signals and exit code are those of the rank as before. What can not be moved is named,
#         and stays. A move that fails leaves the task where it is.
# Method  krgrun with four nodes inside this machine; a task that checks itself for every line of its input.
# usage: move_test.sh BIN WANDERER
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 wanderer=$2 job='' cluster='' pid=0
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
chmod 0700 "$XDG_RUNTIME_DIR"
folder=$XDG_RUNTIME_DIR
trap '[[ -z $job ]] || kill "$job" 2>/dev/null; wait; find "$folder" -xdev -delete' EXIT

said() { grep -qE -- "$1" "$folder/said"; }
# Not in a subshell, as a check would. Starts a job of this name in the background; its output is in $folder/said, its input is descriptor 9.
start() { # NAME WORD...
  cluster=$1-$$
  rm -f "$folder/input"
  mkfifo "$folder/input"
  timeout 200 "$bin/krgrun" --name "$cluster" --nodes 4 "${@:2}" <"$folder/input" >"$folder/said" 2>&1 &
  job=$!
  exec 9>"$folder/input"
}
job_ends() { # CODE REGEX SENTENCE
  local code=0
  exec 9>&-
  wait "$job" || code=$?
  job=
  check_complaint "$1" "$2" "$3" replay "$code"
}
replay() {
  cat "$folder/said"
  return "$1"
}
move() { timeout 30 "$bin/krgmigrate" --cluster "$cluster" "$@"; }
wander() { # MEBIBYTES THREADS: starts the wanderer, and finds its number
  start wander -n 1 "$wanderer" "$folder" "$1" "$2"
  find_pid
}
find_pid() {
  check "a task starts" eventually said '^pid [0-9]+'
  pid=$(sed -n 's/^pid //p' "$folder/said")
}
# One more round, and what it says.
well() {
  local round
  round=$(grep -c '^round ' "$folder/said")
  echo "line $round" >&9
  eventually said "^round $round: " && said "^round $round: ok$" && eventually said "^heard line $round$" &&
    return 0
  cat "$folder/said"
  return 1
}
# All that is mapped is the vDSO and what belongs to it.
is_empty() { awk '$1 == "VmSize:" { size = $2 } END { exit size > 100 }' "/proc/$1/status"; }

# --- once, twice, twenty times --------------------------------------------------------------------

wander 4 3
check "it is well" well
check_text "^process $pid can be moved; it is on node 0$" "krgmigrate --check says that it can be moved" \
  move --check "$pid"
check_text "^process $pid is on node 1; it stood still for [0-9.]* ms$" "it is moved" move "$pid" 1
check "it is well" well
check "its deputy has no memory" eventually is_empty "$pid"
check_text "on node 2" "it is moved again" move "0:$pid" 2
check "it is well" well
check_text "is on node 2$" "krgmigrate --check knows where it is" move --check "$pid"
check_text "on node 2" "to be moved to where it is means nothing" move "$pid" 2
moves() {
  local i
  for ((i = 0; i < 20; i++)); do
    move "$pid" $((i % 4)) && well || return 1
  done
}
check "it is moved twenty times, also home, and is well each time" moves
check "it is well" well
kill -HUP "$pid"
check "a signal that it ignores at home means nothing" well
echo end >&9
job_ends 7 'the end' "its exit code and its last words come home"

# --- all memory first, and several movers ---------------------------------------------------------

wander 4 2
check "it is moved with all its memory" move --eager "$pid" 3
check "it is well" well
check "it is moved on in the same way" move --eager "$pid" 1
check "it is well" well
kill -TERM "$pid"
job_ends 143 'rank 0 .*SIGTERM' "a signal to its deputy ends it"

wander 1 1
check "it is moved" move "$pid" 2
kill -KILL "$pid"
job_ends 137 'rank 0 .*SIGKILL' "who kills the deputy kills the task"

# --- what can not be moved ------------------------------------------------------------------------

# shellcheck disable=SC2016  # For the task's shell.
start stays -n 1 bash -c 'exec 7<>/dev/ptmx; echo "pid $$"; read -r line; echo "heard $line"'
find_pid
check_complaint 1 '^fd 7: .*/dev/' "krgmigrate --check names a device" move --check "$pid"
check_complaint 1 'fd 7: .*can not be moved|can not be moved.*fd 7' "it is not moved" move "$pid" 1
check "its right to be moved is taken away" "$bin/krgcapset" --cluster "$cluster" -k "$pid" -e -CAN_MIGRATE
check_complaint 1 'krgmigrate: .*CAN_MIGRATE' "it may not even be asked about" move --check "$pid"
check_complaint 1 'the cluster has no node 9' "nothing is moved to nowhere" move "$pid" 9
check_complaint 1 'was started as process 1$' "nothing is moved that is no task" move 1 1
check_complaint 2 'say the process' "krgmigrate wants a process and a node" move
echo hello >&9
job_ends 0 'heard hello' "it has not noticed"

# --- a move that fails ----------------------------------------------------------------------------

cp "$wanderer" "$folder/program"
wanderer=$folder/program
wander 1 1
node2=$("$bin/krgadm" nodes --cluster "$cluster" --json | sed 's/},{/}\n{/g' | grep '"node":2,' |
  grep -o '"pid":[0-9]*' | cut -d : -f 2)
check "the krgd of node 2 stands still" kill -STOP "$node2"
move "$pid" 2 >"$folder/failed" 2>&1 &
mover=$!
sleep 0.3
check "it is well, while a move waits for that node" well
kill -KILL "$node2"
wait "$mover"
check "the move has failed" test $? -ne 0
job_ends 1 'node 2 .*' "the loss of a node ends the job, as without a move"
finish

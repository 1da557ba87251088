#!/usr/bin/env bash
# Goal    tasks on several nodes wait for each other; no wake-up is lost, also not when who waits is killed.
# usage: waits_test.sh KRGRUN WAITS_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

run() { # NODES TASKS VERB...
  timeout 100 "$krgrun" --nodes "$1" -n "$2" --oversubscribe --map-by node "$task" "${@:3}"
}

check_text '^right: 600 turns' "a condition, one node" run 1 2 ping 300
check_text '^right: 600 turns' "a condition, two nodes" run 2 2 ping 300
check_text '^right: 800 turns' "a condition, 8 tasks on 4 nodes" run 4 8 ping 100
check_text '^right: 800 permits' "a semaphore, one node" run 1 4 semaphore 200
check_text '^right: 400 permits' "a semaphore, 8 tasks on 4 nodes" run 4 8 semaphore 50
check_text '^right: 1000 rounds' "a barrier, one node" run 1 4 barrier 1000
check_text '^right: 1000 rounds' "a barrier, 4 nodes" run 4 4 barrier 1000
check_text '^right: 200 sums' "all-reduce, one node" run 1 4 reduce 200
check_text '^right: 200 sums' "all-reduce, 8 tasks on 4 nodes" run 4 8 reduce 200
check_text '^once right' "once, one node" run 1 3 once
check_text '^once right' "once, 3 nodes" run 3 3 once
check_text '^alone right' "time, errors and limits, one node" run 1 1 alone
check_text '^alone right' "time, errors and limits, two nodes" run 2 1 alone
check_text '^threads right' "150 threads that wait" run 2 1 threads
check_text '^passed on [0-9.]+ ms after the death' "killed waiters, one node" run 1 3 killed
check_text '^passed on [0-9.]+ ms after the death' "killed waiters, 3 nodes" run 3 3 killed
finish

#!/usr/bin/env bash
# Goal    a mutex excludes all others on all nodes; who gets it after its holder was killed is told so, soon; the
#         kinds do what they say.
# usage: mutex_test.sh KRGRUN MUTEX_TASK
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

check_text '^right: 16 tasks, 3200 rounds' "exclusion, 16 tasks on 4 nodes" run 4 16 count 200
check_text '^right: 4 tasks, 2000 rounds' "exclusion, 4 tasks on one node" run 1 4 count 500
check_text '^right: 8 tasks, [0-9]+ locks per s' "nobody starves, 8 tasks on 2 nodes" run 2 8 hammer 300
check_text '^right: 8 readers and writers' "readers and writers on 4 nodes" run 4 8 readers 80
check_text '^right: 4 readers and writers' "readers and writers on one node" run 1 4 readers 200
check_text '^dead writer right' "a writer that dies" run 2 1 dead_writer
check_text '^kinds right' "kinds, one node" run 1 1 kinds
check_text '^kinds right' "kinds, two nodes" run 2 1 kinds
check_text '^told [0-9.]+ ms after the death' "a killed holder, same node" run 1 2 death
check_text '^told [0-9.]+ ms after the death' "a killed holder, another node" run 2 2 death
finish

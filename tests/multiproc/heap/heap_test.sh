#!/usr/bin/env bash
# Goal    tasks on one node and on several allocate in one region and free each other's blocks; nothing is handed out
#         twice or lost, also over fork(), and bad calls are told so.
# usage: heap_test.sh KRGRUN HEAP_TASK HEAP_IN_C
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2 in_c=$3
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

all_right() { # NODES RANKS KIND
  local text
  text=$(timeout 60 "$krgrun" --nodes "$1" -n "$2" --oversubscribe --map-by node "$task" "${@:3}" 2>&1)
  echo "$text"
  (($(grep -c '^right$' <<<"$text") == $2))
}

in_c() {
  local task=$in_c
  all_right 2 3
}

check "blocks go round, two tasks of one node" all_right 1 2 share
check "blocks go round, two nodes" all_right 2 2 share
check "blocks go round, four nodes" all_right 4 4 share
check "bad calls, a full region, alignment" all_right 1 1 bad_cases
check "a child of fork() has blocks of its own, two nodes" all_right 2 2 fork
check "how long it takes, two nodes" all_right 2 2 speed
check "a list of one node is freed by another, in C" in_c
finish

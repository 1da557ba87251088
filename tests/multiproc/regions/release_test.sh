#!/usr/bin/env bash
# Goal    a region of release consistency shows what was released before it was acquired, by locks of every kind,
#         and nothing is undone that tasks of other nodes write on the same page; a local one is each node's own.
# usage: release_test.sh KRGRUN RELEASE_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

all_right() { # NODES RANKS TEST ROUNDS
  local text
  text=$(timeout 120 "$krgrun" --nodes "$1" -n "$2" --oversubscribe --map-by node "$task" "$3" "$4" 2>&1)
  echo "$text"
  (($(grep -c '^right$' <<<"$text") == $2))
}

check "words of others on the same pages, two nodes" all_right 2 2 counters 1000
check "words of others on the same pages, two nodes, four tasks" all_right 2 4 counters 200
check "words of others on the same pages, four nodes" all_right 4 4 counters 300
check "a lock that goes round, two nodes" all_right 2 2 lock 1000
check "a lock that goes round, three nodes, six tasks" all_right 3 6 lock 200
check "a message under a lock, two nodes" all_right 2 2 passing 500
check "a message under a lock, four nodes" all_right 4 4 passing 200
check "readers and writers, three nodes" all_right 3 3 readers 300
check "a semaphore, three nodes" all_right 3 3 semaphore 300
check "threads of two nodes" all_right 2 2 threads 100
check "bulk operations and changes, three nodes" all_right 3 3 changes 12
check "a local region, two nodes" all_right 2 4 local 1
check "one node" all_right 1 2 counters 100
finish

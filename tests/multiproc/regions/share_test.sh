#!/usr/bin/env bash
# Goal    tasks on one node and on several share a region: pages of their own, one word that goes round, counters
#         that all add to, 64 MiB that one writes and all read.
# usage: share_test.sh KRGRUN SHARE_TASK REGION_IN_C
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2 in_c=$3
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

all_right() { # NODES RANKS KIND [MIB]
  local text nodes=$1 ranks=$2
  shift 2
  text=$(timeout 60 "$krgrun" --nodes "$nodes" -n "$ranks" --oversubscribe --map-by node "$task" "$@" 2>&1)
  echo "$text"
  (($(grep -c '^right$' <<<"$text") == ranks))
}

in_c() {
  local task=$in_c
  all_right 2 3
}

for kind in exchange count; do
  check "$kind, two tasks of one node" all_right 1 2 $kind
  check "$kind, two nodes" all_right 2 2 $kind
  check "$kind, four tasks on two nodes" all_right 2 4 $kind
  check "$kind, three nodes" all_right 3 3 $kind
done
check "a word goes round two nodes 1,000 times" all_right 2 2 hand_over
check "a word goes round three nodes" all_right 3 3 hand_over
check "64 MiB from one node to another" all_right 2 2 stream 64
check "4 MiB to two tasks of another node" all_right 2 4 stream 4
check "three tasks on two nodes, in C" in_c
finish

#!/usr/bin/env bash
# Goal    tasks on several nodes fill, copy and prefetch in bulk; place pages; a region that grows and shrinks, and one
#         that is made read-only while all write it, are so on all nodes at once, with a signal to who is too late.
# usage: wide_test.sh KRGRUN WIDE_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

all_right() { # NODES RANKS KIND
  local text
  text=$(timeout 60 "$krgrun" --nodes "$1" -n "$2" --oversubscribe --map-by node "$task" "$3" 2>&1)
  echo "$text"
  (($(grep -c '^right$' <<<"$text") == $2))
}

for kind in bulk placement resize protect; do
  check "$kind, two nodes" all_right 2 2 $kind
  check "$kind, four tasks on three nodes" all_right 3 4 $kind
done
check "bulk, four nodes" all_right 4 4 bulk
finish

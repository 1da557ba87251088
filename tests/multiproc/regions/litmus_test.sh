#!/usr/bin/env bash
# Goal    a region is sequentially consistent: of the classic litmus tests only the allowed outcomes are seen.
# usage: litmus_test.sh KRGRUN LITMUS_TASK [BATCHES]
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2 batches=${3:-2}
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

all_right() { # NODES RANKS TEST
  local text
  text=$(timeout 60 "$krgrun" --nodes "$1" -n "$2" --oversubscribe --map-by node "$task" "$3" "$batches" 2>&1)
  echo "$text"
  (($(grep -c '^right$' <<<"$text") == $2))
}

for test in message_passing store_buffering load_buffering coherence; do
  check "$test, two nodes" all_right 2 2 $test
done
check "coherence, three nodes" all_right 3 3 coherence
check "independent reads of independent writes, two nodes" all_right 2 4 iriw
check "independent reads of independent writes, four nodes" all_right 4 4 iriw
finish

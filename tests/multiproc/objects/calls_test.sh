#!/usr/bin/env bash
# Goal    tasks in C++ and in C sync whole sets, keep snapshots, make sets of all kinds, and are told clearly what
#         they ask wrongly.
# usage: calls_test.sh KRGRUN CALLS_TASK CALLS_IN_C
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 in_cpp=$2 in_c=$3
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

both_right() { # NODES PROGRAM VERB...
  local text nodes=$1
  shift
  text=$(timeout 60 "$krgrun" --nodes "$nodes" -n 2 --oversubscribe --map-by node "$@" 2>&1)
  echo "$text"
  (($(grep -c '^right$' <<<"$text") == 2))
}
# The least of some jobs, each of which has just begun: a busy machine may delay one.
hits_at_once() {
  local us least=1000000
  for _ in 1 2 3 4; do
    us=$(timeout 60 "$krgrun" --nodes 2 -n 2 --oversubscribe --map-by node "$in_cpp" first_hit |
      sed -n 's/^first hit after \([0-9]*\) us$/\1/p' | sort -n | tail -1)
    least=$((us < least ? us : least))
  done
  echo "$least us"
  ((least < 3000))
}
folder() { mktemp -d "$XDG_RUNTIME_DIR/files.XXXXXX"; }

for nodes in 1 2; do
  check "sync of a set on $nodes nodes" both_right $nodes "$in_cpp" sync "$(folder)/objects"
  check "sync of a set on $nodes nodes, in C" both_right $nodes "$in_c" sync "$(folder)/objects"
  check "a first touch by hand on $nodes nodes" both_right $nodes "$in_cpp" touch "$(folder)/objects"
  check "a first touch by hand on $nodes nodes, in C" both_right $nodes "$in_c" touch "$(folder)/objects"
  check "name spaces on $nodes nodes" both_right $nodes "$in_cpp" names
  check "leases without waiting on $nodes nodes" both_right $nodes "$in_cpp" async
  check "snapshots on $nodes nodes" both_right $nodes "$in_cpp" snapshots
  check "snapshots on $nodes nodes, in C" both_right $nodes "$in_c" snapshots
  check "bad cases on $nodes nodes" both_right $nodes "$in_cpp" bad
  check "bad cases on $nodes nodes, in C" both_right $nodes "$in_c" bad
  check "sets of all kinds on $nodes nodes, in C" both_right $nodes "$in_c" sets
done
check "a task hits as soon as its node may serve" hits_at_once
finish

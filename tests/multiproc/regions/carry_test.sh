#!/usr/bin/env bash
# Goal    what threads across nodes need of memory: a program's own segments and threads' stacks as regions, pages that
#         are pinned and pushed, a word that two nodes spin on, system calls also where userfaultfd does not serve them.
# usage: carry_test.sh KRGRUN CARRY_TASK LIBKRG_IO
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2 io=$3
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

all_right() { # NODES RANKS KIND
  local text nodes=$1 ranks=$2
  shift 2
  text=$(timeout 60 "$krgrun" --nodes "$nodes" -n "$ranks" --oversubscribe --map-by node "$task" "$@" 2>&1)
  echo "$text"
  (($(grep -c '^right$' <<<"$text") == ranks))
}
# Where userfaultfd serves the user's faults alone, with and without the library.
preloaded() { KRG_REGION_FAULTS=user LD_PRELOAD=$io all_right 2 2 io; }
not_preloaded() { ! KRG_REGION_FAULTS=user all_right 2 2 io; }

check "global arrays, two nodes" all_right 2 2 arrays
check "global arrays, four tasks on two nodes" all_right 2 4 arrays
check "all of .data and .bss, two nodes" all_right 2 2 data
check "threads' stacks, two nodes" all_right 2 2 stack
check "a page that is pinned" all_right 2 2 pin
check "pages that are pushed" all_right 2 2 push
check "two nodes that spin on one word" all_right 2 2 spin
check "plain system calls" all_right 2 2 io
check "plain system calls with libkrg_io.so" preloaded
check "which fail without it" not_preloaded
finish

#!/usr/bin/env bash
# Goal    the example plain tells every rank who it is, and its exit code is krgrun's.
# usage: plain_test.sh KRGRUN PLAIN
# shellcheck disable=SC2119,SC2120,SC2317  # check calls functions, with arguments and without.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../tests/testing/check.sh"
krgrun=$1 plain=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

run() { timeout 60 "$krgrun" --nodes 2 -n 4 --oversubscribe --map-by node "$plain" "$@"; }
# Two ranks on each of two nodes, nothing else, and a good end.
whole() {
  local text
  text=$(run) || return
  sed -E 's/, host [^ ,]+, pid [0-9]+$//' <<<"$text" | sort >"$XDG_RUNTIME_DIR/said"
  diff - "$XDG_RUNTIME_DIR/said" <<'END'
rank 0 of 4 on node 0
rank 1 of 4 on node 1
rank 2 of 4 on node 0
rank 3 of 4 on node 1
END
}

check "every rank knows its number, the job's size and its node" whole
check_code 3 "its exit code is krgrun's" run 3
finish

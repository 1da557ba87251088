#!/usr/bin/env bash
# Goal    tasks write, read and count with ranges of objects, on one node and on several.
# usage: ranges_test.sh KRGRUN RANGES
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 ranges=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

all_right() {
  local text
  text=$(timeout 60 "$krgrun" --nodes "$1" -n 4 --oversubscribe --map-by node "$ranges") || {
    echo "$text"
    return 1
  }
  echo "$text"
  (($(grep -c ': right$' <<<"$text") == 4))
}

for nodes in 1 2 3; do check "ranges on $nodes nodes" all_right "$nodes"; done
finish

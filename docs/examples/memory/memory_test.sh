#!/usr/bin/env bash
# Goal    tasks on several nodes relax one plate in shared memory, to the same bits as one alone.
# usage: memory_test.sh KRGRUN FOLDER_OF_EXAMPLES
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../../tests/testing/check.sh"
krgrun=$1 folder=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

plate() { timeout 60 "$krgrun" --nodes "$1" -n "$2" --oversubscribe --map-by node "$folder/plate"; }
check_text '1 ranks, .*: right$' "one rank" plate 1 1
for nodes in 1 2 4; do
  check_text '4 ranks, .*: right$' "4 ranks on $nodes nodes" plate "$nodes" 4
done
finish

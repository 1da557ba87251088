#!/usr/bin/env bash
# Goal    a task that uses 1.5 times what its node may have finishes, and sees what it has written; its node keeps to the
#         budget meanwhile; where no node has room, or pages are to stay, it is told and gets SIGBUS.
# usage: pressure_test.sh KRGRUN PRESSURE_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

# use NODES BUDGET_MIB KIND PAGES [OPTION...]
use() {
  timeout 120 "$krgrun" --memory-budget "$2MiB" "${@:5}" --nodes "$1" -n "$1" --oversubscribe --map-by node \
    "$task" "$3" "$4" "$2" 2>&1
}

export KRG_MEMORY_PATIENCE=1s
check_text 'right' "48 MiB with a budget of 32, two nodes" use 2 32 fits 12288
check_text 'right' "and written again" use 2 32 grows 12288
check_text 'right' "64 MiB with a budget of 32, three nodes" use 3 32 grows 16384
check_text 'right' "a part that is used all the time mostly stays" use 2 32 favours 12288
check_complaint 135 'no other node has room' "48 MiB with a budget of 8, two nodes" use 2 8 fits 12288
check_complaint 135 'are to stay here' "pages that are to stay" use 2 32 fits 12288 --no-remote-memory
check_complaint 2 'no size' "no size" use 2 lots fits 1
finish

#!/usr/bin/env bash
# Goal    a task that is killed while it waits for a page of another node is gone at once; a page that died with its
#         node is SIGBUS, with a message that names region, page and node; the rest of the region goes on.
# usage: failing_test.sh KRGRUN FAILING_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

run() { timeout 60 "$krgrun" --nodes "$1" -n "$1" --oversubscribe --map-by node "${@:2}" "$task" "$kind" 2>&1; }

kind=killed
check_text 'gone after [0-9]+ ms, and the page is there' "a task killed in a fault" run 2
finish

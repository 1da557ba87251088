#!/usr/bin/env bash
# Goal    a task that is killed holds nothing any more, within a second, on whatever node one waits.
# usage: dead_task_test.sh KRGRUN DEAD_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 dead_task=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

run() { timeout 30 "$krgrun" --nodes "$1" -n 2 --oversubscribe --map-by node "$dead_task"; }

check_text 'waited [0-9.]+ ms after the death' "on the same node" run 1
check_text 'waited [0-9.]+ ms after the death' "on another node" run 2
finish

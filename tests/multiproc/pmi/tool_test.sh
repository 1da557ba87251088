#!/usr/bin/env bash
# Goal    a PMIx tool from outside sees every process of a running job, on whatever node.
# Method  ranks on two nodes say where their server's folder is and wait; the tool asks each server.
# usage: tool_test.sh KRGRUN PMIX_TOOL
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 tool=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
chmod 0700 "$XDG_RUNTIME_DIR"
# The ranks end when this file goes, so nothing is left whatever fails.
touch "$XDG_RUNTIME_DIR/go_on"
trap 'rm -f "$XDG_RUNTIME_DIR/go_on"; wait; find "$XDG_RUNTIME_DIR" -xdev -delete' EXIT

timeout 90 "$krgrun" --nodes 2 --oversubscribe -n 4 sh -c '
  echo "$PMIX_SERVER_TMPDIR $$" >$0/rank.new.$KRG_RANK && mv $0/rank.new.$KRG_RANK $0/rank.$KRG_RANK
  while test -e $0/go_on; do sleep 0.1; done' "$XDG_RUNTIME_DIR" &
job=$!

all_said() {
  local rank
  for rank in 0 1 2 3; do test -s "$XDG_RUNTIME_DIR/rank.$rank" || return 1; done
}
check "the job starts" eventually all_said
pids='' folder=()
for rank in 0 1 2 3; do
  read -r path pid <"$XDG_RUNTIME_DIR/rank.$rank"
  folder+=("$path")
  pids+="process $pid"$'\n'
done
other_server() { [[ ${folder[0]} != "${folder[3]}" ]]; }
check "the nodes have servers of their own" other_server
for rank in 0 3; do
  check_text "^${pids}tool of .*: ok\$" "the server of rank $rank names every process by rank" \
    timeout 60 "$tool" "${folder[rank]}" 4
  check "and the tool ends well" timeout 60 "$tool" "${folder[rank]}" 4
done
rm -f "$XDG_RUNTIME_DIR/go_on"
code=0
wait "$job" || code=$?
check "the job has not noticed" test "$code" = 0
finish

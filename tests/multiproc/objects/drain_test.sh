#!/usr/bin/env bash
# Goal    a node that leaves brings all that it has to the others, and what lies in a file into the file; it does
#         so about as fast as a range is read, not by one round trip after the other.
# Method  a standing cluster inside this machine; a task makes objects of 4 KiB on node 1, which then leaves.
#         Printed are the times of the leave, of one that has nothing to give, and of reading all by a range.
# usage: drain_test.sh BIN DRAIN_TASK [OBJECTS]
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 task=$2 objects=${3:-5000} cluster=drain-$$
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
chmod 0700 "$XDG_RUNTIME_DIR"
trap '"$bin/krgadm" cluster stop "$cluster" >/dev/null 2>&1; find "$XDG_RUNTIME_DIR" -xdev -delete' EXIT
file=$XDG_RUNTIME_DIR/objects

adm() { timeout 120 "$bin/krgadm" "$@" --cluster "$cluster"; }
run() { timeout 120 "$bin/krgrun" --cluster "$cluster" --oversubscribe --ppn 1 "$@" </dev/null; }
start() {
  "$bin/krgadm" cluster start "$cluster" && adm nodes add localhost
}
note() { echo "  $1" >>"$XDG_RUNTIME_DIR/times"; }
leave() { # SENTENCE
  local begin
  begin=$(date +%s%N)
  adm nodes del 1 || return 1
  note "$1: $((($(date +%s%N) - begin) / 1000000)) ms"
}
all_right() {
  local text
  text=$(run -n "$@" 2>&1)
  echo "$text"
  note "$text"
  grep -q "^$objects right" <<<"$text"
}

check "a cluster of two nodes starts" start
check "node 1, which has nothing, leaves" leave "a leave with nothing"
check_text "node 1 " "it comes back" adm nodes add localhost
check_text filled "node 1 makes objects" run -n 2 "$task" fill "$objects"
check "node 0 reads some that are there" all_right 2 "$task" check "$objects"
check "the cluster ends" adm cluster stop

cluster=drain2-$$
check "a cluster starts" start
check_text filled "node 1 makes objects" run -n 2 "$task" fill "$objects"
check "node 1 leaves" leave "a leave with $objects objects that nobody else has"
check "node 0 has them all" all_right 1 "$task" check "$objects"
check "the cluster ends" adm cluster stop

cluster=drain3-$$
check "a cluster starts" start
check_text filled "node 1 makes objects that lie in a file" run -n 2 "$task" fill "$objects" "$file"
check "node 1 leaves" leave "a leave with $objects objects that lie in a file"
check "node 0 has them all" all_right 1 "$task" check "$objects" "$file"
check "the cluster ends" adm cluster stop
cat "$XDG_RUNTIME_DIR/times"
finish

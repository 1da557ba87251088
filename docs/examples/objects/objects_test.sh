#!/usr/bin/env bash
# Goal    tasks on several nodes share objects: hash table, work queue, parameter table, counter.
# usage: objects_test.sh KRGRUN FOLDER_OF_EXAMPLES
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../../tests/testing/check.sh"
krgrun=$1 folder=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT

run() {
  local nodes=$1 example=$2
  timeout 60 "$krgrun" --nodes "$nodes" -n 4 --oversubscribe --map-by node "$folder/$example"
}
# Every rank says that it is right.
all_right() {
  local text
  text=$(run "$@") || { echo "$text"; return 1; }
  echo "$text"
  (($(grep -c ': right$' <<<"$text") == 4))
}

for nodes in 1 2 3; do
  check "hash table on $nodes nodes" all_right "$nodes" hash_table
  check "parameter table on $nodes nodes" all_right "$nodes" parameter_table
  check "counter in C on $nodes nodes" all_right "$nodes" counter
  check_text 'the sum of 400 squares is 21413400: right' "work queue on $nodes nodes" \
    run "$nodes" work_queue
done
check_complaint 1 'not started by krgrun' "without krgd it says so" \
  env -u KRG_GATE KRG_RANK=0 KRG_SIZE=1 "$folder/work_queue"
finish

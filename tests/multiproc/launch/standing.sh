#!/usr/bin/env bash
# Goal    a standing cluster serves one job after the other and ends when it is told to.
# Method  krgadm starts one of two nodes; jobs run on it; a job's client is killed; krgadm ends it.
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/krgd/standing_cluster.sh
source "$here/../krgd/standing_cluster.sh"
seconds=$((60000 + $$ % 9000))

sleepers() { pgrep -f "^(/usr)?(/bin/)?sleep $seconds\$"; }
some_sleep() { sleepers >/dev/null; }
nobody_sleeps() { ! sleepers >/dev/null; }

check "krgadm starts a cluster of two nodes" start_cluster
check_text "$cluster" "it is listed" "$bin/krgadm" cluster list
check_text "2 of 2 nodes online" "its status counts the nodes" "$bin/krgadm" status --cluster "$cluster"
check "a job runs on it" on_cluster -n 4 true
check_code 5 "its exit code comes back" on_cluster -n 2 sh -c 'exit 5'
check "another one after that" on_cluster -n 4 true
"$bin/krgrun" --cluster "$cluster" -n 4 sleep "$seconds" &
job=$!
check "a long job starts" eventually some_sleep
kill -9 "$job"
wait "$job" 2>/dev/null
check "it ends with its client" eventually nobody_sleeps
check "the cluster has survived that" on_cluster -n 4 true
check "krgadm ends it" timeout 60 "$bin/krgadm" cluster stop "$cluster"
gone() { ! "$bin/krgadm" cluster list | grep -q "$cluster"; }
check "it is gone" eventually gone

finish

#!/usr/bin/env bash
# Goal    pmi_launch leaves no folder and no process behind, however it ends.
# Method  it ends well, by SIGTERM, and by SIGKILL while its ranks sleep.
# usage: killed_test.sh PMI_LAUNCH
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
pmi_launch=$1
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
seconds=$((90000 + $$ % 9000))  # A sleep that is only ours.

sleepers() { pgrep -f "^(/usr)?(/bin/)?sleep $seconds\$"; }
all_sleep() { (($(sleepers | wc -l) == 4)); }
nobody_sleeps() { ! sleepers >/dev/null; }
empty() { [[ -z $(ls -A "$TMPDIR") ]]; }
in_use() { [[ -n $(ls -A "$TMPDIR") ]]; }

check "a job ends well" timeout 60 "$pmi_launch" -n 4 --nodes 2 true
check "its folder is gone" empty
for signal in TERM KILL; do
  "$pmi_launch" -n 4 --nodes 2 sleep "$seconds" &
  job=$!
  check "four ranks sleep" eventually all_sleep
  check "there is a folder" in_use
  kill "-$signal" "$job"
  wait "$job" 2>/dev/null
  check "SIG$signal: the folder goes" eventually empty
  check "SIG$signal: the ranks are ended" eventually nobody_sleeps
done
finish

#!/usr/bin/env bash
# Goal    krgadm check tells what the machine allows, ends with 1 where krg can not run, and its JSON is JSON.
# Method  as it is; where /dev/shm can not be written; as a user whose userfaultfd serves no faults of the kernel.
# usage: check_test.sh KRGADM
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgadm=$1

lines_are_whole() {
  local text
  text=$("$krgadm" check) || return 1
  echo "$text"
  (($(wc -l <<<"$text") == 13)) && ! grep -vE '^(good|limited): [^:]+: .+: .+$' <<<"$text"
}
json_is_whole() {
  "$krgadm" check --json | python3 -c '
import json, sys
all = json.load(sys.stdin)
assert len(all) == 13
assert all[0]["what"] == "kernel" and {one["state"] for one in all} <= {"good", "limited"}'
}
no_shared_memory() {
  local text
  text=$(unshare -rm sh -c "mount -t tmpfs -o ro tmpfs /dev/shm && exec '$krgadm' check") && return 1
  echo "$text"
  grep -q '^missing: /dev/shm: .*to do: ' <<<"$text"
}
user_faults_only() {
  local text
  # /proc/self/fd: the user may not see the folder that the command lies in.
  text=$(setpriv --reuid 65534 --regid 65534 --clear-groups /proc/self/fd/9 check 9<"$krgadm") || return 1
  echo "$text"
  grep -q '^limited: userfaultfd: faults of tasks only.*krg_read.*to do: ' <<<"$text"
}

check "one line for each" lines_are_whole
check "as JSON" json_is_whole
if unshare -rm true 2>/dev/null; then check "without /dev/shm" no_shared_memory; fi
if ((EUID == 0)) && [[ $(cat /proc/sys/vm/unprivileged_userfaultfd) == 0 ]]; then
  check "userfaultfd of a user" user_faults_only
fi
finish

#!/usr/bin/env bash
# Goal    a task moves between hosts that share nothing but a network and files, and the loss of one ends it once.
# Method  emulated hosts, each with a pid, network and mount name space of its own; a task that checks itself.
# usage: hosts_test.sh BIN WANDERER
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 wanderer=$2 tool=$here/../../testing/emulated_hosts name=epm$$ job=''
folder=$(mktemp -d)
export EMULATED_HOSTS_DIR=$folder/hosts
trap '[[ -z $job ]] || kill "$job" 2>/dev/null; wait; "$tool" down "$name" 2>/dev/null; find "$folder" -xdev -delete' EXIT

said() { grep -qE -- "$1" "$folder/said"; }
well() {
  local round
  round=$(grep -c '^round ' "$folder/said")
  echo "line $round" >&9
  eventually said "^round $round: " && said "^round $round: ok$" && eventually said "^heard line $round$" &&
    return 0
  cat "$folder/said"
  return 1
}
move() { timeout 30 "$tool" exec "$name" n0 env XDG_RUNTIME_DIR=/run/krg "$bin/krgmigrate" "$@"; }

"$tool" up "$name" 3 >/dev/null || exit 1
mkfifo "$folder/input"
timeout 100 "$tool" exec "$name" login env -u XDG_RUNTIME_DIR "$bin/krgrun" \
  --hostfile "$("$tool" path "$name" file)" --launch-agent "$("$tool" path "$name" agent)" -n 1 "$wanderer" "$folder" 8 2 <"$folder/input" >"$folder/said" 2>&1 &
job=$!
exec 9>"$folder/input"
check "a task starts on a host" eventually said '^pid [0-9]+'
pid=$(sed -n 's/^pid //p' "$folder/said")
check_text 'on node 1;' "it is moved to another host" move "$pid" 1
check "it is well" well
check_text 'on node 2;' "and to a third" move "$pid" 2
check "it is well" well
check_text 'on node 1;' "and back" move "$pid" 1
check "it is well" well
check "the host where it is ends" "$tool" crash "$name" n1
code=0
wait "$job" || code=$?
job=
check "which is the end of the job" test "$code" -ne 0
finish

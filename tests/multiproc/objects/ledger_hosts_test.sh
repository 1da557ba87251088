#!/usr/bin/env bash
# Goal    objects with two copies lose nothing that was acknowledged while tasks hammer on them and krgds are
#         killed, a host hangs and a host is cut off, one after the other.
# Method  four emulated hosts, an elastic job of 16 tasks; each writes down what it tries and what is synced; in the
#         end another job compares. A node that has failed joins again before the next one fails.
# usage: ledger_hosts_test.sh BIN LEDGER_TASK [ROUNDS]
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/hotplug/hotplug_hosts.sh
source "$here/../hotplug/hotplug_hosts.sh"
ledger=$2 rounds=${3:-1}
folder=$EMULATED_HOSTS_DIR/ledger
mkdir "$folder"

kill_krgd() { # HOST: one that does not answer has pid 0
  local pid
  pid=$(pid_of "$1")
  ((pid > 1)) && kill -KILL "$pid"
}
hang() { # HOST: longer than it may
  local pid
  pid=$(pid_of "$1")
  ((pid > 1)) && kill -STOP "$pid" && sleep 6 && kill -CONT "$pid"
}
is_out() { [[ $(state_of n0 "${1#n}") == failed ]]; }
back() { add n0 "$1"; }
has_additions() { [[ $(cat "$folder"/*.log 2>/dev/null | grep -c ok) -gt $1 ]]; }
goes_on() { # More is acknowledged from now on.
  local now
  now=$(cat "$folder"/*.log | grep -c ok)
  eventually has_additions $((now + 50))
}
audit() { at n0 "$bin/krgrun" --cluster hot -n 1 "$ledger" --audit "$folder"; }

start_hosts || exit 1
check "a cluster starts" start_cluster
timeout "$((rounds * 200))" "$tool" exec "$name" n0 env XDG_RUNTIME_DIR=/run/krg "$bin/krgrun" --cluster hot --elastic --ppn 4 \
  --oversubscribe "$ledger" "$folder" </dev/null >"$EMULATED_HOSTS_DIR/output" 2>&1 &
job=$!
check "tasks add to the ledger" eventually has_additions 100

for ((round = 1; round <= rounds; round++)); do
  for node in n3 n2; do
    check "the krgd of $node is killed" kill_krgd $node
    check "it is out" eventually is_out $node
    check "the others go on" goes_on
    check "it comes back" eventually back $node
    check "all go on" goes_on
  done
  check "the krgd of n1 hangs for 6 s" hang n1
  check "it is out" eventually is_out n1
  check "the others go on" goes_on
  check "it comes back" eventually back n1
  check "all go on" goes_on
  check "n3 is cut off" "$tool" cut "$name" n3
  check "it is out" eventually is_out n3
  check "the others go on" goes_on
  check "the cable is back" "$tool" heal "$name" n3
  check "it comes back" eventually back n3
  check "all go on" goes_on
done

touch "$folder/end"
code=0
wait "$job" || code=$?
said=$(cat "$EMULATED_HOSTS_DIR/output")
report "$code" "the job ends with 0"
check_text "[0-9]+ additions, 0 accounts wrong" "no account has lost what was acknowledged" audit
printf '%s\n' "$said"
check "the cluster ends" adm n0 cluster stop hot
finish

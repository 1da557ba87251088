#!/usr/bin/env bash
# Goal    a cluster inside this machine grows from one node and shrinks again while it is used: a node that
#         leaves waits for its tasks, numbers come back, and what can not be done is said.
# Method  krgadm and krgrun on a standing cluster, and krgadm on the cluster of a krgrun.
# usage: embedded_test.sh BIN
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 cluster=grow-$$
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
chmod 0700 "$XDG_RUNTIME_DIR"
trap '"$bin/krgadm" cluster stop "$cluster" >/dev/null 2>&1; find "$XDG_RUNTIME_DIR" -xdev -delete' EXIT

adm() { timeout 120 "$bin/krgadm" "$@" --cluster "$cluster"; }
run() { timeout 60 "$bin/krgrun" --cluster "$cluster" --oversubscribe "$@" </dev/null; }
# shellcheck disable=SC2016  # Single quotes are for inner shells.
nodes_of_job() { [[ $(run --ppn 1 -n "$1" sh -c 'echo $KRG_NODE' | sort | paste -sd ' ') == "$2" ]]; }
pid_of() { adm nodes --json | sed 's/},{/}\n{/g' | grep "\"node\":$1," | grep -o '"pid":[0-9]*' | cut -d : -f 2; }
udp_sockets() { # PID: of the process, not of its namespace
  local inode count=0
  for inode in $(find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n'); do
    count=$((count + $(awk -v i="$inode" '$10 == i' /proc/net/udp /proc/net/udp6 | wc -l)))
  done
  echo "$count"
}
no_udp() { [[ $(udp_sockets "$(pid_of 0)") == 0 ]]; }
one_udp() { [[ $(udp_sockets "$(pid_of 0)") == 1 ]]; }

check "a cluster of one node starts" timeout 60 "$bin/krgadm" cluster start "$cluster"
check "it has no port for heartbeats" no_udp
check_text "node 1 .* is in the cluster.*node 2" "two nodes are added" adm nodes add localhost localhost
check "now it has one" one_udp
check "three nodes are online" adm nodes wait 3 --timeout 10
check "a job uses all of them" nodes_of_job 3 "0 1 2"
check_complaint 1 "3 of 4 nodes are online after 0.2 s" "waiting for more ends" adm nodes wait 4 --timeout 200ms

run --ppn 1 -n 3 sleep 2 &
job=$!
sleep 0.5
begin=$(date +%s%N)
check_text "node 1 has left" "a node that is in use leaves" adm nodes del 1
check "when its task has ended" test $((($(date +%s%N) - begin) / 1000000)) -ge 1000
wait "$job"
check "the task was not disturbed" test $? -eq 0
check "the next job uses the others" nodes_of_job 2 "0 2"
check_complaint 1 "there is no such node" "it can not leave again" adm nodes del 1
check_text "node 1 " "it comes back with its number" adm nodes add localhost
check_text "online +2 " "as a later life" adm nodes status
check "a job uses all of them" nodes_of_job 3 "0 1 2"

# A node that is killed is not placed on.
failed() { adm nodes | grep -q '^ *2 .*failed (ended)'; }
timeout 20 "$bin/krgadm" events --cluster "$cluster" >"$XDG_RUNTIME_DIR/lines" 2>/dev/null &
watcher=$!
eventually test -s "$XDG_RUNTIME_DIR/lines"
kill -KILL "$(pid_of 2)"
check "a killed krgd is out, and why is said" eventually failed
told() { grep -qE '^20[0-9-]+T[0-9:.]+Z epoch [0-9]+: node 2 \(host .*, life 1\) is now failed: ended$' "$XDG_RUNTIME_DIR/lines"; }
check "whoever watches events is told, with the time" eventually told
valid() { adm "$@" --json | python3 -c "
import json, sys
said = json.load(sys.stdin)
nodes = said['members'] if 'members' in said else said
dead, alive = nodes[2], nodes[0]
assert dead['state'] == 'failed' and dead['reason'] == 'ended', dead
assert dead['pid'] is None and dead['up_ms'] is None and dead['cpus'] is None, dead
assert alive['reason'] is None and alive['pid'] > 1 and alive['up_ms'] > 0, alive
assert ':' in alive['address'] and dead['address'], nodes"; }
kill "$watcher"
check "nodes --json is valid, and null where a dead node would have to answer" valid nodes
check "status --json, too" valid status
check_complaint 1 "^krgadm: no node is on host nowhere; see 'krgadm nodes'" "an unknown host can not leave" \
  adm nodes del nowhere
check_complaint 1 "has several nodes: say which by its number" "nor can one of several nodes" \
  adm nodes del "$(adm nodes --json | grep -o '"host":"[^"]*' | head -1 | cut -d '"' -f 4)"
check "the next job uses the others" nodes_of_job 2 "0 1"
check "another one leaves" adm nodes del 1
check_complaint 1 "the last one" "the last can not leave" adm nodes del 0

check_complaint 2 "say 'status'" "nonsense is refused" adm nodes wait all
check_complaint 2 "no time" "a bad time is refused" adm nodes wait 1 --timeout soon
said=$("$bin/krgadm" events --cluster "$cluster" --json >"$XDG_RUNTIME_DIR/events" &
  echo $!)
eventually test -s "$XDG_RUNTIME_DIR/events"
kill "$said"
check "events begin with what is known" grep -q '"node":0,"life":1,.*"state":"online","news":false,"reason":null,"time":null}' \
  "$XDG_RUNTIME_DIR/events"
check "the cluster ends" adm cluster stop

# The cluster of a krgrun: what was added ends with it.
cluster=job-$$
"$bin/krgrun" --name "$cluster" --nodes 2 -n 2 --oversubscribe sleep 5 &
job=$!
there() { adm nodes wait 2 --timeout 1 >/dev/null 2>&1; }
check "a krgrun with two nodes starts" eventually there
check_text "node 2 .* is in the cluster" "a node is added to it" adm nodes add localhost
check "another job runs on it" nodes_of_job 3 "0 1 2"
added=$(pid_of 2)
wait "$job"
check "the first job has not noticed" test $? -eq 0
gone() { ! kill -0 "$added" 2>/dev/null; }
check "the node has ended with it" eventually gone

finish

# hotplug_hosts.sh: a standing cluster on emulated hosts, for a test; sourced by it, after check.sh,
# when $1 is the folder of the commands and $hosts (default: 4) how many. It ends with the test, however that ends.
#
#   start_hosts             makes the hosts
#   start_cluster           starts the cluster from "login"
#   at HOST CMD [ARG...]    runs CMD on a host, as the user of a shell there
#   adm HOST WORD...        krgadm on a host
#   add HOST NEW            krgadm nodes add NEW on a host
#   pid_of HOST             the process id of its krgd; 0 if it does not answer
#   state_of HOST NODE      what HOST says of a node: online, failed, ...
#   watch_events HOST       writes what krgadm events says there to $events
#   now                     the microsecond
# shellcheck shell=bash

tool=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/../../testing/emulated_hosts
bin=$1 name=hotplug-$$ hosts=${hosts:-4}
host_list=$(seq -f 'n%g' -s , 0 $((hosts - 1)))
EMULATED_HOSTS_DIR=$(mktemp -d)
export EMULATED_HOSTS_DIR
events=$EMULATED_HOSTS_DIR/events
trap '"$tool" down "$name"; rm -rf "$EMULATED_HOSTS_DIR"' EXIT

# Hosts start krgds on hosts, so they must see each other's processes.
start_hosts() {
  "$tool" up "$name" "$hosts" --no-pidns --subnet "10.$((64 + $$ % 64)).$(($$ % 250))" >/dev/null || return 1
  agent=$("$tool" path "$name" agent)
}
at() { timeout 60 "$tool" exec "$name" "$1" env XDG_RUNTIME_DIR=/run/krg "${@:2}" </dev/null; }
adm() { at "$1" "$bin/krgadm" "${@:2}"; }
# In a file: the look-alikes of ssh live as long as the krgds that they have started, with the same outputs.
start_cluster() {
  timeout 60 "$tool" exec "$name" login env "XDG_RUNTIME_DIR=$EMULATED_HOSTS_DIR" "$bin/krgadm" cluster start \
    hot --launch-agent "$agent" --host "$host_list" "$@" </dev/null >"$EMULATED_HOSTS_DIR/started" 2>&1
}
add() { # HOST NEW: for the same reason
  adm "$1" nodes add "$2" >"$EMULATED_HOSTS_DIR/added" 2>&1 || { cat "$EMULATED_HOSTS_DIR/added"; return 1; }
}
# One object a line.
objects() { adm "$1" nodes --json | sed 's/},{/}\n{/g'; }
field() { grep -o "\"$1\":\"\\?[^,\"}]*" | sed 's/.*[:"]//'; }
pid_of() { # not null: that would be the name of a variable
  local pid
  pid=$(objects "$1" | grep "\"node\":${1#n}," | field pid)
  [[ $pid =~ ^[0-9]+$ ]] && echo "$pid" || echo 0
}
state_of() { objects "$1" | grep "\"node\":$2," | field state; }
is() { [[ $("${@:2}") == "$1" ]]; }
now() { echo "${EPOCHREALTIME/./}"; }
watch_events() {
  : >"$events"
  "$tool" exec "$name" "$1" env XDG_RUNTIME_DIR=/run/krg "$bin/krgadm" events --json </dev/null 2>/dev/null |
    while read -r line; do echo "$line"; done >>"$events" 2>/dev/null &
  eventually grep -q "\"node\":$((hosts - 1))" "$events"
}
has_come_to() { grep -q "\"node\":$1,.*\"$2\",\"news\":true" "$events"; }
# The microsecond at which the krgd that is watched learned that a node had come to a state.
came_to() {
  date -d "$(grep "\"node\":$1,.*\"$2\",\"news\":true" "$events" | head -1 | grep -o '[0-9T:.-]*Z')" +%s%6N
}

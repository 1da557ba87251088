#!/usr/bin/env bash
# Goal    on four hosts, a krgd that is killed is out of the view in 100 ms, a host that is cut off in 5 s, one
#         that hangs for a second stays; the side with most of the nodes goes on, the other stops, and who was
#         excluded ends when it hears of it and comes back as a later life.
# Method  emulated hosts; krgadm on them. The times are those of krgadm events on another host.
# usage: hosts_test.sh BIN
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/hotplug/hotplug_hosts.sh
source "$here/hotplug_hosts.sh"

# Does something to a node, and tells how long it took until another host's krgd told that it has failed.
out_within() { # MS NODE CMD...
  local begin took_us tries
  begin=$(now)
  "${@:3}" || return 1
  for ((tries = 0; tries < 400; tries++)); do
    has_come_to "$2" failed && break
    sleep 0.02
  done
  has_come_to "$2" failed || { echo "node $2 is still in"; cat "$events"; return 1; }
  took_us=$(($(came_to "$2" failed) - begin))
  echo "node $2 was out after $((took_us / 1000)) ms: ${*:3}" | tee -a "$EMULATED_HOSTS_DIR/times"
  ((took_us < $1 * 1000))
}
cut_host() { "$tool" cut "$name" "$1"; }
heal_host() { "$tool" heal "$name" "$1"; }
no_krgd() { ! kill -0 "$1" 2>/dev/null; }
hang() { # PID: for a second
  kill -STOP "$1"
  sleep 1
  kill -CONT "$1"
}
nobody_failed() { ! grep -q '"failed","news":true' "$events"; }
ranks_everywhere() {
  [[ $(at "$1" "$bin/krgrun" --cluster hot --ppn 1 -n 4 hostname | sort | paste -sd ' ') == "n0 n1 n2 n3" ]]
}
all_online() { adm "$1" nodes wait 4 --timeout 10; }

start_hosts || exit 1
check "a cluster starts on them" start_cluster
check "all four nodes are online" all_online n0
check "its first epoch has not changed" grep -q 'epoch 1$' <(adm n2 status)
watch_events n1 || exit 1

# --- a krgd that hangs for a second is none that has failed --------------------------------------

check "the krgd of n2 hangs for a second" hang "$(pid_of n2)"
check "the coordinator hangs for a second" hang "$(pid_of n0)"
sleep 4
check "nobody was expelled" nobody_failed
check "a job runs everywhere" ranks_everywhere n3

# --- a krgd that is killed -----------------------------------------------------------------------

check "a killed krgd is out in 100 ms" out_within 100 3 kill -KILL "$(pid_of n3)"
check "all others say so" is failed state_of n2 3
check "the host comes back" add n0 n3
check "with its number, as a later life" grep -q '"node":3,"host":"n3","state":"online","life":2,' <(objects n2)
check "a job runs everywhere" ranks_everywhere n3

# --- a host that is cut off: three of four go on -------------------------------------------------

lost=$(pid_of n2)
: >"$events"
check "a host that is cut off is out in 5 s" out_within 5000 2 cut_host n2
check_text "has no majority" "it knows that it is the smaller part" adm n2 nodes status
check "it still lives" kill -0 "$lost"
check "the others run jobs" at n1 "$bin/krgrun" --cluster hot --ppn 1 -n 3 true
check "the cable is back" heal_host n2
check "it hears that it is out, and ends" eventually no_krgd "$lost"
check "it comes back" add n0 n2
check "as a later life" grep -q '"node":2,"host":"n2","state":"online","life":2,' <(objects n1)

# --- the coordinator's host is cut off -----------------------------------------------------------

coordinator=n$(adm n1 status --json | field coordinator)
lost=$(pid_of "$coordinator")
other=n1
[[ $coordinator != n1 ]] || other=n3
watch_events "$other" || exit 1
: >"$events"
check "the coordinator's host is out in 5 s when it is cut off" out_within 5000 "${coordinator#n}" \
  cut_host "$coordinator"
check "another coordinates" is 1 grep -c coordinator <(adm "$other" nodes)
check_text "has no majority" "the one before knows that it may not" adm "$coordinator" nodes
check "the cable is back" heal_host "$coordinator"
check "it hears that it is out, and ends" eventually no_krgd "$lost"
check "it comes back" add "$other" "$coordinator"
check "a job runs everywhere" ranks_everywhere "$coordinator"

# --- leaving -------------------------------------------------------------------------------------

check "a node leaves" adm n1 nodes del 3
check "all others say so" is possible state_of n0 3
check "it comes back" add n1 n3
check "node 0, the first of all, leaves" adm n1 nodes del 0
check "it comes back, and needs its network" add n1 n0
check "all four nodes are online" all_online n3
check "the cluster ends" adm n0 cluster stop hot
cat "$EMULATED_HOSTS_DIR/times"
finish

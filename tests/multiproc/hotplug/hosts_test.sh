#!/usr/bin/env bash
# Goal    on eight hosts, a krgd that is killed is out of the view in 100 ms, a host that is cut off in 5 s, one
#         that hangs for a second stays; the side with most of the voters goes on, the other refuses shared state
#         with no_quorum, and who was excluded ends when it hears of it and comes back as a later life.
# Method  emulated hosts; krgadm and tasks on them. The times are those of krgadm events on another host.
# usage: hosts_test.sh BIN QUEUE_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
queue=$2 hosts=8
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
coordinator_of() { adm "$1" status --json | field coordinator; }
no_krgd() { ! kill -0 "$1" 2>/dev/null; }
hang() { # PID: for a second
  kill -STOP "$1"
  sleep 1
  kill -CONT "$1"
}
nobody_failed() { ! grep -q '"failed","news":true' "$events"; }
everywhere=$(seq -f 'n%g' 0 $((hosts - 1)) | paste -sd ' ')
ranks_everywhere() {
  [[ $(at "$1" "$bin/krgrun" --cluster hot --ppn 1 -n "$hosts" hostname | sort | paste -sd ' ') == "$everywhere" ]]
}
all_online() { adm "$1" nodes wait "$hosts" --timeout 10; }

start_hosts || exit 1
check "a cluster starts on them" start_cluster
check "all nodes are online" all_online n0
check "its first epoch has not changed" grep -q 'epoch 1$' <(adm n2 status)
watch_events n1 || exit 1

# --- a krgd that hangs for a second is none that has failed --------------------------------------

check "the krgd of n2 hangs for a second" hang "$(pid_of n2)"
check "the coordinator hangs for a second" hang "$(pid_of n0)"
sleep 4
check "nobody was expelled" nobody_failed
check "a job runs everywhere" ranks_everywhere n3

# --- a host that is in the cluster already -------------------------------------------------------

krgd_of_n3=$(pid_of n3)
check "a host that is online is added again" add n0 n3
check "it is said that it is there" grep -qx 'node 3 (host n3) is in the cluster already: it is online' \
  "$EMULATED_HOSTS_DIR/added"
check "also from itself, by another name" adm n3 nodes add localhost
check "programs are told that nothing was added" grep -qx '\[{"node":3,"host":"n3","added":false}\]' \
  <(adm n1 nodes add --json n3)
check "no second node has come" is "$hosts" grep -c '"node":' <(objects n0)
check "it has the krgd that it had" is "$krgd_of_n3" pid_of n3

# --- a krgd that is killed -----------------------------------------------------------------------

check "a killed krgd is out in 100 ms" out_within 100 3 kill -KILL "$(pid_of n3)"
check "all others say so" is failed state_of n2 3
check "for it has ended" grep -q '"node":3,.*"pid":null,.*"reason":"ended"' <(objects n2)
check "the host comes back" add n0 n3
check "with its number, as a later life" grep -q '"node":3,"host":"n3","state":"online","life":2,' <(objects n2)
check "a job runs everywhere" ranks_everywhere n3

check "a krgd without a vote is killed, and out in 100 ms" out_within 100 7 kill -KILL "$(pid_of n7)"
check "it comes back" add n0 n7
coordinator=n$(coordinator_of n2)
other=n1
[[ $coordinator != n1 ]] || other=n2
watch_events "$other" || exit 1
check "the coordinator is killed, and out in 100 ms" out_within 100 "${coordinator#n}" \
  kill -KILL "$(pid_of "$coordinator")"
has_coordinator() { [[ $(coordinator_of "$other") =~ ^[0-9]+$ ]]; }
check "another coordinates" eventually has_coordinator
check "it comes back" add "$other" "$coordinator"
check "a job runs everywhere" ranks_everywhere "$coordinator"

# --- a host that is cut off: the others go on -------------------------------------------------

watch_events n1 || exit 1
lost=$(pid_of n2)
: >"$events"
check "a host that is cut off is out in 5 s" out_within 5000 2 cut_host n2
check "for it was silent" grep -q '"node":2,.*"pid":null,.*"reason":"silent"' <(objects n1)
check_text "has no majority" "it knows that it is the smaller part" adm n2 nodes status
check "it still lives" kill -0 "$lost"
check "the others run jobs" at n1 "$bin/krgrun" --cluster hot --ppn 1 -n 7 true
check "the cable is back" heal_host n2
check "it hears that it is out, and ends" eventually no_krgd "$lost"
check "it comes back" add n0 n2
check "as a later life" grep -q '"node":2,"host":"n2","state":"online","life":[23],' <(objects n1)

# --- the coordinator's host is cut off -----------------------------------------------------------

coordinator=n$(coordinator_of n1)
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

# --- a partition ---------------------------------------------------------------------------------

# The smaller side: the coordinator and two more; a task on it and one on the other side use shared objects, each
# in a job that has only its own node.
coordinator=n$(coordinator_of n1)
small=("$coordinator") large=()
for ((i = hosts - 1; i >= 0; i--)); do
  [[ n$i != "$coordinator" ]] || continue
  if ((${#small[@]} < 3)); then small+=("n$i"); else large+=("n$i"); fi
done
other=${large[0]} victim=${small[1]}
start_queue() { # HOST: in the background, its output in $EMULATED_HOSTS_DIR/queue
  at "$1" "$bin/krgrun" --cluster hot -H "$1" -n 1 "$queue" 1000000 test.small >"$EMULATED_HOSTS_DIR/queue" 2>&1 &
}
refused() { grep -q '^a counter: ' "$EMULATED_HOSTS_DIR/queue"; }
refused_within() { # MS
  local begin took_ms
  begin=$(now)
  "$tool" split "$name" "${small[@]}" || return 1
  eventually refused || { cat "$EMULATED_HOSTS_DIR/queue"; return 1; }
  took_ms=$((($(now) - begin) / 1000))
  echo "a task on the smaller side was refused after $took_ms ms" | tee -a "$EMULATED_HOSTS_DIR/times"
  ((took_ms < $1))
}
all_refuse() { for host in "${small[@]}"; do adm "$host" nodes | grep -q 'has no majority' || return 1; done; }
small_failed() {
  local host
  for host in "${small[@]}"; do [[ $(state_of "$other" "${host#n}") == failed ]] || return 1; done
}
lost=()
for host in "${small[@]}"; do lost+=("$(pid_of "$host")"); done
at "$other" "$bin/krgrun" --cluster hot -H "$(IFS=,; echo "${large[*]}")" --ppn 1 -n ${#large[@]} sleep 8 &
others_job=$!
start_queue "$victim"
sleep 1
check "${small[*]} are split from the others: a task on them is refused in 3 s" refused_within 3000
check_text "a counter: .*this side of the cluster has no majority" "for no_quorum" cat "$EMULATED_HOSTS_DIR/queue"
check "all three know that they have no majority" eventually all_refuse
check "the others have excluded the three" eventually small_failed
wait "$others_job"
check "a job there was not disturbed" test $? -eq 0
check "a new one uses shared objects" at "$other" "$bin/krgrun" --cluster hot --ppn 1 -n 5 "$queue" 100 test.large
check "their krgds still live" kill -0 "${lost[@]}"
for host in "${small[@]}"; do check "$host is back on the network" heal_host "$host"; done
for pid in "${lost[@]}"; do check "a krgd hears that it is out, and ends" eventually no_krgd "$pid"; done
for host in "${small[@]}"; do check "$host comes back" add "$other" "$host"; done
check "all nodes are online" all_online "$victim"
check "a job runs everywhere" ranks_everywhere "$victim"
check "shared objects work everywhere" at "$victim" "$bin/krgrun" --cluster hot --ppn 1 -n 8 "$queue" 100 test.healed

# --- leaving -------------------------------------------------------------------------------------

check "a node leaves, by the name of its host" adm n1 nodes del n3
check "all others say so" is possible state_of n0 3
check "it comes back" add n1 n3
check "node 0, the first of all, leaves" adm n1 nodes del 0
check "it comes back, and needs its network" add n1 n0
check "all nodes are online" all_online n3
check "the cluster ends" adm n0 cluster stop hot
cat "$EMULATED_HOSTS_DIR/times"
finish

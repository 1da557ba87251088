#!/usr/bin/env bash
# Goal    a network that loses packets expels nobody, and jobs and krgadm go on meanwhile.
# Method  eight emulated hosts; on each, nftables drops so many of 1000 packets that come in, of the data path and of
#         the heartbeats alike; the rules' counters say that it has. Jobs over all hosts and krgadm nodes on each host in
#         turn, until the time is over. `./dev soak` takes the long time.
# usage: loss_test.sh BIN [PER_MILLE [SECONDS]]
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
per_mille=${2:-30} seconds=${3:-20} hosts=8
# shellcheck source=tests/multiproc/hotplug/hotplug_hosts.sh
source "$here/hotplug_hosts.sh"

lose() { # PER_MILLE: on every host
  local host
  for ((host = 0; host < hosts; host++)); do "$tool" loss "$name" "n$host" "$1" || return 1; done
}
every_host_lost_some() {
  local host count all=0 fewest=''
  for ((host = 0; host < hosts; host++)); do
    count=$("$tool" dropped "$name" "n$host") || return 1
    all=$((all + count))
    [[ -n $fewest ]] && ((fewest <= count)) || fewest=$count
  done
  echo "$per_mille of 1000 packets lost for $seconds s: $all on $hosts hosts, on each at least $fewest"
  ((fewest > 0))
}
everywhere=$(seq -f 'n%g' 0 $((hosts - 1)) | paste -sd ' ')
ranks_everywhere() { # HOST
  [[ $(at "$1" "$bin/krgrun" --cluster hot --ppn 1 -n "$hosts" hostname | sort -V | paste -sd ' ') == "$everywhere" ]]
}
all_online() { [[ $(objects "$1" | grep -c '"state":"online","life":1,') == "$hosts" ]]; }
# What a user does meanwhile. The longest round is told: a lost packet of a connection costs its time.
work() {
  local end=$((SECONDS + seconds)) rounds=0 host begin took longest=0
  while ((SECONDS < end)); do
    host=n$((rounds % hosts))
    begin=$(now)
    ranks_everywhere "$host" || { echo "round $rounds: the job from $host failed"; return 1; }
    all_online "$host" || { echo "round $rounds: $host says"; adm "$host" nodes; return 1; }
    took=$((($(now) - begin) / 1000))
    ((took <= longest)) || longest=$took
    rounds=$((rounds + 1))
    # A few rounds a second, for as long as it takes: most of the time the network is idle, as it mostly is.
    sleep 0.3
  done
  echo "$rounds jobs, the longest with krgadm nodes $longest ms" | tee -a "$EMULATED_HOSTS_DIR/figures"
}
same_epoch() { is "$(cat "$EMULATED_HOSTS_DIR/epoch")" epoch_of n3; }
epoch_of() { adm "$1" status --json | field epoch; }
nobody_failed() { ! grep '"state":"failed"' "$events"; }

start_hosts || exit 1
check "a cluster starts on $hosts hosts" start_cluster
check "all are online" all_online n0
epoch_of n0 >"$EMULATED_HOSTS_DIR/epoch"
watch_events n1 || exit 1
check "every host loses $per_mille of 1000 packets" lose "$per_mille"
check "for $seconds s jobs run on all hosts, and all nodes are online" work
lost=$(every_host_lost_some)
check "packets were lost on each" test $? -eq 0
echo "$lost"
cat "$EMULATED_HOSTS_DIR/figures"
check "the loss ends" lose 0
sleep 1
check "nobody was expelled" nobody_failed
check "the view has not changed" same_epoch
check "all are online, in their first life" all_online n7
check "the cluster ends" adm n0 cluster stop hot
finish

#!/usr/bin/env bash
# Goal    on hosts, a running job takes in hosts that join: those of a standing cluster, and those of a cluster that
#         krgrun has made for it; it goes on without a host that is cut off and without a krgd that is killed.
# Method  emulated hosts; tasks that say on which host they are and end when a file is there.
# usage: hosts_test.sh BIN QUEUE_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/hotplug/hotplug_hosts.sh
source "$here/../hotplug/hotplug_hosts.sh"
queue=$2 job=''
output=$EMULATED_HOSTS_DIR/output end=$EMULATED_HOSTS_DIR/end

# shellcheck disable=SC2016  # For the task's shell.
task='echo "task $KRG_RANK on $(hostname)"; while [ ! -e "$0" ]; do sleep 0.1; done'
has_said() { grep -qE -- "$1" "$output"; }
# On a host, in the background.
start() { # HOST WORD...
  rm -f "$end"
  timeout 100 "$tool" exec "$name" "$1" env XDG_RUNTIME_DIR=/run/krg "$bin/krgrun" "${@:2}" </dev/null \
    >"$output" 2>&1 &
  job=$!
}
# Not in a subshell, which could not wait.
job_ends() { # CODE REGEX SENTENCE
  local code=0
  wait "$job" || code=$?
  check_complaint "$1" "$2" "$3" replay "$code"
}
replay() {
  cat "$output"
  return "$1"
}
kill_krgd() { # HOST: one that does not answer has pid 0
  local pid
  pid=$(pid_of "$1")
  ((pid > 1)) && kill -KILL "$pid"
}

start_hosts || exit 1

# --- a standing cluster ---------------------------------------------------------------------------

check "a cluster starts" start_cluster
check "n3 leaves it" adm n0 nodes del 3
start n1 --cluster hot --elastic --ppn 2 -v sh -c "$task" "$end"
check "a job starts on the other three" eventually has_said 'task 5 on n2'
check "n3 joins" add n0 n3
check "and has the next tasks" eventually has_said 'task 7 on n3'
check "krgrun says so" has_said 'node 3 \(host n3\) has joined: ranks 6-7'
check "n3 is cut off" "$tool" cut "$name" n3
check "the job goes on without it" eventually has_said 'node 3 \(host n3\) is lost: .*goes on without ranks 6-7'
check "the cable is back" "$tool" heal "$name" n3
check "the krgd of n2 is killed" kill_krgd n2
check "the job goes on without it, too" eventually has_said 'node 2 \(host n2\) is lost: .*goes on without ranks'
back() { add n0 n2; }
check "n2 comes back" eventually back
check "with tasks" eventually has_said 'task 9 on n2'
touch "$end"
job_ends 0 'task 8 on n2' "the job ends with 0"

start n0 --cluster hot --elastic --ppn 1 "$queue" 2000
sleep 1
back() { add n0 n3; }
check "n3 joins a work queue of shared objects" eventually back
job_ends 0 '2000 pieces are done' "the queue is done"
check "n3 has done some" has_said 'on node 3 has done [1-9]'
check "the cluster ends" adm n0 cluster stop hot

# --- a cluster made by krgrun ---------------------------------------------------------------------

start login --name own --launch-agent "$agent" -H n0,n1 -n 2 --map-by node --elastic=3 sh -c "$task" "$end"
check "a job starts on two hosts" eventually has_said 'task 1 on n1'
add_own() { adm n0 nodes add "$1" --cluster own >"$EMULATED_HOSTS_DIR/added" 2>&1; }
check "n2 joins it" add_own n2
check "and has a task" eventually has_said 'task 2 on n2'
check "n3 joins it" add_own n3
sleep 0.5
check "and has none, for three are the bound" is 0 grep -c 'on n3' "$output"
kill_own() {
  local pid
  pid=$(adm n0 nodes --json --cluster own | sed 's/},{/}\n{/g' | grep '"node":1,' | field pid | grep -x '[0-9]*')
  ((pid > 1)) && kill -KILL "$pid"
}
check "the krgd of n1, which krgrun has started, is killed" kill_own
check "the job goes on without it" eventually has_said 'node 1 \(host n1\) is lost: .*goes on without rank 1$'
touch "$end"
job_ends 0 'task 2 on n2' "the job ends with 0"

finish

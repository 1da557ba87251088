#!/usr/bin/env bash
# Goal    a running job takes in nodes that join its cluster, up to its bound, and treats their tasks as all
#         others; it lets nodes leave and survives nodes that fail; MPI programs are refused in one line.
# Method  krgrun --elastic inside this machine; tasks that say where they are and end when a file is there.
# usage: embedded_test.sh BIN QUEUE_TASK MPI_PROGRAMS
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 queue=$2 mpi=$3 job='' cluster=''
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
chmod 0700 "$XDG_RUNTIME_DIR"
folder=$XDG_RUNTIME_DIR
trap '[[ -z $job ]] || kill "$job" 2>/dev/null; wait; find "$folder" -xdev -delete' EXIT

# A task says where it is, and ends when the file "end", "end.RANK" or "end.nodeNODE" is there.
cat >"$folder/task" <<'EOF'
#!/bin/sh
echo "task $KRG_RANK of $KRG_SIZE on node $KRG_NODE, local $KRG_LOCAL_RANK"
while [ ! -e "$FOLDER/end" ] && [ ! -e "$FOLDER/end.$KRG_RANK" ] && [ ! -e "$FOLDER/end.node$KRG_NODE" ]; do
  sleep 0.05
done
test "$KRG_RANK" != "${FAILING-none}"
EOF
chmod +x "$folder/task"
export FOLDER=$folder

adm() { timeout 120 "$bin/krgadm" "$@" --cluster "$cluster"; }
add() { adm nodes add localhost; }
said() { grep -qE -- "$1" "$folder/said"; }
# Starts a job of this name in the background; its output is in $folder/said.
start() { # NAME WORD...
  rm -f "$folder"/end*
  cluster=$1-$$
  timeout 100 "$bin/krgrun" --name "$cluster" --oversubscribe "${@:2}" >"$folder/said" 2>&1 </dev/null &
  job=$!
}
# Waits for it, and checks its exit code and its output. Not in a subshell, which could not wait.
job_ends() { # CODE REGEX SENTENCE
  local code=0
  wait "$job" || code=$?
  job=
  check_complaint "$1" "$2" "$3" replay "$code"
}
replay() {
  cat "$folder/said"
  return "$1"
}
let_end() {
  touch "$folder/end"
  job_ends 0 '' "$1"
}
# A node that does not answer has pid 0, which would be all of us.
kill_node() {
  local pid
  pid=$(pid_of "$1")
  ((pid > 1)) && kill -KILL "$pid"
}
has_failed() { adm nodes | grep -q "^ *$1 .*failed"; }
pid_of() { adm nodes --json | sed 's/},{/}\n{/g' | grep "\"node\":$1," | grep -o '"pid":[0-9]*' | cut -d : -f 2; }
is_count() { [[ $(grep -cE -- "$2" "$folder/said") == "$1" ]]; }

# --- growing --------------------------------------------------------------------------------------

start grow --elastic -v -n 2 "$folder/task"
check "a job of one node starts" eventually said 'task 1 of 2 on node 0'
check_text "node 1 " "a node is added" add
check "it gets as many tasks as the first, with the numbers that follow" eventually said 'task 3 of 4 on node 1, local 1'
check "krgrun -v says so" said 'krgrun: node 1 .* has joined: ranks 2-3$'
check_text "node 2 " "another node is added" add
check "it has tasks, too" eventually said 'task 5 of 6 on node 2, local 1'
check_text '"tasks":[46].*"tasks":2.*"tasks":2' "krgadm status counts them" adm status --json
let_end "the job ends with 0 when all have ended"

start shape --elastic --ppn 1 "$folder/task"
check "a job of one task on each node starts" eventually said 'task 0 of 1 on node 0'
check_text "node 2 " "two nodes are added at once" adm nodes add localhost localhost
check "each has one task" eventually said 'task 2 of 3 on node'
let_end "the job ends"
check "no task was started twice" is_count 3 '^task '

start bound --elastic=5 -n 2 "$folder/task"
check "a job of at most five tasks starts" eventually said 'task 1 of 2'
check_text "node 2 " "two nodes are added" adm nodes add localhost localhost
check "one gets two tasks, the other the fifth" eventually said 'task 4 of 5 on node'
check_text "node 3 " "a third is added" add
touch "$folder/end.4"
sleep 0.3
check_text "node 4 " "when a task has ended, a fourth is added" add
check "it gets the task that the bound has room for" eventually said 'task 5 of 6 on node 4'
let_end "the job ends"
check "the third had none" is_count 0 'on node 3'

# --- on which cpus --------------------------------------------------------------------------------

cpus_of() { grep "^\[$1\] Cpus_allowed_list:" "$folder/said" | cut -f 2; }
all_cpus=$(grep Cpus_allowed_list: /proc/self/status | cut -f 2)
cores=$("$bin/krgrun" -n 1 --bind-to core --display-bindings --dry-run true | grep -o '\[.*\]' | tr -dc '/[' | wc -c)
started() { said "^\[$1\] Cpus_allowed_list:"; }
# shellcheck disable=SC2016  # For the task's shell.
shows_cpus='grep Cpus_allowed_list: /proc/self/status; exec "$0"'

start bind --elastic -l -n 1 sh -c "$shows_cpus" "$folder/task"
check "a job of one task that is bound starts" eventually started 0
check "a node is added" add
check "it has a task" eventually started 1
if ((cores > 1)); then
  check "which is bound, too" test "$(cpus_of 1)" != "$all_cpus"
  check "to other cpus" test "$(cpus_of 1)" != "$(cpus_of 0)"
fi
let_end "the job ends"

start free --elastic -l --bind-to none -n 1 sh -c "$shows_cpus" "$folder/task"
check "a job that is not bound starts" eventually started 0
check "a node is added" add
check "it has a task" eventually started 1
check "which is not bound either" test "$(cpus_of 1)" = "$all_cpus"
let_end "the job ends"

start full --elastic --bind-to core -n "$cores" "$folder/task"
check "a job that fills the machine starts" eventually said 'task 0 of'
if ((cores > 1)); then
  check "a node is added, which shares the machine" add
  check "what was asked for can not be had there, and nothing is started" eventually said \
    'krgrun: node 1 .* could not start its tasks: --bind-to core: .* has .* for .* ranks'
fi
let_end "the job ends with 0 all the same"

# --- as all others --------------------------------------------------------------------------------

start fails --elastic -n 1 env FAILING=1 "$folder/task"
check "a job starts" eventually said 'task 0 of 1'
check "a node is added" add
check "it has a task" eventually said 'task 1 of 2 on node 1'
touch "$folder/end.1"
job_ends 1 'rank 1 on node 1 .*exit' "the code of a new task is the job's"

# shellcheck disable=SC2016  # For the task's shell.
start signalled --elastic -n 1 sh -c 'trap "echo $KRG_RANK has it" USR1; while :; do sleep 0.05; done'
sleep 0.5
check "a node is added" add
sleep 0.5
kill -USR1 "$(pgrep -P "$job")"
check "a signal reaches the new task" eventually said '^1 has it'
kill "$(pgrep -P "$job")"
job_ends 143 '' "a second one ends all"

rm -f "$folder"/end*
cluster=input-$$
(echo hello; eventually test -e "$folder/more"; echo again) |
  timeout 100 "$bin/krgrun" --name "$cluster" --elastic --stdin all -n 1 -l cat >"$folder/said" 2>&1 &
job=$!
check "input comes to the first task" eventually said '^\[0\] hello'
check "a node is added" add
sleep 0.3
touch "$folder/more"
job_ends 0 '' "the job ends with its input"
check "the new task has read what came since" said '^\[1\] again'

cluster=input2-$$
# shellcheck disable=SC2016  # For the task's shell.
timeout 100 "$bin/krgrun" --name "$cluster" --elastic --stdin all -n 1 -l \
  sh -c 'cat; echo read all; exec "$0"' "$folder/task" >"$folder/said" 2>&1 </dev/null &
job=$!
check "the input of a job ends" eventually said 'read all'
check "a node is added" add
check "the new task has an end of input at once" eventually said '^\[1\] read all'
let_end "the job ends"

start files --elastic -n 1 --output-file "$folder/out.%r" "$folder/task"
check "a job that writes to files starts" eventually test -s "$folder/out.0"
check "a node is added" add
check "its task has a file" eventually test -s "$folder/out.1"
let_end "the job ends"

start short --elastic -n 1 true
job_ends 0 '' "a job that has nothing to wait for ends"

# --- leaving --------------------------------------------------------------------------------------

start leave --elastic -n 1 "$folder/task"
check "a job starts" eventually said 'task 0 of 1'
check "a node is added" add
check "it has a task" eventually said 'task 1 of 2 on node 1'
adm nodes del 1 >"$folder/left" 2>&1 &
leaving=$!
check "krgrun says what its leave waits for" eventually said \
  'node 1 .* is to leave the cluster, which waits for rank 1 to end'
check "it waits" kill -0 "$leaving"
touch "$folder/end.node1"
wait "$leaving"
check "it leaves when its task has ended, while the job runs" test $? -eq 0
rm "$folder/end.node1"
check_text "node 1 " "it comes back" add
check "and has a task again" eventually said 'task 2 of 3 on node 1, local 0'
let_end "the job ends with 0"

# --- failing --------------------------------------------------------------------------------------

start kill --elastic --nodes 2 -n 4 --map-by node "$folder/task"
check "a job of two nodes starts" eventually said 'task 3 of 4'
check "node 1 is killed" kill_node 1
check "a killed node is told, and the job goes on" eventually said \
  'krgrun: node 1 .* is lost: .*; the job goes on without ranks 1, 3$'
check "the cluster has noticed, too" eventually has_failed 1
check_text "node 1 " "it comes back" add
check "with tasks of new numbers" eventually said 'task 5 of 6 on node 1, local 1'
check "node 1 is killed" kill_node 1
check "it is killed again" eventually said 'the job goes on without ranks 4-5$'
let_end "the job ends with 0"

start last --elastic --nodes 2 -n 2 --map-by node "$folder/task"
check "a job of two nodes starts" eventually said 'task 1 of 2'
touch "$folder/end.0"
sleep 0.3
check "node 1 is killed" kill_node 1
job_ends 1 'node 1 .* is lost: .*, and the last tasks of the job with it' "who loses its last tasks has failed"

start leader --elastic --nodes 2 -n 2 --map-by node "$folder/task"
check "a job of two nodes starts" eventually said 'task 1 of 2'
check "node 0 is killed" kill_node 0
job_ends 1 'node 0 .*' "the loss of the node that leads the job ends it"

# --- what can not be ------------------------------------------------------------------------------

cp "$folder/task" "$folder/here"
start absent --elastic -n 1 "$folder/here"
check "a job starts" eventually said 'task 0 of 1'
rm "$folder/here"
check "a node is added" add
check "a node without the program is told" eventually said 'krgrun: node 1 .* could not start its tasks: '
let_end "the job ends with 0 all the same"

for family in mpich openmpi; do
  if [[ -x $mpi/init_finalize.$family ]]; then
    check_complaint 1 'krgrun: rank . on node 0 .* uses MPI \(or PMI\), which fixes the number of ranks.*--elastic$' \
      "a program of $family is refused" timeout 60 "$bin/krgrun" --elastic -n 2 --oversubscribe \
      "$mpi/init_finalize.$family"
  fi
done
check_complaint 2 '^krgrun: --mpi is for MPI programs.*leave out --elastic or --mpi$' "--mpi is refused" \
  "$bin/krgrun" --elastic --mpi pmix -n 2 true
check_complaint 2 '^krgrun: that would be 4 tasks from the start, more than --elastic=3 allows' \
  "more tasks than the bound are refused" "$bin/krgrun" --elastic=3 --nodes 2 --ppn 2 --oversubscribe true

# --- shared objects -------------------------------------------------------------------------------

start queue --elastic -n 1 "$queue" 800
sleep 0.5
check "a node is added to a work queue of shared objects" add
job_ends 0 '800 pieces are done' "the queue is done"
check "the new node has done some" said 'rank 1 on node 1 has done [1-9][0-9]* pieces'

finish

#!/usr/bin/env bash
# Goal    krgrun starts MPI programs over four hosts with network only between them, and survives
#         the loss of one.
# usage: hosts_test.sh BUILD_FOLDER [ROUNDS]    ROUNDS of 64 ranks with each MPI; 2 unless told
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
build=$1 rounds=${2:-2}
bin=$build/bin programs=$build/tests/multiproc/programs examples=$build/docs/examples
if [[ -z ${EMULATED_HOSTS:-} ]]; then
  exec "$here/../../testing/emulated_hosts" run 4 -- "$0" "$@"
fi

XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
chmod 0700 "$XDG_RUNTIME_DIR"
trap 'find "$XDG_RUNTIME_DIR" -xdev -delete' EXIT

run() {
  timeout 120 "$bin/krgrun" --hostfile "$EMULATED_HOSTS_FILE" --launch-agent "$EMULATED_HOSTS_AGENT" \
    --oversubscribe "$@"
}
hosts() { "$EMULATED_HOSTS_TOOL" "$1" "$EMULATED_HOSTS" "${@:2}"; }
not() { ! "$@"; }
sleeps() { pgrep -f "^sleep $1\$" >/dev/null; }
# Nothing of ours is left on any host: krgd and tasks are gone.
clean() { ! pgrep -f "$bin/krgd" >/dev/null; }

one_a_host() { run -n 4 --ppn 1 hostname 2>/dev/null | sort | tr '\n' ' '; }
check_text '^n0 n1 n2 n3 $' "a task runs on every host" one_a_host
for mpi in mpich openmpi; do
  check_text 'on 4 hosts.*exact solution: right' "$mpi: heat2d on 16 ranks is right" \
    run -n 16 --ppn 4 "$examples/heat2d.$mpi" --size 128 --steps 10
  check_text 'ring: 8 ranks: right' "$mpi: messages of all sizes" \
    run -n 8 --ppn 2 "$programs/ring.$mpi" 1
  check_text 'rma: 8 ranks: right' "$mpi: remote memory access" \
    run -n 8 --ppn 2 "$programs/rma.$mpi"
  for ((round = 1; round <= rounds; round++)); do
    check_text 'heat2d: 64 ranks .*exact solution: right' "$mpi: heat2d on 64 ranks, round $round" \
      run -n 64 --ppn 16 "$examples/heat2d.$mpi" --size 128 --steps 10
  done
done
check "nothing is left on the hosts" eventually clean

# A host is lost while a job runs on all: krgrun ends within ten seconds and names the node.
for loss in cut crash; do  # A crashed host does not come back, so that is last.
  run -n 8 --ppn 2 sleep 98781 >"$XDG_RUNTIME_DIR/said" 2>&1 &
  job=$!
  eventually sleeps 98781
  begun=$SECONDS
  hosts "$loss" n2
  code=0
  wait "$job" || code=$?
  check "$loss: krgrun ends within 10 s" test $((SECONDS - begun)) -le 10
  check "$loss: krgrun fails" test "$code" -ne 0
  check_text '(node 2|n2)' "$loss: krgrun names the node" cat "$XDG_RUNTIME_DIR/said"
  [[ $loss != cut ]] || hosts heal n2
  check "$loss: no task is left on the others" eventually not sleeps 98781
done
finish

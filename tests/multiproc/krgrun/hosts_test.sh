#!/usr/bin/env bash
# Goal    MPI programs of both libraries compute what they should over four hosts with network only
#         between them, and end.
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
# Nothing of ours is left on any host: krgd and tasks are gone.
clean() { ! pgrep -f "$bin/krgd" >/dev/null; }

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
finish

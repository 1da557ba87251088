#!/usr/bin/env bash
# Goal    MPI programs of both libraries compute what they should on four nodes inside this machine.
# usage: embedded_test.sh BUILD_FOLDER
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
build=$1
bin=$build/bin programs=$build/tests/multiproc/programs examples=$build/docs/examples

XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
chmod 0700 "$XDG_RUNTIME_DIR"
trap 'find "$XDG_RUNTIME_DIR" -xdev -delete' EXIT

run() { timeout 120 "$bin/krgrun" --nodes 4 --oversubscribe "$@"; }

for mpi in mpich openmpi; do
  check_text 'heat2d: 64 ranks .*exact solution: right' "$mpi: heat2d on 64 ranks is right" \
    run -n 64 "$examples/heat2d.$mpi" --size 128 --steps 10
  check_text 'ring: 8 ranks: right' "$mpi: messages of all sizes" run -n 8 "$programs/ring.$mpi" 1
  check_text 'collectives: 8 ranks: right' "$mpi: collectives" run -n 8 "$programs/collectives.$mpi" 1
  check_text 'rma: 8 ranks: right' "$mpi: remote memory access" run -n 8 "$programs/rma.$mpi"
  check_text 'slow_rank: 8 ranks: right' "$mpi: a rank that comes late" \
    run -n 8 "$programs/slow_rank.$mpi" 5 1
  check_code 9 "$mpi: the code of MPI_Abort is krgrun's" run -n 8 "$programs/abort.$mpi" 3 9
done
check_text 'spawn: 4 ranks: right' "openmpi: ranks start more ranks" \
  run -n 4 "$programs/spawn.openmpi" 4
finish

#!/usr/bin/env bash
# Goal    krgrun starts real programs on four nodes inside this machine, and cleans up after all ends.
# usage: embedded_test.sh BUILD_FOLDER
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
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
not() { ! "$@"; }
# Whether a process that only this test starts is running: a sleep of that many seconds.
sleeps() { pgrep -f "^sleep $1\$" >/dev/null; }
daemons() { pgrep -f "$bin/krgd" >/dev/null; }

# --- MPI -----------------------------------------------------------------------------------------

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

# --- programs that know nothing of MPI -----------------------------------------------------------

check_text '^0 1 2 3 4 5 6 7 $' "every rank has its number" \
  sh -c "'$bin/krgrun' --nodes 4 --oversubscribe -n 8 printenv KRG_RANK | sort -n | tr '\n' ' '"
check_code 3 "the first exit code that is not 0 is krgrun's" \
  run -n 4 sh -c 'test $KRG_RANK -ne 2 || exit 3'
check_text '^\[5\] hello$' "a tagged line names its rank" \
  run -n 8 --tag-output sh -c 'test $KRG_RANK -ne 5 || echo hello'
check_text '^in$' "rank 0 gets the input" sh -c "echo in | '$bin/krgrun' --nodes 2 -n 2 \
  --oversubscribe sh -c 'test \$KRG_RANK -ne 0 || cat'"
check_code 0 "64 short tasks, ten times" \
  sh -c "for i in 1 2 3 4 5 6 7 8 9 10; do timeout 20 '$bin/krgrun' --nodes 4 --oversubscribe \
    -n 64 /bin/true || exit 1; done"

# --- ends ----------------------------------------------------------------------------------------

check_complaint 137 'rank 1 .*killed by signal 9' "a killed rank is named" \
  run -n 4 sh -c 'test $KRG_RANK -ne 1 || kill -9 $$; exec sleep 98771'
check "and the others are ended" eventually not sleeps 98771

run -n 4 sleep 98772 2>/dev/null &
eventually sleeps 98772
kill -TERM "$(pgrep -f "^$bin/krgrun .* sleep 98772")"
check "a terminated krgrun ends its tasks" eventually not sleeps 98772

run -n 4 sleep 98773 2>/dev/null &
eventually sleeps 98773
kill -KILL "$(pgrep -f "^$bin/krgrun .* sleep 98773")"
check "even a killed krgrun leaves no task" eventually not sleeps 98773
check "nor a daemon" eventually not daemons

for bad in "-n 0 true" "-n 2 /no/such/program" "-n 2 --map-by nonsense true" "-n 2 -f /no/file true" \
  "-n x true" "--no-such-option true" "-n 2"; do
  # The words are words.
  # shellcheck disable=SC2086
  check_code 2 "krgrun $bad is refused" timeout 20 "$bin/krgrun" $bad
done
finish

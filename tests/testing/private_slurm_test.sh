#!/usr/bin/env bash
# Goal    a private Slurm runs jobs, alone and over emulated hosts, and leaves nothing behind.
# shellcheck disable=SC2317  # Functions are called by check.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/check.sh"
slurm=$here/private_slurm
hosts=$here/emulated_hosts

TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rmdir "$TMPDIR"' EXIT

daemons() { pgrep -f "$TMPDIR/private_slurm" >/dev/null; }
not() { ! "$@"; }

check_text '^0 1 2 3 4 5 6 7 $' "four node daemons run eight tasks" "$slurm" --nodes 4 -- \
  sh -c 'srun -N4 -n8 printenv SLURM_PROCID | sort -n | tr "\n" " "'
check_text 'kn1' "a node has its own name" "$slurm" --nodes 2 -- srun -N2 -n2 printenv SLURMD_NODENAME
check_code 6 "the exit code is the command's" "$slurm" --nodes 1 -- srun -n1 sh -c 'exit 6'
check_text '^n0 n1 n2 $' "three emulated hosts run a task each" "$hosts" run 3 -- \
  "$slurm" --hosts -- sh -c 'srun -N3 -n3 hostname | sort | tr "\n" " "'
check_code 1 "--hosts without emulated hosts is refused" "$slurm" --hosts -- true
check_code 1 "no nodes are refused" "$slurm" --nodes 0 -- true
check "no daemon is left running" eventually not daemons
finish

#!/usr/bin/env bash
# Barriers, all-reduces and one lock that all want, by krg and by MPICH in turn, at the same placement:
# one line for each run, and the medians of krg's over MPICH's are for who reads them.
# usage: meet.sh BUILD_DIR NODES TASKS ROUNDS MILLISECONDS TIMES
set -euo pipefail
build=$1 nodes=$2 tasks=$3 rounds=$4 time=$5 times=$6
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
for ((i = 0; i < times; ++i)); do
  printf 'krg    %d tasks on %d nodes: ' "$tasks" "$nodes"
  timeout 100 "$build/bin/krgrun" --nodes "$nodes" -n "$tasks" --oversubscribe \
    "$build/bench/app/meet_krg" "$rounds" "$time"
  printf 'mpich  %d tasks: ' "$tasks"
  timeout 100 mpiexec.hydra -n "$tasks" "$build/bench/app/meet_mpi.mpich" "$rounds" "$time"
done

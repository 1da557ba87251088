# standing_cluster.sh: a standing cluster of two nodes, for a test; sourced by it, after check.sh, when $1
# is the folder of the commands. It ends with the test, however that ends.
#
#   start_cluster         starts it
#   on_cluster WORDS...   krgrun on it
#   krgds                 the process ids of its krgds, one a line, in the order of the nodes
# shellcheck shell=bash

XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
chmod 0700 "$XDG_RUNTIME_DIR"
cluster=test-$$ bin=$1
trap '"$bin/krgadm" cluster stop "$cluster" >/dev/null 2>&1; find "$XDG_RUNTIME_DIR" -xdev -delete' EXIT

start_cluster() { timeout 60 "$bin/krgadm" cluster start "$cluster" --nodes 2; }

on_cluster() { timeout 60 "$bin/krgrun" --cluster "$cluster" --oversubscribe "$@" </dev/null; }

# Ranks are their krgd's own children.
# shellcheck disable=SC2016  # Single quotes are for inner shells.
krgds() { on_cluster -n 2 --ppn 1 sh -c 'echo "$KRG_NODE $PPID"' | sort -n | cut -d' ' -f2; }

#!/usr/bin/env bash
# Goal    whoever is killed, krgrun ends soon, names the node, and nothing of the job is left.
# Method  16 ranks on four nodes; one process after the other is killed in a new job each.
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
seconds=$((70000 + $$ % 9000))  # A sleep that is only ours.

sleepers() { pgrep -f "^(/usr)?(/bin/)?sleep $seconds\$"; }
all_sleep() { (($(sleepers | wc -l) == 16)); }
nobody_sleeps() { ! sleepers >/dev/null; }
alive() { kill -0 "$@" 2>/dev/null; }  # At least one of the pids.
nobody_is_alive() { ! alive "$@"; }
parent_of() { ps -o ppid= -p "$1" | tr -d ' '; }

# Starts the job, kills what `pick` names, and waits; the output is in $folder/said.
fault() {
  local pick=$1 job code=0 begin
  "$bin/krgrun" --nodes 4 -n 16 sleep "$seconds" >"$folder/said" 2>&1 &
  job=$!
  eventually all_sleep || { kill -9 "$job"; echo "the ranks did not start"; return 1; }
  local rank daemon node one
  rank=$(sleepers | tail -1)
  daemon=$(parent_of "$rank")
  local krgds=()
  for node in $(for one in $(sleepers); do parent_of "$one"; done | sort -u); do
    krgds+=("$node" "$(parent_of "$node")")
  done
  begin=$(date +%s%N)
  case $pick in
    rank) kill -9 "$rank" ;;
    daemon) kill -9 "$daemon" ;;
    guard) kill -9 "$(parent_of "$daemon")" ;;
    stop) kill -STOP "$daemon" ;;
    krgrun) kill -9 "$job" ;;
    terminated) kill -TERM "$job" ;;
  esac
  wait "$job" 2>/dev/null || code=$?
  took_ms=$((($(date +%s%N) - begin) / 1000000))
  cat "$folder/said"
  echo "$pick: exit code $code after $took_ms ms"
  ((code != 0)) || return 1
  ((took_ms < 10000)) || return 1
  eventually nobody_sleeps || { echo "left: $(sleepers | tr '\n' ' ')"; return 1; }
  # Of a krgd that was stopped nothing moves until it is continued.
  [[ $pick == stop ]] || eventually nobody_is_alive "${krgds[@]}" || { echo "a krgd is left"; return 1; }
}

names_node() { grep -qE 'node [0-3] \(host ' "$folder/said"; }

for who in rank daemon guard; do
  check "a killed $who ends the job within 10 s" fault "$who"
  check "the line names the node" names_node
done
check "a stopped krgd ends the job within 10 s" fault stop
check "the line names the node" names_node
check "a terminated krgrun ends its tasks and its krgds" fault terminated
check "a killed krgrun leaves nothing" fault krgrun

finish

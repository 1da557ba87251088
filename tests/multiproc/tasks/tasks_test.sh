#!/usr/bin/env bash
# Goal    tasks and what they have started are listed, signalled and have capabilities on whatever node they
#         are, and nobody else is.
# Method  two nodes inside this machine; a job whose ranks have a child each; the three tools from outside
#         and from within.
# usage: tasks_test.sh BIN
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1 cluster=tasks-$$
PATH=$bin:$PATH
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR KRG_CLUSTER=$cluster
chmod 0700 "$XDG_RUNTIME_DIR"
trap 'krgadm cluster stop "$cluster" >/dev/null 2>&1; find "$XDG_RUNTIME_DIR" -xdev -delete' EXIT

run() { timeout 60 krgrun --cluster "$cluster" --oversubscribe "$@" </dev/null; }
started() { (($(grep -c ready "$XDG_RUNTIME_DIR/lines") == 2)); }
gone() { ! kill -0 "$1" 2>/dev/null; }
# The object of one task in `krgps --json`.
shown() { krgps --json | sed 's/},{/}\n{/g' | grep "\"task\":\"$1\""; }
not() { ! "$@"; }

timeout 60 krgadm cluster start --nodes 2 "$cluster" >/dev/null || exit 1
run --ppn 1 -n 2 sh -c 'sleep 60 & echo "ready $KRG_NODE $$ $!"; wait' >"$XDG_RUNTIME_DIR/lines" &
job=$!
eventually started || exit 1
read -r _ _ rank child < <(grep 'ready 0' "$XDG_RUNTIME_DIR/lines")
read -r _ _ _ other < <(grep 'ready 1' "$XDG_RUNTIME_DIR/lines")

# --- krgps ---------------------------------------------------------------------------------------

check_text "\"node\":0,\"pid\":$rank,.*\"state\":\"S\",.*\"cmd\":\"sh -c sleep 60" "a rank is shown" \
  shown "0:$rank"
check_text "\"pid\":$child,\"ppid\":$rank,.*\"cmd\":\"sleep 60\"" "and its child" shown "0:$child"
check_text "1:$other .* sleep 60" "and what runs on another node" krgps
check "four tasks in all" test "$(krgps | tail -n +2 | wc -l)" -eq 4
check "and nothing else of this machine" not shown "0:$$"

# --- krgkill -------------------------------------------------------------------------------------

check "signal 0 only looks" krgkill -0 "1:$other" "0:$rank"
check_complaint 1 "it is no task" "what is no task gets no signal" krgkill "0:$$"
check_complaint 1 "it is no task" "nor does a task of another node" krgkill "0:$other"
check_complaint 1 "there is no node 7" "nor one of no node" krgkill "7:$other"
check_complaint 2 "that is no task" "a name that is none is refused" krgkill -9 "$child" 1:2:3
check "before any is signalled" not gone "$child"
check_complaint 2 "no such signal" "so is a signal that is none" krgkill --signal WHAT "$child"
check "a task is found by its number alone" krgkill -KILL "$other"
check "and has ended" eventually gone "$other"

# --- krgcapset, from outside -----------------------------------------------------------------------

check_text "Effective: +067  CHANGE_KERRIGHED_CAP,CAN_MIGRATE,.*USE_REMOTE_MEMORY" \
  "a job has everything that is of use" krgcapset --pid "$rank"
check "it is taken away" krgcapset -k "0:$rank" -e -CAN_MIGRATE
check_text '"effective":\["CHANGE_KERRIGHED_CAP","DISTANT_FORK"' "and stays so" \
  krgcapset -s --json -k "$rank"
check_text 'Effective: +067 ' "a child that was there keeps it" krgcapset -k "$child"
check "it is given back" krgcapset -k "$rank" --effective 067
check_complaint 1 "not permitted" "what is not permitted can not hold" krgcapset -k "$rank" -p -CAN_MIGRATE
check_complaint 1 "does not have" "what krg does not have can not be permitted" \
  krgcapset -k "$rank" -p +DEBUG
check_complaint 2 "say --force" "the last key is not thrown away by chance" krgcapset -k "$child" -e 02
check "but with --force it is" krgcapset --force -k "$child" -e 02
check_complaint 1 "lacks CHANGE_KERRIGHED_CAP" "then nothing can be changed" krgcapset -k "$child" -e 067
check_complaint 1 "it is no task" "who is no task has none" krgcapset -k "0:$$"
check_complaint 2 "name one with --pid" "nor has who is outside of a job" krgcapset
check_complaint 2 "there is no capability 'FLY'" "a name that is none is refused" \
  krgcapset -k "$rank" -e +FLY
krgkill "0:$child" "0:$rank"
wait "$job"

# --- and from within -------------------------------------------------------------------------------

effective() { grep -o '"effective":\[[^]]*'; }
inside() { run -n 1 sh -c "$1; true" | effective | sed 's/"effective"://' | tr -d '["'; }
check_text '^CHANGE_KERRIGHED_CAP,CAN_MIGRATE' "in a job, the caller is meant" \
  inside 'krgcapset -d -CAN_MIGRATE && krgcapset -s --json'
check_text '^CHANGE_KERRIGHED_CAP,DISTANT_FORK' "its next children have what it leaves them" \
  inside 'krgcapset -d -CAN_MIGRATE && sh -c "krgcapset -s --json; true"'
check_text '^CHANGE_KERRIGHED_CAP,DISTANT_FORK' "a command gets what is said" \
  inside 'krgcapset -e -CAN_MIGRATE sh -c "krgcapset -s --json; true"'
check_code 127 "of one that is not there, the code says so" run -n 1 krgcapset -e -CAN_MIGRATE ./none
said_by() { run -n 1 "$@" sh -c 'echo "remote=$KRG_MEMORY_REMOTE"; krgcapset --json; true' | tr '\n' ' '; }
check_text 'remote=no .*"effective":\["CHANGE_KERRIGHED_CAP","DISTANT_FORK","CHECKPOINTABLE"\],"inh' \
  "krgrun says what a job has" said_by --capabilities -CAN_MIGRATE,-USE_REMOTE_MEMORY
check_text '"effective":\[[^]]*"CHECKPOINTABLE"\]' "--no-remote-memory is one less" said_by --no-remote-memory
check_complaint 2 "there is no capability 'FLY'" "and refuses what there is not" \
  run -n 1 --capabilities FLY true
finish

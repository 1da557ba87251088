#!/usr/bin/env bash
# Goal    what krg.toml and the environment say reaches krgrun, krgadm and krgd, and what they do not
#         understand is told once.
# usage: settings.sh BIN_FOLDER
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
bin=$1
XDG_RUNTIME_DIR=$(mktemp -d)
XDG_CONFIG_HOME=$XDG_RUNTIME_DIR/config
export XDG_RUNTIME_DIR XDG_CONFIG_HOME
mkdir -p "$XDG_CONFIG_HOME/krg"
name=settings-$$
trap '"$bin/krgadm" cluster stop "$name" >/dev/null 2>&1; rm -rf "$XDG_RUNTIME_DIR"' EXIT

toml() { printf '%s\n' "$@" >"$XDG_CONFIG_HOME/krg/krg.toml"; }
run() { timeout 60 "$bin/krgrun" --nodes 2 -n 2 --oversubscribe "$@"; }
# How often $1 is in what the rest says, which must end well.
times() {
  local wanted=$1 pattern=$2 text
  shift 2
  text=$("$@" 2>&1) || return
  printf '%s\n' "$text"
  (($(grep -c "$pattern" <<<"$text") == wanted))
}

# --- unknown and given variables -----------------------------------------------------------------

check "an unknown variable is told once" \
  times 1 'unknown variable KRG_LAUNCH_TIMEOT' env KRG_LAUNCH_TIMEOT=9s "$bin/krgrun" --nodes 3 -n 1 true
check "a bad value is told once" \
  times 1 'KRG_NODE_HEARTBEAT_INTERVAL is' env KRG_NODE_HEARTBEAT_INTERVAL=soon "$bin/krgrun" --nodes 3 -n 1 true
check "a krgrun inside a task takes the task's variables for none of these" \
  times 0 'unknown variable' run "$bin/krgrun" -n 1 true
check_text '^0 of 1$' "and gives its own tasks their own" \
  timeout 60 "$bin/krgrun" --nodes 1 -n 2 --oversubscribe sh -c \
  "test \$KRG_RANK -eq 0 || exec '$bin/krgrun' -n 1 sh -c 'echo \$KRG_RANK of \$KRG_SIZE'"

# --- the start's time ----------------------------------------------------------------------------

# A host that never says a word.
printf '#!/bin/sh\nexec sleep 60\n' >"$XDG_RUNTIME_DIR/agent"
chmod +x "$XDG_RUNTIME_DIR/agent"
late() {
  local begun=$SECONDS code=0
  timeout 50 "$@" --launch-agent "$XDG_RUNTIME_DIR/agent" -H a,b true || code=$?
  ((code == 1 && SECONDS - begun < 20))
}
check "KRG_LAUNCH_TIMEOUT bounds the start" env KRG_LAUNCH_TIMEOUT=1s bash -c \
  "$(declare -f late); XDG_RUNTIME_DIR='$XDG_RUNTIME_DIR'; late '$bin/krgrun'"
toml '[launch]' 'timeout = "1s"'
check "so does launch.timeout in krg.toml" late "$bin/krgrun"

# --- the heartbeat of krgrun itself --------------------------------------------------------------

toml '[node]' 'heartbeat_interval = "50ms"' 'heartbeat_patience = "500ms"'
run --name "$name" sleep 50 2>"$XDG_RUNTIME_DIR/said" &
job=$!
leader() { "$bin/krgadm" nodes --cluster "$name" --json | grep -o '"pid":[0-9]*' | head -n 1 | cut -d : -f 2; }
eventually leader >/dev/null 2>&1
pid=$(leader)
eventually pgrep -f '^sleep 50$' >/dev/null
kill -STOP "$pid"
begun=$SECONDS
check "a silent leader is noticed" eventually grep -q 'node 0 .* is lost' "$XDG_RUNTIME_DIR/said"
check "after the patience that krg.toml gives, not the default" test $((SECONDS - begun)) -le 3
wait "$job"
kill -KILL "$pid" 2>/dev/null

# --- where krgd is -------------------------------------------------------------------------------

# An agent that shows what it was to execute there.
printf '#!/bin/sh\nshift\necho "asked for: $*" >&2\nexit 1\n' >"$XDG_RUNTIME_DIR/agent"
toml '[cluster]' 'prefix = "/from/the/file"'
check_complaint 1 '/from/the/file/bin/krgd' "cluster.prefix in krg.toml says where krgd is" \
  timeout 60 "$bin/krgrun" --launch-agent "$XDG_RUNTIME_DIR/agent" -H a,b true
check_complaint 1 '/from/the/file/bin/krgd' "for krgadm too" \
  timeout 60 "$bin/krgadm" cluster start --launch-agent "$XDG_RUNTIME_DIR/agent" -H a,b x
check_complaint 1 '/from/elsewhere/bin/krgd' "KRG_PREFIX goes before" \
  env KRG_PREFIX=/from/elsewhere timeout 60 "$bin/krgrun" --launch-agent "$XDG_RUNTIME_DIR/agent" -H a,b true

# --- which cluster -------------------------------------------------------------------------------

toml '[cluster]' "name = \"$name\""
check "krgadm starts the cluster that krg.toml names" timeout 60 "$bin/krgadm" cluster start
check_text "cluster $name: 1 of 1" "and asks it" "$bin/krgadm" status
check "krgrun runs on it" timeout 60 "$bin/krgrun" -n 1 true
check_complaint 1 "no cluster named 'other'" "KRG_CLUSTER goes before" env KRG_CLUSTER=other "$bin/krgadm" status
finish

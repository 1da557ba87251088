#!/usr/bin/env bash
# Goal    emulated hosts are apart from each other, reach each other by network only, and always go.
# Method  every command of emulated_hosts once, with what it must and must not do.
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/check.sh"
tool=$here/emulated_hosts

EMULATED_HOSTS_DIR=$(mktemp -d)
export EMULATED_HOSTS_DIR
name=test-$$
trap '"$tool" down "$name"; rmdir "$EMULATED_HOSTS_DIR"' EXIT

on() { "$tool" exec "$name" "$@"; }

# Sends a byte from host $1 to host $2; fails if none arrives within $3 seconds (10).
reach() {
  local port=$((20000 + RANDOM % 10000)) code=0 listener seconds=${3:-10}
  on "$2" timeout $((seconds + 10)) python3 -c "
import socket
s = socket.create_server(('', $port)); s.settimeout($seconds)
c = s.accept()[0]; c.settimeout($seconds)
assert c.recv(1) == b'x'" 2>/dev/null &
  listener=$!
  on "$1" timeout $((seconds + 10)) python3 -c "
import socket, time
end = time.monotonic() + $seconds
while True:
  try:
    socket.create_connection(('$2', $port), 0.5).send(b'x'); break
  except OSError:
    if time.monotonic() > end: raise
    time.sleep(0.02)" 2>/dev/null || code=1
  wait "$listener" || code=1
  return "$code"
}

not() { ! "$@"; }

namespace_of() { on "$1" readlink "/proc/self/ns/$2"; }

apart() {
  local kind
  for kind in net uts mnt ipc pid; do
    [[ $(namespace_of n0 "$kind") != $(namespace_of n1 "$kind") ]] || return 1
    [[ $(namespace_of n0 "$kind") != $(readlink "/proc/self/ns/$kind") ]] || return 1
  done
}

# Whether a process that is only ours, with this many seconds to sleep, runs anywhere.
sleeps() { pgrep -f "^sleep $1\$" >/dev/null; }

# --- life of one set of hosts --------------------------------------------------------------------

# What the tool could leave behind on this machine. /run/krg is of krgds that other tests start.
traces() { cat /proc/self/mounts && ip -o link | cut -d: -f2 && ls -I krg /run; }

before=$(traces)
check "three hosts come up" "$tool" up "$name" 3
check_text "^$name\$" "they are listed" "$tool" list
check_code 1 "a name can be up only once" "$tool" up "$name" 3
check_text '^n1$' "a host has its own name" on n1 hostname
check_text $'^n0\nn1\nn2$' "the host file lists them" cat "$("$tool" path "$name" file)"
check "hosts share no namespace with each other or with this machine" apart
check_text '^1$' "a host sees only its own processes" on n1 sh -c 'ls /proc | grep -c "^[12]$"'
check_text 'lo' "a host sees only its own network devices" on n1 ls /sys/class/net
check "shared memory of one host is not seen by another" \
  sh -c "'$tool' exec $name n0 touch /dev/shm/x && ! '$tool' exec $name n1 test -e /dev/shm/x"
check "hosts reach each other" reach n0 n2
check "login reaches a host" reach login n1
check_code 7 "exec hands on the exit code" on n1 sh -c 'exit 7'
check_code 1 "an unknown host is refused" on n9 true

check "a host can be cut off" "$tool" cut "$name" n1
check "nobody reaches a host that is cut off" not reach n0 n1 1
check "the others still reach each other" reach n0 n2
check "a cut can be healed" "$tool" heal "$name" n1
check "the healed host is reached again" eventually reach n0 n1

check "two hosts can be split from the others" "$tool" split "$name" n1 n2
check "they reach each other" eventually reach n1 n2
check "they reach nobody else" not reach n1 n0 1
check "nobody else reaches them" not reach login n2 1
check "a split can be healed" sh -c "'$tool' heal $name n1 && '$tool' heal $name n2"
check "the healed hosts are reached again" eventually reach n0 n2

check_complaint 1 "'n1' loses nothing" "who loses no packets has no count of them" "$tool" dropped "$name" n1
check "a host can lose all packets" "$tool" loss "$name" n1 1000
check "then nobody reaches it" not reach n0 n1 1
check_text '^[1-9][0-9]*$' "those that are lost are counted" "$tool" dropped "$name" n1
check "it can lose some" "$tool" loss "$name" n1 500
check_text '^0$' "they are counted anew" "$tool" dropped "$name" n1
send_500() {
  on n0 python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(500): s.sendto(b"x", ("n1", 9))'
}
check "500 packets are sent to it" send_500
check_text '^(1[5-9]|2[0-9]|3[0-4])[0-9]$' "about so many are lost" "$tool" dropped "$name" n1
check "a loss can be ended" "$tool" loss "$name" n1 0
check "the host is reached again" eventually reach n0 n1
check_complaint 1 "not 0 to 1000" "more than all can not be lost" "$tool" loss "$name" n1 1001

on n1 sleep 98761 &
eventually sleeps 98761
check "a host can be stopped" "$tool" stop "$name" n1
check_text ' T' "its processes are stopped" ps -o pid=,stat= -p "$(pgrep -f '^sleep 98761$')"
check "a stopped host can continue" "$tool" continue "$name" n1
check_text ' S' "its processes run again" ps -o pid=,stat= -p "$(pgrep -f '^sleep 98761$')"
check "a host can crash" "$tool" crash "$name" n1
check "nothing of it is left running" eventually not sleeps 98761
check "the others live on" reach n0 n2

agent=$("$tool" path "$name" agent)
check_text '^n0$' "the agent takes ssh's options" "$agent" -o BatchMode=yes -x root@n0 hostname
check_text '^in$' "the agent hands stdin on" sh -c "echo in | '$agent' n0 cat"
check_code 9 "the agent hands on the exit code" "$agent" n2 'true && exit 9'
check_code 255 "the agent ends like ssh if there is no such host" "$agent" n7 true
check_text '^$' "the agent gives a clean environment" env SECRET=1 "$agent" n2 'echo "$SECRET"'

on login sleep 98762 &
eventually sleeps 98762
check "all go down" "$tool" down "$name"
check "nothing is left running on login" eventually not sleeps 98762
check "going down twice is no error" "$tool" down "$name"
check_text '^$' "none is listed" "$tool" list
check_text '^$' "the machine's mounts, devices and /run are as before" \
  diff <(printf '%s\n' "$before") <(traces)

# --- run -----------------------------------------------------------------------------------------

check_code 5 "run ends with the command's exit code" "$tool" run 2 -- sh -c 'exit 5'
check_text '^n1$' "the command under run gets an agent" \
  "$tool" run 2 -- sh -c '"$EMULATED_HOSTS_AGENT" n1 hostname'
check_text '^$' "run leaves nothing" "$tool" list
"$tool" run 2 -- sleep 98763 2>/dev/null &
owner=$!
eventually sleeps 98763
kill -KILL "$owner"
check "a killed run takes its command and its hosts along" eventually not sleeps 98763
check "nothing of a killed run is left running" eventually not pgrep -f "__init $EMULATED_HOSTS_DIR"
for left in $("$tool" list); do "$tool" down "$left"; done

# --- what goes wrong -----------------------------------------------------------------------------

check_code 1 "zero hosts are refused" "$tool" up "$name" 0
check_code 1 "an unknown option is refused" "$tool" up "$name" 2 --no-such-option
check_code 1 "a rate that tc does not understand is refused" "$tool" up "$name" 2 --rate fast
check_text '^$' "a failed up leaves nothing" "$tool" list

# A kernel that refuses: an unshare(1) that fails.
refusing=$(mktemp -d)
printf '#!/bin/sh\nexit 1\n' >"$refusing/unshare"
chmod +x "$refusing/unshare"
check_complaint 1 'does not let me make namespaces' "a kernel that refuses namespaces is named" \
  env PATH="$refusing:$PATH" "$tool" run 2 -- true
check_code 1 "and it is a failure" env PATH="$refusing:$PATH" "$tool" up "$name" 2
rm "$refusing/unshare"
# An nft(8) that fails.
printf '#!/bin/sh\necho "Error: Operation not supported" >&2\necho more >&2\nexit 1\n' >"$refusing/nft"
chmod +x "$refusing/nft"
"$tool" up "$name" 1 >/dev/null
check_complaint 1 '^emulated_hosts: loss: nft can not do it here: Error: Operation not supported$' \
  "a kernel that can not lose packets is named in one line" \
  env PATH="$refusing:$PATH" "$tool" loss "$name" n0 10
"$tool" down "$name"
rm "$refusing/nft"
rmdir "$refusing"
finish

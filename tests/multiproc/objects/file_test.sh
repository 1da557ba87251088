#!/usr/bin/env bash
# Goal    tasks on several nodes write and read a set that lives in a file; a full disk is told.
# usage: file_test.sh KRGRUN FILE_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1 task=$2
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
file=$XDG_RUNTIME_DIR/objects

run() {
  timeout 60 "$krgrun" --nodes 3 -n 3 --oversubscribe --map-by node "$task" "$@"
}
all_right() {
  local text
  text=$(run "$@") || { echo "$text"; return 1; }
  (($(grep -c '^right$' <<<"$text") == 3))
}
# 64 objects of 4 KiB, object i full of the digit i % 10.
as_written() {
  local i
  for ((i = 0; i < 64; ++i)); do
    head -c 4096 /dev/zero | tr '\0' "$((i % 10))"
  done | cmp - "$file"
}

check "three nodes write" all_right write "$file"
check "the file has what was written" as_written
check "another job reads it" all_right read "$file"
check_complaint 1 'no space left' "a full device is told" run write /dev/full

# A disk of 128 KiB, in a mount namespace that ends with the command; the set has 256 KiB.
# shellcheck disable=SC2016  # For the inner shell.
small_disk() {
  unshare "${namespace[@]}" sh -c 'mount -t tmpfs -o size=128k krg "$0" && exec "$@"' "$XDG_RUNTIME_DIR/disk" "$@"
}
mkdir "$XDG_RUNTIME_DIR/disk"
namespace=(--mount)
((EUID == 0)) || namespace=(--mount --map-root-user)
if small_disk true 2>/dev/null; then
  check_complaint 1 'no space left' "a full disk is told" small_disk timeout 60 "$krgrun" --nodes 3 -n 3 \
    --oversubscribe --map-by node "$task" write "$XDG_RUNTIME_DIR/disk/objects"
else
  echo "mounting is not allowed here: /dev/full stands for a full disk"
fi
finish

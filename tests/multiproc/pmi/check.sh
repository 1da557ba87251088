#!/bin/sh
# check.sh CODE LINES COMMAND...: runs the command; it must end with CODE and write LINES lines that end in
# ": ok" and none that says WRONG.
expected=$1
lines=$2
shift 2
output=$("$@" 2>&1)
code=$?
printf '%s\n' "$output"
good=$(printf '%s\n' "$output" | grep -c ': ok$')
if [ "$code" -ne "$expected" ]; then
  echo "check: ended with $code, not $expected"
  exit 1
fi
if [ "$good" -ne "$lines" ] || printf '%s\n' "$output" | grep -q WRONG; then
  echo "check: $good lines are ok, not $lines"
  exit 1
fi

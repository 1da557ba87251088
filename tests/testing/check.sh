# check.sh: what a shell test needs; sourced by it.
#
#   check "sentence" CMD [ARG...]               CMD succeeds
#   check_code CODE "sentence" CMD [ARG...]     CMD ends with this exit code
#   check_text REGEX "sentence" CMD [ARG...]    CMD succeeds and its output matches
#   check_complaint CODE REGEX "sentence" CMD [ARG...]
#                                               CMD ends with this exit code and its output matches
#   eventually CMD [ARG...]                     CMD succeeds within 10 s
#   finish                                      ends the test; fails if a check failed
#
# Every check prints a line; a failed one shows what the command said.
# shellcheck shell=bash
set -uo pipefail

checks=0 failures=0 said=

# Reports one check: $1 is 0 for success, $2 the sentence.
report() {
  checks=$((checks + 1))
  if (($1 == 0)); then
    printf 'ok      %s\n' "$2"
  else
    failures=$((failures + 1))
    printf 'FAILED  %s\n%s\n' "$2" "$said" | sed '2,$s/^/        | /'
  fi
}

check() { check_code 0 "$@"; }

check_code() {
  local wanted=$1 sentence=$2 code=0
  shift 2
  said=$("$@" 2>&1) || code=$?
  ((code == wanted)) || said+=$'\n'"exit code $code, not $wanted"
  report "$((code != wanted))" "$sentence"
}

check_text() { check_complaint 0 "$@"; }

check_complaint() {
  local wanted=$1 text=$2 sentence=$3 code=0 bad=0
  shift 3
  said=$("$@" 2>&1) || code=$?
  [[ $said =~ $text ]] || bad=1 said+=$'\n'"does not match $text"
  ((code == wanted)) || bad=1 said+=$'\n'"exit code $code, not $wanted"
  report "$bad" "$sentence"
}

eventually() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    "$@" && return 0
    sleep 0.05
  done
  return 1
}

finish() {
  printf '%d checks, %d failed\n' "$checks" "$failures"
  ((checks > 0 && failures == 0))
  exit
}

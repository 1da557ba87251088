#!/usr/bin/env bash
# Goal    the options that say what a rank gets and where its output goes do what the manual says.
# Method  each option once, on two nodes inside this machine, with programs that show what they got.
# usage: options_test.sh BUILD_FOLDER
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1/bin/krgrun

work=$(mktemp -d)
chmod 0700 "$work"
export XDG_RUNTIME_DIR=$work
trap 'find "$work" -xdev -delete' EXIT

run() { timeout 60 "$krgrun" --nodes 2 --oversubscribe "$@" </dev/null; }
# What the ranks say, sorted, on one line: the order of ranks is nobody's promise.
sorted() { run "$@" 2>&1 | sort | tr '\n' ' '; }
fed() { printf 'a\nb\n' | timeout 60 "$krgrun" --nodes 2 --oversubscribe "$@" | sort | tr '\n' ' '; }
not() { ! "$@"; }
# Every file of a folder with what is in it, on one line.
files() { (cd "$1" && grep -r '' . | sort | tr '\n' ' '); }

# --- environment ---------------------------------------------------------------------------------

export KRGRUN_TEST_A=ours KRGRUN_TEST_B='two words = one'
none() { sorted --envnone "$@"; }
check_text '^two words = one two words = one $' "-x VAR passes our value on, to all nodes" \
  none -n 2 -x KRGRUN_TEST_B printenv KRGRUN_TEST_B
check_code 1 "and no other variable" run --envnone -n 1 -x KRGRUN_TEST_B printenv KRGRUN_TEST_A
check_text '^ours two words = one $' "-x VAR* passes all that begin so" \
  none -n 1 -x 'KRGRUN_TEST_*' printenv KRGRUN_TEST_A KRGRUN_TEST_B
check_text '^a=b a=b $' "-x VAR=val gives a value, to all nodes" \
  sorted -n 2 -x KRGRUN_TEST_A=a=b printenv KRGRUN_TEST_A
check_text '^\[\] $' "the value may be empty" sorted -n 1 -x KRGRUN_TEST_A= sh -c 'echo "[$KRGRUN_TEST_A]"'
check_text 'KRGRUN_TEST_NONE is not set' "-x of what is not set is told" \
  run -n 1 -x KRGRUN_TEST_NONE true
check_complaint 2 "^krgrun: -x 1BAD=2: that is no name of a variable$" \
  "-x 1BAD=2 is refused" run -n 1 -x 1BAD=2 touch "$work/started"
check "before anything starts" not test -e "$work/started"

# --- folder --------------------------------------------------------------------------------------

mkdir "$work/there"
check_text "^$work/there $work/there \$" "--wdir is where all ranks run" \
  sorted -n 2 --wdir "$work/there" pwd
check_text "^$PWD \$" "without it they run where krgrun does" sorted -n 1 pwd
cp "$(type -P true)" "$work/there/program"
check "a program beside --wdir's files is found there" run -n 2 --wdir "$work/there" ./program

# --- several programs ----------------------------------------------------------------------------

check_text '^0 of 3 ours 1 of 3 new 2 of 3 new $' "programs on both sides of ':' are one job" \
  sorted -n 1 sh -c 'echo $KRG_RANK of $KRG_SIZE $KRGRUN_TEST_A' : \
  -n 2 -x KRGRUN_TEST_A=new sh -c 'echo $KRG_RANK of $KRG_SIZE $KRGRUN_TEST_A'
check_text "^/ $work/there \$" "each has its own --wdir" \
  sorted -n 1 --wdir / pwd : -n 1 --wdir "$work/there" pwd
check_code 4 "the exit code of the second counts" run -n 1 true : -n 1 sh -c 'exit 4'
check_complaint 2 "^krgrun: [^"$'\n'"]*':'[^"$'\n'"]*\$" "no program between ':' is refused" \
  run -n 1 true : -n 1 : true

# --- standard input ------------------------------------------------------------------------------

numbers='printf "%s:%s\n" $KRG_RANK "$(tr "\n" " ")"'
check_text '^0:a b  1: 2: $' "rank 0 reads our input" fed -n 3 sh -c "$numbers"
check_text '^0: 1: 2:a b  $' "--stdin 2 gives it to rank 2" fed -n 3 --stdin 2 sh -c "$numbers"
check_text '^0:a b  1:a b  2:a b  $' "--stdin all to every rank" fed -n 3 --stdin all sh -c "$numbers"
check_text '^0: 1: 2: $' "--stdin none to nobody" fed -n 3 --stdin none sh -c "$numbers"

# --- output --------------------------------------------------------------------------------------

both='echo out $KRG_RANK; echo err $KRG_RANK >&2'
check_text '^$' "--output-dir leaves nothing for the terminal" run -n 2 --output-dir "$work/dir" sh -c "$both"
check_text '^\./rank.0.err:err 0 \./rank.0.out:out 0 \./rank.1.err:err 1 \./rank.1.out:out 1 $' \
  "its files are named by rank and stream" files "$work/dir"
check "--output-file takes a pattern" run -n 2 --output-file "$work/file/%h-%r" sh -c "$both"
host=$(hostname)
check_text "^\./$host-0:err 0 \./$host-0:out 0 \./$host-1:err 1 \./$host-1:out 1 \$" \
  "with host and rank in it" files "$work/file"

stamped() { run -n 2 -l --timestamp-output echo hi | sort -k 2 | tr '\n' ' '; }
stamp='[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}'
check_text "^$stamp hi \$" "--timestamp-output begins a line with the time" \
  sorted -n 1 --timestamp-output echo hi
check_text "^$stamp \[0\] hi $stamp \[1\] hi \$" "then comes the rank, if both are asked for" \
  stamped
finish

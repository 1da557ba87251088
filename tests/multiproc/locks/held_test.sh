#!/usr/bin/env bash
# Goal    krgadm locks says who has and who waits for which locks, on all nodes; with --cycles it finds two tasks on two
#         nodes that wait for each other, and nothing where one waits for another that does not wait.
# Method  on a standing cluster of two nodes two ranks take locks and stay so, until krgrun is ended.
# usage: held_test.sh BIN_FOLDER HELD_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/krgd/standing_cluster.sh
source "$here/../krgd/standing_cluster.sh"
task=$2

locks() { "$bin/krgadm" locks --cluster "$cluster" "$@"; }

# says EXPRESSION WORDS...: it holds of the rows of `krgadm locks --json WORDS...`.
says() {
  locks --json "${@:2}" >"$XDG_RUNTIME_DIR/locks.json"
  python3 - "$XDG_RUNTIME_DIR/locks.json" "$1" <<'END'
import json, sys
rows = json.load(open(sys.argv[1], encoding="utf-8"))
if not eval("(" + sys.argv[2] + ")"):
    print(json.dumps(rows, indent=1))
    sys.exit(1)
END
}
waits='[r for r in rows if r["does"] == "waits"]'
has='[r for r in rows if r["does"] == "has"]'

# The circle as it is told, once there is one.
eventually_circle() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    locks --cycles >"$XDG_RUNTIME_DIR/circle" || break
    sleep 0.1
  done
  cat "$XDG_RUNTIME_DIR/circle"
  ((tries == 100)) || return 1
}

# begin HOW: two ranks of `task HOW` on two nodes; end: they are killed, and gone.
begin() {
  timeout 60 "$bin/krgrun" --cluster "$cluster" --oversubscribe -n 2 --ppn 1 "$task" "$1" </dev/null >/dev/null 2>&1 &
  job=$!
}
# timeout passes the signal on.
end() {
  kill -TERM "$job"
  wait "$job" 2>/dev/null
}

check "a cluster of two nodes starts" start_cluster
check "nobody has a lock yet" says 'rows == []'
begin line
check "one task waits for another" eventually says "len($waits) == 1 and ${waits}[0]['waited_ms'] > 100" 2>/dev/null
check "the lock and the nodes are told, what who waits has, and the readers" says "
  [(r['set'], r['lock'], r['kind'], r['node']) for r in $waits] == [('test.locks', 3, 'mutex', 1)] and
  [(r['lock'], r['node'], r['pid'] == ${waits}[0]['pid']) for r in $has] == [(3, 0, False), (4, 1, True)] and
  [r['node'] for r in rows if r['does'] == 'reads'] == [0, 1]"
check_text 'no task waits in a circle' "that is no circle" locks --cycles
check_text 'test.locks +4 +mutex +has +1' "the table for people" locks
end
begin circle
check_complaint 1 '^task [0-9]+ of node [01] -> test.locks\[[34]\] -> task [0-9]+ of node [01] -> test.locks\[[34]\] -> task' \
  "two tasks wait for each other" eventually_circle
check "in two steps" says 'sorted((r["cycle"], r["node"], r["lock"]) for r in rows) == [(0, 0, 4), (0, 1, 3)]' --cycles
end
check_text 'no task waits in a circle' "it ends with them" locks --cycles
finish

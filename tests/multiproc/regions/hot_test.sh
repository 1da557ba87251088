#!/usr/bin/env bash
# Goal    krgadm mem says which regions there are and what was done with them, and with --hot which page bounces, and
#         between which nodes.
# Method  on a standing cluster of two nodes two ranks write page 7 in turn.
# usage: hot_test.sh BIN_FOLDER HOT_TASK
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/krgd/standing_cluster.sh
source "$here/../krgd/standing_cluster.sh"
task=$2

mem() { "$bin/krgadm" mem --cluster "$cluster" "$@"; }

# says EXPRESSION WORDS...: it holds of the rows of `krgadm mem --json WORDS...`.
says() {
  mem --json "${@:2}" >"$XDG_RUNTIME_DIR/mem.json" || return
  python3 - "$XDG_RUNTIME_DIR/mem.json" "$1" <<'END'
import json, sys
rows = json.load(open(sys.argv[1], encoding="utf-8"))
if not eval("(" + sys.argv[2] + ")"):
    print(json.dumps(rows, indent=1))
    sys.exit(1)
END
}

check "a cluster of two nodes starts" start_cluster
check "no region is there yet" says 'rows == []'
check_text 'right.*right' "two ranks write a page in turn" on_cluster -n 2 --ppn 1 "$task"
check "both nodes know the region" says \
  '[r["node"] for r in rows if r["region"] == "hot.region" and r["bytes"] == 64 * 4096] == [0, 1]'
check "each was given pages to write, and lost them" says 'all(r["writes"] > 20 and r["taken"] > 20 for r in rows)'
check "the page that bounces is the first, between nodes 0 and 1" says \
  'rows[0]["page"] == 7 and rows[0]["nodes"] == "0,1" and rows[0]["taken"] > 100' --hot
check "the page that is only read does not" says 'all(r["page"] != 9 for r in rows)' --hot
check "of the hottest as many as are asked for" says 'len(rows) == 1' --hot --top 1
check_text 'region +page +nodes +taken.*hot.region +7 +0' "the table for people" mem --hot
check_complaint 2 'top' "no number" mem --hot --top many
check_complaint 2 'top' "--top without --hot" mem --top 3
finish

#!/usr/bin/env bash
# Goal    what the services of a cluster do is counted, and krgadm stats shows it.
# Method  a standing cluster of two nodes runs a job; the numbers of job.launch and of the rest are
#         read back as JSON and as a table.
# usage: stats.sh BIN_FOLDER
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
# shellcheck source=tests/multiproc/krgd/standing_cluster.sh
source "$here/../krgd/standing_cluster.sh"

# counted EXPRESSION: it holds of the rows that krgadm stats --json prints. row(node, module,
# service, kind) is one of them, {} if it is not there.
counted() {
  "$bin/krgadm" stats --cluster "$cluster" --json >"$XDG_RUNTIME_DIR/stats.json" || return
  python3 - "$XDG_RUNTIME_DIR/stats.json" "$1" <<'END'
import json, sys
rows = json.load(open(sys.argv[1], encoding="utf-8"))
def row(*key):
    for one in rows:
        if (one["node"], one["module"], one["service"], one["kind"]) == key:
            return one
    return {}
if not eval("(" + sys.argv[2] + ")"):
    print(json.dumps(rows, indent=1))
    sys.exit(1)
END
}

check "a cluster of two nodes starts" start_cluster
check "nothing was launched yet" counted 'row(1, "rpc", "job.launch", "served") == {}'
check "a job runs" on_cluster -n 4 --map-by node echo hi
for node in 0 1; do
  check "node $node has served job.launch, with bytes" counted \
    "(r := row($node, 'rpc', 'job.launch', 'served'))['count'] == 1 and r['failed'] == 0 and r['bytes_in'] > 0"
done
check "node 0 has called it on both" counted \
  'row(0, "rpc", "job.launch", "called")["count"] == 2'
check "what one sends the other gets" counted \
  'row(0, "rpc", "job.launch", "called")["bytes_out"] == row(0, "rpc", "job.launch", "served")["bytes_in"]
   + row(1, "rpc", "job.launch", "served")["bytes_in"]'
check "its first call was timed" counted \
  '0 < (r := row(0, "rpc", "job.launch", "called"))["median_ns"] <= r["p99_ns"] <= r["max_ns"]'
check "the output came in reports" counted \
  'row(1, "rpc", "job.report", "called")["bytes_out"] >= 2 * len("hi\n")'
check "the job came over the control connection" counted \
  'row(0, "control", "run", "received")["bytes_in"] > 0 and row(0, "control", "output", "sent")["count"] > 0'
check_text 'job.launch +served +1 +0' "the table shows it" "$bin/krgadm" stats --cluster "$cluster"
check_text 'BYTES IN|bytes in' "and has columns for bytes" "$bin/krgadm" stats --cluster "$cluster"
finish

#!/usr/bin/env bash
# Goal    a rank finds the variables without which an MPI library goes wrong, none of an outer launcher, and
#         every one that the user has set.
# Method  krgrun starts printenv on one and on two nodes; a word of its output is looked for.
# usage: environment_test.sh KRGRUN
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
krgrun=$1
work=$(mktemp -d)
chmod 0700 "$work"
export XDG_RUNTIME_DIR=$work
trap 'find "$work" -xdev -delete' EXIT
# What the user of this test happens to have set.
for name in $(compgen -e | grep -E '^(HWLOC_|PMI|OMPI_|MPIR_|JSM_|HYD)'); do unset "$name"; done

run() { timeout 60 "$krgrun" "$@" </dev/null; }
# What one rank has in its environment, after krgrun's options: kept in $work/seen.
look() { run "$@" printenv >"$work/seen"; }
# The value that the rank saw.
seen() { sed -n "s/^$1=//p" "$work/seen"; }
is() { [[ $(seen "$1") == "$2" ]] || { echo "$1 is '$(seen "$1")', not '$2'"; return 1; }; }
unset_there() { ! grep "^$1" "$work/seen"; }

# What every rank of every job needs; see docs/design/pmi.md.
needs() {
  check "Open MPI 4 takes $1 for a launcher it knows" is JSM_JSRUN_PORT 1
  check "an MPICH that speaks both takes PMI-1 with $1" is MPIR_CVAR_PMI_VERSION 1
  check "UCX may use TCP and shared memory under Open MPI with $1" is OMPI_MCA_opal_common_ucx_tls any
  check "and every device" is OMPI_MCA_opal_common_ucx_devices any
  check "hwloc need not look at $1 itself" is HWLOC_THISSYSTEM 1
  check "few ranks use libpmix's own store with $1" is PMIX_MCA_gds hash
}

# The topology that the variable names, read by hwloc while the job still runs, counts cores.
topology='test -s "$HWLOC_XMLFILE" && grep -q "<topology" "$HWLOC_XMLFILE" &&
          test $(hwloc-calc --number-of pu all) -ge 1'
# The same by a parser that knows nothing of hwloc.
is_xml='python3 -c "import os, xml.dom.minidom as x; x.parse(os.environ[\"HWLOC_XMLFILE\"])"'

for nodes in 1 2; do
  where="$nodes node(s)"
  check "printenv runs on $where" look --nodes "$nodes" -n 1
  needs "$where"
  check "HWLOC_XMLFILE is a topology on $where" run --nodes "$nodes" --oversubscribe -n 2 sh -c "$topology"
  check "and well-formed" run --nodes "$nodes" --oversubscribe -n 2 sh -c "$is_xml"
  check "every rank of $where leads a session of its own" \
    run --nodes "$nodes" --oversubscribe -n 2 sh -c 'test $(cut -d" " -f6 /proc/$$/stat) = $$'
  check "who has a core for itself does not yield it on $where" \
    unset_there OMPI_MCA_mpi_yield_when_idle
done

many() { run --oversubscribe -n $((4 * $(nproc))) printenv OMPI_MCA_mpi_yield_when_idle; }
yields() { [[ $(many | sort -u) == 1 ]]; }
check "ranks that share cores yield them" yields

# --- of an outer launcher, and the user's own ----------------------------------------------------

outer=(PMI_RANK=7 PMI_SIZE=9 PMI_FD=99 PMI_ID=7 PMIX_RANK=7 PMIX_NAMESPACE=outer
  PMIX_SERVER_URI2=outer.0 PMIX_SERVER_URI=outer.0 PMI2_X=1 OMPI_COMM_WORLD_RANK=7
  OMPI_MCA_ess=env OMPI_MCA_orte_hnp_uri=x MPI_LOCALRANKID=7 HYDI_CONTROL_FD=9 JSM_JSRUN_PORT=9)
own=("OMPI_MCA_btl=self,vader" OMPI_MCA_opal_common_ucx_tls=tcp OMPI_MCA_mpi_yield_when_idle=0
  MPIR_CVAR_PMI_VERSION=2 PMIX_MCA_gds=ds21 HWLOC_THISSYSTEM=0)
with_all() { env "${outer[@]}" "${own[@]}" timeout 60 "$krgrun" --nodes 2 "$@" </dev/null; }
look_with_all() { with_all -n 1 printenv >"$work/seen"; }
check "a job runs inside another launcher's" look_with_all
for name in PMI_ID= PMIX_SERVER_URI= PMI2_ OMPI_MCA_ess OMPI_MCA_orte_ \
  MPI_LOCALRANKID=7 HYDI_; do
  check "the rank sees no outer $name" unset_there "$name"
done
check "PMI_RANK is ours" is PMI_RANK 0
check "PMI_SIZE is ours" is PMI_SIZE 1
check "PMIX_RANK is ours" is PMIX_RANK 0
check "OMPI_COMM_WORLD_RANK is ours" is OMPI_COMM_WORLD_RANK 0
check "JSM_JSRUN_PORT is ours" is JSM_JSRUN_PORT 1
ours() { ! grep -E '^(PMI|PMIX)[A-Z0-9_]*=.*outer' "$work/seen"; }
check "no outer server is named" ours
for setting in "${own[@]}"; do
  check "the user's own $setting stays" is "${setting%%=*}" "${setting#*=}"
done
finish

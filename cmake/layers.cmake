# The architecture as data: every module and its layer. A module may depend only on modules of a
# strictly lower layer, and only on those it declares. krg_module() enforces both at configure time.

set(KRG_LAYERS
  # core: knows no network
  base:0 error:1
  log:2 config:3 wire:3 reactor:4 shm:4 uffd:4 cluster:5 topo:5 stats:5
  # transport: bytes between nodes, and between a task and its krgd
  fabric:6 link:7 sim:7 ucx:8 ofi:8 rpc:8 gate:9
  # kddm: shared objects that stay coherent
  store:9 linkers:10 channel:10 protocol:10 share:10 calls:11 kddm:11 access:12 task:12
  # runtime: the operating-system face
  ghost:9 capability:9 bootstrap:12 fences:12 mm_calls:12 sync_calls:12 proc:12 control:12 detector:12 agreement:12
  hotplug:13 epm:13 tasks:13 objects:13 mm:13 sync:13 region:13 locks:13 heap:14 region_io:14 libc_io:15 node:20 moves:21
  client:20
  # launcher: everything a person types
  settings:23 cli:24 placement:24 pmix:24 boot:24 jobs:25 krgd:26 krgrun:26 runner:27 tools:28
  # bench: sees everything, nothing sees it
  harness:30 baseline:31
)

# krg_layer(<module> <out>): the number of a module, or an error that says what to do.
function(krg_layer module out)
  foreach(entry IN LISTS KRG_LAYERS)
    if(entry MATCHES "^${module}:([0-9]+)$")
      set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "module '${module}' has no layer: add it to cmake/layers.cmake")
endfunction()

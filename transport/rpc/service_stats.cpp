#include "service_stats.h"

namespace krg::rpc {
namespace {

// In the order of ServiceStats::Index.
constexpr std::array<stats::CounterName, ServiceStats::kIndexCount> kNames = {{
    {"called.count", ""},
    {"called.failed", ""},
    {"called.bytes_out", "B"},
    {"called.bytes_in", "B"},
    {"one_way_sent.count", ""},
    {"one_way_sent.bytes_out", "B"},
    {"items_sent.count", ""},
    {"items_sent.bytes_out", "B"},
    {"served.count", ""},
    {"served.failed", ""},
    {"served.bytes_in", "B"},
    {"served.bytes_out", "B"},
    {"one_way_received.count", ""},
    {"one_way_received.bytes_in", "B"},
    {"items_received.count", ""},
    {"items_received.bytes_in", "B"},
}};

}  // namespace

ServiceStats ServiceStats::make(stats::Registry& registry, const char* name) {
  ServiceStats made;
  made.counters = registry.counters(std::string("rpc.") + name, kNames);
  made.name = name;
  return made;
}

void ServiceStats::record_latency(stats::Registry& registry, std::uint64_t ns) {
  if (latency == nullptr) {
    latency = &registry.histogram(std::string("rpc.") + name + ".called.latency");
  }
  latency->record(ns);
}

}  // namespace krg::rpc

// service_stats.h: what one service has done on this node, in the node's registry.
//
// Model    counters of one block, so that a message touches one or two cache lines of them. Bytes
//          are those of payloads, bulk data included, headers not. What no service of this node
//          stands for counts as "rpc.other".
// Threads  owned by the reactor's thread; others may read.
// Blocks   never, but the first sampled latency of a service, which takes the registry's lock once.
// Source   docs/design/rpc.md, "Statistics"
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "frame.h"
#include "krg/stats/registry.h"

namespace krg::rpc {

// "rpc.to_others.sent": all that leaves the node, with the frames' headers. A node's calls of
// itself go the same way as others and are in its services' counters, but not in these.
inline constexpr std::array<stats::CounterName, 2> kToOthers = {
    {{"count", ""}, {"bytes_out", "B"}}};

struct ServiceStats {
  enum Index : std::uint8_t {
    kCalled,
    kCalledFailed,
    kCalledOut,
    kCalledIn,
    kOneWaySent,
    kOneWaySentBytes,
    kItemsSent,
    kItemsSentBytes,
    kServed,
    kServedFailed,
    kServedIn,
    kServedOut,
    kOneWayReceived,
    kOneWayReceivedBytes,
    kItemsReceived,
    kItemsReceivedBytes,
    kIndexCount
  };
  // One call in so many of each service is timed, the first always.
  static constexpr std::uint64_t kSampleInterval = 8;

  // Registers the counters of "rpc.NAME".
  static ServiceStats make(stats::Registry& registry, const char* name);

  // A frame of `size` bytes goes out or has come in. `kind` may be any number.
  void sent(std::uint8_t kind, std::size_t size) noexcept {
    counters[kSentBytes[kind % kKinds]].add(size);
  }
  void received(std::uint8_t kind, std::size_t size) noexcept {
    counters[kReceivedBytes[kind % kKinds]].add(size);
  }
  void record_latency(stats::Registry& registry, std::uint64_t ns);

  stats::Counter* counters = nullptr;
  stats::Histogram* latency = nullptr;  // Made by the first sample.
  const char* name = "";

 private:
  static constexpr std::size_t kKinds = 16;
  // Which bytes a frame's kind adds to. What a caller sends is of its call, what it gets too.
  static constexpr std::array<Index, kKinds> kSentBytes = {
      kCalledOut, kCalledOut,      kOneWaySentBytes, kServedOut,      kServedOut, kCalledOut,
      kServedOut, kItemsSentBytes, kItemsSentBytes,  kItemsSentBytes, kCalledOut, kCalledOut,
      kCalledOut, kCalledOut,      kCalledOut,       kCalledOut};
  static constexpr std::array<Index, kKinds> kReceivedBytes = {kServedIn,
                                                               kServedIn,
                                                               kOneWayReceivedBytes,
                                                               kCalledIn,
                                                               kCalledIn,
                                                               kServedIn,
                                                               kCalledIn,
                                                               kItemsReceivedBytes,
                                                               kItemsReceivedBytes,
                                                               kItemsReceivedBytes,
                                                               kServedIn,
                                                               kServedIn,
                                                               kServedIn,
                                                               kServedIn,
                                                               kServedIn,
                                                               kServedIn};
};

}  // namespace krg::rpc

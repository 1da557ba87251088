// The services that the rpc benches call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "krg/wire/codec.h"

namespace krg::bench {

struct Null {
  static constexpr ServiceId kId{0x7f01};
  static constexpr const char* kName = "bench.null";
  using Request = wire::Empty;
  using Reply = wire::Empty;
};

struct Blob {
  std::span<const std::byte> bytes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
};

struct Echo {
  static constexpr ServiceId kId{0x7f02};
  static constexpr const char* kName = "bench.echo";
  using Request = Blob;
  using Reply = Blob;
};

// Gives data, as bulk data beside the reply.
struct Fetch {
  static constexpr ServiceId kId{0x7f04};
  static constexpr const char* kName = "bench.fetch";
  struct Request {
    std::uint64_t bytes = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
  };
  using Reply = wire::Empty;
};

// Takes bulk data, and answers with nothing.
struct Sink {
  static constexpr ServiceId kId{0x7f03};
  static constexpr const char* kName = "bench.sink";
  using Request = wire::Empty;
  using Reply = wire::Empty;
};

}  // namespace krg::bench

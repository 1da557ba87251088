// The handshake of the link, as either side, fed with anything: a stranger proves nothing, and what
// is left of a stream cut anywhere is the same as of one that was not.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "krg/link/handshake.h"

namespace {

using krg::link::Handshake;

// Nothing random: a run must be repeatable.
Handshake make(Handshake::Role role) {
  Handshake::Options options;
  options.role = role;
  options.self = {krg::NodeId{2}, krg::Incarnation{7}};
  options.wanted = krg::NodeId{1};
  options.key.fill(std::byte{42});
  options.nonce.fill(std::byte{17});
  return Handshake(options);
}

void check(bool condition) {
  if (!condition) std::abort();
}

void run(Handshake::Role role, std::span<const std::byte> input, std::size_t step) {
  Handshake whole = make(role);
  Handshake cut = make(role);
  std::vector<std::byte> out_whole, out_cut;
  check(whole.feed(input, out_whole) <= input.size());
  for (std::size_t at = 0; at < input.size(); at += step) {
    cut.feed(input.subspan(at, std::min(step, input.size() - at)), out_cut);
  }
  check(whole.state() != Handshake::State::proven);
  check(whole.state() == cut.state());
  check(out_whole == out_cut);
  // What a stranger can make us send is bounded.
  check(out_whole.size() <= Handshake::kAnswerSize);
  if (whole.state() == Handshake::State::failed) {
    check(whole.error().code() == cut.error().code());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto role = data[0] % 2 == 0 ? Handshake::Role::initiator : Handshake::Role::responder;
  const std::size_t step = 1 + data[1] % 64;
  run(role, std::as_bytes(std::span(data, size)).subspan(2), step);
  return 0;
}

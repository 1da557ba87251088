// Any messages at one voter of three, and at a server that waits to be told of the log: between
// ticks, proposals and the messages that it sends itself, sent back to it in the others' names. It
// may be led astray, for whoever has the key may lie, but it neither crashes nor applies what
// nobody has proposed as a whole.
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "krg/agreement/log.h"
#include "krg/base/assert.h"

namespace {

using namespace krg;
using agreement::ServerId;

ServerId server(std::uint32_t node) { return agreement::server_of(NodeId{node}, Incarnation{1}); }

class Voter final : public agreement::LogSink {
 public:
  explicit Voter(bool first) : log_(server(0), {}, *this, now_) {
    const std::vector<ServerId> voters{server(0), server(1), server(2)};
    KRG_ASSERT(log_.start(first ? voters : std::vector<ServerId>()));
  }
  void receive(std::uint32_t from, wire::Bytes message) {
    log_.receive(server(from), message, now_);
  }
  void tick(std::uint32_t ms) {
    now_ = now_ + std::chrono::milliseconds(ms);
    log_.tick(now_);
    (void)log_.lease_until(now_);
  }
  void propose(wire::Bytes command) { (void)log_.propose(command, now_); }
  // What it has said, as another's word, with one byte changed.
  void echo(std::uint32_t from, std::size_t which, std::size_t at, std::uint8_t change) {
    if (sent_.empty()) return;
    std::vector<std::byte> message = sent_[which % sent_.size()];
    if (!message.empty()) message[at % message.size()] ^= std::byte{change};
    receive(from, message);
  }

  void send(ServerId, wire::Bytes message) override {
    sent_.emplace_back(message.begin(), message.end());
    if (sent_.size() > 16) sent_.pop_front();
  }
  void apply(wire::Bytes command) override { applied_ += command.size(); }
  std::uint64_t random() override { return random_ = random_ * 6364136223846793005u + 1; }

 private:
  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t random_ = 1;
  std::size_t applied_ = 0;
  std::deque<std::vector<std::byte>> sent_;
  agreement::Log log_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 4096) return 0;
  Voter voter(data[0] % 2 == 0);
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  const auto take = [&]() -> std::uint8_t {
    if (rest.empty()) return 0;
    const std::uint8_t first = rest.front();
    rest = rest.subspan(1);
    return first;
  };
  while (!rest.empty()) {
    const std::uint8_t what = take();
    const std::uint32_t from = 1 + what / 4 % 2;
    if (what % 4 == 0) voter.tick(take() * 10u);
    if (what % 4 == 1) {
      const std::size_t which = take();
      const std::size_t at = take();
      voter.echo(from, which, at, take());
    }
    if (what % 4 >= 2) {
      const auto part = rest.first(std::min<std::size_t>(take(), rest.size()));
      rest = rest.subspan(part.size());
      if (what % 4 == 2) voter.receive(from, std::as_bytes(part));
      if (what % 4 == 3) voter.propose(std::as_bytes(part));
    }
  }
  return 0;
}

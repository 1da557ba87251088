// Any bytes on the channels of a krgd that starts: as what it reads first, and as the frames of a
// control connection, whole or cut anywhere. What is accepted is sound, and says the same again
// when it is encoded.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "krg/base/assert.h"
#include "krg/boot/channel.h"
#include "krg/boot/protocol.h"
#include "krg/control/connection.h"
#include "krg/jobs/client.h"
#include "krg/jobs/spec.h"

namespace {

using namespace krg;

template <class M>
void read_as(wire::Bytes body) {
  const auto message = wire::decode<M>(body);
  if (!message) return;
  const std::vector<std::byte> again = wire::encode(*message);
  KRG_ASSERT(std::equal(again.begin(), again.end(), body.begin(), body.end()));
}

class Reader final : public control::ConnectionHandler {
 public:
  void on_frame(control::Connection&, std::uint16_t type, wire::Bytes body) override {
    KRG_ASSERT(!closed);
    seen += std::to_string(type) + ":" + std::to_string(body.size()) + " ";
    read_as<boot::Hello>(body);
    read_as<boot::Failed>(body);
    read_as<boot::Ready>(body);
    read_as<jobs::Run>(body);
    read_as<jobs::Grown>(body);
    if (auto run = wire::decode<jobs::Run>(body); run && jobs::check(run->spec)) {
      if (run->spec.is_elastic())
        (void)jobs::extend(run->spec, NodeId{std::uint32_t{type} % 5u}, 2);
      KRG_ASSERT(jobs::check(run->spec));
    }
    if (const auto made = wire::decode<boot::ViewMade>(body)) {
      read_as<boot::ViewMade>(body);
      if (cluster::check(made->view))
        KRG_ASSERT(made->view.nodes().size() <= made->view.members.size());
    }
  }
  void on_closed(control::Connection&, Status) override {
    KRG_ASSERT(!closed);
    closed = true;
  }

  std::string seen;
  bool closed = false;
};

// Which frames a connection has delivered of `bytes`, that came in pieces.
std::string frames_of(std::span<const std::uint8_t> bytes, std::size_t step) {
  int fds[2];
  KRG_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  UniqueFd ours(fds[0]);
  reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  Reader reader;
  {
    control::Connection connection(reactor, UniqueFd(fds[1]), UniqueFd(), reader);
    for (std::size_t at = 0; at < bytes.size() && !reader.closed; at += step) {
      const auto piece = bytes.subspan(at, std::min(step, bytes.size() - at));
      KRG_ASSERT(::write(ours.get(), piece.data(), piece.size()) ==
                 static_cast<ssize_t>(piece.size()));
      while (reactor.turn()) {
      }
    }
    ours.reset();
    for (int i = 0; i < 1000 && !reader.closed; ++i) (void)reactor.turn();
    KRG_ASSERT(reader.closed);
  }
  return reader.seen;
}

void read_first_words(std::span<const std::uint8_t> bytes) {
  const UniqueFd file(memfd_create("init", MFD_CLOEXEC));
  // Its version is hard to guess: with it in front, the rest is read.
  wire::Encoder dry({});
  const std::string version = boot::version();
  wire::put(dry, version);
  std::vector<std::byte> body(dry.size());
  wire::Encoder out(body);
  wire::put(out, version);
  const auto rest = std::as_bytes(bytes);
  body.insert(body.end(), rest.begin(), rest.end());
  std::byte header[8] = {};
  wire::Encoder head(header);
  head.put(static_cast<std::uint32_t>(body.size()));
  head.put(boot::Init::kFrame);
  KRG_ASSERT(::write(file.get(), header, sizeof header) == sizeof header);
  KRG_ASSERT(::write(file.get(), body.data(), body.size()) == static_cast<ssize_t>(body.size()));
  KRG_ASSERT(::lseek(file.get(), 0, SEEK_SET) == 0);
  const auto init = boot::read_init(file.get(), std::chrono::seconds(5));
  KRG_ASSERT(!init || (!init->hosts.empty() && init->first < init->nodes &&
                       init->hosts.size() <= init->nodes - init->first));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 16384) return 0;
  const std::span<const std::uint8_t> bytes(data + 2, size - 2);
  if (data[0] % 2 == 0) {
    read_first_words(bytes);
    return 0;
  }
  const std::string whole = frames_of(bytes, bytes.size() + 1);
  KRG_ASSERT(whole == frames_of(bytes, 1 + data[1]));
  return 0;
}

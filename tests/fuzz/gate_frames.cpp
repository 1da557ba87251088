// Goal    no bytes on the control socket harm krgd: they are served, or end their session.
// Method  a server lives through all inputs; each is sent on a connection of its own, with and
//         without a hello before it.
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "krg/gate/frame.h"
#include "krg/gate/server.h"
#include "krg/log/log.h"
#include "krg/reactor/event.h"

namespace {

using namespace krg;
using namespace krg::gate;

struct Text {
  std::string text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.text); }
};
struct Echo {
  static constexpr ServiceId kId{1};
  static constexpr const char* kName = "echo";
  using Request = Text;
  using Reply = Text;
};
struct Chat {
  static constexpr ServiceId kId{2};
  static constexpr const char* kName = "chat";
  using Request = Text;
  using Reply = Text;
  using Up = Text;
  using Down = Text;
};

struct Krgd {
  Krgd() : server(reactor, {.path = make_path()}) {
    log::set_level(log::Level::off);
    server.serve<Echo>([](Call&, const Text& r) -> Result<Text> { return r; });
    server.serve<Chat>([](Call& call, ServerStream<Chat> stream, Text) -> Co<Result<Text>> {
      while (auto item = co_await stream.receive(call.deadline())) {
        KRG_CO_TRY(co_await stream.send(*item, call.deadline()));
      }
      co_return Text{"end"};
    });
    KRG_ASSERT(server.listen());
  }
  std::string make_path() {
    char name[] = "/tmp/krg_fuzz_XXXXXX";
    KRG_ASSERT(::mkdtemp(name) != nullptr);
    path = std::string(name) + "/socket";
    return path;
  }
  void turn(int turns) {
    for (int i = 0; i < turns; ++i) reactor.turn();
  }

  std::string path;
  reactor::RealClock clock;
  reactor::Reactor reactor{clock};
  Server server;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Krgd& krgd = *new Krgd;
  if (size == 0) return 0;
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  krgd.path.copy(address.sun_path, sizeof address.sun_path - 1);
  KRG_ASSERT(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  if (data[0] % 8 != 0) {
    FrameHeader hello;
    hello.call = kMagic;
    hello.code = kVersion;
    KRG_ASSERT(::send(fd.get(), &hello, sizeof hello, MSG_NOSIGNAL) == sizeof hello);
  }
  ::send(fd.get(), data + 1, size - 1, MSG_NOSIGNAL);
  ::shutdown(fd.get(), data[0] % 2 != 0 ? SHUT_WR : SHUT_RDWR);
  // Descriptors are looked at every 128 turns while there is work.
  for (int i = 0; i < 64 && (i < 2 || krgd.server.sessions() != 0); ++i) krgd.turn(128);
  KRG_ASSERT(krgd.server.sessions() == 0);
  return 0;
}

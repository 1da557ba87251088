// Goal    no request of a task about shared objects, or about waits for them, harms krgd, whatever
//         its bytes: it is answered, or refused, and krgd's own view of the objects stays sound.
// Method  a krgd of one node lives through some inputs; each is a list of calls over a connection
//         of its own, of any service of krg/calls or krg/sync_calls and any body. There is no
//         linker that writes files.
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "krg/access/access.h"
#include "krg/calls/calls.h"
#include "krg/gate/frame.h"
#include "krg/gate/server.h"
#include "krg/kddm/kddm.h"
#include "krg/log/log.h"
#include "krg/sync/sync.h"

namespace krg::kddm {
namespace {

constexpr std::uint64_t kLimit = std::uint64_t{16} << 20;
constexpr int kInputs = 256;  // Of a krgd: sets that were made stay.
constexpr std::uint64_t kTimeoutNs = 1'000'000;

std::string make_folder() {
  char name[] = "/tmp/krg_fuzz_XXXXXX";
  KRG_ASSERT(::mkdtemp(name) != nullptr);
  return name;
}

struct Krgd {
  Krgd() : kddm(rpc, {.self = NodeId{0}, .serving = {}, .limit_bytes = kLimit}) {
    log::set_level(log::Level::off);
    reactor.add_poller(rpc);
    cluster::View view{Epoch{1}, NodeId{0}, {}};
    view.members.resize(1);
    view.members[0].node = NodeId{0};
    view.members[0].incarnation = Incarnation{1};
    kddm.enter(view);
    reactor.spawn(make_sets());
    turn(100);
    sync.open(server);
    KRG_ASSERT(server.listen());
  }
  ~Krgd() {
    reactor.cancel_all();
    reactor.remove_poller(rpc);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  Krgd(const Krgd&) = delete;
  Krgd& operator=(const Krgd&) = delete;

  // Sets that a request may name by one byte. There is nobody to wait for.
  Co<void> make_sets() {
    for (const bool variable : {false, true}) {
      SetOptions options;
      options.object_bytes = 64;
      options.object_count = 8;
      options.variable_size = variable;
      const auto made =
          co_await kddm.create(std::move(options), Deadline::never(), SetId{variable ? 17u : 16u});
      KRG_ASSERT(made);
    }
    const auto space = co_await kddm.create_name_space("a", Deadline::never());
    KRG_ASSERT(space && *space == NameSpaceId{1});
  }
  Result<NodeStore*> make_store() {
    if (store) return store.get();
    StoreOptions options;
    options.geometry = {.slots = 1024, .tasks = 4, .data_bytes = 4 * kLimit};
    options.budget_bytes = kLimit;
    options.ticks = Ticks::monotonic;
    KRG_TRY_ASSIGN(NodeStore made, NodeStore::create(options));
    made.serve_until(Deadline::never().at());
    store = std::make_unique<NodeStore>(std::move(made));
    kddm.use_store(*store);
    return store.get();
  }
  void turn(int turns) {
    for (int i = 0; i < turns; ++i) reactor.turn();
  }

  std::string folder = make_folder();
  std::unique_ptr<NodeStore> store;
  reactor::RealClock clock;
  reactor::Reactor reactor{clock};
  rpc::Rpc rpc{reactor, {.self = {NodeId{0}, Incarnation{1}}}};
  Kddm kddm;
  sync::Sync sync{rpc, kddm};
  std::unique_ptr<TaskAccess> access;
  gate::Server server{reactor, {.path = folder + "/socket"}};
};

void append(std::vector<std::uint8_t>& out, const gate::FrameHeader& header,
            const std::uint8_t* body = nullptr) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&header);
  out.insert(out.end(), bytes, bytes + sizeof header);
  if (header.size != 0) out.insert(out.end(), body, body + header.size);
}

// Each call is a service, the length of its body, the body.
std::vector<std::uint8_t> calls_of(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> out;
  gate::FrameHeader header;
  header.call = gate::kMagic;
  header.code = gate::kVersion;
  append(out, header);
  header = {};
  header.kind = gate::FrameKind::request;
  header.word = kTimeoutNs;
  header.code = calls::Attach::kId.value;
  append(out, header);
  while (size >= 2) {
    ++header.call;
    const unsigned service = data[0] % 20;
    header.code =
        static_cast<std::uint16_t>(service < 16 ? calls::Attach::kId.value + service
                                                : sync::calls::Prepare::kId.value + (service - 16));
    header.size = static_cast<std::uint32_t>(std::min<std::size_t>(data[1], size - 2));
    append(out, header, data + 2);
    data += 2 + header.size;
    size -= 2 + header.size;
  }
  return out;
}

void run(Krgd& krgd, const std::uint8_t* data, std::size_t size) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = krgd.folder + "/socket";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  KRG_ASSERT(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const std::vector<std::uint8_t> calls = calls_of(data, size);
  ::send(fd.get(), calls.data(), calls.size(), MSG_NOSIGNAL);
  // Descriptors are looked at every 128 turns while there is work: once for the connection, once
  // for what it says, and again for what was too much at a time.
  for (int i = 0; i < 6; ++i) krgd.turn(128);
  ::shutdown(fd.get(), SHUT_RDWR);
  for (int i = 0; i < 64 && krgd.server.sessions() != 0; ++i) krgd.turn(128);
  KRG_ASSERT(krgd.server.sessions() == 0);
  KRG_ASSERT(krgd.sync.waiting() == 0);
  KRG_ASSERT(krgd.kddm.used_bytes() <= 2 * kLimit);
}

// Everything above is in vain if a call that is right does not get through.
void prove(Krgd& krgd) {
  calls::Use::Request grab;
  grab.verb = calls::Verb::grab;
  grab.set = SetId{16};
  grab.object = ObjectId{3};
  const std::vector<std::byte> body = wire::encode(grab);
  std::vector<std::uint8_t> input = {1, static_cast<std::uint8_t>(body.size())};
  for (const std::byte b : body) input.push_back(static_cast<std::uint8_t>(b));
  run(krgd, input.data(), input.size());
  KRG_ASSERT(krgd.access->tasks() == 1);
  KRG_ASSERT(krgd.kddm.find(SetId{16}, ObjectId{3}));
}

}  // namespace
}  // namespace krg::kddm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using krg::kddm::Krgd;
  static std::unique_ptr<Krgd> krgd;
  static int inputs = 0;
  if (inputs++ % krg::kddm::kInputs == 0) {
    krgd.reset();
    krgd = std::make_unique<Krgd>();
    krgd->access = std::make_unique<krg::kddm::TaskAccess>(
        krgd->reactor, krgd->server, krgd->kddm, [&of = *krgd] { return of.make_store(); });
    krg::kddm::prove(*krgd);
  }
  krg::kddm::run(*krgd, data, size);
  return 0;
}

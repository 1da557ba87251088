#include "mm_krgd.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/node/node.h"
#include "krg/wire/codec.h"
#include "open_fabric.h"

namespace krg::bench {
namespace {

constexpr std::size_t kMost = 4096;

std::vector<std::byte> read_some(int fd) {
  std::vector<std::byte> bytes(kMost);
  const ssize_t got = ::read(fd, bytes.data(), bytes.size());
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}
void write_all(int fd, const std::vector<std::byte>& bytes) {
  static_cast<void>(::write(fd, bytes.data(), bytes.size()));
}

// The other end of the pipes gets this node's member, gives the view, and gets an empty word when
// the gate is open.
Status be_krgd(const harness::Settings& settings, NodeId self, const std::string& gate, int in,
               int out) {
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  node::Node node(reactor, {.self = {self, Incarnation{1}},
                            .cluster = "bench",
                            .host = "here",
                            .key = {},
                            .listen = "127.0.0.1",
                            .watch = {}});
  KRG_TRY(
      node.open_fabric([&](reactor::Reactor& r, fabric::EventSink& sink, const fabric::Options&) {
        return open_fabric(settings, r, sink, self);
      }));
  write_all(out, wire::encode(node.member()));
  KRG_TRY_ASSIGN(cluster::View view, wire::decode<cluster::View>(read_some(in)));
  KRG_TRY(node.found(std::move(view)));
  KRG_TRY(node.open_gate(gate));
  write_all(out, {std::byte{1}});
  reactor.run();
  return {};
}

}  // namespace

MmKrgd::~MmKrgd() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::unlink(gate_.c_str());
}

Status MmKrgd::start(const harness::Settings& settings, const std::string& folder,
                     harness::Side side, harness::Meeting& meeting) {
  const NodeId self{side == harness::Side::client ? 0u : 1u};
  gate_ = folder + "/gate" + std::to_string(self.value);
  int to[2], from[2];
  if (::pipe(to) != 0 || ::pipe(from) != 0) return errno_error(Errc::system_error, "pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const Status how = be_krgd(settings, self, gate_, to[0], from[1]);
    if (!how) std::fprintf(stderr, "krgd: %s\n", how.error().message().c_str());
    ::_exit(1);
  }
  ::close(to[0]);
  ::close(from[1]);
  const UniqueFd in(from[0]), out(to[1]);
  const std::vector<std::byte> mine = read_some(in.get());
  const std::vector<std::byte> theirs = meeting.exchange(mine);
  cluster::View view{Epoch{1}, NodeId{0}, {}};
  for (const auto* bytes : {self.value == 0 ? &mine : &theirs, self.value == 0 ? &theirs : &mine}) {
    KRG_TRY_ASSIGN(cluster::Member member, wire::decode<cluster::Member>(*bytes));
    view.members.push_back(std::move(member));
  }
  write_all(out.get(), wire::encode(view));
  if (read_some(in.get()).empty()) return Error(Errc::system_error, "a krgd of the bench");
  meeting.barrier();
  return {};
}

}  // namespace krg::bench

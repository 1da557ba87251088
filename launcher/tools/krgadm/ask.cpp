#include "ask.h"

#include "krg/control/clusters.h"
#include "krg/control/socket.h"
#include "krg/reactor/event.h"

namespace krg::krgadm {
namespace {

class Waiting final : public control::ConnectionHandler {
 public:
  Waiting(reactor::Reactor& reactor, const Heard& heard) noexcept
      : reactor_(reactor), heard_(heard) {}

  void on_frame(control::Connection&, std::uint16_t type, wire::Bytes body) override {
    if (done_ || !heard_(type, body)) return;
    done_ = true;
    reactor_.stop();
  }
  void on_closed(control::Connection&, Status) override { reactor_.stop(); }
  bool done() const noexcept { return done_; }

 private:
  reactor::Reactor& reactor_;
  const Heard& heard_;
  bool done_ = false;
};

std::string how_to_find(const Target& target, Errc code) {
  if (code == Errc::invalid_argument) {
    return "several clusters are running: name one with --cluster, or see 'krgadm cluster list'";
  }
  if (code == Errc::denied) return "the cluster belongs to another user";
  if (target.cluster.empty()) {
    return "no cluster of yours is running here: start one with 'krgadm cluster start' or krgrun";
  }
  return "no cluster named '" + target.cluster + "' is running here: see 'krgadm cluster list'";
}

Co<void> give_up(reactor::Reactor& reactor, Duration patience) {
  co_await reactor::sleep_for(reactor, patience);
  reactor.stop();
}

}  // namespace

Target target_of(const cli::Arguments& args, const config::Environment& environment,
                 const settings::Settings& settings) {
  return {std::string(environment.get("XDG_RUNTIME_DIR").value_or("")),
          std::string(args.value("--cluster").value_or(settings.cluster.name))};
}

Target target_of(const cli::Arguments& args) {
  return target_of(args, config::Environment::of_process(),
                   settings::read(config::Sources::of_process()));
}

Status converse(const Target& target, std::uint16_t question, wire::Bytes body,
                std::optional<std::chrono::milliseconds> patience, const Heard& heard,
                std::string& complaint) {
  const auto found = control::find_cluster(target.runtime_dir, target.cluster);
  if (!found) {
    complaint = how_to_find(target, found.error().code());
    return found.error();
  }
  auto socket = control::call(found->socket);
  if (!socket) {
    complaint = "cluster '" + found->cluster + "' does not answer: " + socket.error().message();
    return socket.error();
  }
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  Waiting waiting(reactor, heard);
  control::Connection connection(reactor, std::move(*socket), UniqueFd(), waiting);
  connection.send_frame(question, body);
  if (patience) reactor.spawn(give_up(reactor, *patience));
  reactor.run();
  if (waiting.done()) return {};
  complaint = "cluster '" + found->cluster + "' gave no answer; its log may say why";
  return Error(connection.open() ? Errc::timed_out : Errc::peer_down);
}

Result<std::vector<std::byte>> ask(const Target& target, std::uint16_t question, wire::Bytes body,
                                   std::uint16_t answer,
                                   std::optional<std::chrono::milliseconds> patience,
                                   std::string& complaint) {
  std::vector<std::byte> taken;
  const Heard heard = [&](std::uint16_t type, wire::Bytes bytes) {
    if (type != answer) return false;  // Not what we have asked for.
    taken.assign(bytes.begin(), bytes.end());
    return true;
  };
  KRG_TRY(converse(target, question, body, patience, heard, complaint));
  return taken;
}

}  // namespace krg::krgadm

#include "ask.h"

#include <optional>

#include "krg/control/clusters.h"
#include "krg/control/socket.h"
#include "krg/reactor/event.h"

namespace krg::krgadm {
namespace {

constexpr std::chrono::seconds kPatience{10};

// Takes the one answer that is waited for; anything else is not ours.
class Waiting final : public control::ConnectionHandler {
 public:
  Waiting(reactor::Reactor& reactor, std::uint16_t type) noexcept
      : reactor_(reactor), type_(type) {}

  void on_frame(control::Connection&, std::uint16_t type, wire::Bytes body) override {
    if (type != type_ || body_) return;
    body_.emplace(body.begin(), body.end());
    reactor_.stop();
  }
  void on_closed(control::Connection&, Status) override { reactor_.stop(); }
  std::optional<std::vector<std::byte>>& body() noexcept { return body_; }

 private:
  reactor::Reactor& reactor_;
  const std::uint16_t type_;
  std::optional<std::vector<std::byte>> body_;
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

Co<void> give_up(reactor::Reactor& reactor) {
  co_await reactor::sleep_for(reactor, kPatience);
  reactor.stop();
}

}  // namespace

Result<std::vector<std::byte>> ask(const Target& target, std::uint16_t question,
                                   std::uint16_t answer, std::string& complaint) {
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
  Waiting waiting(reactor, answer);
  control::Connection connection(reactor, std::move(*socket), UniqueFd(), waiting);
  connection.send_frame(question, {});
  reactor.spawn(give_up(reactor));
  reactor.run();
  if (!waiting.body()) {
    complaint = "cluster '" + found->cluster + "' gave no answer; its log may say why";
    return Error(connection.open() ? Errc::timed_out : Errc::peer_down);
  }
  return std::move(*waiting.body());
}

}  // namespace krg::krgadm

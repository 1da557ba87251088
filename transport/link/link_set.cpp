// Decides which connection becomes the link to a peer.
//
// Two nodes may connect to each other at once, and both connections may be proven. The rule that
// leaves one:
//   the higher node drops its own attempt when the lower node's connection is proven;
//   the lower node does the opposite if it has not yet sent its proof, and denies otherwise.
// The higher node can only accept after the lower one's proof, so never are both accepted. The
// responder uses an accepted connection when the initiator's greeting comes: one that was given up
// in the meantime never gets that far, and so can not displace the one in use.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>

#include "connection.h"
#include "dial.h"
#include "krg/link/link.h"
#include "krg/log/log.h"
#include "listener.h"

namespace krg::link {

Link::~Link() = default;
LinkSink::~LinkSink() = default;
LinkSet::~LinkSet() = default;

namespace {

class LinkSetImpl final : public LinkSet,
                          public ConnectionOwner,
                          public DialOwner,
                          private Listener::Owner,
                          private reactor::Timer {
 public:
  LinkSetImpl(reactor::Reactor& reactor, LinkSink& sink, const Options& options)
      : reactor_(reactor),
        sink_(sink),
        options_(options),
        locality_(local_locality()),
        listener_(reactor, *this) {}

  ~LinkSetImpl() override {
    closing_ = true;
    for (auto& [node, peer] : peers_) {
      if (peer.link) peer.link->say_bye();
    }
  }

  Status open() { return listener_.open(options_.listen, options_.interface_wait); }

  const std::string& address() const noexcept override { return listener_.address(); }
  void connect(NodeId node, const std::string& address, Deadline deadline) override;
  unsigned pending() const noexcept override { return static_cast<unsigned>(callers_.size()); }

 private:
  struct Peer {
    Incarnation newest{0};
    std::unique_ptr<Connection> link;       // In use.
    std::unique_ptr<Connection> candidate;  // The peer's own, accepted; its greeting is awaited.
    std::unique_ptr<Dial> dial;
  };

  Handshake::Options handshake_options(Handshake::Role role, NodeId wanted) const;
  Peer& peer_of(const Connection& connection) { return peers_[connection.node()]; }

  // Listener::Owner.
  void on_call(UniqueFd socket, const Address& remote) override;
  // DialOwner.
  Result<std::unique_ptr<Connection>> call(NodeId node, const Address& to,
                                           Deadline deadline) override;
  void give_up(std::unique_ptr<Connection> connection) noexcept override;
  void on_dial_failed(Dial& dial, Error why) override;
  // ConnectionOwner.
  void on_proven(Connection& connection) override;
  void on_verdict(Connection& connection, Verdict verdict) override;
  void on_greeting(Connection& connection, const Greeting& greeting) override;
  void on_message(Connection& connection, std::span<const std::byte> message) override {
    sink_.on_link_message(connection, message);
  }
  void on_ended(Connection& connection, Progress reached, Error why, bool graceful) override;
  // Timer: frees what has ended.
  void on_timer() noexcept override { graves_.clear(); }

  Verdict judge(Connection& connection);
  void greet(Connection& connection);
  std::unique_ptr<Connection> take_caller(const Connection& connection);
  void drop(std::unique_ptr<Connection>& place, const char* why);
  void on_caller_ended(Connection& connection, const Error& why);
  void bury(std::unique_ptr<Connection> connection) noexcept;

  reactor::Reactor& reactor_;
  LinkSink& sink_;
  const Options options_;
  const Locality locality_;
  bool closing_ = false;
  std::vector<std::unique_ptr<Connection>> graves_;
  std::vector<std::unique_ptr<Connection>> callers_;  // Accepted by the kernel, not proven.
  std::unordered_map<NodeId, Peer> peers_;
  Listener listener_;
};

Handshake::Options LinkSetImpl::handshake_options(Handshake::Role role, NodeId wanted) const {
  return {.role = role,
          .self = options_.self,
          .wanted = wanted,
          .key = options_.key,
          .nonce = random_nonce()};
}

void LinkSetImpl::connect(NodeId node, const std::string& address, Deadline deadline) {
  Peer& peer = peers_[node];
  if (peer.link || peer.candidate || peer.dial) return;
  auto list = parse_list(address);
  const bool possible = list.has_value() && node != options_.self.node && node != kNoNode;
  // Without an address the dial fails at once, from the reactor's loop.
  peer.dial = std::make_unique<Dial>(reactor_, *this, node,
                                     possible ? std::move(*list) : std::vector<Address>{}, deadline,
                                     options_.handshake_limit);
}

Result<std::unique_ptr<Connection>> LinkSetImpl::call(NodeId node, const Address& to,
                                                      Deadline deadline) {
  UniqueFd socket(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) {
    const bool full = errno == EMFILE || errno == ENFILE;
    return errno_error(
        full ? Errc::limit_reached : Errc::unreachable,
        full ? "no file descriptor left for a connection: raise `ulimit -n`" : "making a socket");
  }
  if (::connect(socket.get(), to.get(), to.size) != 0 && errno != EINPROGRESS) {
    return errno_error(Errc::unreachable, "connecting");
  }
  auto connection = std::make_unique<Connection>(
      reactor_, *this, std::move(socket), to, handshake_options(Handshake::Role::initiator, node));
  KRG_TRY(connection->start(deadline));
  return connection;
}

void LinkSetImpl::on_call(UniqueFd socket, const Address& remote) {
  auto connection =
      std::make_unique<Connection>(reactor_, *this, std::move(socket), remote,
                                   handshake_options(Handshake::Role::responder, kNoNode));
  if (!connection->start(reactor_.after(options_.handshake_limit))) return;
  callers_.push_back(std::move(connection));
  if (callers_.size() >= options_.pending_max) listener_.pause();
}

std::unique_ptr<Connection> LinkSetImpl::take_caller(const Connection& connection) {
  const auto at = std::find_if(callers_.begin(), callers_.end(),
                               [&](const auto& c) { return c.get() == &connection; });
  KRG_ASSERT(at != callers_.end());
  std::unique_ptr<Connection> taken = std::move(*at);
  callers_.erase(at);
  listener_.resume();
  return taken;
}

Verdict LinkSetImpl::judge(Connection& connection) {
  Peer& peer = peer_of(connection);
  const fabric::Identity& who = connection.peer();
  if (who.incarnation < peer.newest) {
    KRG_WARN("link: refused {}: incarnation {} of node {}, whose incarnation {} is known",
             connection.remote().print(), who.incarnation.value, who.node.value, peer.newest.value);
    return Verdict::stale;
  }
  if (who.incarnation > peer.newest) {
    peer.newest = who.incarnation;
    drop(peer.link, "a new incarnation of the node has come");
    drop(peer.candidate, "a new incarnation of the node has come");
  }
  Connection* own = peer.dial ? peer.dial->attempt() : nullptr;
  if (own != nullptr && own->proof_sent() && options_.self.node < who.node) {
    return Verdict::duplicate;
  }
  return Verdict::accepted;
}

void LinkSetImpl::on_proven(Connection& connection) {
  std::unique_ptr<Connection> caller = take_caller(connection);
  const Verdict verdict = judge(connection);
  if (verdict != Verdict::accepted) {
    connection.deny(verdict);
    return bury(std::move(caller));
  }
  Peer& peer = peer_of(connection);
  drop(peer.candidate, "the peer connected again");
  if (peer.dial) peer.dial->stand_back();
  peer.candidate = std::move(caller);
  connection.accept();
  greet(connection);
}

void LinkSetImpl::greet(Connection& connection) {
  Greeting greeting{options_.provider, locality_, sink_.on_link_proven(connection)};
  KRG_ASSERT(greeting.blob.size() <= kMessageMax);
  connection.greet(greeting);
}

void LinkSetImpl::on_verdict(Connection& connection, Verdict verdict) {
  Peer& peer = peer_of(connection);
  const Incarnation incarnation = connection.peer().incarnation;
  if (verdict == Verdict::accepted && incarnation < peer.newest) {
    return connection.end(Error(Errc::stale, "it is an earlier incarnation of the node"), false);
  }
  if (verdict == Verdict::stale) {
    return connection.end(Error(Errc::stale, "the peer knows a later incarnation of this node"),
                          false);
  }
  if (verdict == Verdict::duplicate) {
    return connection.end(Error(Errc::unreachable, "the peer is connecting to this node itself"),
                          false);
  }
  peer.newest = incarnation;
  greet(connection);
}

void LinkSetImpl::on_greeting(Connection& connection, const Greeting& greeting) {
  if (greeting.provider != options_.provider) {
    KRG_WARN("link: refused node {}: it uses the transport '{}', this node '{}'",
             connection.peer().node.value, greeting.provider.substr(0, 16), options_.provider);
    return connection.end(Error(Errc::not_supported, "the peer uses another transport"), false);
  }
  Peer& peer = peer_of(connection);
  std::unique_ptr<Connection> winner =
      connection.initiator() ? peer.dial->take_attempt() : std::move(peer.candidate);
  KRG_ASSERT(winner.get() == &connection);
  drop(peer.link, "the peer connected again");
  peer.dial.reset();
  peer.link = std::move(winner);
  connection.establish(greeting.locality == locality_);
  sink_.on_link_up(connection, greeting.blob);
}

void LinkSetImpl::on_ended(Connection& connection, Progress reached, Error why, bool graceful) {
  if (!connection.initiator() && reached < Progress::judging) {
    return on_caller_ended(connection, why);
  }
  Peer& peer = peer_of(connection);
  why = why.with_peer(connection.peer().node);
  const bool told = reached >= Progress::greeting;
  if (connection.initiator() && reached != Progress::up) {
    if (told) sink_.on_link_down(connection, why, false);
    return peer.dial->on_attempt_ended(why);
  }
  std::unique_ptr<Connection>& place = peer.link.get() == &connection ? peer.link : peer.candidate;
  KRG_ASSERT(place.get() == &connection);
  std::unique_ptr<Connection> ended = std::move(place);
  if (told) sink_.on_link_down(connection, why, graceful);
  bury(std::move(ended));
  if (peer.dial) peer.dial->retry();
}

void LinkSetImpl::on_caller_ended(Connection& connection, const Error& why) {
  if (why == Errc::cancelled) {
    KRG_DEBUG("link: node {} withdrew its connection", connection.node().value);
  } else {
    KRG_WARN("link: refused a connection from {}: {}", connection.remote().print(), why.message());
  }
  bury(take_caller(connection));
}

// Closes what is in use, or was about to be.
void LinkSetImpl::drop(std::unique_ptr<Connection>& place, const char* why) {
  if (!place) return;
  const std::unique_ptr<Connection> old = std::move(place);
  old->discard();
  sink_.on_link_down(*old, Error(Errc::peer_down, why).with_peer(old->node()), false);
}

void LinkSetImpl::give_up(std::unique_ptr<Connection> connection) noexcept {
  const bool told = connection->state() == Progress::greeting;
  connection->withdraw();
  if (told && !closing_) {
    const Error why(Errc::peer_down, "given up before it was in use");
    sink_.on_link_down(*connection, why.with_peer(connection->node()), false);
  }
  bury(std::move(connection));
}

void LinkSetImpl::on_dial_failed(Dial& dial, Error why) {
  const NodeId node = dial.node();
  KRG_WARN("link: no connection to node {}: {}", node.value, why.message());
  peers_[node].dial.reset();
  sink_.on_connect_failed(node, why);
}

void LinkSetImpl::bury(std::unique_ptr<Connection> connection) noexcept {
  graves_.push_back(std::move(connection));
  if (!linked()) reactor_.add_timer(*this, Deadline(reactor_.now()));
}

}  // namespace

Result<std::unique_ptr<LinkSet>> LinkSet::open(reactor::Reactor& reactor, LinkSink& sink,
                                               const Options& options) {
  KRG_ASSERT(options.self.node != kNoNode && options.pending_max > 0);
  auto links = std::make_unique<LinkSetImpl>(reactor, sink, options);
  KRG_TRY(links->open());
  return std::unique_ptr<LinkSet>(std::move(links));
}

}  // namespace krg::link

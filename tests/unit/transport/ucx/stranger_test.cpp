// A peer that speaks UCX but not for the session that it claims.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <ucp/api/ucp.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "krg/link/link.h"
#include "krg/log/log.h"
#include "krg/testing/fabric_conformance.h"
#include "krg/ucx/ucx.h"
#include "krg/wire/codec.h"

namespace krg::testing {
namespace {

// As the provider's own.
struct Hello {
  std::uint32_t slot = 0;
  bool memory = false;
  std::vector<std::byte> address;
  static void wire_fields(auto& m, auto&& visit) { visit(m.slot, m.memory, m.address); }
};
struct Front {
  std::uint32_t slot = 0, zero = 0;
  std::uint64_t token = 0;
};

// Holds the key, so it gets the victim's address; then sends what it likes.
class Stranger final : public link::LinkSink {
 public:
  Stranger(reactor::Reactor& reactor, const fabric::Options& options) {
    link::Options own;
    own.self = {NodeId{66}, Incarnation{1}};
    own.key = options.key;
    own.listen = "127.0.0.1";
    own.provider = "ucx";
    links = link::LinkSet::open(reactor, *this, own).value();
    ucp_config_t* config = nullptr;
    ucp_config_read(nullptr, nullptr, &config);
    ucp_config_modify(config, "TLS", "tcp,self");
    ucp_config_modify(config, "NET_DEVICES", "lo");
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM;
    EXPECT_EQ(ucp_init(&params, config, &context_), UCS_OK);
    ucp_config_release(config);
    ucp_worker_params_t worker{};
    EXPECT_EQ(ucp_worker_create(context_, &worker, &worker_), UCS_OK);
  }
  ~Stranger() override {
    links.reset();
    ucp_ep_close_nb(endpoint_, UCP_EP_CLOSE_MODE_FORCE);
    for (int i = 0; i < 1000; ++i) progress();
    ucp_worker_destroy(worker_);
    ucp_cleanup(context_);
  }
  void progress() { ucp_worker_progress(worker_); }
  void send(unsigned id, const void* header, std::size_t header_size, const void* data,
            std::size_t size, std::uint32_t flags) {
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_CALLBACK;
    param.flags = flags;
    param.cb.send = [](void* request, ucs_status_t, void*) { ucp_request_free(request); };
    ucp_am_send_nbx(endpoint_, id, header, header_size, data, size, &param);
  }

  std::vector<std::byte> on_link_proven(link::Link&) override { return {}; }
  void on_link_up(link::Link&, std::span<const std::byte>) override {}
  void on_link_message(link::Link& link, std::span<const std::byte> message) override {
    hello = wire::decode<Hello>(message).value();
    token = link.send_token();
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
    params.address = reinterpret_cast<const ucp_address_t*>(hello.address.data());
    params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
    EXPECT_EQ(ucp_ep_create(worker_, &params, &endpoint_), UCS_OK);
    up = true;
  }
  void on_link_down(link::Link&, Error, bool) override {}
  void on_connect_failed(NodeId, Error) override {}

  std::unique_ptr<link::LinkSet> links;
  Hello hello;
  std::uint64_t token = 0;
  bool up = false;

 private:
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
};

int count_lines(const std::string& path) {
  std::ifstream in(path);
  int n = 0;
  for (std::string line; std::getline(in, line);) n += line.find("no session") != std::string::npos;
  return n;
}

// Goal    nothing that lacks the session's token reaches the layer above, whatever its shape; one
//         line says so.
// Method  a peer with the key, which never says where it is, so that it stays without a session;
//         it sends by raw UCX.
TEST(UcxStranger, MessagesOfNoSessionAreDroppedWithOneLine) {
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock), other(clock);
  Recorder sink;
  fabric::Options options;
  options.self = {NodeId{1}, Incarnation{1}};
  options.listen = "127.0.0.1";
  options.reach = fabric::Reach::tcp;
  auto fabric = ucx::open(reactor, sink, options);
  ASSERT_OK(fabric);
  std::string path = "/tmp/krg-ucx-test-XXXXXX";
  ::close(mkstemp(path.data()));
  ASSERT_OK(log::open(path));

  const TimePoint end = clock.now() + std::chrono::seconds(20);
  {
    Stranger stranger(other, options);
    stranger.links->connect(NodeId{1}, (*fabric)->address(), Deadline(end));
    while (!stranger.up && clock.now() < end) {
      reactor.turn();
      other.turn();
    }
    ASSERT_TRUE(stranger.up);
    const std::vector<std::byte> noise(100'000, std::byte{0x5a});
    const Front wrong_token{stranger.hello.slot, 0, stranger.token + 1};
    const Front wrong_slot{0xffffffff, 0, stranger.token};
    const unsigned eager = UCP_AM_SEND_FLAG_EAGER;
    const unsigned rendezvous = UCP_AM_SEND_FLAG_RNDV;
    stranger.send(1, nullptr, 0, noise.data(), 0, eager);
    stranger.send(1, nullptr, 0, noise.data(), 15, eager);
    stranger.send(1, nullptr, 0, noise.data(), 8192, eager);
    stranger.send(1, nullptr, 0, noise.data(), noise.size(), rendezvous);
    stranger.send(1, nullptr, 0, &wrong_token, sizeof wrong_token, eager);
    stranger.send(1, nullptr, 0, &wrong_slot, sizeof wrong_slot, eager);
    stranger.send(2, nullptr, 0, noise.data(), noise.size(), rendezvous);
    stranger.send(2, noise.data(), 7, noise.data(), 100, eager);
    stranger.send(2, &wrong_token, sizeof wrong_token, noise.data(), noise.size(), rendezvous);
    stranger.send(9, noise.data(), 64, noise.data(), 64, eager);
    while (count_lines(path) == 0 && clock.now() < end) {
      stranger.progress();
      reactor.turn();
      other.turn();
    }
    const TimePoint later = clock.now() + std::chrono::milliseconds(100);
    while (clock.now() < later) {
      stranger.progress();
      reactor.turn();
      other.turn();
    }
  }
  EXPECT_EQ(count_lines(path), 1);
  EXPECT_TRUE(sink.links.empty());
  ASSERT_OK(log::open("/dev/stderr"));
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace krg::testing

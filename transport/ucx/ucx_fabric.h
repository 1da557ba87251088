// The fabric: the workers, the links, and the table of sessions.
#pragma once

#include <ucp/api/ucp.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "context.h"
#include "krg/base/unique_fd.h"
#include "krg/fabric/fabric.h"
#include "krg/link/address.h"
#include "krg/link/link.h"
#include "krg/reactor/reactor.h"
#include "operation.h"
#include "ucx_endpoint.h"
#include "worker.h"

namespace krg::ucx {

class UcxFabric final : public fabric::Fabric, private link::LinkSink {
 public:
  UcxFabric(reactor::Reactor& reactor, fabric::EventSink& sink, const fabric::Options& options);
  ~UcxFabric() override;
  Status open();

  // For endpoints.
  reactor::Reactor& reactor() noexcept { return reactor_; }
  fabric::EventSink& sink() noexcept { return sink_; }
  GatheredSendPool& gathered_sends() noexcept { return gathered_sends_; }
  // Tells `done` from the next poll().
  void tell_later(fabric::Completion& done, Status status);
  void add_chore(UcxEndpoint& endpoint) noexcept;
  // Earlier lives of this peer are down before a later one is up.
  void finish_before(const UcxEndpoint& endpoint);
  void on_endpoint_up(const UcxEndpoint& endpoint) { wishes_.erase(endpoint.peer().node); }
  // Its worker may be nobody's now.
  void on_endpoint_gone() noexcept { chores_ = true; }
  // From now on messages to this session are nobody's.
  void close_slot(std::uint32_t slot) noexcept;

  // fabric::Fabric.
  std::string address() const override { return links_->address(); }
  std::vector<std::string> hosts() const override { return link::hosts_of(links_->address()); }
  const char* provider() const noexcept override { return "ucx"; }
  void connect(NodeId node, const std::string& address, Deadline deadline) override;
  Result<std::unique_ptr<fabric::Region>> register_memory(std::span<std::byte> memory) override;

  // reactor::Poller.
  bool poll() noexcept override {
    bool worked = false;
    for (const auto& worker : workers_) worked |= worker->progress();
    if (chores_) [[unlikely]]
      worked |= do_chores();
    return worked;
  }
  int event_fd() const noexcept override { return events_.get(); }
  bool arm() noexcept override;

 private:
  struct Session {
    std::uint64_t token = 0;
    UcxEndpoint* endpoint = nullptr;
  };
  struct Wish {
    std::string address;
    Deadline deadline;
  };

  static ucs_status_t on_small(void* self, const void* header, std::size_t header_size, void* data,
                               std::size_t size, const ucp_am_recv_param_t* param);
  static ucs_status_t on_large(void* self, const void* header, std::size_t header_size, void* data,
                               std::size_t size, const ucp_am_recv_param_t* param);
  // The session that a message proves to belong to; nullptr for a forged or late one.
  UcxEndpoint* sender_of(const void* message, std::size_t size) noexcept;
  void refuse_message() noexcept;
  bool do_chores() noexcept;
  void tell_deferred();

  // link::LinkSink.
  std::vector<std::byte> on_link_proven(link::Link& link) override;
  void on_link_up(link::Link& link, std::span<const std::byte> greeting) override;
  void on_link_message(link::Link& link, std::span<const std::byte> message) override;
  void on_link_down(link::Link& link, Error why, bool graceful) override;
  void on_connect_failed(NodeId node, Error why) override;
  Status wire(UcxEndpoint& endpoint, std::span<const std::byte> message);
  void give_up(link::Link& link, Error why);
  Result<std::shared_ptr<Worker>> worker_for(const link::Link& link);
  Result<std::shared_ptr<Worker>> open_worker(Path path);
  std::uint32_t open_slot(std::uint64_t token);
  void grant_or_deny_wish(NodeId node, UcxEndpoint::State reached, Error why);

  struct Deferred {
    fabric::Completion* done;
    Status status;
  };

  reactor::Reactor& reactor_;
  fabric::EventSink& sink_;
  const fabric::Options options_;
  Context over_memory_, over_network_;  // One of them may not be open.
  UniqueFd events_;                     // Readable when one of the workers' is.
  std::vector<std::shared_ptr<Worker>> workers_;
  std::shared_ptr<Worker> network_worker_;  // Among them; made when the first peer needs it.
  GatheredSendPool gathered_sends_;
  std::vector<Session> sessions_;  // By slot.
  std::vector<std::uint32_t> free_slots_;
  bool chores_ = false;
  bool polled_ = false;
  std::vector<Deferred> deferred_;
  std::vector<std::unique_ptr<UcxEndpoint>> endpoints_;
  IntrusiveList<UcxEndpoint, ChoreTag> chore_list_;
  std::unordered_map<NodeId, Wish> wishes_;
  TimePoint next_refusal_line_{};
  std::unique_ptr<link::LinkSet> links_;
};

}  // namespace krg::ucx

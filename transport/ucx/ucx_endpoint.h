// One life of one peer: a link, a UCX endpoint, and what is under way on it.
//
// proven -> greeted -> wired -> up -> closing -> dying. A session begins when both links are
// proven; once it is known whether the two share memory, each side gives the other a slot number
// and its worker's address. A side whose UCX endpoint exists is wired and says "ready"; at the
// other side's "ready", or its first message, it is up. Closing sides tell each other how many
// messages they have sent, so that nothing on the data path is overtaken by the goodbye on the
// link.
#pragma once

#include <ucp/api/ucp.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "control.h"
#include "krg/base/intrusive_list.h"
#include "krg/fabric/endpoint.h"
#include "krg/fabric/event_sink.h"
#include "krg/link/link.h"
#include "krg/reactor/reactor.h"
#include "operation.h"
#include "worker.h"

namespace krg::ucx {

class LargeIn;
class UcxFabric;

// In front of every message: which session of the receiver it belongs to, and the proof of it.
struct Front {
  std::uint32_t slot = 0;
  std::uint32_t zero = 0;
  std::uint64_t token = 0;
};
static_assert(sizeof(Front) == fabric::kHeadroom);

class UcxEndpoint final : public fabric::Endpoint,
                          public ListNode<struct ChoreTag>,
                          private reactor::Timer {
 public:
  enum class State { proven, greeted, wired, up, closing, dying };

  UcxEndpoint(UcxFabric& fabric, link::Link& link, std::uint32_t slot);
  ~UcxEndpoint() override;

  State state() const noexcept { return state_; }
  bool is_connecting_or_up() const noexcept { return state_ <= State::up; }
  ucp_ep_h ucp() const noexcept { return ucp_; }
  // Requires  use() was called.
  const std::shared_ptr<Worker>& worker() noexcept { return worker_; }

  // The link's news.
  void on_greeted() noexcept { state_ = State::greeted; }
  Status use(std::shared_ptr<Worker> worker);
  Status wire(const Hello& hello);
  void on_ready();
  void on_peer_closing(std::uint64_t messages_sent);
  void on_peer_done();
  void on_peer_cancels(std::uint64_t number);
  void go_down(Error why, bool graceful);

  // The data path's.
  void deliver(std::span<const std::byte> content) {
    ++received_;
    if (state_ != State::up) [[unlikely]] {
      if (!take_early_or_late()) return;
    }
    sink_.on_message(*this, content);
  }
  // True if the message's data is held beyond this call.
  bool deliver_large(std::span<const std::byte> header, void* data, std::size_t size, bool rndv);

  // Does what waits for a quiet moment outside UCX; true once the endpoint is down and may be
  // destroyed.
  bool do_chores();
  // Down now: tells every completion, and on_down if on_up was told and the sink is to know.
  void finish(bool tell_sink);
  bool has_chore() const noexcept { return ListNode<ChoreTag>::linked(); }
  // Nothing is under way.
  bool is_quiet() const noexcept { return operations_under_way_ == 0; }

  // Takes care of a request that UCX has returned.
  Operation& track(ucs_status_ptr_t request, fabric::Completion* done, std::size_t bytes);
  void complete(Operation& operation, ucs_status_t status) noexcept;
  // Tells `done` later, or takes care of the request, as UCX has returned it.
  void settle(ucs_status_ptr_t request, fabric::Completion& done);
  void flush_for(fabric::Completion& done);

  // fabric::Endpoint.
  const fabric::Identity& peer() const noexcept override { return peer_; }
  Result<fabric::Sent> send(std::span<std::byte> message, fabric::Completion& done) override;
  Status send_large(std::span<std::byte> header, std::span<const std::span<const std::byte>> parts,
                    fabric::Completion& done) override;
  void cancel(fabric::Completion& operation) noexcept override;
  Result<std::unique_ptr<fabric::RemoteRegion>> attach(std::span<const std::byte> key) override;
  void close() noexcept override;

 private:
  static void on_ucx_error(void* self, ucp_ep_h ep, ucs_status_t status);
  static void on_sent(void* request, ucs_status_t status, void* user_data);
  static void on_flushed(void* request, ucs_status_t status, void* user_data);
  void on_timer() noexcept override;
  bool take_early_or_late();
  void become_up();
  void become_writable() noexcept;
  void begin_goodbye();
  void say_goodbye();
  bool has_untold_operation() noexcept;
  Error refusal(bool& wanted) noexcept;
  Error send_failed(ucs_status_t status) noexcept;
  void set_timer(Duration limit) noexcept;
  void add_chore() noexcept;

  UcxFabric& fabric_;
  fabric::EventSink& sink_;
  std::shared_ptr<Worker> worker_;
  ucp_ep_h ucp_ = nullptr;
  Front front_;
  bool sendable_ = false;
  State state_ = State::proven;
  std::uint64_t sent_ = 0, received_ = 0;
  std::size_t eager_max_ = 0;  // Longer data of large messages goes by rendezvous.

  std::size_t bytes_under_way_ = 0;
  std::size_t operations_under_way_ = 0;
  std::size_t large_under_way_ = 0;                   // Sends only; among the operations.
  bool small_wanted_ = false, large_wanted_ = false;  // After a would_block.
  IntrusiveList<Operation, OperationTag> operations_;
  IntrusiveList<LargeIn, struct HeldTag> held_;

  const fabric::Identity peer_;
  link::Link* link_;
  const std::uint32_t slot_;
  bool told_up_ = false;
  bool flushing_ = false, flushed_ = false, said_goodbye_ = false, said_done_ = false;
  bool peer_said_goodbye_ = false, peer_done_ = false;
  std::uint64_t peer_sent_ = 0;
  bool drain_limit_passed_ = false;
  Error why_;
  bool graceful_ = false;
};

}  // namespace krg::ucx

#include "ucx_endpoint.h"

#include "control.h"
#include "krg/base/assert.h"
#include "krg/log/log.h"
#include "large_in.h"
#include "memory.h"
#include "status.h"
#include "ucx_fabric.h"

namespace krg::ucx {
namespace {

// Beyond one of these, would_block; below half of them, on_writable. They bound what UCX queues for
// one peer. Large messages are counted apart: a peer that does not receive them must not stop the
// small ones, which may be what makes it receive.
constexpr std::size_t kBytesMax = 8u << 20;
constexpr std::size_t kOperationsMax = 1024;
constexpr std::size_t kLargeMax = 256;
// The data of a large message up to this length goes along with its header: to copy it costs less
// than the peer's fetching it. Eight calls in flight on a 2-core AMD EPYC virtual machine,
// 2026-11-25: 16 KiB by TCP 1.7 instead of 1.0 GB/s, 8 KiB by shared memory 6.5 instead of 2.3.
// Longer data gains nothing by TCP; by shared memory 16 KiB gain a half while both processes share
// a core's caches, and lose a half otherwise.
constexpr std::size_t kEagerMaxByNetwork = 32u << 10;
constexpr std::size_t kEagerMaxByMemory = 8u << 10;

constexpr Duration kGoodbyeLimit = std::chrono::seconds(5);
// How long operations of a dead peer may take to be given back by UCX.
constexpr Duration kDrainLimit = std::chrono::milliseconds(200);

constexpr ucp_request_param_t make_param(ucp_send_nbx_callback_t callback,
                                         std::uint32_t flags) noexcept {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_FLAGS;
  param.cb.send = callback;
  param.flags = flags;
  return param;
}

}  // namespace

UcxEndpoint::UcxEndpoint(UcxFabric& fabric, link::Link& link, std::uint32_t slot)
    : fabric_(fabric), sink_(fabric.sink()), peer_(link.peer()), link_(&link), slot_(slot) {
  front_.token = link.send_token();
}

UcxEndpoint::~UcxEndpoint() {
  KRG_DASSERT(state_ == State::dying && operations_.empty() && held_.empty());
  fabric_.on_endpoint_gone();
}

// --- How it begins.

// Tells the peer where it is.
Status UcxEndpoint::use(std::shared_ptr<Worker> worker) {
  worker_ = std::move(worker);
  Hello hello;
  hello.slot = slot_;
  hello.memory = worker_->path() == Path::memory;
  KRG_TRY_ASSIGN(hello.address, worker_->address());
  return link_->send(wire::encode(hello));
}

Status UcxEndpoint::wire(const Hello& hello) {
  if (hello.memory != (worker_->path() == Path::memory) || hello.address.empty()) {
    return Error(Errc::unreachable, "one of the two does not use shared memory: reach differs");
  }
  front_.slot = hello.slot;
  eager_max_ = hello.memory ? kEagerMaxByMemory : kEagerMaxByNetwork;
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(hello.address.data());
  // Without it, sends to a dead process complete as if all were well.
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = on_ucx_error;
  params.err_handler.arg = this;
  const ucs_status_t status = ucp_ep_create(worker_->get(), &params, &ucp_);
  if (status != UCS_OK) {
    ucp_ = nullptr;
    return to_error(status, Errc::unreachable, "UCX can not reach the peer");
  }
  state_ = State::wired;
  return send_control(*link_, Control::ready);
}

void UcxEndpoint::on_ready() {
  if (state_ == State::wired) become_up();
}

void UcxEndpoint::become_up() {
  fabric_.finish_before(*this);
  fabric_.on_endpoint_up(*this);
  state_ = State::up;
  sendable_ = true;
  told_up_ = true;
  sink_.on_up(*this);
}

// A message outside the state `up`; true if it is to be delivered.
bool UcxEndpoint::take_early_or_late() {
  if (state_ == State::wired) become_up();  // The peer is up, or it would not send.
  if (state_ == State::closing) add_chore();
  return state_ == State::up || state_ == State::closing;
}

void UcxEndpoint::on_ucx_error(void* self, ucp_ep_h, ucs_status_t status) {
  auto& endpoint = *static_cast<UcxEndpoint*>(self);
  // A peer that has said goodbye may close its side of UCX first; the link tells the end.
  if (endpoint.link_ == nullptr || endpoint.state_ == State::closing) return;
  // Whoever misses the peer says so; at the end of a job nobody does.
  KRG_INFO("ucx: connection to node {} failed: {}", endpoint.peer_.node.value,
           ucs_status_string(status));
  endpoint.link_->abort(to_error(status, Errc::peer_down, "UCX lost the connection"));
}

// --- Sending.

Result<fabric::Sent> UcxEndpoint::send(std::span<std::byte> message, fabric::Completion& done) {
  static constexpr ucp_request_param_t param = make_param(on_sent, UCP_AM_SEND_FLAG_EAGER);
  KRG_DASSERT(message.size() >= fabric::kHeadroom && message.size() <= fabric::kMessageMax);
  if (!sendable_) [[unlikely]]
    return refusal(small_wanted_);
  std::memcpy(message.data(), &front_, sizeof front_);
  const ucs_status_ptr_t request =
      ucp_am_send_nbx(ucp_, kSmallId, nullptr, 0, message.data(), message.size(), &param);
  if (UCS_PTR_IS_ERR(request)) [[unlikely]]
    return send_failed(UCS_PTR_STATUS(request));
  ++sent_;
  if (request == nullptr) [[likely]]
    return fabric::Sent::done;
  track(request, &done, message.size());
  return fabric::Sent::pending;
}

Status UcxEndpoint::send_large(std::span<std::byte> header,
                               std::span<const std::span<const std::byte>> parts,
                               fabric::Completion& done) {
  KRG_ASSERT(header.size() >= fabric::kHeadroom && header.size() <= fabric::kLargeHeaderMax);
  KRG_ASSERT(parts.size() <= kPartsMax);
  if (!sendable_ || large_under_way_ >= kLargeMax) return refusal(large_wanted_);
  GatheredSend* gathered = fabric_.gathered_sends().take();
  std::memcpy(header.data(), &front_, sizeof front_);
  std::memcpy(gathered->header.data(), header.data(), header.size());
  std::size_t size = 0;
  std::size_t count = 0;
  for (const auto part : parts) {
    if (part.empty()) continue;
    gathered->parts[count++] = {const_cast<std::byte*>(part.data()), part.size()};
    size += part.size();
  }
  // By rendezvous, data that nobody receives yet stays here.
  ucp_request_param_t param =
      make_param(on_sent, size <= eager_max_ ? UCP_AM_SEND_FLAG_EAGER : UCP_AM_SEND_FLAG_RNDV);
  const void* buffer = count == 0 ? nullptr : gathered->parts[0].buffer;
  if (count > 1) {
    param.op_attr_mask |= UCP_OP_ATTR_FIELD_DATATYPE;
    param.datatype = ucp_dt_make_iov();
    buffer = gathered->parts.data();
  }
  const ucs_status_ptr_t request =
      ucp_am_send_nbx(ucp_, kLargeId, gathered->header.data(), header.size(), buffer,
                      count > 1 ? count : size, &param);
  if (!UCS_PTR_IS_PTR(request)) {
    fabric_.gathered_sends().give_back(gathered);
    if (request != nullptr) return send_failed(UCS_PTR_STATUS(request));
    ++sent_;
    fabric_.tell_later(done, {});
    return {};
  }
  ++sent_;
  ++large_under_way_;
  Operation& operation = track(request, &done, 0);
  operation.gathered = gathered;
  operation.number = sent_;
  return {};
}

Error UcxEndpoint::refusal(bool& wanted) noexcept {
  if (state_ != State::up) return Error(Errc::peer_down).with_peer(peer_.node);
  wanted = true;
  return Error(Errc::would_block);
}

Error UcxEndpoint::send_failed(ucs_status_t status) noexcept {
  if (link_ != nullptr) link_->abort(to_error(status, Errc::peer_down, "sending by UCX"));
  sendable_ = false;
  return Error(Errc::peer_down).with_native(status).with_peer(peer_.node);
}

void UcxEndpoint::cancel(fabric::Completion& operation) noexcept {
  // UCX itself forgets a cancelled rendezvous while the peer may still read the data. So the peer
  // is asked to drop what nobody has begun to receive, which completes the operation here.
  for (Operation& candidate : operations_) {
    if (candidate.done != &operation || candidate.gathered == nullptr) continue;
    if (link_ != nullptr) (void)send_control(*link_, Control::cancel, candidate.number);
    return;
  }
}

void UcxEndpoint::on_peer_cancels(std::uint64_t number) {
  for (LargeIn& message : held_) {
    if (message.number() == number) return message.revoke();
  }
}

Result<std::unique_ptr<fabric::RemoteRegion>> UcxEndpoint::attach(std::span<const std::byte> key) {
  return attach_region(fabric_, *this, key);
}

// --- Operations under way.

Operation& UcxEndpoint::track(ucs_status_ptr_t request, fabric::Completion* done,
                              std::size_t bytes) {
  auto* operation = new (request) Operation;
  operation->endpoint = this;
  operation->done = done;
  operation->bytes = bytes;
  operations_.push_back(*operation);
  bytes_under_way_ += bytes;
  ++operations_under_way_;
  const std::size_t small_operations = operations_under_way_ - large_under_way_;
  if (bytes_under_way_ >= kBytesMax || small_operations >= kOperationsMax) sendable_ = false;
  return *operation;
}

void UcxEndpoint::complete(Operation& operation, ucs_status_t status) noexcept {
  operation.unlink();
  bytes_under_way_ -= operation.bytes;
  --operations_under_way_;
  if (operation.gathered != nullptr) {
    --large_under_way_;
    fabric_.gathered_sends().give_back(std::exchange(operation.gathered, nullptr));
  }
  if (fabric::Completion* done = std::exchange(operation.done, nullptr); done != nullptr) {
    const bool dead = state_ == State::dying && status != UCS_OK;
    done->on_complete(dead ? Error(Errc::peer_down).with_peer(peer_.node) : to_status(status));
  }
  if (state_ == State::closing) return add_chore();
  if (state_ == State::up) become_writable();
}

void UcxEndpoint::become_writable() noexcept {
  if (sendable_ && !small_wanted_ && !large_wanted_) return;
  const std::size_t small_operations = operations_under_way_ - large_under_way_;
  if (bytes_under_way_ > kBytesMax / 2 || small_operations > kOperationsMax / 2) return;
  sendable_ = true;
  const bool large_ready = large_wanted_ && large_under_way_ <= kLargeMax / 2;
  if (!small_wanted_ && !large_ready) return;
  small_wanted_ = false;
  if (large_ready) large_wanted_ = false;
  sink_.on_writable(*this);
}

void UcxEndpoint::on_sent(void* request, ucs_status_t status, void*) {
  auto& operation = *static_cast<Operation*>(request);
  if (operation.endpoint != nullptr) {
    operation.endpoint->complete(operation, status);
  } else {
    release_orphan(operation);
  }
  ucp_request_free(request);
}

void UcxEndpoint::settle(ucs_status_ptr_t request, fabric::Completion& done) {
  if (UCS_PTR_IS_PTR(request)) {
    track(request, &done, 0);
  } else {
    fabric_.tell_later(done, to_status(UCS_PTR_STATUS(request)));
  }
}

void UcxEndpoint::flush_for(fabric::Completion& done) {
  static constexpr ucp_request_param_t param = make_param(on_sent, 0);
  settle(ucp_ep_flush_nbx(ucp_, &param), done);
}

// --- Receiving.

bool UcxEndpoint::deliver_large(std::span<const std::byte> header, void* data, std::size_t size,
                                bool rndv) {
  ++received_;
  if (state_ != State::up && !take_early_or_late()) return false;
  auto message = std::make_unique<LargeIn>(worker_->get(), *this, received_, data, size, rndv);
  sink_.on_large(*this, header, *message);
  if (message->used()) return false;
  const bool held = message->hold();
  held_.push_back(*message.release());
  return held;
}

// --- How it ends.

void UcxEndpoint::close() noexcept {
  if (state_ == State::up) begin_goodbye();
}

void UcxEndpoint::on_peer_closing(std::uint64_t messages_sent) {
  peer_said_goodbye_ = true;
  peer_sent_ = messages_sent;
  if (state_ == State::wired) become_up();
  if (state_ == State::up) begin_goodbye();
  add_chore();
}

void UcxEndpoint::begin_goodbye() {
  state_ = State::closing;
  sendable_ = false;
  set_timer(kGoodbyeLimit);
  add_chore();
}

void UcxEndpoint::on_flushed(void* request, ucs_status_t status, void*) {
  auto& operation = *static_cast<Operation*>(request);
  if (UcxEndpoint* endpoint = operation.endpoint; endpoint != nullptr) {
    endpoint->flushed_ = true;
    endpoint->complete(operation, status);
  } else {
    release_orphan(operation);
  }
  ucp_request_free(request);
}

void UcxEndpoint::say_goodbye() {
  if (!flushing_ && operations_.empty()) {
    static constexpr ucp_request_param_t param = make_param(on_flushed, 0);
    flushing_ = true;
    const ucs_status_ptr_t request = ucp_ep_flush_nbx(ucp_, &param);
    flushed_ = !UCS_PTR_IS_PTR(request);
    if (!flushed_) track(request, nullptr, 0);
  }
  if (flushed_ && !said_goodbye_) {
    said_goodbye_ = true;
    if (!send_control(*link_, Control::closing, sent_)) link_->abort(Error(Errc::peer_down));
  }
  if (!said_done_ && said_goodbye_ && peer_said_goodbye_ && received_ >= peer_sent_) {
    said_done_ = true;
    if (!send_control(*link_, Control::done)) link_->abort(Error(Errc::peer_down));
  }
  if (said_done_ && peer_done_) link_->close();
}

void UcxEndpoint::on_peer_done() {
  peer_done_ = true;
  add_chore();
}

void UcxEndpoint::go_down(Error why, bool graceful) {
  link_ = nullptr;
  why_ = why;
  graceful_ = graceful && said_done_ && peer_done_;
  state_ = State::dying;
  sendable_ = false;
  fabric_.close_slot(slot_);
  if (ucp_ != nullptr) {
    static constexpr ucp_request_param_t param = make_param(on_sent, UCP_EP_CLOSE_FLAG_FORCE);
    const ucs_status_ptr_t request = ucp_ep_close_nbx(ucp_, &param);
    if (UCS_PTR_IS_PTR(request)) track(request, nullptr, 0);
    ucp_ = nullptr;
  }
  set_timer(kDrainLimit);
  add_chore();
}

void UcxEndpoint::set_timer(Duration limit) noexcept {
  Timer::unlink();
  fabric_.reactor().add_timer(*this, fabric_.reactor().after(limit));
}

void UcxEndpoint::on_timer() noexcept {
  if (state_ == State::dying) {
    drain_limit_passed_ = true;
    add_chore();
  } else if (link_ != nullptr) {
    link_->abort(Error(Errc::peer_down, "no answer to the goodbye"));
  }
}

bool UcxEndpoint::do_chores() {
  if (state_ == State::closing && link_ != nullptr) say_goodbye();
  if (state_ != State::dying) return false;
  if (has_untold_operation() && !drain_limit_passed_) return false;
  finish(true);
  return true;
}

// UCX's own end of the endpoint is not waited for: that takes it some polls more.
bool UcxEndpoint::has_untold_operation() noexcept {
  for (const Operation& operation : operations_) {
    if (operation.done != nullptr) return true;
  }
  return false;
}

void UcxEndpoint::finish(bool tell_sink) {
  Timer::unlink();
  while (!operations_.empty()) {
    // UCX still holds the request; its callback finds nobody to tell.
    Operation& operation = operations_.pop_front();
    operation.endpoint = nullptr;
    worker_->adopt(operation);
    if (fabric::Completion* done = std::exchange(operation.done, nullptr); done != nullptr) {
      done->on_complete(Error(Errc::peer_down).with_peer(peer_.node));
    }
  }
  while (!held_.empty()) {
    LargeIn& message = held_.pop_front();
    message.drop();
    delete &message;
  }
  if (std::exchange(told_up_, false) && tell_sink) sink_.on_down(*this, why_, graceful_);
}

void UcxEndpoint::add_chore() noexcept { fabric_.add_chore(*this); }

}  // namespace krg::ucx

#include "krg/gate/lane_server.h"

#include <bit>
#include <cstring>
#include <new>

#include "deadline.h"

namespace krg::gate {
namespace {

// A request's buffer that grew beyond this is not kept.
constexpr std::size_t kBufferKept = 256u << 10;

// Copies outside bytes that may change meanwhile: what is checked afterwards is the copy, and the
// compiler may not read the original again.
void copy_in(void* into, const void* from, std::size_t size) noexcept {
  std::memcpy(into, from, size);
  asm volatile("" ::: "memory");
}

}  // namespace

// The call in one slot; used again and again.
class LaneServer::SlotCall final : public Call {
 public:
  SlotCall(LaneServer& lane, unsigned slot) : lane_(lane), slot_(slot) {}
  ~SlotCall() override { stop_serving(); }

  bool busy() const noexcept { return busy_; }

  // `header` is our copy of the slot's.
  void begin(const RequestBlock& header, Handler& handler) {
    busy_ = true;
    replied_ = false;
    forget_undo();
    deadline_ = deadline_in(lane_.reactor_.now(), header.timeout_ns);
    if (header.size <= kInlineMax) {
      std::memcpy(inline_.data(), header.bytes.data(), header.size);
      request_ = std::span<const std::byte>(inline_).first(header.size);
    } else {
      buffer_.resize(header.size);
      copy_in(buffer_.data(), lane_.area(slot_).data(), header.size);
      request_ = buffer_;
    }
    count_begun(handler.served);
    handler.handle(*this);
  }

  // The caller waits no longer.
  void give_up() noexcept {
    stop_serving();
    if (!replied_) fail(Error(Errc::cancelled));
    finished();
  }

  // No service takes the call.
  void refuse(Errc code) noexcept {
    count_begun(nullptr);
    fail(Error(code));
  }

  const Caller& caller() const noexcept override { return lane_.caller_; }
  Status pass(UniqueFd) override {
    return Error(Errc::not_supported, "descriptors travel over the socket");
  }

  std::span<std::byte> room(std::size_t size) override {
    ReplyBlock& reply = lane_.lane_.slots[slot_].reply;
    return size <= kInlineMax ? std::span<std::byte>(reply.bytes) : lane_.area(slot_);
  }
  void complete(std::size_t size) override {
    count_answered(size);
    ReplyBlock& reply = lane_.lane_.slots[slot_].reply;
    reply.code = 0;
    reply.size = static_cast<std::uint32_t>(size);
    publish(reply);
  }
  void fail(const Error& error) override {
    count_failed();
    ReplyBlock& reply = lane_.lane_.slots[slot_].reply;
    reply.code = static_cast<std::uint16_t>(error.code());
    reply.native = error.native();
    reply.peer = error.has_peer() ? static_cast<std::uint16_t>(error.peer().value) : 0xffff;
    reply.size = 0;
    publish(reply);
  }
  void finished() noexcept override {
    busy_ = false;
    request_ = {};
    if (buffer_.capacity() > kBufferKept) std::vector<std::byte>().swap(buffer_);
  }

 private:
  // From here on the slot is the task's again, and may be submitted before the handler has quite
  // ended: that is found by the next poll(), not by this one.
  void publish(ReplyBlock& reply) noexcept {
    replied_ = true;
    const auto was =
        static_cast<SlotState>(reply.state.exchange(static_cast<std::uint32_t>(SlotState::done)));
    if (was == SlotState::sleeping) shm::futex_wake(reply.state, 1);
    if (was == SlotState::abandoned) {
      undo();
      free_slot(lane_.lane_, slot_);
    }
  }

  LaneServer& lane_;
  const unsigned slot_;
  bool busy_ = false;
  bool replied_ = false;
  std::array<std::byte, kInlineMax> inline_;
  std::vector<std::byte> buffer_;
};

Result<std::unique_ptr<LaneServer>> LaneServer::create(reactor::Reactor& reactor,
                                                       HandlerTable& handlers,
                                                       const Caller& caller) {
  KRG_TRY_ASSIGN(shm::Segment segment, shm::Segment::create("krg-lane", kLaneSize));
  return std::unique_ptr<LaneServer>(new LaneServer(reactor, handlers, caller, std::move(segment)));
}

LaneServer::LaneServer(reactor::Reactor& reactor, HandlerTable& handlers, const Caller& caller,
                       shm::Segment segment)
    : reactor_(reactor),
      handlers_(handlers),
      caller_(caller),
      segment_(std::move(segment)),
      lane_(*new (segment_.bytes().data()) Lane) {}

LaneServer::~LaneServer() = default;

std::span<std::byte> LaneServer::area(unsigned slot) noexcept {
  return segment_.bytes().subspan(kAreasAt + std::size_t{slot} * kArgumentMax, kArgumentMax);
}

Result<bool> LaneServer::poll() {
  if ((lane_.submitted.load(std::memory_order_relaxed) |
       lane_.given_up.load(std::memory_order_relaxed)) == 0) {
    return false;
  }
  // Given up before submitted: a slot that is in both was freed and taken again.
  for (std::uint64_t bits = lane_.given_up.exchange(0); bits != 0; bits &= bits - 1) {
    give_up(static_cast<unsigned>(std::countr_zero(bits)));
  }
  for (std::uint64_t bits = lane_.submitted.exchange(0); bits != 0; bits &= bits - 1) {
    KRG_TRY(begin(static_cast<unsigned>(std::countr_zero(bits))));
  }
  return true;
}

Status LaneServer::begin(unsigned slot) {
  if (calls_[slot] == nullptr) calls_[slot] = std::make_unique<SlotCall>(*this, slot);
  SlotCall& call = *calls_[slot];
  if (call.busy()) {
    return Error(Errc::protocol_error, "gate: a slot was submitted that is still in service");
  }
  RequestBlock header;
  copy_in(&header, &lane_.slots[slot].request, sizeof header);
  if (header.size > kArgumentMax) {
    return Error(Errc::protocol_error, "gate: a request is larger than its slot");
  }
  const auto state = static_cast<SlotState>(lane_.slots[slot].reply.state.load());
  if (state == SlotState::abandoned) {
    // Given up before we saw it.
    call.refuse(Errc::cancelled);
  } else if (Handler* handler = handlers_.find(ServiceId{header.service}); handler != nullptr) {
    call.begin(header, *handler);
  } else {
    call.refuse(Errc::no_service);
  }
  return {};
}

void LaneServer::give_up(unsigned slot) noexcept {
  if (calls_[slot] == nullptr || !calls_[slot]->busy()) return;
  // The bit may be late: then the slot serves another call, which is not abandoned.
  const auto state = static_cast<SlotState>(lane_.slots[slot].reply.state.load());
  if (state == SlotState::abandoned) calls_[slot]->give_up();
}

}  // namespace krg::gate

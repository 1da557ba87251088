#include <algorithm>
#include <cstring>
#include <vector>

#include "echo_client.h"
#include "krg/baseline/peers.h"
#include "ucx_worker.h"

namespace krg::baseline {
namespace {

using harness::Baton;
using harness::Job;
using harness::Kind;
using harness::Meeting;
using harness::Sample;
using harness::Side;
using harness::Transport;

constexpr unsigned kRequest = 1;
constexpr unsigned kReply = 2;
constexpr std::size_t kShort = 8;

class UcxActiveMessage final : public harness::Contestant {
 public:
  explicit UcxActiveMessage(Transport transport) : transport_(transport) {}

  Status open(Side, Meeting& meeting) override {
    KRG_TRY(ucx_.open(transport_, false));
    KRG_TRY(ucx_.set_handler(kRequest, on_request, this));
    KRG_TRY(ucx_.set_handler(kReply, on_reply, this));
    KRG_TRY_ASSIGN(const auto mine, ucx_.address());
    return ucx_.connect(meeting.exchange(mine));
  }

  void serve(const Job& job, const Baton& baton) override {
    prepare(job);
    while (baton.held()) progress();
    while (pending_ > 0) progress();
  }

  Result<Sample> measure(const Job& job) override {
    prepare(job);
    return measure_echo(*this, job);
  }

  void post(const Job& job) { send(kRequest, job.reply != 0 ? kShort : job.size); }
  std::uint64_t replies() const { return replies_; }
  void progress() { ucx_.progress(); }

 private:
  void prepare(const Job& job) {
    reply_size_ = job.kind == Kind::bandwidth ? kShort : job.size;
    if (job.reply != 0) reply_size_ = job.reply;
    place_bytes_ = std::max(job.size, job.reply) + kShort;
    places_ = job.places;
    if (out_.size() < place_bytes_ * places_) {
      out_.assign(place_bytes_ * places_, std::byte{1});
      in_.assign(place_bytes_ * places_, std::byte{0});
    }
  }

  std::byte* place_in(std::vector<std::byte>& memory) noexcept {
    return memory.data() + next_++ % places_ * place_bytes_;
  }

  void send(unsigned id, std::size_t size) {
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
    param.cb.send = on_sent;
    param.user_data = this;
    if (ucp_am_send_nbx(ucx_.endpoint(), id, nullptr, 0, place_in(out_), size, &param) != nullptr) {
      ++pending_;
    }
  }

  static void on_sent(void* request, ucs_status_t, void* self) {
    --static_cast<UcxActiveMessage*>(self)->pending_;
    ucp_request_free(request);
  }

  void arrived(unsigned id) {
    if (id == kRequest) {
      send(kReply, reply_size_);
    } else {
      ++replies_;
    }
  }

  template <unsigned kId>
  static void on_data(void* request, ucs_status_t, std::size_t, void* self) {
    static_cast<UcxActiveMessage*>(self)->arrived(kId);
    ucp_request_free(request);
  }

  // An eager message is copied into the fixed buffer, as a receiver with a place for it would do.
  template <unsigned kId>
  ucs_status_t receive(void* data, std::size_t size, const ucp_am_recv_param_t* param) {
    if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) == 0) {
      std::memcpy(place_in(in_), data, size);
      arrived(kId);
      return UCS_OK;
    }
    ucp_request_param_t receive{};
    receive.op_attr_mask =
        UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
    receive.cb.recv_am = on_data<kId>;
    receive.user_data = this;
    ucp_am_recv_data_nbx(ucx_.get(), data, place_in(in_), size, &receive);
    return UCS_OK;
  }

  static ucs_status_t on_request(void* self, const void*, std::size_t, void* data, std::size_t size,
                                 const ucp_am_recv_param_t* param) {
    return static_cast<UcxActiveMessage*>(self)->receive<kRequest>(data, size, param);
  }
  static ucs_status_t on_reply(void* self, const void*, std::size_t, void* data, std::size_t size,
                               const ucp_am_recv_param_t* param) {
    return static_cast<UcxActiveMessage*>(self)->receive<kReply>(data, size, param);
  }

  const Transport transport_;
  UcxWorker ucx_;
  std::vector<std::byte> out_, in_;
  std::size_t reply_size_ = 0;
  std::size_t place_bytes_ = 0;
  std::size_t places_ = 1;
  std::size_t next_ = 0;
  std::uint64_t replies_ = 0;
  std::uint64_t pending_ = 0;
};

}  // namespace

std::unique_ptr<harness::Contestant> ucx_active_message(Transport transport) {
  return std::make_unique<UcxActiveMessage>(transport);
}

}  // namespace krg::baseline

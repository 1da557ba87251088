#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "echo_client.h"
#include "krg/baseline/peers.h"

namespace krg::baseline {
namespace {

using harness::Baton;
using harness::Job;
using harness::Kind;
using harness::Meeting;
using harness::Sample;
using harness::Side;
using harness::Transport;

constexpr std::size_t kReceives = 128;
constexpr std::size_t kSends = 128;

Status check(long status, const char* what) {
  if (status == 0) return {};
  return Error(Errc::system_error, what).with_native(static_cast<int>(-status));
}

class LibfabricMessage final : public harness::Contestant {
 public:
  LibfabricMessage(Transport transport, std::size_t size_max)
      : transport_(transport), out_(size_max + 8), in_(size_max + 8) {}

  ~LibfabricMessage() override {
    if (endpoint_ != nullptr) fi_close(&endpoint_->fid);
    if (queue_ != nullptr) fi_close(&queue_->fid);
    if (addresses_ != nullptr) fi_close(&addresses_->fid);
    if (domain_ != nullptr) fi_close(&domain_->fid);
    if (fabric_ != nullptr) fi_close(&fabric_->fid);
    if (info_ != nullptr) fi_freeinfo(info_);
  }

  Status open(Side, Meeting& meeting) override {
    KRG_TRY(find_provider());
    KRG_TRY(open_endpoint());
    std::array<std::byte, 256> name;
    std::size_t size = name.size();
    KRG_TRY(check(fi_getname(&endpoint_->fid, name.data(), &size), "own address"));
    const auto theirs = meeting.exchange(std::span(name).first(size));
    if (fi_av_insert(addresses_, theirs.data(), 1, &peer_, 0, nullptr) != 1) {
      return Error(Errc::system_error, "address of the peer");
    }
    for (fi_context& context : receives_) KRG_TRY(post_receive(&context));
    for (fi_context& context : sends_) free_.push_back(&context);
    std::ranges::fill(out_, std::byte{1});
    return {};
  }

  void serve(const Job& job, const Baton& baton) override {
    const std::size_t reply = job.kind == Kind::bandwidth ? 8 : job.size;
    std::uint64_t answered = received_;
    while (baton.held()) {
      progress();
      while (answered < received_ && try_send(reply)) ++answered;
    }
    while (free_.size() < kSends) progress();
  }

  Result<Sample> measure(const Job& job) override { return measure_echo(*this, job); }

  void post(const Job& job) {
    while (!try_send(job.size)) progress();
  }
  std::uint64_t replies() const { return received_; }

  void progress() {
    std::array<fi_cq_entry, 16> entries;
    const ssize_t n = fi_cq_read(queue_, entries.data(), entries.size());
    for (ssize_t i = 0; i < n; ++i) {
      auto* context = static_cast<fi_context*>(entries[static_cast<std::size_t>(i)].op_context);
      if (context >= receives_.data() && context < receives_.data() + kReceives) {
        ++received_;
        while (!post_receive(context)) continue;
      } else {
        free_.push_back(context);
      }
    }
  }

 private:
  Status find_provider() {
    const bool tcp = transport_ == Transport::tcp;
    fi_info* hints = fi_allocinfo();
    hints->caps = FI_MSG;
    hints->mode = FI_CONTEXT;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->mr_mode = 0;
    hints->domain_attr->threading = FI_THREAD_DOMAIN;
    hints->domain_attr->av_type = FI_AV_TABLE;
    hints->fabric_attr->prov_name = strdup(tcp ? "tcp;ofi_rxm" : "shm");
    const int status = fi_getinfo(FI_VERSION(1, 17), tcp ? "127.0.0.1" : nullptr, nullptr,
                                  tcp ? FI_SOURCE : 0, hints, &info_);
    fi_freeinfo(hints);
    return check(status, "provider");
  }

  Status open_endpoint() {
    KRG_TRY(check(fi_fabric(info_->fabric_attr, &fabric_, nullptr), "fabric"));
    KRG_TRY(check(fi_domain(fabric_, info_, &domain_, nullptr), "domain"));
    fi_av_attr addresses{};
    addresses.type = FI_AV_TABLE;
    KRG_TRY(check(fi_av_open(domain_, &addresses, &addresses_, nullptr), "addresses"));
    fi_cq_attr queue{};
    queue.format = FI_CQ_FORMAT_CONTEXT;
    queue.size = 4 * (kReceives + kSends);
    KRG_TRY(check(fi_cq_open(domain_, &queue, &queue_, nullptr), "completion queue"));
    KRG_TRY(check(fi_endpoint(domain_, info_, &endpoint_, nullptr), "endpoint"));
    KRG_TRY(check(fi_ep_bind(endpoint_, &addresses_->fid, 0), "bind"));
    KRG_TRY(check(fi_ep_bind(endpoint_, &queue_->fid, FI_RECV | FI_TRANSMIT), "bind"));
    return check(fi_enable(endpoint_), "enable");
  }

  Status post_receive(fi_context* context) {
    return check(fi_recv(endpoint_, in_.data(), in_.size(), nullptr, FI_ADDR_UNSPEC, context),
                 "receive");
  }

  bool try_send(std::size_t size) {
    if (size <= info_->tx_attr->inject_size) {
      return fi_inject(endpoint_, out_.data(), size, peer_) == 0;
    }
    if (free_.empty()) return false;
    if (fi_send(endpoint_, out_.data(), size, nullptr, peer_, free_.back()) != 0) return false;
    free_.pop_back();
    return true;
  }

  const Transport transport_;
  std::vector<std::byte> out_, in_;
  fi_info* info_ = nullptr;
  fid_fabric* fabric_ = nullptr;
  fid_domain* domain_ = nullptr;
  fid_av* addresses_ = nullptr;
  fid_cq* queue_ = nullptr;
  fid_ep* endpoint_ = nullptr;
  fi_addr_t peer_ = FI_ADDR_UNSPEC;
  std::array<fi_context, kReceives> receives_{};
  std::array<fi_context, kSends> sends_{};
  std::vector<fi_context*> free_;
  std::uint64_t received_ = 0;
};

}  // namespace

std::unique_ptr<harness::Contestant> libfabric_message(Transport transport, std::size_t size_max) {
  return std::make_unique<LibfabricMessage>(transport, size_max);
}

}  // namespace krg::baseline

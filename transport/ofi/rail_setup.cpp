#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "krg/log/log.h"
#include "rail.h"
#include "rail_buffer.h"
#include "shm_names.h"

namespace krg::ofi {
namespace {

constexpr std::uint32_t kApi = FI_VERSION(1, 14);
constexpr std::size_t kBuffers = 8;

const char* provider_name(RailKind kind) noexcept {
  switch (kind) {
    case RailKind::shm:
      return "shm";
    case RailKind::verbs:
      return "verbs;ofi_rxm";
    case RailKind::tcp:
      return "tcp;ofi_rxm";
  }
  return "";
}

Status check(long status, const char* what) {
  if (status == 0) return {};
  return Error(Errc::system_error, what).with_native(static_cast<int>(-status));
}

// The shm provider of libfabric 1.17 takes these signals when its first endpoint opens; they belong
// to the program.
class SignalKeeper {
 public:
  SignalKeeper() noexcept {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &old_[i]);
  }
  ~SignalKeeper() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &old_[i], nullptr);
  }
  SignalKeeper(const SignalKeeper&) = delete;
  SignalKeeper& operator=(const SignalKeeper&) = delete;

 private:
  static constexpr std::array kSignals{SIGBUS, SIGSEGV, SIGTERM, SIGINT};
  std::array<struct sigaction, kSignals.size()> old_;
};

}  // namespace

Rail::Rail(RailKind kind, RailSink& sink) : kind_(kind), sink_(sink) {}

Rail::~Rail() = default;

Result<std::unique_ptr<Rail>> Rail::open(RailKind kind, const std::string& host, RailSink& sink) {
  std::unique_ptr<Rail> rail(new Rail(kind, sink));
  KRG_TRY(rail->find_provider(host));
  const SignalKeeper signals;
  KRG_TRY(rail->open_endpoint());
  KRG_TRY(rail->learn_address());
  for (std::size_t i = 0; i < kBuffers; ++i) {
    rail->post_receive(*rail->buffers_.emplace_back(std::make_unique<Buffer>()));
  }
  return rail;
}

Status Rail::find_provider(const std::string& host) {
  // A userfaultfd monitor of libfabric would compete with krg's own, and hooks in libc's memory
  // functions are no library's business; the rails need no registration cache. The user may insist.
  ::setenv("FI_MR_CACHE_MONITOR", "disabled", 0);
  const InfoPtr hints(fi_allocinfo());
  if (hints == nullptr) return Errc::no_memory;
  hints->caps = FI_MSG | FI_RMA | FI_MULTI_RECV;
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->mr_mode = FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->tx_attr->msg_order = FI_ORDER_SAS;
  hints->rx_attr->msg_order = FI_ORDER_SAS;
  // rxm gives as much as is asked for, shm at most 4 KiB.
  hints->tx_attr->inject_size = kind_ == RailKind::tcp ? fabric::kMessageMax : 0;
  hints->fabric_attr->prov_name = strdup(provider_name(kind_));
  fi_info* found = nullptr;
  const char* node = kind_ == RailKind::tcp ? host.c_str() : nullptr;
  // By default, the shm provider gives the first endpoints of all domains of a process one name.
  std::string name;
  if (kind_ == RailKind::shm) {
    KRG_TRY_ASSIGN(name, shm_name("rail"));
  }
  const char* service = name.empty() ? nullptr : name.c_str();
  const bool named = node != nullptr || service != nullptr;
  const int status = fi_getinfo(kApi, node, service, named ? FI_SOURCE : 0, hints.get(), &found);
  if (status != 0) {
    return Error(Errc::no_device, "libfabric has no such provider").with_native(-status);
  }
  info_.reset(found);
  return {};
}

Status Rail::open_endpoint() {
  fid_fabric* fabric = nullptr;
  KRG_TRY(check(fi_fabric(info_->fabric_attr, &fabric, nullptr), "fi_fabric"));
  fabric_.reset(fabric);
  fid_domain* domain = nullptr;
  KRG_TRY(check(fi_domain(fabric, info_.get(), &domain, nullptr), "fi_domain"));
  domain_.reset(domain);
  fi_av_attr av_attr{};
  av_attr.type = FI_AV_UNSPEC;
  fid_av* av = nullptr;
  KRG_TRY(check(fi_av_open(domain, &av_attr, &av, nullptr), "fi_av_open"));
  av_.reset(av);
  fi_cq_attr cq_attr{};
  cq_attr.format = FI_CQ_FORMAT_DATA;
  cq_attr.wait_obj = kind_ == RailKind::shm ? FI_WAIT_NONE : FI_WAIT_FD;
  fid_cq* cq = nullptr;
  KRG_TRY(check(fi_cq_open(domain, &cq_attr, &cq, nullptr), "fi_cq_open"));
  cq_.reset(cq);
  if (cq_attr.wait_obj == FI_WAIT_FD) {
    KRG_TRY(check(fi_control(&cq->fid, FI_GETWAIT, &wait_fd_), "no descriptor to wait on"));
  }
  fid_ep* ep = nullptr;
  KRG_TRY(check(fi_endpoint(domain, info_.get(), &ep, nullptr), "fi_endpoint"));
  ep_.reset(ep);
  KRG_TRY(check(fi_ep_bind(ep, &av->fid, 0), "fi_ep_bind"));
  KRG_TRY(check(fi_ep_bind(ep, &cq->fid, FI_RECV | FI_TRANSMIT), "fi_ep_bind"));
  KRG_TRY(check(fi_enable(ep), "fi_enable"));
  // The shm provider of 1.17 crashes if this comes before fi_enable().
  std::size_t min = fabric::kMessageMax;
  return check(fi_setopt(&ep->fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &min, sizeof min),
               "FI_OPT_MIN_MULTI_RECV");
}

Status Rail::learn_address() {
  address_.resize(256);
  std::size_t size = address_.size();
  KRG_TRY(check(fi_getname(&ep_->fid, address_.data(), &size), "fi_getname"));
  // The providers tell the size of their buffer rather than that of the name.
  if (info_->addr_format == FI_ADDR_STR) {
    size = strnlen(reinterpret_cast<const char*>(address_.data()), size) + 1;
  } else if (info_->addr_format == FI_SOCKADDR_IN) {
    size = 16;
  } else if (info_->addr_format == FI_SOCKADDR_IN6) {
    size = 28;
  }
  address_.resize(size);
  return {};
}

Result<Registration> Rail::register_memory(std::span<const std::byte> memory,
                                           std::uint64_t access) {
  // Where the key is ours to choose, nobody shall guess it.
  KRG_TRY_ASSIGN(const std::uint64_t key, random_number());
  fid_mr* mr = nullptr;
  KRG_TRY(
      check(fi_mr_reg(domain_.get(), memory.data(), memory.size(), access, 0, key, 0, &mr, nullptr),
            "fi_mr_reg"));
  Registration registration;
  registration.mr.reset(mr);
  registration.key = fi_mr_key(mr);
  const bool by_address = (info_->domain_attr->mr_mode & FI_MR_VIRT_ADDR) != 0;
  registration.address = by_address ? reinterpret_cast<std::uint64_t>(memory.data()) : 0;
  return registration;
}

Result<fi_addr_t> Rail::insert(std::span<const std::byte> address) {
  const std::string name(reinterpret_cast<const char*>(address.data()), address.size());
  auto [entry, fresh] = addresses_.try_emplace(name);
  if (fresh) {
    // libfabric reads a whole socket address or a string with its zero.
    std::string padded(name);
    padded.resize(std::max<std::size_t>(padded.size(), 256));
    if (fi_av_insert(av_.get(), padded.data(), 1, &entry->second.peer, 0, nullptr) != 1) {
      addresses_.erase(entry);
      return Error(Errc::unreachable, "libfabric refuses the peer's address");
    }
  }
  ++entry->second.users;
  ++users_;
  return entry->second.peer;
}

void Rail::remove(fi_addr_t peer, bool dead) noexcept {
  for (auto entry = addresses_.begin(); entry != addresses_.end(); ++entry) {
    if (entry->second.peer != peer || entry->second.users == 0) continue;
    --users_;
    --entry->second.users;
    entry->second.last_used = ++clock_;
    if (entry->second.users > 0) return;
    // The shm provider of 1.17 delivers nothing from an address that gets a removed one's place.
    if (dead && kind_ != RailKind::shm) {
      forget(entry);
    } else {
      trim();
    }
    return;
  }
}

void Rail::forget(Addresses::iterator entry) noexcept {
  fi_addr_t peer = entry->second.peer;
  addresses_.erase(entry);
  fi_av_remove(av_.get(), &peer, 1, 0);
}

// A peer that said goodbye may come back; its connection is kept, but not those of all that ever
// were.
void Rail::trim() noexcept {
  const std::size_t idle_max = kind_ == RailKind::shm ? 128 : 64;
  if (addresses_.size() <= users_ + idle_max) return;
  auto oldest = addresses_.end();
  for (auto entry = addresses_.begin(); entry != addresses_.end(); ++entry) {
    if (entry->second.users > 0) continue;
    if (oldest == addresses_.end() || entry->second.last_used < oldest->second.last_used) {
      oldest = entry;
    }
  }
  if (oldest != addresses_.end()) forget(oldest);
}

}  // namespace krg::ofi

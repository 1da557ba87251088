// One libfabric endpoint with what it needs: the only file that names fi_* beside rail_*.cpp.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "krg/error/result.h"
#include "wire.h"

namespace krg::ofi {

// An operation that libfabric completes. `reserved` is its own while the operation is in flight,
// and must be first: a completion names it.
struct Operation {
  fi_context2 reserved{};
  void (*done)(Operation& self, int error) noexcept = nullptr;  // 0, or an errno of libfabric.
};

class RailSink {
 public:
  // `packet` is valid until this returns.
  virtual void on_packet(std::span<const std::byte> packet) noexcept = 0;

 protected:
  ~RailSink() = default;
};

template <class Fid>
struct FidCloser {
  void operator()(Fid* fid) const noexcept { fi_close(&fid->fid); }
};
template <class Fid>
using FidPtr = std::unique_ptr<Fid, FidCloser<Fid>>;

struct InfoFreer {
  void operator()(fi_info* info) const noexcept { fi_freeinfo(info); }
};
using InfoPtr = std::unique_ptr<fi_info, InfoFreer>;

// Memory that peers may reach over one rail, until destroyed.
struct Registration {
  FidPtr<fid_mr> mr;
  std::uint64_t key = 0;
  std::uint64_t address = 0;
};

// Messages and remote memory access to any number of peers, over one provider.
// Threads: owned by one thread. Blocks: never, but for open().
class Rail {
 public:
  // `host`: the numeric address to listen on; unused by shm.
  // Errors  no_device     no such provider.
  //         system_error  it does not work.
  static Result<std::unique_ptr<Rail>> open(RailKind kind, const std::string& host, RailSink& sink);
  ~Rail();

  RailKind kind() const noexcept { return kind_; }
  // Where peers reach this rail. A tcp rail that listens everywhere tells only its port.
  std::span<const std::byte> address() const noexcept { return address_; }

  // Every insert of the same address gives the same peer, and is undone by one remove; `dead`
  // forgets it, so that operations in flight end. Another life of the address is another peer.
  Result<fi_addr_t> insert(std::span<const std::byte> address);
  void remove(fi_addr_t peer, bool dead) noexcept;
  bool used() const noexcept { return users_ > 0; }

  enum class Post { done, busy, failed };
  std::size_t inject_max() const noexcept { return info_->tx_attr->inject_size; }
  // Requires  data.size() <= inject_max().
  Post inject(fi_addr_t to, std::span<const std::byte> data) noexcept;
  // The memory is the rail's until operation.done.
  Post send(fi_addr_t to, std::span<const std::byte> data, Operation& operation) noexcept;
  Post read(fi_addr_t from, std::span<std::byte> into, std::uint64_t address, std::uint64_t key,
            Operation& operation) noexcept;
  // Done when the data is in the peer's memory.
  Post write(fi_addr_t to, std::span<const std::byte> data, std::uint64_t address,
             std::uint64_t key, Operation& operation) noexcept;

  // Errors  system_error
  Result<Registration> register_memory(std::span<const std::byte> memory, std::uint64_t access);

  bool poll() noexcept;
  // -1: the provider has no descriptor; see Doorbell.
  int wait_fd() const noexcept { return wait_fd_; }
  // Whether it is safe to sleep until wait_fd() is readable.
  bool can_sleep() noexcept;

 private:
  struct Buffer;
  struct Address {
    fi_addr_t peer = FI_ADDR_UNSPEC;
    unsigned users = 0;
    std::uint64_t last_used = 0;
  };
  using Addresses = std::map<std::string, Address>;  // By the bytes of the address.

  Rail(RailKind kind, RailSink& sink);
  Status find_provider(const std::string& host);
  Status open_endpoint();
  Status learn_address();
  void post_receive(Buffer& buffer) noexcept;
  void post_waiting() noexcept;
  bool read_error() noexcept;
  void arrived(const fi_cq_data_entry& entry) noexcept;
  void forget(Addresses::iterator entry) noexcept;
  void trim() noexcept;

  const RailKind kind_;
  RailSink& sink_;
  InfoPtr info_;
  FidPtr<fid_fabric> fabric_;
  FidPtr<fid_domain> domain_;
  FidPtr<fid_av> av_;
  FidPtr<fid_cq> cq_;
  FidPtr<fid_ep> ep_;
  int wait_fd_ = -1;
  std::vector<std::byte> address_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  Addresses addresses_;
  unsigned users_ = 0;
  std::uint64_t clock_ = 0;
  bool starving_ = false;  // A receive buffer could not be posted again yet.
};

}  // namespace krg::ofi

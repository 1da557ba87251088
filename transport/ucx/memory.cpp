#include "memory.h"

#include <array>

#include "krg/wire/codec.h"
#include "status.h"
#include "ucx_endpoint.h"
#include "ucx_fabric.h"

namespace krg::ucx {
namespace {

constexpr std::size_t kKeyMax = 256;

// UCX's own key has no length and no checksum: unpacking anything else would read out of bounds.
struct Key {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::vector<std::byte> over_memory, over_network;  // UCX's keys; empty without that path.
  std::uint64_t sum = 0;

  static void wire_fields(auto& m, auto&& visit) {
    visit(m.address, m.size, m.over_memory, m.over_network, m.sum);
  }

  // FNV-1a over the rest: tells a key from other bytes, no more.
  std::uint64_t compute_sum() const noexcept {
    std::uint64_t h = 0xcbf29ce484222325u;
    const auto add = [&h](std::span<const std::byte> bytes) {
      for (const std::byte b : bytes) h = (h ^ static_cast<unsigned char>(b)) * 0x100000001b3u;
    };
    add(std::as_bytes(std::span(&address, 1)));
    add(std::as_bytes(std::span(&size, 1)));
    add(over_memory);
    add(over_network);
    return h;
  }
};

// Memory as one context knows it.
class Mapping {
 public:
  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (handle_ != nullptr) ucp_mem_unmap(context_, handle_);
  }

  Status map(ucp_context_h context, std::span<std::byte> memory) {
    ucp_mem_map_params_t params{};
    params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
    params.address = memory.data();
    params.length = memory.size();
    context_ = context;
    const ucs_status_t s = ucp_mem_map(context, &params, &handle_);
    if (s == UCS_OK) return {};
    handle_ = nullptr;
    return to_error(s, Errc::system_error, "registering memory");
  }

  Result<std::vector<std::byte>> key() const {
    void* packed = nullptr;
    std::size_t size = 0;
    if (const ucs_status_t s = ucp_rkey_pack(context_, handle_, &packed, &size); s != UCS_OK) {
      return to_error(s, Errc::system_error, "packing a memory key");
    }
    const auto* bytes = static_cast<const std::byte*>(packed);
    std::vector<std::byte> key(bytes, bytes + size);
    ucp_rkey_buffer_release(packed);
    return key;
  }

 private:
  ucp_context_h context_ = nullptr;
  ucp_mem_h handle_ = nullptr;
};

class UcxRegion final : public fabric::Region {
 public:
  explicit UcxRegion(std::span<std::byte> memory) : memory_(memory) {}

  Status map(const Context& over_memory, const Context& over_network) {
    Key key;
    if (over_memory) {
      KRG_TRY(over_memory_.map(over_memory.get(), memory_));
      KRG_TRY_ASSIGN(key.over_memory, over_memory_.key());
    }
    if (over_network) {
      KRG_TRY(over_network_.map(over_network.get(), memory_));
      KRG_TRY_ASSIGN(key.over_network, over_network_.key());
    }
    key.address = reinterpret_cast<std::uintptr_t>(memory_.data());
    key.size = memory_.size();
    key.sum = key.compute_sum();
    key_ = wire::encode(key);
    if (key_.size() > kKeyMax) return Error(Errc::too_large, "memory key");
    return {};
  }

  std::span<std::byte> memory() const noexcept override { return memory_; }
  std::span<const std::byte> key() const noexcept override { return key_; }

 private:
  Mapping over_memory_, over_network_;
  std::span<std::byte> memory_;
  std::vector<std::byte> key_;
};

class UcxRemoteRegion final : public fabric::RemoteRegion {
 public:
  UcxRemoteRegion(UcxFabric& fabric, UcxEndpoint& endpoint, ucp_rkey_h rkey, const Key& key)
      : fabric_(fabric),
        endpoint_(endpoint),
        worker_(endpoint.worker()),
        rkey_(rkey),
        address_(key.address),
        size_(key.size) {}
  ~UcxRemoteRegion() override { ucp_rkey_destroy(rkey_); }

  void put(std::uint64_t offset, std::span<const std::byte> from,
           fabric::Completion& done) override;
  void get(std::uint64_t offset, std::span<std::byte> into, fabric::Completion& done) override;
  void fetch_add(std::uint64_t offset, std::uint64_t operand, std::uint64_t& old,
                 fabric::Completion& done) override;
  void compare_swap(std::uint64_t offset, std::uint64_t expected, std::uint64_t desired,
                    std::uint64_t& old, fabric::Completion& done) override;

 private:
  bool may_start(std::uint64_t offset, std::size_t size, fabric::Completion& done);
  void atomic(ucp_atomic_op_t op, std::uint64_t offset, const std::uint64_t& operand,
              std::uint64_t& old, fabric::Completion& done);

  UcxFabric& fabric_;
  UcxEndpoint& endpoint_;
  const std::shared_ptr<Worker> worker_;  // To give the key back to.
  ucp_rkey_h rkey_;
  const std::uint64_t address_;
  const std::uint64_t size_;
};

void tell(void* request, ucs_status_t status) {
  auto& operation = *static_cast<Operation*>(request);
  if (operation.endpoint != nullptr) {
    operation.endpoint->complete(operation, status);
  } else {
    release_orphan(operation);
  }
}

void on_done(void* request, ucs_status_t status, void*) {
  tell(request, status);
  ucp_request_free(request);
}

void on_atomic_done(void* request, ucs_status_t status, void* pool) {
  tell(request, status);
  static_cast<RequestPool*>(pool)->give_back(request);
}

// A put that has left this node is flushed to the peer's memory before it is told.
void on_put_done(void* request, ucs_status_t status, void*) {
  auto& operation = *static_cast<Operation*>(request);
  UcxEndpoint* endpoint = operation.endpoint;
  fabric::Completion* done = operation.done;
  if (endpoint != nullptr && status == UCS_OK && endpoint->ucp() != nullptr) {
    operation.done = nullptr;
    endpoint->flush_for(*done);
  }
  on_done(request, status, nullptr);
}

ucp_request_param_t with_callback(ucp_send_nbx_callback_t callback) noexcept {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK;
  param.cb.send = callback;
  return param;
}

bool UcxRemoteRegion::may_start(std::uint64_t offset, std::size_t size, fabric::Completion& done) {
  if (offset > size_ || size > size_ - offset) {
    fabric_.tell_later(done, Error(Errc::invalid_argument, "out of the region"));
    return false;
  }
  if (endpoint_.ucp() == nullptr) {
    fabric_.tell_later(done, Error(Errc::peer_down));
    return false;
  }
  if (size == 0) fabric_.tell_later(done, {});
  return size != 0;
}

void UcxRemoteRegion::put(std::uint64_t offset, std::span<const std::byte> from,
                          fabric::Completion& done) {
  if (!may_start(offset, from.size(), done)) return;
  const ucp_request_param_t param = with_callback(on_put_done);
  const ucs_status_ptr_t request =
      ucp_put_nbx(endpoint_.ucp(), from.data(), from.size(), address_ + offset, rkey_, &param);
  if (request == nullptr) return endpoint_.flush_for(done);
  endpoint_.settle(request, done);
}

void UcxRemoteRegion::get(std::uint64_t offset, std::span<std::byte> into,
                          fabric::Completion& done) {
  if (!may_start(offset, into.size(), done)) return;
  const ucp_request_param_t param = with_callback(on_done);
  endpoint_.settle(
      ucp_get_nbx(endpoint_.ucp(), into.data(), into.size(), address_ + offset, rkey_, &param),
      done);
}

void UcxRemoteRegion::fetch_add(std::uint64_t offset, std::uint64_t operand, std::uint64_t& old,
                                fabric::Completion& done) {
  atomic(UCP_ATOMIC_OP_ADD, offset, operand, old, done);
}

void UcxRemoteRegion::compare_swap(std::uint64_t offset, std::uint64_t expected,
                                   std::uint64_t desired, std::uint64_t& old,
                                   fabric::Completion& done) {
  old = desired;  // UCX takes it from where it puts the result.
  atomic(UCP_ATOMIC_OP_CSWAP, offset, expected, old, done);
}

void UcxRemoteRegion::atomic(ucp_atomic_op_t op, std::uint64_t offset, const std::uint64_t& operand,
                             std::uint64_t& old, fabric::Completion& done) {
  if ((address_ + offset) % sizeof operand != 0) {
    return fabric_.tell_later(done, Error(Errc::invalid_argument, "not aligned"));
  }
  if (!may_start(offset, sizeof operand, done)) return;
  RequestPool& pool = worker_->atomic_requests();
  ucp_request_param_t param = with_callback(on_atomic_done);
  param.op_attr_mask |= UCP_OP_ATTR_FIELD_DATATYPE | UCP_OP_ATTR_FIELD_REPLY_BUFFER |
                        UCP_OP_ATTR_FIELD_REQUEST | UCP_OP_ATTR_FIELD_USER_DATA;
  param.datatype = ucp_dt_make_contig(sizeof operand);
  param.reply_buffer = &old;
  param.request = pool.take();
  param.user_data = &pool;
  const ucs_status_ptr_t request =
      ucp_atomic_op_nbx(endpoint_.ucp(), op, &operand, 1, address_ + offset, rkey_, &param);
  if (!UCS_PTR_IS_PTR(request)) pool.give_back(param.request);
  endpoint_.settle(request, done);
}

}  // namespace

Result<std::unique_ptr<fabric::Region>> register_region(const Context& over_memory,
                                                        const Context& over_network,
                                                        std::span<std::byte> memory) {
  auto region = std::make_unique<UcxRegion>(memory);
  KRG_TRY(region->map(over_memory, over_network));
  return std::unique_ptr<fabric::Region>(std::move(region));
}

Result<std::unique_ptr<fabric::RemoteRegion>> attach_region(UcxFabric& fabric,
                                                            UcxEndpoint& endpoint,
                                                            std::span<const std::byte> key) {
  const auto decoded = wire::decode<Key>(key);
  if (!decoded || decoded.value().sum != decoded.value().compute_sum()) {
    return Error(Errc::invalid_argument, "not a memory key");
  }
  if (endpoint.ucp() == nullptr) return Error(Errc::peer_down);
  const bool by_memory = endpoint.worker()->path() == Path::memory;
  const auto& ucx_key = by_memory ? decoded->over_memory : decoded->over_network;
  if (ucx_key.empty()) return Error(Errc::invalid_argument, "a memory key for another path");
  ucp_rkey_h rkey = nullptr;
  const ucs_status_t status = ucp_ep_rkey_unpack(endpoint.ucp(), ucx_key.data(), &rkey);
  if (status != UCS_OK) return to_error(status, Errc::invalid_argument, "not a memory key");
  return std::unique_ptr<fabric::RemoteRegion>(
      std::make_unique<UcxRemoteRegion>(fabric, endpoint, rkey, decoded.value()));
}

}  // namespace krg::ucx

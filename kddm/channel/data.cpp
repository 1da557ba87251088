#include "krg/channel/data.h"

#include <cstring>

namespace krg::kddm {
namespace {

class SharedOwner final : public DataOwner {
 public:
  explicit SharedOwner(std::shared_ptr<const void> owner) noexcept : owner_(std::move(owner)) {}

  void keep() noexcept override { ++users_; }
  void let_go() noexcept override {
    if (--users_ == 0) delete this;
  }

 private:
  std::shared_ptr<const void> owner_;
  std::size_t users_ = 0;
};

}  // namespace

Data Data::shared(std::shared_ptr<const void> owner, wire::Bytes bytes) {
  return shared(*new SharedOwner(std::move(owner)), bytes);
}

rpc::Buffer Arrived::take(rpc::BufferPool& pool) {
  if (!buffer_.empty() || bytes_.empty()) return std::move(buffer_);
  rpc::Buffer copy = pool.take(bytes_.size());
  if (copy.size() == bytes_.size()) std::memcpy(copy.bytes().data(), bytes_.data(), bytes_.size());
  return copy;
}

}  // namespace krg::kddm

// A linker that says itself where its objects are at home: HomePolicy::linker.
#pragma once

#include "krg/store/linker.h"

namespace krg::kddm_sim {

class Sites final : public kddm::Linker {
 public:
  explicit Sites(std::uint32_t nodes) noexcept : nodes_(nodes) {}
  const char* name() const noexcept override { return "sites"; }
  NodeId preferred_home(kddm::SetId set, kddm::ObjectId object) const noexcept override {
    return NodeId{static_cast<std::uint32_t>((set.value * 7 + object.value) % nodes_)};
  }

 private:
  const std::uint32_t nodes_;
};

}  // namespace krg::kddm_sim

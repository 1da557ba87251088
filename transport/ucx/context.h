// A UCP context: which of UCX's transports a path between two nodes may use.
#pragma once

#include <ucp/api/ucp.h>

#include <utility>

#include "krg/error/result.h"
#include "krg/fabric/fabric.h"

namespace krg::ucx {

enum class Path { memory, network };

class Context {
 public:
  Context() = default;
  Context(Context&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
  Context& operator=(Context&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
  }
  ~Context();

  // Errors  no_device         UCX finds no transport for this path
  //         invalid_argument  a UCX_* variable makes no sense
  static Result<Context> open(const fabric::Options& options, Path path);

  explicit operator bool() const noexcept { return context_ != nullptr; }
  ucp_context_h get() const noexcept { return context_; }

 private:
  ucp_context_h context_ = nullptr;
};

}  // namespace krg::ucx

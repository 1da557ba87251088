// input.h: our standard input, read as fast as the ranks take it.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "krg/reactor/reactor.h"

namespace krg::runner {

class InputReader final : private reactor::FdHandler {
 public:
  // Gets what was read, and once no bytes: the end. The next comes after more().
  using Take = std::function<void(std::vector<std::byte>)>;

  InputReader(reactor::Reactor& reactor, Take take);
  ~InputReader();

  // Allows one more reading. Does nothing while this program is in the background of its terminal:
  // reading would stop it; again() then tries once more.
  void more();
  // After SIGCONT.
  void again() {
    if (wanted_) more();
  }
  // Nobody reads any more.
  void stop() noexcept;

 private:
  void on_fd(std::uint32_t events) noexcept override;
  void read_once();

  reactor::Reactor& reactor_;
  const Take take_;
  bool ended_ = false;
  bool wanted_ = false;
  bool watching_ = false;
};

}  // namespace krg::runner

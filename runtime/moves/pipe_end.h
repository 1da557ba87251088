// pipe_end.h: a stream socket of this process, awaited by coroutines.
#pragma once

#include <cstddef>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/reactor/event.h"
#include "krg/reactor/reactor.h"

namespace krg::moves {

class PipeEnd final : private reactor::FdHandler {
 public:
  PipeEnd(reactor::Reactor& reactor, UniqueFd socket);
  PipeEnd(const PipeEnd&) = delete;
  PipeEnd& operator=(const PipeEnd&) = delete;
  ~PipeEnd();

  // At most `most` bytes; none: the other side has ended. It ends when its process does: so it is
  // waited for without a deadline, as is room for what is written.
  Co<std::vector<std::byte>> read(std::size_t most);
  // Errors  peer_down
  Co<Status> write(std::vector<std::byte> bytes);
  // Nothing more is written; or, also read.
  void end_writing() noexcept;
  void close() noexcept;

 private:
  void on_fd(std::uint32_t events) noexcept override;
  void watch() noexcept;

  reactor::Reactor& reactor_;
  const UniqueFd socket_;
  reactor::Event readable_;
  reactor::Event writable_;
};

}  // namespace krg::moves

// link.h: what the test launcher and its nodes say to each other over a socket.
//
// Model    frames of a fixed head and a body. The launcher passes questions and answers between
//          nodes on.
// Threads  owned by one thread.
// Blocks   send() while the socket is full: the other side always reads.
// Source   tests/multiproc/pmi/README.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/pmix/exchange.h"

namespace krg::pmix::testing {

enum class Kind : std::uint32_t {
  create,    // launcher to node: a JobDescription
  created,   // node to launcher
  start,     // launcher to node: start your ranks of the job `text`
  exited,    // node to launcher: a RankNews
  abort,     // node to launcher: a RankNews
  spawn,     // node to launcher: a SpawnRequest; `id` names it
  spawned,   // launcher to node: `id`, and the name space as body, empty for an error
  kill,      // launcher to node: end every rank
  finish,    // launcher to node: end yourself
  question,  // node to node
  answer,    // node to node, status 0
  failure,   // node to node, status is the Errc
  log,       // node to launcher: a line
};

struct Head {
  std::uint32_t size = 0;  // Of the body.
  Kind kind{};
  std::uint32_t from = 0, to = 0;
  std::uint32_t status = 0;
  std::uint32_t unused = 0;
  std::uint64_t id = 0;
};
static_assert(sizeof(Head) == 32);

struct Frame {
  Head head;
  Blob body;
};

struct RankNews {
  std::string name_space;
  std::uint32_t rank = 0;
  std::int32_t code = 0;  // exited: the wait status; abort: the code asked for.
  std::string text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.name_space, m.rank, m.code, m.text); }
};

class Link {
 public:
  explicit Link(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const noexcept { return fd_.get(); }
  void send(Head head, const Blob& body);
  // Reads what has arrived; false when the other side has closed.
  bool receive();
  // Takes the next whole frame.
  bool next(Frame& frame);

 private:
  UniqueFd fd_;
  std::vector<std::byte> input_;
  std::size_t at_ = 0;
};

inline Blob to_blob(const std::string& text) {
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  return Blob(from, from + text.size());
}
inline std::string to_text(const Blob& blob) {
  return std::string(reinterpret_cast<const char*>(blob.data()), blob.size());
}

}  // namespace krg::pmix::testing

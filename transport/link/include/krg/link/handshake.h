// link/handshake.h: how two nodes prove to each other that they hold the cluster's key. No socket,
// no clock.
//
// Model    three messages of fixed size: hello (nonce, identity, node wanted), answer (nonce,
// identity,
//          proof), proof. A proof is a keyed BLAKE2b over role, version, both nonces and both
//          identities: one side's proof is never the other's, nor that of another session. Nothing
//          of variable size is parsed before the peer is proven. Both sides then derive the
//          session's secrets.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/wire.md, "Handshake"; ISO/IEC 9798-4 three-pass mutual authentication
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/link/frame.h"

namespace krg::link {

// Of everything that two nodes send each other, up to what their providers must agree on.
// 2: UCX's TCP segments are of 1088 KiB; a node of version 1 would let one overrun its buffer.
// 3: a UCX worker's address follows the greeting.
// 4: the elements of UCX's queues in shared memory are of 256 bytes.
// 5: messages and options of shared objects say more.
inline constexpr std::uint16_t kVersion = 5;

using Nonce = std::array<std::byte, 32>;

// What both sides of a proven session know, and nobody else.
struct Session {
  fabric::Identity peer;
  MacKey send_key{}, receive_key{};
  std::uint64_t send_token = 0, receive_token = 0;
};

class Handshake {
 public:
  enum class Role { initiator, responder };
  enum class State { more, proven, failed };

  struct Options {
    Role role = Role::initiator;
    fabric::Identity self;
    // The node that the initiator wants; the responder learns it.
    NodeId wanted = kNoNode;
    fabric::Key key{};
    // Fresh random bytes: see random_nonce().
    Nonce nonce{};
  };

  static constexpr std::size_t kHelloSize = 52;
  static constexpr std::size_t kAnswerSize = 80;
  static constexpr std::size_t kProofSize = 32;

  explicit Handshake(const Options& options) noexcept;
  ~Handshake();  // Wipes the key.

  // What the initiator sends first; nothing for the responder.
  void begin(std::vector<std::byte>& out) const;
  // What an initiator sends instead of its proof when it no longer wants the connection.
  static void withdraw(std::vector<std::byte>& out);
  // Takes bytes from the peer and appends what to send to `out`. Returns how many of `in` were
  // used: all of them, unless the state turned `proven`, and the rest is for a FrameReader.
  std::size_t feed(std::span<const std::byte> in, std::vector<std::byte>& out);

  State state() const noexcept { return state_; }
  // Bytes of the unfinished message that are here; for the wording of a refusal.
  std::size_t partial() const noexcept { return have_; }
  // Requires  state() == failed.
  // Errors  protocol_error    not our protocol, or nonsense in it.
  //         version_mismatch  the peer speaks another version.
  //         auth_failed       the peer has not proven the key.
  //         cancelled         the initiator has withdrawn.
  //         not_found         the responder is another node than the wanted one.
  const Error& error() const noexcept { return error_; }
  // Requires  state() == proven.
  const Session& session() const noexcept { return session_; }
  // Who the peer says it is; proven or not.
  const fabric::Identity& claimed() const noexcept { return session_.peer; }

 private:
  std::size_t needed() const noexcept;
  void check_opening(std::vector<std::byte>& out);
  void take_message(std::vector<std::byte>& out);
  void take_hello(std::vector<std::byte>& out);
  void take_answer(std::vector<std::byte>& out);
  void take_proof();
  void fail(Error error) noexcept;
  void finish() noexcept;

  Options options_;
  State state_ = State::more;
  Error error_;
  std::array<std::byte, kAnswerSize> message_{};
  std::size_t have_ = 0;
  bool hello_taken_ = false;
  Nonce peer_nonce_{};
  Session session_;
};

// From the kernel's generator.
Nonce random_nonce();

}  // namespace krg::link

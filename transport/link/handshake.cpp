#include "krg/link/handshake.h"

#include <algorithm>
#include <cstring>

#include "crypto.h"
#include "krg/base/assert.h"
#include "krg/wire/decoder.h"
#include "krg/wire/encoder.h"

namespace krg::link {
namespace {

constexpr std::uint32_t kMagic = 0x4c47524b;  // "KRGL"
constexpr std::size_t kOpeningSize = 8;       // Magic, version, zero: the same in every version.

// What makes one proof useless as another; all of one length.
constexpr std::string_view kInitiatorLabel = "krg link initiator";
constexpr std::string_view kResponderLabel = "krg link responder";
constexpr std::string_view kSessionLabel = "krg link session..";
static_assert(kInitiatorLabel.size() == kResponderLabel.size() &&
              kResponderLabel.size() == kSessionLabel.size());

struct Side {
  const fabric::Identity& identity;
  const Nonce& nonce;
};

std::uint64_t as_number(const fabric::Identity& id) noexcept {
  return std::uint64_t{id.node.value} << 32 | id.incarnation.value;
}

Digest prove(const fabric::Key& key, std::string_view label, NodeId wanted, const Side& initiator,
             const Side& responder) noexcept {
  Digest digest;
  Mac(key, digest.size())
      .add(label)
      .add(std::uint64_t{kVersion})
      .add(std::uint64_t{wanted.value})
      .add(initiator.nonce)
      .add(responder.nonce)
      .add(as_number(initiator.identity))
      .add(as_number(responder.identity))
      .finish(digest);
  return digest;
}

// One of the session's secrets, by its name.
Digest derive(const Digest& secret, std::string_view name) noexcept {
  Digest digest;
  Mac(secret, digest.size()).add(name).finish(digest);
  return digest;
}

std::uint64_t derive_token(const Digest& secret, std::string_view name) noexcept {
  const Digest digest = derive(secret, name);
  std::uint64_t token = 0;
  std::memcpy(&token, digest.data(), sizeof token);
  return token;
}

void put_opening(wire::Encoder& out) noexcept {
  out.put(kMagic);
  out.put(kVersion);
  out.put(std::uint16_t{0});
}

void put_identity(wire::Encoder& out, const fabric::Identity& id) noexcept {
  out.put(id.node.value);
  out.put(id.incarnation.value);
}

fabric::Identity get_identity(wire::Decoder& in) noexcept {
  fabric::Identity id;
  id.node.value = in.get<std::uint32_t>();
  id.incarnation.value = in.get<std::uint32_t>();
  return id;
}

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

Nonce random_nonce() {
  Nonce nonce;
  fill_random(nonce);
  return nonce;
}

Handshake::Handshake(const Options& options) noexcept : options_(options) {}

Handshake::~Handshake() {
  wipe(options_.key);
  wipe(session_.send_key);
  wipe(session_.receive_key);
}

void Handshake::begin(std::vector<std::byte>& out) const {
  if (options_.role != Role::initiator) return;
  std::array<std::byte, kHelloSize> hello;
  wire::Encoder to{hello};
  put_opening(to);
  to.put_raw(options_.nonce.data(), options_.nonce.size());
  put_identity(to, options_.self);
  to.put(options_.wanted.value);
  KRG_ASSERT(to.size() == hello.size());
  append(out, hello);
}

void Handshake::withdraw(std::vector<std::byte>& out) { out.resize(out.size() + kProofSize); }

std::size_t Handshake::needed() const noexcept {
  if (options_.role == Role::initiator) return kAnswerSize;
  return hello_taken_ ? kProofSize : kHelloSize;
}

std::size_t Handshake::feed(std::span<const std::byte> in, std::vector<std::byte>& out) {
  std::size_t used = 0;
  while (state_ == State::more && used < in.size()) {
    // The opening is checked as soon as it is here: a stranger is refused by its first bytes.
    const bool opening = have_ < kOpeningSize && !hello_taken_;
    const std::size_t until = opening ? kOpeningSize : needed();
    const std::size_t take = std::min(until - have_, in.size() - used);
    std::memcpy(message_.data() + have_, in.data() + used, take);
    have_ += take;
    used += take;
    if (have_ < until) break;
    if (opening) {
      check_opening(out);
    } else {
      have_ = 0;
      take_message(out);
    }
  }
  return state_ == State::failed ? in.size() : used;
}

void Handshake::check_opening(std::vector<std::byte>& out) {
  wire::Decoder in{std::span(message_).first(kOpeningSize)};
  if (in.get<std::uint32_t>() != kMagic) {
    return fail(Error(Errc::protocol_error, "it does not speak krg's protocol"));
  }
  if (in.get<std::uint16_t>() != kVersion) {
    if (options_.role == Role::responder) {
      // Lets the other side say the same in its log.
      std::array<std::byte, kOpeningSize> opening;
      wire::Encoder to{opening};
      put_opening(to);
      append(out, opening);
    }
    return fail(Error(Errc::version_mismatch, "it speaks another version of krg's protocol"));
  }
  if (in.get<std::uint16_t>() != 0) {
    fail(Error(Errc::protocol_error, "reserved bits in the handshake"));
  }
}

void Handshake::take_message(std::vector<std::byte>& out) {
  if (options_.role == Role::initiator) return take_answer(out);
  if (hello_taken_) return take_proof();
  take_hello(out);
}

void Handshake::take_hello(std::vector<std::byte>& out) {
  hello_taken_ = true;
  wire::Decoder in{std::span(message_).first(kHelloSize)};
  in.view(kOpeningSize);
  in.get_raw(peer_nonce_.data(), peer_nonce_.size());
  session_.peer = get_identity(in);
  options_.wanted = NodeId{in.get<std::uint32_t>()};
  if (session_.peer.node == options_.self.node || session_.peer.node == kNoNode) {
    return fail(Error(Errc::protocol_error, "it claims this node's id, or none"));
  }

  std::array<std::byte, kAnswerSize> answer;
  wire::Encoder to{answer};
  put_opening(to);
  to.put_raw(options_.nonce.data(), options_.nonce.size());
  put_identity(to, options_.self);
  const Digest proof = prove(options_.key, kResponderLabel, options_.wanted,
                             {session_.peer, peer_nonce_}, {options_.self, options_.nonce});
  to.put_raw(proof.data(), proof.size());
  KRG_ASSERT(to.size() == answer.size());
  append(out, answer);
  // The answer lets the initiator know whom it has reached.
  if (options_.wanted != options_.self.node)
    fail(Error(Errc::not_found, "it looks for another node"));
}

void Handshake::take_answer(std::vector<std::byte>& out) {
  wire::Decoder in{std::span(message_).first(kAnswerSize)};
  in.view(kOpeningSize);
  in.get_raw(peer_nonce_.data(), peer_nonce_.size());
  session_.peer = get_identity(in);
  const auto proof = in.view(kProofSize);
  const Side initiator{options_.self, options_.nonce};
  const Side responder{session_.peer, peer_nonce_};
  if (!equal(proof, prove(options_.key, kResponderLabel, options_.wanted, initiator, responder))) {
    return fail(Error(Errc::auth_failed, "it does not hold this cluster's key"));
  }
  if (session_.peer.node != options_.wanted) {
    return fail(Error(Errc::not_found, "it is another node"));
  }
  append(out, prove(options_.key, kInitiatorLabel, options_.wanted, initiator, responder));
  finish();
}

void Handshake::take_proof() {
  const auto proof = std::span(message_).first(kProofSize);
  if (std::all_of(proof.begin(), proof.end(), [](std::byte b) { return b == std::byte{0}; })) {
    return fail(Error(Errc::cancelled, "it has withdrawn"));
  }
  if (!equal(proof, prove(options_.key, kInitiatorLabel, options_.wanted,
                          {session_.peer, peer_nonce_}, {options_.self, options_.nonce}))) {
    return fail(Error(Errc::auth_failed, "it does not hold this cluster's key"));
  }
  finish();
}

void Handshake::fail(Error error) noexcept {
  state_ = State::failed;
  error_ = error;
}

void Handshake::finish() noexcept {
  const bool initiator = options_.role == Role::initiator;
  const Side self{options_.self, options_.nonce};
  const Side peer{session_.peer, peer_nonce_};
  Digest secret = initiator ? prove(options_.key, kSessionLabel, options_.wanted, self, peer)
                            : prove(options_.key, kSessionLabel, options_.wanted, peer, self);
  const Digest to_responder = derive(secret, "frames to the responder");
  const Digest to_initiator = derive(secret, "frames to the initiator");
  const std::uint64_t token_to_responder = derive_token(secret, "token to the responder");
  const std::uint64_t token_to_initiator = derive_token(secret, "token to the initiator");
  wipe(secret);
  session_.send_key = initiator ? to_responder : to_initiator;
  session_.receive_key = initiator ? to_initiator : to_responder;
  session_.send_token = initiator ? token_to_responder : token_to_initiator;
  session_.receive_token = initiator ? token_to_initiator : token_to_responder;
  state_ = State::proven;
}

}  // namespace krg::link

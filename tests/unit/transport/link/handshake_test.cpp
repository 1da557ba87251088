// The proof of the cluster's key, between two state machines and against an adversary.
#include "krg/link/handshake.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace krg::link {
namespace {

using Role = Handshake::Role;
using State = Handshake::State;
using Bytes = std::vector<std::byte>;

fabric::Key key_of(unsigned char fill) {
  fabric::Key key;
  key.fill(std::byte{fill});
  return key;
}

Handshake::Options initiator_options() {
  return {.role = Role::initiator,
          .self = {NodeId{1}, Incarnation{5}},
          .wanted = NodeId{2},
          .key = key_of(9),
          .nonce = random_nonce()};
}

Handshake::Options responder_options() {
  return {.role = Role::responder,
          .self = {NodeId{2}, Incarnation{8}},
          .wanted = kNoNode,
          .key = key_of(9),
          .nonce = random_nonce()};
}

struct Transcript {
  Bytes hello, answer, proof;
};

Transcript run(Handshake& initiator, Handshake& responder) {
  Transcript t;
  initiator.begin(t.hello);
  responder.feed(t.hello, t.answer);
  initiator.feed(t.answer, t.proof);
  Bytes nothing;
  responder.feed(t.proof, nothing);
  EXPECT_TRUE(nothing.empty());
  return t;
}

TEST(LinkHandshake, ProvesBothSidesAndAgreesOnSecrets) {
  Handshake a(initiator_options()), b(responder_options());
  const Transcript t = run(a, b);
  ASSERT_EQ(a.state(), State::proven);
  ASSERT_EQ(b.state(), State::proven);
  EXPECT_EQ(t.hello.size(), Handshake::kHelloSize);
  EXPECT_EQ(t.answer.size(), Handshake::kAnswerSize);
  EXPECT_EQ(t.proof.size(), Handshake::kProofSize);
  EXPECT_EQ(a.session().peer, (fabric::Identity{NodeId{2}, Incarnation{8}}));
  EXPECT_EQ(b.session().peer, (fabric::Identity{NodeId{1}, Incarnation{5}}));
  EXPECT_EQ(a.session().send_key, b.session().receive_key);
  EXPECT_EQ(b.session().send_key, a.session().receive_key);
  EXPECT_EQ(a.session().send_token, b.session().receive_token);
  EXPECT_EQ(b.session().send_token, a.session().receive_token);
  EXPECT_NE(a.session().send_token, a.session().receive_token);
  EXPECT_NE(a.session().send_key, a.session().receive_key);
}

TEST(LinkHandshake, GivesEverySessionItsOwnSecrets) {
  Handshake a1(initiator_options()), b1(responder_options());
  Handshake a2(initiator_options()), b2(responder_options());
  run(a1, b1);
  run(a2, b2);
  EXPECT_NE(a1.session().send_token, a2.session().send_token);
  EXPECT_NE(a1.session().send_key, a2.session().send_key);
}

TEST(LinkHandshake, WorksByteByByteAndLeavesWhatFollows) {
  Handshake a(initiator_options()), b(responder_options());
  Bytes hello, answer, proof, nothing;
  a.begin(hello);
  for (const std::byte x : hello) EXPECT_EQ(b.feed({&x, 1}, answer), 1u);
  for (const std::byte x : answer) EXPECT_EQ(a.feed({&x, 1}, proof), 1u);
  const std::size_t size = proof.size();
  proof.resize(size + 100);
  EXPECT_EQ(b.feed(proof, nothing), size);
  EXPECT_EQ(b.state(), State::proven);
}

TEST(LinkHandshake, RefusesAnotherKeyOnEitherSide) {
  auto options = initiator_options();
  options.key = key_of(1);
  Handshake a(options), b(responder_options());
  Bytes hello, answer, proof;
  a.begin(hello);
  b.feed(hello, answer);
  a.feed(answer, proof);
  ASSERT_EQ(a.state(), State::failed);
  EXPECT_EQ(a.error().code(), Errc::auth_failed);
  EXPECT_TRUE(proof.empty());
  // And an initiator that goes on regardless.
  Bytes nothing;
  b.feed(Bytes(Handshake::kProofSize, std::byte{1}), nothing);
  ASSERT_EQ(b.state(), State::failed);
  EXPECT_EQ(b.error().code(), Errc::auth_failed);
}

TEST(LinkHandshake, RefusesAReplayOfEitherSide) {
  Handshake a(initiator_options()), b(responder_options());
  const Transcript t = run(a, b);
  {
    Handshake fresh(responder_options());
    Bytes out;
    fresh.feed(t.hello, out);
    fresh.feed(t.proof, out);
    EXPECT_EQ(fresh.state(), State::failed);
  }
  {
    Handshake fresh(initiator_options());
    Bytes out;
    fresh.feed(t.answer, out);
    EXPECT_EQ(fresh.state(), State::failed);
    EXPECT_TRUE(out.empty());
  }
}

// Goal    a node without the key gets nowhere by sending a node's own messages back to it.
// Method  the adversary answers a hello with one made by a second connection to the same node, and
//         uses the answer's proof as the initiator's.
TEST(LinkHandshake, RefusesReflection) {
  Handshake victim(responder_options());
  Bytes hello, answer, out;
  Handshake(initiator_options()).begin(hello);
  victim.feed(hello, answer);
  victim.feed(std::span(answer).last(Handshake::kProofSize), out);
  EXPECT_EQ(victim.state(), State::failed);

  Handshake caller(initiator_options());
  Bytes own_hello;
  caller.begin(own_hello);
  own_hello.resize(Handshake::kAnswerSize);
  caller.feed(own_hello, out);
  EXPECT_EQ(caller.state(), State::failed);
}

TEST(LinkHandshake, RefusesEveryChangedBit) {
  for (std::size_t bit = 0; bit < Handshake::kHelloSize * 8; ++bit) {
    Handshake a(initiator_options()), b(responder_options());
    Bytes hello, answer, proof, nothing;
    a.begin(hello);
    hello[bit / 8] ^= std::byte{static_cast<unsigned char>(1u << (bit % 8))};
    b.feed(hello, answer);
    a.feed(answer, proof);
    b.feed(proof, nothing);
    EXPECT_NE(a.state(), State::proven) << "bit " << bit << " of the hello";
    EXPECT_NE(b.state(), State::proven) << "bit " << bit << " of the hello";
  }
  for (std::size_t bit = 0; bit < Handshake::kAnswerSize * 8; ++bit) {
    Handshake a(initiator_options()), b(responder_options());
    Bytes hello, answer, proof;
    a.begin(hello);
    b.feed(hello, answer);
    answer[bit / 8] ^= std::byte{static_cast<unsigned char>(1u << (bit % 8))};
    a.feed(answer, proof);
    EXPECT_EQ(a.state(), State::failed) << "bit " << bit << " of the answer";
    EXPECT_TRUE(proof.empty());
  }
}

TEST(LinkHandshake, RefusesAStrangerByItsFirstBytes) {
  Handshake b(responder_options());
  Bytes out;
  const std::string http = "GET / HTTP/1.1\r\n\r\n";
  b.feed(std::as_bytes(std::span(http)).first(8), out);
  ASSERT_EQ(b.state(), State::failed);
  EXPECT_EQ(b.error().code(), Errc::protocol_error);
  EXPECT_TRUE(out.empty());
}

TEST(LinkHandshake, TellsBothSidesOfAnotherVersion) {
  Bytes hello;
  Handshake newer(initiator_options());
  newer.begin(hello);
  hello[4] = std::byte{kVersion + 1};
  Handshake b(responder_options());
  Bytes out;
  b.feed(hello, out);
  ASSERT_EQ(b.state(), State::failed);
  EXPECT_EQ(b.error().code(), Errc::version_mismatch);
  ASSERT_EQ(out.size(), 8u);
  out[4] = std::byte{kVersion + 1};  // As the newer side would see it: not its own.
  Bytes nothing;
  newer.feed(out, nothing);
  EXPECT_EQ(newer.error().code(), Errc::version_mismatch);
}

TEST(LinkHandshake, CanBeWithdrawn) {
  Handshake a(initiator_options()), b(responder_options());
  Bytes hello, answer;
  a.begin(hello);
  Handshake::withdraw(hello);
  b.feed(hello, answer);
  ASSERT_EQ(b.state(), State::failed);
  EXPECT_EQ(b.error().code(), Errc::cancelled);
}

TEST(LinkHandshake, RefusesTheWrongNode) {
  auto options = initiator_options();
  options.wanted = NodeId{3};
  Handshake a(options), b(responder_options());
  Bytes hello, answer, proof;
  a.begin(hello);
  b.feed(hello, answer);
  ASSERT_EQ(b.state(), State::failed);
  EXPECT_EQ(b.error().code(), Errc::not_found);
  a.feed(answer, proof);
  ASSERT_EQ(a.state(), State::failed);
  EXPECT_EQ(a.error().code(), Errc::not_found);
  EXPECT_TRUE(proof.empty());

  auto twin = initiator_options();
  twin.self.node = NodeId{2};
  Handshake c(twin), d(responder_options());
  Bytes hello2, answer2;
  c.begin(hello2);
  d.feed(hello2, answer2);
  EXPECT_EQ(d.state(), State::failed) << "a peer with this node's own id";
}

}  // namespace
}  // namespace krg::link

#include "krg/testing/recorder.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace krg::testing {
namespace {

Link& link_of(fabric::Endpoint& endpoint) {
  auto* link = static_cast<Link*>(endpoint.user);
  EXPECT_NE(link, nullptr) << "something came before on_up";
  EXPECT_FALSE(link->down) << "something came after on_down";
  return *link;
}

}  // namespace

bool Link::all_whole() const noexcept {
  return std::ranges::all_of(arrived, [](const auto& message) { return message->whole(); });
}

Link* Recorder::link(NodeId node) noexcept {
  const auto found = std::find_if(links.rbegin(), links.rend(), [&](const Link& link) {
    return link.peer.node == node && link.up();
  });
  return found == links.rend() ? nullptr : &*found;
}

std::size_t Recorder::up_count() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(links, [](const Link& link) { return link.up(); }));
}

void Recorder::receive(Arrived& message) {
  fabric::LargeMessage& large = *std::exchange(message.held, nullptr);
  message.data.resize(large.size());
  large.receive(message.data, message.received);
}

void Recorder::discard(Arrived& message) { std::exchange(message.held, nullptr)->discard(); }

void Recorder::on_up(fabric::Endpoint& endpoint) {
  EXPECT_EQ(endpoint.user, nullptr) << "on_up came twice";
  Link& link = links.emplace_back();
  link.endpoint = &endpoint;
  link.peer = endpoint.peer();
  endpoint.user = &link;
}

void Recorder::on_message(fabric::Endpoint& from, std::span<const std::byte> content) {
  Link& link = link_of(from);
  if (on_small) return on_small(link, content);
  auto& message = *link.arrived.emplace_back(std::make_unique<Arrived>());
  message.content.assign(content.begin(), content.end());
}

void Recorder::on_large(fabric::Endpoint& from, std::span<const std::byte> header,
                        fabric::LargeMessage& large) {
  auto& message = *link_of(from).arrived.emplace_back(std::make_unique<Arrived>());
  message.is_large = true;
  message.content.assign(header.begin(), header.end());
  message.held = &large;
  if (on_large_message == OnLarge::receive) receive(message);
  if (on_large_message == OnLarge::discard) discard(message);
}

void Recorder::on_writable(fabric::Endpoint& endpoint) { ++link_of(endpoint).writable; }

void Recorder::on_down(fabric::Endpoint& endpoint, Error why, bool graceful) {
  Link& link = link_of(endpoint);
  link.endpoint = nullptr;
  link.down = true;
  link.graceful = graceful;
  link.why = why;
  // What was held is gone with the endpoint.
  for (auto& message : link.arrived) message->held = nullptr;
}

void Recorder::on_connect_failed(NodeId node, Error why) { failures.push_back({node, why}); }

}  // namespace krg::testing

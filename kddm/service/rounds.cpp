// Messages to one node that differ in nothing but the object: a range's requests, what its receiver
// has then, the reports of a view. One message of up to Round::kMax objects takes their place.
#include "service.h"

namespace krg::kddm {

void Service::add_to_round(Set& set, ObjectId object, NodeId to, const Message& message) noexcept {
  if (to.value >= rounds_.size()) rounds_.resize(to.value + std::size_t{1});
  if (!rounds_[to.value]) rounds_[to.value] = std::make_unique<Round>();
  Round& round = *rounds_[to.value];
  Message alike = message;
  alike.op = round.message.op;  // Never on the wire.
  const bool fits = round.count < Round::kMax && round.set == set.id && round.message == alike;
  if (round.count > 0 && !fits) send_round(to, round);
  if (round.count == 0) {
    round.set = set.id;
    round.message = message;
    open_rounds_.push_back(to);
  }
  round.objects[round.count++] = object;
}

// What is sent to `to` from now on comes after it.
void Service::send_round(NodeId to) noexcept {
  if (to.value >= rounds_.size() || !rounds_[to.value]) return;
  if (rounds_[to.value]->count > 0) send_round(to, *rounds_[to.value]);
}

void Service::send_round(NodeId to, Round& round) noexcept {
  if (round.count == 1) {
    channels_.send(to, encode(Envelope{round.set, round.objects[0], round.message}));
  } else {
    std::array<std::byte, kRoundBytesMax> room;
    channels_.send(to, encode(round, room));
  }
  round.count = 0;
}

bool Service::flush() noexcept {
  if (open_rounds_.empty()) return false;
  for (const NodeId to : open_rounds_) send_round(to);
  open_rounds_.clear();
  return true;
}

void Service::on_round(NodeId from, wire::Bytes head) {
  Round& round = received_;
  if (!decode_round(head, round)) return malformed(from, "not a message about some objects");
  Set* const set = find_set(round.set);
  if (set == nullptr) return malformed(from, "a set that was not introduced");
  round.message.from = from;
  for (std::size_t i = 0; i < round.count; ++i) {
    Message message = round.message;
    on_message_of(*set, round.objects[i], message, nullptr);
  }
}

}  // namespace krg::kddm

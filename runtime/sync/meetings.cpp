#include "meetings.h"

#include <algorithm>
#include <utility>

#include "krg/reactor/event.h"

namespace krg::sync {
namespace {

using namespace std::chrono_literals;

// The node's notice waits so long for tasks that came the last time; and for any, the first time.
constexpr Duration kForOthers = 5ms;
constexpr Duration kForAny = 1ms;
// A notice, or its answer, was lost with a connection; or its home is not in this view yet, which
// is asked sooner.
constexpr Duration kAgain = 1s;
constexpr Duration kAskAgain = 5ms;
// For a home's word that who gives up has not come: within the caller's grace (waits.cpp).
constexpr Duration kToLeave = 8s;
// What is remembered of meetings that nobody is at; for so long at least.
constexpr std::size_t kKnown = 4096;
constexpr Duration kRemembered = 60s;
constexpr std::uint64_t kNever = ~std::uint64_t{0};

}  // namespace

// A task that has come. Shared with its caller, which may be gone before the round is over.
struct Meetings::Guest {
  Guest(reactor::Reactor& reactor, std::vector<std::uint64_t> w)
      : words(std::move(w)), done(reactor) {}
  bool in(std::uint64_t sent) const noexcept { return since != 0 && since <= sent && sent < until; }

  std::vector<std::uint64_t> words;
  std::uint64_t since = 0, until = kNever;  // The notices in which it is counted.
  bool leaving = false;
  reactor::Event done;
  Status how;
  bool over = false;
  calls::Meet::Reply reply;
};

// The tasks of this node at one meeting. Shared with the coroutine that leads them.
struct Meetings::Group {
  Group(reactor::Reactor& reactor, const calls::Meet::Request& r)
      : key(r.key), parties(r.parties), reduce(r.reduce), width(r.words.size()), changed(reactor) {}

  bool fits(const calls::Meet::Request& r) const noexcept {
    return r.parties == parties && r.reduce == reduce && r.words.size() == width;
  }
  void begin_round(TimePoint now) noexcept {
    before = 0;
    told = false;
    untold_at = now;
    for (const auto& guest : guests) {
      guest->since = 0;
      guest->until = kNever;
    }
  }
  void end(const Status& how) {
    for (const auto& guest : guests) {
      guest->how = how;
      guest->done.set();
    }
    guests.clear();
  }

  const Key key;
  const std::uint32_t parties;
  const Reduce reduce;
  const std::size_t width;
  std::vector<std::shared_ptr<Guest>> guests;  // In the order in which they came.
  std::uint64_t round = 0, sent = 0, before = 0;
  std::uint32_t expected = 0;
  Epoch told_in;      // The view of the last notice,
  TimePoint told_at;  // and when it was sent.
  Duration patience = kAgain;
  bool told = false;    // In this round.
  TimePoint untold_at;  // Since when somebody has not been told of.
  reactor::Event changed;
};

// A hall, and who has come before it knew which round it is.
struct Meetings::House {
  Hall hall;
  bool knows = false;
  std::vector<Come::Request> before;
};

Meetings::Meetings(rpc::Rpc& rpc, kddm::Kddm& kddm)
    : rpc_(rpc),
      kddm_(kddm),
      reactor_(rpc.reactor()),
      self_(rpc.self().node),
      most_known_(kKnown),
      most_houses_(kKnown) {
  serve();
}
Meetings::~Meetings() = default;

std::size_t Meetings::waiting() const noexcept {
  std::size_t all = 0;
  for (const auto& [key, group] : groups_) all += group->guests.size();
  return all;
}

Epoch Meetings::view() {
  look_at_view();
  return epoch_;
}

void Meetings::look_at_view() {
  if (kddm_.epoch() == epoch_) return;
  epoch_ = kddm_.epoch();
  houses_.clear();
  for (const auto& [key, group] : groups_) {
    if (group->told) group->before = group->sent;
    group->patience = kAskAgain;
    group->changed.set();
  }
}

Meetings::Known& Meetings::known(const Key& key) {
  if (known_.size() >= most_known_ && !known_.contains(key)) {
    const TimePoint now = reactor_.now();
    std::erase_if(known_, [&](const auto& entry) {
      return now - entry.second.used > kRemembered && !groups_.contains(entry.first);
    });
    most_known_ = std::max(kKnown, 2 * known_.size());
  }
  Known& known = known_[key];
  known.used = reactor_.now();
  return known;
}

// --- Who comes ----------------------------------------------------------------------------------

std::shared_ptr<Meetings::Group> Meetings::group_of(const calls::Meet::Request& request) {
  if (const auto at = groups_.find(request.key); at != groups_.end()) return at->second;
  auto group = std::make_shared<Group>(reactor_, request);
  const Known& last = known(request.key);
  group->round = last.done != 0 ? last.done + 1 : 0;
  group->expected = last.expected;
  groups_.emplace(request.key, group);
  reactor_.spawn(lead(group));
  return group;
}

Co<Result<calls::Meet::Reply>> Meetings::meet(calls::Meet::Request request, Deadline deadline) {
  if (request.parties == 0 || request.words.size() > kReduceWords || !is_sound(request.reduce)) {
    co_return Error(Errc::invalid_argument, "a meeting of nobody, or of too many words");
  }
  const std::shared_ptr<Group> group = group_of(request);
  if (!group->fits(request)) {
    co_return Error(Errc::invalid_argument, "others wait for another meeting here");
  }
  const auto guest = std::make_shared<Guest>(reactor_, std::move(request.words));
  if (group->guests.empty() || group->guests.back()->since != 0) group->untold_at = reactor_.now();
  group->guests.push_back(guest);
  group->changed.set();
  const Status in_time = co_await guest->done.wait(deadline);
  if (!in_time && !guest->done.is_set()) {
    guest->leaving = true;
    group->changed.set();
    static_cast<void>(co_await guest->done.wait(reactor_.after(kToLeave)));
  }
  if (guest->over) co_return std::move(guest->reply);
  if (!guest->how) co_return guest->how.error();
  co_return Error(Errc::timed_out, "others have not come");
}

Deadline Meetings::next_notice(const Group& group) const noexcept {
  if (group.told && group.told_in != epoch_) return Deadline(reactor_.now());
  bool untold = false;
  for (const auto& guest : group.guests) {
    if (guest->leaving && guest->until == kNever) return Deadline(reactor_.now());
    untold = untold || (guest->since == 0 && !guest->leaving);
  }
  if (!untold) return Deadline(group.told_at + group.patience);
  const std::size_t expected = std::min(std::max(group.expected, 1u), group.parties);
  if (group.guests.size() >= group.parties) return Deadline(reactor_.now());
  if (group.expected != 0 && group.guests.size() >= expected) return Deadline(reactor_.now());
  return Deadline(group.untold_at + (group.expected != 0 ? kForOthers : kForAny));
}

// As long as somebody of the group waits.
Co<void> Meetings::lead(std::shared_ptr<Group> group) {
  while (!group->guests.empty()) {
    const Deadline next = next_notice(*group);
    if (!next.passed(reactor_.now())) {
      static_cast<void>(co_await group->changed.wait(next));
      group->changed.clear();
      continue;
    }
    const Status how = co_await tell(*group);
    if (how) continue;
    if (how.error().code() == Errc::not_found) {
      group->end(how);
    } else {
      co_await reactor::sleep_for(reactor_, kAskAgain);
    }
  }
  groups_.erase(group->key);
}

// Says how many have come.
Co<Status> Meetings::tell(Group& group) {
  const auto home = co_await kddm_.home_of(group.key.set, group.key.object, reactor_.after(kAgain));
  if (!home) co_return home.error();
  if (group.guests.empty()) co_return Status();
  Come::Request notice;
  notice.epoch = view();
  notice.key = group.key;
  notice.node = self_;
  notice.round = group.round;
  notice.sent = ++group.sent;
  notice.before = group.before;
  notice.parties = group.parties;
  notice.reduce = group.reduce;
  for (const auto& guest : group.guests) {
    if (guest->leaving) {
      guest->until = std::min(guest->until, group.sent);
      notice.ask = true;
      continue;
    }
    if (guest->since == 0) guest->since = group.sent;
    ++notice.count;
    combine_into(group.reduce, notice.words, guest->words);
  }
  group.told = true;
  group.told_in = epoch_;
  group.told_at = reactor_.now();
  group.patience = std::min(2 * group.patience, kAgain);
  ++notices_;
  if (*home == self_) {
    come(notice);
    co_return Status();
  }
  co_return rpc_.notify<Come>(*home, notice);
}

// --- Who goes on --------------------------------------------------------------------------------

void Meetings::met(const Met::Request& news) {
  if (news.epoch != view()) return;
  Known& last = known(news.key);
  if (news.done > last.done) {
    last.done = news.done;
    last.words = news.words;
  }
  const auto at = groups_.find(news.key);
  if (at == groups_.end()) return;
  Group& group = *at->second;
  const bool asked = group.round == 0 && !news.over;
  if (asked) group.round = news.round;
  if (news.round != group.round) return;
  std::uint32_t through = 0;
  std::vector<std::shared_ptr<Guest>> stay;
  Guest* last_one = nullptr;
  for (const auto& guest : std::exchange(group.guests, {})) {
    if (news.over && guest->in(news.sent) && through < news.count) {
      ++through;
      guest->over = true;
      guest->reply.words = news.words;
      last_one = guest.get();
      guest->done.set();
    } else if (guest->leaving && (news.over || news.sent >= guest->until || guest->since == 0)) {
      guest->done.set();  // It was not counted, and is not any more.
    } else {
      stay.push_back(guest);
    }
  }
  group.guests = std::move(stay);
  if (news.over) {
    if (news.last && last_one != nullptr) last_one->reply.last = true;
    last.expected = group.expected = through;
    group.round = std::max(news.done, news.round) + 1;
  }
  if (news.over || asked) group.begin_round(reactor_.now());
  group.changed.set();
}

// --- At the home --------------------------------------------------------------------------------

Meetings::House& Meetings::house_of(const Key& key) {
  if (const auto at = houses_.find(key); at != houses_.end()) return *at->second;
  if (houses_.size() >= most_houses_) {
    // What is asked for once more has been by now.
    const TimePoint now = reactor_.now();
    std::erase_if(houses_, [&](const auto& entry) {
      const bool idle = entry.second->knows && entry.second->hall.empty();
      const auto at = known_.find(entry.first);
      return idle && (at == known_.end() || now - at->second.used > kRemembered);
    });
    most_houses_ = std::max(kKnown, 2 * houses_.size());
  }
  House& house = *houses_.emplace(key, std::make_unique<House>()).first->second;
  const Known& mine = known(key);
  house.hall.learn(mine.done, mine.words);
  house.knows = kddm_.members().size() == 1;
  if (!house.knows) reactor_.spawn(ask_all(key, epoch_));
  return house;
}

void Meetings::come(const Come::Request& notice) {
  House& house = house_of(notice.key);
  if (house.knows) return answer(house.hall.come(notice));
  std::erase_if(house.before, [&](const Come::Request& n) { return n.node == notice.node; });
  house.before.push_back(notice);
}

void Meetings::answer(const std::vector<Hall::Answer>& answers) {
  // What this node hears first can be told to the others in any later view.
  for (const auto& [node, news] : answers) {
    Known& mine = known(news.key);
    if (news.done <= mine.done) continue;
    mine.done = news.done;
    mine.words = news.words;
  }
  for (const auto& [node, news] : answers) {
    // What can not be sent now is asked for again.
    if (node != self_) static_cast<void>(rpc_.notify<Met>(node, news));
  }
  for (const auto& [node, news] : answers) {
    if (node == self_) met(news);
  }
}

// The hall's, as long as it lasts.
Co<void> Meetings::ask_all(Key key, Epoch epoch) {
  const AskMet::Request question{epoch, key};
  const cluster::NodeSet members = kddm_.members();
  for (const NodeId node : members) {
    if (node == self_) continue;
    for (;;) {
      const auto reply =
          co_await rpc_.call<AskMet>(node, question, {.deadline = reactor_.after(kAgain)});
      if (view() != epoch) co_return;
      if (reply) {
        houses_[key]->hall.learn(reply->done, reply->words);
        break;
      }
      co_await reactor::sleep_for(reactor_, kAskAgain);
      if (view() != epoch) co_return;
    }
  }
  House& house = *houses_[key];
  house.knows = true;
  for (const Come::Request& notice : std::exchange(house.before, {})) {
    answer(house.hall.come(notice));
  }
}

void Meetings::serve() {
  rpc_.serve<Come>([this](rpc::Incoming&, Come::Request& notice) -> Result<wire::Empty> {
    if (notice.epoch != view()) return Error(Errc::stale, "a meeting of another view");
    if (notice.words.size() > kReduceWords || !is_sound(notice.reduce)) {
      return Error(Errc::protocol_error, "a meeting that none is");
    }
    come(notice);
    return wire::Empty{};
  });
  rpc_.serve<Met>([this](rpc::Incoming&, Met::Request& news) -> Result<wire::Empty> {
    met(news);
    return wire::Empty{};
  });
  rpc_.serve<AskMet>([this](rpc::Incoming&, AskMet::Request& ask) -> Result<AskMet::Reply> {
    if (ask.epoch != view()) return Error(Errc::stale, "a meeting of another view");
    const auto at = known_.find(ask.key);
    if (at == known_.end()) return AskMet::Reply{};
    return AskMet::Reply{at->second.done, at->second.words};
  });
}

}  // namespace krg::sync

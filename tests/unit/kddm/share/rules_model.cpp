#include "rules_model.h"

#include <optional>
#include <string_view>
#include <utility>

namespace krg::kddm::model {
namespace {

using rules::Mutant;

constexpr std::size_t kKrgd = kTasks;
constexpr std::size_t kAgents = kTasks + 1;
// The last piece of krgd's work: when all tasks have ended, everything must be idle.
constexpr char kLast = '.';

// What an agent sees: the results it has had, then nothing.
class Memory {
 public:
  Memory(std::size_t self, const std::vector<std::uint64_t>& results)
      : self_(self), results_(results) {}

  std::uint64_t step(Do what, std::uint64_t a = 0, std::uint64_t b = 0) {
    if (at_ < results_.size()) return results_[at_++];
    throw Pending{{what, a, b}};
  }

  Word load_word() { return Word(step(Do::load)); }
  bool cas_word(Word& expected, Word desired) {
    const Word was(step(Do::cas, expected.bits(), desired.bits()));
    const bool done = was == expected;
    expected = was;
    return done;
  }
  Word set_word(std::uint64_t bits) { return Word(step(Do::set, bits)); }
  Word clear_word(std::uint64_t bits) { return Word(step(Do::clear, bits)); }
  void store_word(Word word) { step(Do::store, word.bits()); }
  bool publish(LeaseKind kind) {
    step(Do::publish, kind == LeaseKind::read ? 1 : 2);
    return true;
  }
  void unpublish() { step(Do::unpublish, granted ? 1 : 0); }
  void ring() { step(Do::ring); }
  void count_write() { step(Do::count); }
  TaskIndex task() const { return TaskIndex{static_cast<std::uint32_t>(self_)}; }
  bool any_reader() {
    for (std::size_t task = 0; task < kTasks; ++task) {
      if (step(Do::load_entry, task, 0) == 1 || step(Do::load_entry, task, 1) == 1) return true;
    }
    return false;
  }
  bool names_writer(TaskIndex task) {
    if (task.value >= kTasks) return false;
    return step(Do::load_entry, task.value, 0) == 2 || step(Do::load_entry, task.value, 1) == 2;
  }

  bool granted = false;  // The lease in hand is in the entry for grants.

 private:
  const std::size_t self_;
  const std::vector<std::uint64_t>& results_;
  std::size_t at_ = 0;
};

void use(Memory& m, std::uint64_t how) {
  m.step(Do::enter, how);
  m.step(Do::leave);
}

template <Mutant kMutant>
void run_task(Memory& m, char piece) {
  if (piece == 'r') {
    if (rules::begin_read<kMutant>(m, 0) != Miss::none) return;
    use(m, 1);
    rules::end_read<kMutant>(m);
  } else if (piece == 'w') {
    if (rules::begin_write<kMutant>(m, 0) != Miss::none) return;
    use(m, 2);
    rules::end_write(m);
  } else {
    m.step(Do::await, piece == 'R' ? 1 : 2);
    m.granted = true;
    use(m, piece == 'R' ? 1 : 2);
    if (piece == 'R') {
      rules::end_read<kMutant>(m);
    } else {
      rules::end_write(m);
    }
  }
}

template <Mutant kMutant>
void bury_the_dead(Memory& m) {
  for (std::uint32_t task = 0; task < kTasks; ++task) {
    if (m.step(Do::bury, task, 0) == 0) continue;
    const bool wrote = m.step(Do::take, task, 0) == 2;
    const bool wrote_granted = m.step(Do::take, task, 1) == 2;
    bool torn = false;
    if (wrote || wrote_granted) torn = rules::end_dead_writer<kMutant>(m, TaskIndex{task});
    m.step(Do::bury, task, torn ? 2 : 1);
  }
}

// Freezes, and waits until nobody writes; nor reads, unless readers may stay.
template <Mutant kMutant>
Frozen stop(Memory& m, bool readers_may_stay) {
  Frozen found = rules::freeze(m);
  while (found.writer != kNoTask || (found.readers && !readers_may_stay)) {
    m.step(Do::await);
    bury_the_dead<kMutant>(m);
    found = rules::look(m);
  }
  return found;
}

template <Mutant kMutant>
void run_krgd(Memory& m, char piece, std::uint32_t generation) {
  if (piece == kLast) m.step(Do::await, 3);
  bury_the_dead<kMutant>(m);
  const bool shared = piece == 'd' || piece == 'u' || piece == 'R';
  Frozen found = stop<kMutant>(m, shared);
  if (piece == 'g') ++generation;
  const Access access = piece == 'n' ? Access::none : piece == 'd' ? Access::read : Access::write;
  m.step(Do::own, static_cast<std::uint64_t>(access), std::uint64_t{generation} << 1 | shared);
  if (piece == 'R' || piece == 'W') {
    const LeaseKind kind = piece == 'R' ? LeaseKind::read : LeaseKind::write;
    m.granted = true;
    if (m.step(Do::publish, piece == 'R' ? 1 : 2, 1) != 0) rules::let_in(m, kind, TaskIndex{0});
    found = rules::look(m);
  }
  rules::thaw(m, found, access, generation);
}

struct Agent {
  std::size_t piece = 0;
  std::vector<std::uint64_t> results;
  std::optional<Op> next;  // None: it has ended.
};

struct State {
  World world;
  std::array<Agent, kAgents> agents;
  int deaths = 0;
};

std::string to_text(const Op& op) {
  static constexpr std::string_view kNames[] = {
      "load", "cas",   "set",  "clear", "store", "publish", "unpublish", "load entry",
      "take", "count", "ring", "enter", "leave", "own",     "await",     "bury"};
  return std::string(kNames[static_cast<std::size_t>(op.what)]) + " " + std::to_string(op.a) + " " +
         std::to_string(op.b);
}

class Explorer {
 public:
  Explorer(const Plan& plan, Mutant mutant) : plan_(plan), mutant_(mutant) { plan_.krgd += kLast; }

  Verdict run() {
    State first;
    first.world.word = Word(Access::write, 0).bits();
    first.deaths = plan_.deaths;
    for (std::size_t agent = 0; agent < kAgents; ++agent) find_next(first, agent);
    visit(first);
    return std::move(verdict_);
  }

 private:
  const std::string& pieces(std::size_t agent) const {
    return agent == kKrgd ? plan_.krgd : plan_.tasks[agent];
  }

  template <Mutant kMutant>
  void run_piece(Memory& m, std::size_t agent, char piece) {
    if (agent == kKrgd) {
      run_krgd<kMutant>(m, piece, generation_at_begin_);
    } else {
      run_task<kMutant>(m, piece);
    }
  }

  void run_piece_of(Memory& m, std::size_t agent, char piece) {
    switch (mutant_) {
#define KRG_MUTANT(name) \
  case Mutant::name:     \
    return run_piece<Mutant::name>(m, agent, piece);
      KRG_MUTANT(none)
      KRG_MUTANT(trust_first_look)
      KRG_MUTANT(forget_readers_bit)
      KRG_MUTANT(skip_tables)
      KRG_MUTANT(look_then_announce)
      KRG_MUTANT(yield_clears_readers)
      KRG_MUTANT(reader_rings_never)
      KRG_MUTANT(ring_before_end)
      KRG_MUTANT(writer_entry_late)
      KRG_MUTANT(death_clears_readers)
#undef KRG_MUTANT
    }
  }

  // Runs the agent up to the operation that it is to do next.
  void find_next(State& state, std::size_t number) {
    Agent& agent = state.agents[number];
    agent.next.reset();
    while (agent.piece < pieces(number).size()) {
      Memory m(number, agent.results);
      // The slot's generation changes at krgd's `own` of a piece g, and only there.
      generation_at_begin_ = 0;
      for (std::size_t i = 0; number == kKrgd && i < agent.piece; ++i) {
        generation_at_begin_ += plan_.krgd[i] == 'g';
      }
      try {
        run_piece_of(m, number, pieces(number)[agent.piece]);
      } catch (const Pending& pending) {
        agent.next = pending.op;
        return;
      }
      ++agent.piece;
      agent.results.clear();
    }
  }

  bool ended(const State& state) const {
    for (std::size_t task = 0; task < kTasks; ++task) {
      if (state.agents[task].next) return false;
    }
    return true;
  }

  bool enabled(const State& state, std::size_t agent) const {
    const Op& op = *state.agents[agent].next;
    if (op.what != Do::await) return true;
    const World& w = state.world;
    if (agent != kKrgd) return w.entries[agent][1] == op.a;
    if (op.a == 3) return ended(state);
    bool news = w.rung;
    for (std::size_t task = 0; task < kTasks; ++task) news |= w.dead[task] && !w.buried[task];
    return news;
  }

  bool violates(const char* what) {
    if (verdict_.violation.empty()) {
      verdict_.violation = what;
      verdict_.path = path_;
    }
    return true;
  }

  bool check_enter(const World& w, std::size_t agent, std::uint64_t how) {
    if (w.generation != 0) return violates("a lease of a past use of the slot");
    if (w.allowed < how && agent != 0) return violates("a lease that is not allowed");
    for (std::size_t task = 0; task < kTasks; ++task) {
      if (w.uses[task] == 2 || (how == 2 && w.uses[task] != 0)) {
        return violates("a writer beside another lease");
      }
    }
    return false;
  }

  bool check_own(World& w, const Op& op) {
    const bool shared = (op.b & 1) != 0;
    for (std::size_t task = 0; task < kTasks; ++task) {
      if (w.uses[task] == 2 || (!shared && w.uses[task] != 0)) {
        return violates("krgd takes what is in use");
      }
    }
    w.allowed = static_cast<std::uint8_t>(op.a);
    w.generation = static_cast<std::uint8_t>(op.b >> 1);
    return false;
  }

  std::uint64_t bury(World& w, const Op& op) {
    if (op.b == 0) return w.dead[op.a] && !w.buried[op.a] ? 1 : 0;
    w.buried[op.a] = true;
    if (w.torn[op.a] && op.b != 2) violates("a torn write is not told");
    return 0;
  }

  std::uint64_t publish(World& w, std::size_t agent, const Op& op) {
    if (agent != kKrgd) return w.entries[agent][0] = static_cast<std::uint8_t>(op.a);
    if (w.buried[0] || w.entries[0][1] != 0) return 0;
    return w.entries[0][1] = static_cast<std::uint8_t>(op.a);
  }

  // Does the operation; its result.
  std::uint64_t apply(World& w, std::size_t agent, const Op& op) {
    const std::uint64_t word = w.word;
    switch (op.what) {
      case Do::load:
        return word;
      case Do::cas:
        w.word = word == op.a ? op.b : word;
        return word;
      case Do::set:
        w.word |= op.a;
        return word;
      case Do::clear:
        w.word &= ~op.a;
        return word;
      case Do::store:
        w.word = op.a;
        return word;
      case Do::publish:
        return publish(w, agent, op);
      case Do::unpublish:
        return w.entries[agent][op.a] = 0;
      case Do::load_entry:
        return w.entries[op.a][op.b];
      case Do::take:
        return std::exchange(w.entries[op.a][op.b], std::uint8_t{0});
      case Do::count:
        return ++w.version;
      case Do::ring:
        w.rung = true;
        return 0;
      case Do::enter:
        if (!check_enter(w, agent, op.a)) w.uses[agent] = static_cast<std::uint8_t>(op.a);
        return 0;
      case Do::leave:
        return w.uses[agent] = 0;
      case Do::own:
        check_own(w, op);
        return 0;
      case Do::await:
        if (agent == kKrgd) w.rung = false;
        return 0;
      case Do::bury:
        return bury(w, op);
    }
    return 0;
  }

  void kill(State& state, std::size_t task) {
    World& w = state.world;
    --state.deaths;
    w.dead[task] = true;
    w.torn[task] = w.uses[task] == 2;
    w.uses[task] = 0;
    state.agents[task].piece = pieces(task).size();
    state.agents[task].results.clear();
    state.agents[task].next.reset();
  }

  bool is_new(const State& state) {
    std::string key(reinterpret_cast<const char*>(&state.world.word), 8);
    const World& w = state.world;
    for (std::size_t task = 0; task < kTasks; ++task) {
      key += {static_cast<char>(w.entries[task][0]), static_cast<char>(w.entries[task][1]),
              static_cast<char>(w.uses[task]),
              static_cast<char>(w.dead[task] | w.buried[task] << 1 | w.torn[task] << 2)};
    }
    key += {static_cast<char>(w.rung), static_cast<char>(w.allowed),
            static_cast<char>(w.generation), static_cast<char>(state.deaths)};
    for (const Agent& agent : state.agents) {
      key += {static_cast<char>(agent.piece), static_cast<char>(agent.results.size())};
      key.append(reinterpret_cast<const char*>(agent.results.data()), agent.results.size() * 8);
    }
    return seen_.insert(std::hash<std::string>{}(key)).second;
  }

  void visit(const State& state) {
    if (!verdict_.violation.empty() || !is_new(state)) return;
    ++verdict_.states;
    bool moved = false;
    for (std::size_t agent = 0; agent < kAgents; ++agent) {
      if (!state.agents[agent].next) continue;
      if (agent != kKrgd && state.deaths > 0) {
        State after = state;
        kill(after, agent);
        path_.push_back(std::to_string(agent) + " dies");
        visit(after);
        path_.pop_back();
      }
      if (!enabled(state, agent)) continue;
      moved = true;
      State after = state;
      const Op op = *state.agents[agent].next;
      path_.push_back(std::to_string(agent) + ": " + to_text(op));
      const std::uint64_t result = apply(after.world, agent, op);
      path_.back() += " -> " + std::to_string(result);
      after.agents[agent].results.push_back(result);
      find_next(after, agent);
      visit(after);
      path_.pop_back();
    }
    if (!moved && (state.agents[kKrgd].next || !ended(state))) {
      violates("everybody waits: a ring is lost, or a lease that nobody holds");
    }
  }

  Plan plan_;
  const Mutant mutant_;
  std::uint32_t generation_at_begin_ = 0;
  std::unordered_set<std::size_t> seen_;
  std::vector<std::string> path_;
  Verdict verdict_;
};

}  // namespace

Verdict explore(const Plan& plan, rules::Mutant mutant) { return Explorer(plan, mutant).run(); }

}  // namespace krg::kddm::model

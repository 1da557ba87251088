#include "krg/kddm/range.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "krg/kddm/kddm.h"
#include "service.h"

namespace krg::kddm {

namespace {

constexpr std::uint64_t kObjectsPerTurn = 64;

}  // namespace

class Range::Impl final : private reactor::Timer {
 public:
  Impl(Kddm& kddm, Service& service, Kind kind, SetId set, ObjectId first, std::uint64_t count,
       OpOptions options) noexcept
      : kddm_(kddm),
        service_(service),
        kind_(kind),
        id_(set),
        first_(first.value),
        // No id is greater than the greatest.
        count_(std::min(count, ~std::uint64_t{0} - first.value)),
        options_(options) {}

  bool done() const noexcept { return taken_ == count_; }
  ObjectId object() const noexcept { return ObjectId{first_ + taken_}; }

  // Waits until object() has come; says how it came, and goes on to the next one.
  Co<Status> come();
  Co<Result<Lease>> next();
  Co<Status> bring();

 private:
  // An object that is asked for.
  class Ahead final : public PendingOp {
   public:
    Ahead(Service& service, Impl& range) noexcept : PendingOp(service), range_(range) {}
    void start(Set& set, ObjectId object, const Message& message) noexcept {
      result_ = {};
      begin(set, object, message);
    }
    void skip() noexcept { result_ = {}; }
    void forget() noexcept { abandon(); }
    const Status& result() const noexcept { return result_; }

   private:
    void ended(Status how, bool, bool, Block) noexcept override {
      result_ = how;
      range_.came(*this);
    }

    Impl& range_;
    Status result_;
  };

  // Who waits for object() to come.
  class Front final : public reactor::Ready {
   public:
    explicit Front(Impl& range) noexcept : range_(range) {}
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;
    ~Front() {
      if (range_.front_ == this) range_.front_ = nullptr;
    }
    bool await_ready() const noexcept { return !range_.has_to_wait() && !range_.has_to_rest(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
      handle = caller;
      if (range_.has_to_wait()) {
        range_.wait(*this);
      } else {
        range_.service_.reactor().schedule(*this);
      }
    }
    void await_resume() const noexcept {}

   private:
    Impl& range_;
  };

  bool has_begun() const noexcept { return taken_ < begun_; }
  bool has_to_wait() noexcept { return has_begun() && slot().waiting(); }
  // Where all objects are here others have their turns all the same, and the loop over them does
  // not take more and more of the stack, which it does where calls are not made in place of each
  // other.
  bool has_to_rest() const noexcept { return taken_ % kObjectsPerTurn == kObjectsPerTurn - 1; }
  Ahead& slot_of(std::uint64_t number) noexcept { return slots_[number % slots_.size()]; }
  Ahead& slot() noexcept { return slot_of(taken_); }
  bool is_here(Set& set, ObjectId object) const noexcept;
  void look_ahead(Set& set);
  void pass() noexcept;
  void wait(Front& front) noexcept {
    front_ = &front;
    if (!reactor::Timer::linked()) service_.reactor().add_timer(*this, options_.deadline);
  }
  void came(const Ahead& ahead) noexcept {
    if (front_ == nullptr || &ahead != &slot()) return;
    service_.reactor().schedule(*std::exchange(front_, nullptr));
  }
  void on_timer() noexcept override;

  Kddm& kddm_;
  Service& service_;
  const Kind kind_;
  const SetId id_;
  const std::uint64_t first_;
  const std::uint64_t count_;
  const OpOptions options_;
  std::uint64_t taken_ = 0;
  std::uint64_t begun_ = 0;  // What is between the two is asked for, or has come.
  bool late_ = false;
  Front* front_ = nullptr;
  std::deque<Ahead> slots_;  // They do not move: the protocol knows them by their place.
};

namespace {

Error timed_out() noexcept { return Error(Errc::timed_out, "a range of shared objects"); }

}  // namespace

bool Range::Impl::is_here(Set& set, ObjectId object) const noexcept {
  const Copy copy = service_.copies().see(set, object).holder.copy;
  return copy == Copy::write || (copy == Copy::read && kind_ == Kind::op_get);
}

void Range::Impl::look_ahead(Set& set) {
  if (slots_.empty()) {
    const std::uint64_t bytes = std::max<std::uint64_t>(set.options.object_bytes, 1);
    const std::uint64_t ahead = std::clamp(kAheadBytes / bytes, kAheadMin, kAheadMax);
    for (std::uint64_t i = 0; i < std::min(ahead, count_); ++i)
      slots_.emplace_back(service_, *this);
  }
  // What lies beyond the set is refused when it is its turn.
  const std::uint64_t objects = set.options.object_count;
  const std::uint64_t in_set = objects > first_ ? objects - first_ : 0;
  const std::uint64_t end = std::min({count_, in_set, taken_ + slots_.size()});
  const auto flags = static_cast<std::uint16_t>(kNoFreeze | flags_of(options_));
  const Message message{.kind = kind_, .flags = flags};
  for (; begun_ < end && !late_ && !set.gone; ++begun_) {
    const ObjectId object{first_ + begun_};
    const bool here = is_here(set, object);
    // In a full node nothing is asked for ahead: each waits for room when it is its turn.
    const std::uint64_t coming = (begun_ - taken_ + 1) * service_.missing_bytes(set, object);
    if (!here && coming > 0 && !service_.room().fits(coming, Room::For::copy)) return;
    Ahead& ahead = slot_of(begun_);
    if (here) {
      ahead.skip();
    } else {
      ahead.start(set, object, message);
    }
  }
}

void Range::Impl::pass() noexcept {
  if (has_begun()) slot().forget();
  ++taken_;
  begun_ = std::max(begun_, taken_);
}

void Range::Impl::on_timer() noexcept {
  late_ = true;
  for (std::uint64_t number = taken_; number < begun_; ++number) {
    slot_of(number).give_up(timed_out());
  }
}

Co<Status> Range::Impl::come() {
  const ObjectId now = object();
  Result<Set*> known = kddm_.know(id_, now);
  if (known && *known == nullptr) known = co_await kddm_.learn(id_, now, options_.deadline);
  if (const Status right = check(kind_, options_); known && !right) known = right.error();
  if (known) look_ahead(**known);
  Front front(*this);
  if (known) co_await front;
  Status how = known ? Status() : Status(known.error());
  if (how && has_begun()) how = slot().result();
  if (how && !has_begun() && late_) how = timed_out();
  pass();
  co_return how;
}

Co<Result<Lease>> Range::Impl::next() {
  const ObjectId now = object();
  KRG_CO_TRY(co_await come());
  co_return co_await kddm_.lease(kind_, id_, now, options_);
}

Co<Status> Range::Impl::bring() {
  Status first;
  while (!done()) {
    const Status how = co_await come();
    if (first && !how) first = how;
  }
  co_return first;
}

Range::Range(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Range::Range(Range&&) noexcept = default;
Range& Range::operator=(Range&&) noexcept = default;
Range::~Range() = default;

bool Range::done() const noexcept { return impl_->done(); }

ObjectId Range::object() const noexcept { return impl_->object(); }

Co<Result<Lease>> Range::next() { return impl_->next(); }

Co<Result<std::vector<Lease>>> Range::rest() {
  std::vector<Lease> leases;
  while (!done()) {
    KRG_CO_TRY_ASSIGN(Lease lease, co_await next());
    leases.push_back(std::move(lease));
  }
  co_return leases;
}

Range Kddm::get_range(SetId set, ObjectId first, std::uint64_t count, OpOptions options) {
  return Range(
      std::make_unique<Range::Impl>(*this, *service_, Kind::op_get, set, first, count, options));
}

Range Kddm::grab_range(SetId set, ObjectId first, std::uint64_t count, OpOptions options) {
  return Range(
      std::make_unique<Range::Impl>(*this, *service_, Kind::op_grab, set, first, count, options));
}

Co<Status> Kddm::prefetch_range(SetId set, ObjectId first, std::uint64_t count, OpOptions options,
                                LeaseKind kind) {
  const Kind op = kind == LeaseKind::write ? Kind::op_grab : Kind::op_get;
  Range::Impl range(*this, *service_, op, set, first, count, options);
  co_return co_await range.bring();
}

}  // namespace krg::kddm

#include "krg/task/range.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <type_traits>
#include <utility>

#include "space_impl.h"

namespace krg::kddm {
namespace {

using Clock = std::chrono::steady_clock;

// What is asked for ahead of the caller: at least two pieces, for one to be used while the other
// one comes.
constexpr std::uint64_t kAheadBytes = std::uint64_t{8} << 20;
constexpr std::size_t kPiecesAhead = 4;

}  // namespace

template <class Lease>
class TaskRange<Lease>::Impl {
 public:
  static constexpr bool kWrites = std::is_same_v<Lease, WriteLease>;

  Impl(Space& space, Space::Impl& access, SetId set, ObjectId first, std::uint64_t count,
       const Use& use)
      : space_(space),
        access_(access),
        set_(set),
        first_(first.value),
        // No id is greater than the greatest.
        count_(std::min(count, ~std::uint64_t{0} - first.value)),
        use_(use),
        end_(Clock::now() + use.timeout) {}

  bool done() const noexcept { return taken_ == count_; }
  ObjectId object() const noexcept { return ObjectId{first_ + taken_}; }

  Result<Lease> next() {
    ask_ahead();
    const ObjectId now = object();
    ++taken_;
    while (!pieces_.empty() && pieces_.front().first < taken_) {
      Piece piece = std::move(pieces_.front());
      pieces_.pop_front();
      // What is wrong with an object its own lease tells.
      if (piece.ticket) {
        static_cast<void>(access_.client_->template wait<calls::Bring>(std::move(*piece.ticket),
                                                                       left() + kGrace));
      }
    }
    Use use = use_;
    use.timeout = left();
    if constexpr (kWrites) {
      return space_.grab(set_, now, use);
    } else {
      return space_.get(set_, now, use);
    }
  }

 private:
  struct Piece {
    std::uint64_t first = 0;
    std::optional<gate::Client::Ticket> ticket;  // None: all of it is here.
  };

  Duration left() const noexcept { return std::max<Duration>(end_ - Clock::now(), Duration(0)); }

  // How many objects a call brings.
  std::uint64_t piece_size() {
    if (piece_ != 0) return piece_;
    const auto options = space_.options_of(set_);
    const std::uint64_t bytes = options ? std::max<std::uint64_t>(options->object_bytes, 1) : 1;
    piece_ = std::clamp<std::uint64_t>(kAheadBytes / kPiecesAhead / bytes, 1, kPiece);
    return piece_;
  }
  bool is_here(std::uint64_t first, std::uint64_t count) const noexcept {
    if (kWrites) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!access_.store_->find(set_, ObjectId{first_ + first + i})) return false;
    }
    return true;
  }
  void ask_ahead() {
    while (asked_ < count_ && pieces_.size() < kPiecesAhead) {
      const std::uint64_t count = std::min(piece_size(), count_ - asked_);
      Piece piece{asked_, std::nullopt};
      if (!is_here(asked_, count)) {
        const auto request =
            Space::Impl::bring(kWrites, set_, ObjectId{first_ + asked_}, count, use_);
        auto ticket = access_.client_->template start<calls::Bring>(request, left());
        // All lanes are busy: then later, or object by object.
        if (!ticket) {
          if (!pieces_.empty() || asked_ > taken_) return;
        } else {
          piece.ticket.emplace(std::move(*ticket));
        }
      }
      asked_ += count;
      pieces_.push_back(std::move(piece));
    }
  }

  Space& space_;
  Space::Impl& access_;
  const SetId set_;
  const std::uint64_t first_;
  const std::uint64_t count_;
  const Use use_;
  const Clock::time_point end_;
  std::uint64_t piece_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t asked_ = 0;
  std::deque<Piece> pieces_;  // Asked for, and not yet waited for.
};

template <class Lease>
TaskRange<Lease>::TaskRange(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
template <class Lease>
TaskRange<Lease>::TaskRange(TaskRange&&) noexcept = default;
template <class Lease>
TaskRange<Lease>& TaskRange<Lease>::operator=(TaskRange&&) noexcept = default;
template <class Lease>
TaskRange<Lease>::~TaskRange() = default;

template <class Lease>
bool TaskRange<Lease>::done() const noexcept {
  return impl_->done();
}

template <class Lease>
ObjectId TaskRange<Lease>::object() const noexcept {
  return impl_->object();
}

template <class Lease>
Result<Lease> TaskRange<Lease>::next() {
  return impl_->next();
}

template <class Lease>
Result<std::vector<Lease>> TaskRange<Lease>::rest() {
  std::vector<Lease> leases;
  while (!done()) {
    KRG_TRY_ASSIGN(Lease lease, next());
    leases.push_back(std::move(lease));
  }
  return leases;
}

template class TaskRange<ReadLease>;
template class TaskRange<WriteLease>;

ReadRange Space::get_range(SetId set, ObjectId first, std::uint64_t count, const Use& use) {
  return ReadRange(std::make_unique<ReadRange::Impl>(*this, *impl_, set, first, count, use));
}

WriteRange Space::grab_range(SetId set, ObjectId first, std::uint64_t count, const Use& use) {
  return WriteRange(std::make_unique<WriteRange::Impl>(*this, *impl_, set, first, count, use));
}

}  // namespace krg::kddm

#include "krg/task/prefetch.h"

#include <algorithm>
#include <utility>

#include "space_impl.h"

namespace krg::kddm {

class Prefetch::Impl {
 public:
  Impl(gate::Client& client, gate::Client::Ticket ticket, const Use& use)
      : client_(client),
        ticket_(std::move(ticket)),
        use_(use),
        end_(std::chrono::steady_clock::now() + use.timeout) {}

  bool ready() const noexcept { return ticket_.ready(); }
  Status wait() {
    const Duration left =
        std::max<Duration>(end_ - std::chrono::steady_clock::now(), Duration::zero());
    const auto reply = client_.wait<calls::Bring>(std::move(ticket_), left + kGrace);
    return reply ? Status() : Status(about(subject_of(use_), reply.error()));
  }

 private:
  gate::Client& client_;
  gate::Client::Ticket ticket_;
  const Use use_;
  const std::chrono::steady_clock::time_point end_;
};

Prefetch::Prefetch(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Prefetch::Prefetch(Prefetch&&) noexcept = default;
Prefetch& Prefetch::operator=(Prefetch&&) noexcept = default;
Prefetch::~Prefetch() = default;

bool Prefetch::ready() const noexcept { return impl_->ready(); }

Status Prefetch::wait() { return impl_->wait(); }

Result<Prefetch> Space::start_prefetch(SetId set, ObjectId first, std::uint64_t count,
                                       const Use& use, LeaseKind kind) {
  if (kind == LeaseKind::read) KRG_TRY(check_read(use));
  if (count > calls::Bring::kMax) {
    return Error(Errc::invalid_argument, "a prefetch of more than 4,096 objects");
  }
  const auto request = Impl::bring(kind == LeaseKind::write, set, first, count, use);
  KRG_TRY_ASSIGN(auto ticket, impl_->client_->start<calls::Bring>(request, use.timeout));
  return Prefetch(std::make_unique<Prefetch::Impl>(*impl_->client_, std::move(ticket), use));
}

}  // namespace krg::kddm

#include "pmi1_job.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "job_server_impl.h"
#include "krg/log/log.h"
#include "krg/pmix/process_mapping.h"

namespace krg::pmix {
namespace {

// Asking another krgd whether it is quiet is one round trip; a busy machine may take its time.
constexpr Duration kQuietTimeout = std::chrono::seconds(2);
// A name is at most two messages away.
constexpr Duration kNameTimeout = std::chrono::seconds(30);
constexpr const char* kMapping = "PMI_process_mapping";

}  // namespace

// One rank's end of the protocol.
class Pmi1Job::Connection final : private reactor::FdHandler, private Pmi1Backend {
 public:
  Connection(Pmi1Job& owner, Pmi1Identity identity, UniqueFd ours, UniqueFd theirs)
      : owner_(owner),
        rank_(identity.rank),
        fd_(std::move(ours)),
        theirs_(std::move(theirs)),
        session_(std::move(identity), *this) {}
  ~Connection() override { hang_up(); }

  Status watch() { return owner_.reactor_.watch(fd_.get(), EPOLLIN, *this); }
  int inherited_fd() const noexcept { return theirs_.get(); }
  void close_theirs() noexcept { theirs_.reset(); }
  void drain() noexcept {
    if (fd_) on_fd(EPOLLIN);
  }
  void hang_up() noexcept {
    if (!fd_) return;
    owner_.reactor_.unwatch(fd_.get());
    fd_.reset();
  }

  // Answers what the session waits for, by one of its functions.
  template <class Answer>
  void answer(Answer&& with) {
    with(session_);
    flush();
  }

 private:
  void on_fd(std::uint32_t events) noexcept override;
  void flush() noexcept;
  void broken(const char* what);

  Status put(std::string_view key, std::string_view value) override {
    return owner_.put(key, value);
  }
  const std::string* get(std::string_view kvs, std::string_view key) override {
    return kvs == owner_.job_->description().name_space ? owner_.kvs_.get(key) : nullptr;
  }
  std::optional<std::pair<std::string, std::string>> entry(std::size_t index) override {
    const Kvs::Entry* entry = owner_.kvs_.at(index);
    if (entry == nullptr) return {};
    return std::pair(entry->key, entry->value);
  }
  void barrier_in() override { owner_.arrive(rank_); }
  void publish(std::string service, std::string port) override {
    start(Pmi1Job::publish(owner_.shared_from_this(), rank_, std::move(service), std::move(port)));
  }
  void unpublish(std::string service) override {
    start(Pmi1Job::unpublish(owner_.shared_from_this(), rank_, std::move(service)));
  }
  void look_up(std::string service) override {
    start(Pmi1Job::look_up(owner_.shared_from_this(), rank_, std::move(service)));
  }
  void spawn(SpawnRequest request) override {
    start(Pmi1Job::spawn(owner_.shared_from_this(), rank_, std::move(request)));
  }
  void initialized() override { owner_.job_->initialized(rank_); }
  void finalized() override { owner_.job_->finalized(rank_); }
  void abort(int code) override { owner_.job_->abort(rank_, code, {}); }
  void start(Co<void> co) { owner_.reactor_.spawn(std::move(co)); }

  Pmi1Job& owner_;
  const Rank rank_;
  UniqueFd fd_, theirs_;
  bool full_ = false;  // The socket took less than we had.
  Pmi1Session session_;
};

void Pmi1Job::Connection::broken(const char* what) {
  KRG_ERROR("rank {} of {}: {}", rank_, owner_.job_->description().name_space, what);
  hang_up();
  owner_.job_->abort(rank_, 1, what);
}

void Pmi1Job::Connection::on_fd(std::uint32_t events) noexcept {
  if ((events & EPOLLOUT) != 0) flush();
  std::array<char, 4096> bytes;
  // Not for ever: a rank that floods us must not keep the others waiting. epoll will call again.
  for (int round = 0; round < 8 && fd_; ++round) {
    const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return hang_up();  // The rank has ended; its exit tells the rest.
    const std::string_view got(bytes.data(), static_cast<std::size_t>(n));
    for (const char c : got) owner_.requests_ += c == '\n' ? 1 : 0;
    if (const Status status = session_.receive(got); !status) {
      return broken(status.error().what());
    }
    flush();
  }
}

void Pmi1Job::Connection::flush() noexcept {
  while (fd_ && !session_.output().empty()) {
    const std::string_view out = session_.output();
    const ssize_t n = ::send(fd_.get(), out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) return hang_up();
    session_.sent(static_cast<std::size_t>(n));
  }
  if (!fd_ || full_ == !session_.output().empty()) return;
  full_ = !full_;
  const std::uint32_t events = full_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (!owner_.reactor_.watch(fd_.get(), events, *this)) hang_up();
}

Pmi1Job::Pmi1Job(JobServer::Impl& job, Duration patience)
    : job_(&job), reactor_(job.service().reactor()), rule_(patience) {
  // An empty value, for a mapping that does not fit, sends the clients to compare host names.
  bool ok =
      static_cast<bool>(kvs_.put(kMapping, process_mapping(job.layout().host_of, kPmi1ValueMax)));
  for (const auto& [key, value] : job.description().preput) {
    ok = ok && key.size() <= kPmi1KeyMax && value.size() <= kPmi1ValueMax && kvs_.put(key, value);
  }
  if (!ok) KRG_WARN("job {}: a key put by its parent is too long", job.description().name_space);
}

Pmi1Job::~Pmi1Job() = default;

void Pmi1Job::close() {
  job_ = nullptr;
  Timer::unlink();
  connections_.clear();
}

Pmi1Job::Connection* Pmi1Job::connection(Rank rank) {
  const auto found = connections_.find(rank);
  return found == connections_.end() ? nullptr : found->second.get();
}

Result<int> Pmi1Job::open(Rank rank) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return errno_error(Errc::system_error, "making a socket for a rank");
  }
  UniqueFd ours(fds[0]), theirs(fds[1]);
  const JobDescription& job = job_->description();
  Pmi1Identity identity{.kvs_name = job.name_space,
                        .rank = rank,
                        .size = static_cast<std::uint32_t>(job.ranks.size()),
                        .app = job.ranks[rank].app,
                        .universe_size = job.universe_size == 0 ? -1 : job.universe_size};
  auto made =
      std::make_unique<Connection>(*this, std::move(identity), std::move(ours), std::move(theirs));
  KRG_TRY(made->watch());
  const int inherited = made->inherited_fd();
  connections_[rank] = std::move(made);
  return inherited;
}

void Pmi1Job::started(Rank rank) {
  if (Connection* c = connection(rank)) c->close_theirs();
}

void Pmi1Job::exited(Rank rank) {
  if (Connection* c = connection(rank)) {
    c->close_theirs();
    c->drain();
    c->hang_up();
  }
}

Status Pmi1Job::put(std::string_view key, std::string_view value) {
  KRG_TRY(kvs_.put(key, value));
  rule_.put();
  if (job_->layout().nodes.size() > 1) fresh_.emplace_back(key, value);
  return {};
}

void Pmi1Job::arrive(Rank rank) {
  ++arrived_;
  if (rule_.released()) {
    if (Connection* c = connection(rank)) c->answer([](Pmi1Session& s) { s.barrier_out(); });
  } else {
    waiting_.push_back(rank);
    rule_.arrived(reactor_.now());
  }
  // Also when released: other nodes may wait for our arrival.
  if (arrived_ != job_->layout().mine.size()) return watch_barrier();
  if (job_->layout().nodes.size() == 1) {
    fence_done({});
  } else {
    reactor_.spawn(fence(shared_from_this()));
    watch_barrier();
  }
}

Co<void> Pmi1Job::fence(std::shared_ptr<Pmi1Job> self) {
  if (self->job_ == nullptr) co_return;
  JobServer::Impl& job = *self->job_;
  Blob puts = wire::encode(self->fresh_);
  self->fresh_.clear();
  // No deadline: the barrier's last rank may come whenever its program does.
  auto result = co_await job.service().gather(
      "pmi1 " + job.description().name_space + " " + std::to_string(self->epoch_),
      job.layout().nodes, std::move(puts), Deadline::never());
  if (self->job_ == nullptr) co_return;
  if (!result) {
    // The launcher hears of a lost node by itself and ends the job; the ranks wait for that.
    KRG_ERROR("job {}: a PMI barrier failed: {}", self->job_->description().name_space,
              result.error().message());
    co_return;
  }
  self->fence_done(result->blobs);
}

// The barrier has filled: everybody's puts are here.
void Pmi1Job::fence_done(const std::vector<Blob>& blobs) {
  bool any = false;
  for (const Blob& blob : blobs) {
    const auto puts = wire::decode<KeyValues>(blob);
    if (!puts) {
      KRG_ERROR("job {}: malformed puts from another node", job_->description().name_space);
      return job_->abort(job_->layout().mine.front(), 1, "malformed puts from another node");
    }
    for (const auto& [key, value] : *puts) {
      any = true;
      if (!kvs_.put(key, value)) {
        return job_->abort(job_->layout().mine.front(), 1, "the key-value space is full");
      }
    }
  }
  ++epoch_;
  arrived_ = 0;
  rule_.completed(any);
  release_waiting();
}

void Pmi1Job::release_waiting() {
  Timer::unlink();
  std::vector<Rank> ranks;
  ranks.swap(waiting_);
  for (const Rank rank : ranks) {
    if (Connection* c = connection(rank)) c->answer([](Pmi1Session& s) { s.barrier_out(); });
  }
}

void Pmi1Job::watch_barrier() {
  Timer::unlink();
  if (const auto due = rule_.due(); due && !confirming_) {
    reactor_.add_timer(*this, Deadline(*due));
  }
}

void Pmi1Job::on_timer() noexcept {
  confirming_ = true;
  reactor_.spawn(confirm_quiet(shared_from_this(), epoch_));
}

bool Pmi1Job::quiet(std::uint64_t epoch) const noexcept {
  return rule_.released() || (epoch == epoch_ && rule_.quiet());
}

// Releases the barrier unless some other node has a put that it must hand over.
Co<void> Pmi1Job::confirm_quiet(std::shared_ptr<Pmi1Job> self, std::uint64_t epoch) {
  if (self->job_ == nullptr) co_return;
  bool quiet = true;
  const std::vector<NodeId> nodes = self->job_->layout().nodes;
  const NodeId me = self->job_->service().options().self;
  for (std::size_t i = 0; i < nodes.size() && quiet && self->job_ != nullptr; ++i) {
    if (nodes[i] == me) continue;
    Service::Impl& service = self->job_->service();
    const QuietQuestion question{self->job_->description().name_space, epoch};
    const auto answer = co_await service.ask(nodes[i], pack(Ask::quiet, question),
                                             self->reactor_.after(kQuietTimeout));
    const auto said =
        answer ? wire::decode<QuietAnswer>(*answer) : Result<QuietAnswer>(QuietAnswer{});
    quiet = said && said->quiet;
  }
  if (self->job_ == nullptr) co_return;
  self->confirming_ = false;
  if (self->epoch_ != epoch || self->waiting_.empty()) co_return self->watch_barrier();
  if (!quiet || !self->rule_.quiet()) {
    self->rule_.doubt(self->reactor_.now());
    co_return self->watch_barrier();
  }
  KRG_DEBUG("job {}: a barrier without puts is stuck; {} ranks let go",
            self->job_->description().name_space, self->waiting_.size());
  self->rule_.release();
  self->release_waiting();
}

Co<void> Pmi1Job::publish(std::shared_ptr<Pmi1Job> self, Rank rank, std::string service,
                          std::string port) {
  if (self->job_ == nullptr) co_return;
  JobServer::Impl& job = *self->job_;
  Published published{.name = std::move(service),
                      .owner = {job.description().name_space, rank},
                      .packed = false,
                      .value = {}};
  const auto bytes = std::as_bytes(std::span(port));
  published.value.assign(bytes.begin(), bytes.end());
  const Status status =
      co_await job.service().publish(std::move(published), self->reactor_.after(kNameTimeout));
  if (Connection* c = self->connection(rank)) {
    c->answer([&](Pmi1Session& s) { s.name_done(status); });
  }
}

Co<void> Pmi1Job::unpublish(std::shared_ptr<Pmi1Job> self, Rank rank, std::string service) {
  if (self->job_ == nullptr) co_return;
  JobServer::Impl& job = *self->job_;
  NameQuestion question;
  question.names.push_back(std::move(service));
  question.asker = {job.description().name_space, rank};
  const Status status =
      co_await job.service().unpublish(std::move(question), self->reactor_.after(kNameTimeout));
  if (Connection* c = self->connection(rank)) {
    c->answer([&](Pmi1Session& s) { s.name_done(status); });
  }
}

Co<void> Pmi1Job::look_up(std::shared_ptr<Pmi1Job> self, Rank rank, std::string service) {
  if (self->job_ == nullptr) co_return;
  JobServer::Impl& job = *self->job_;
  NameQuestion question;
  question.names.push_back(std::move(service));
  question.asker = {job.description().name_space, rank};
  const auto names =
      co_await job.service().look_up(std::move(question), self->reactor_.after(kNameTimeout));
  Result<std::string> port(Errc::not_found);
  if (names && !names->found.empty() && !names->found.front().packed) {
    const Blob& value = names->found.front().value;
    port = std::string(reinterpret_cast<const char*>(value.data()), value.size());
  }
  if (Connection* c = self->connection(rank)) {
    c->answer([&](Pmi1Session& s) { s.look_up_done(port); });
  }
}

Co<void> Pmi1Job::spawn(std::shared_ptr<Pmi1Job> self, Rank rank, SpawnRequest request) {
  if (self->job_ == nullptr) co_return;
  const auto started = co_await self->job_->listener().on_spawn(std::move(request));
  const Status status = started ? Status() : Status(started.error());
  if (Connection* c = self->connection(rank)) {
    c->answer([&](Pmi1Session& s) { s.spawn_done(status); });
  }
}

}  // namespace krg::pmix

#include "krg/pmix/service.h"

#include <algorithm>

#include "job_server_impl.h"
#include "krg/base/assert.h"
#include "krg/log/log.h"
#include "pmix_server.h"
#include "service_impl.h"

namespace krg::pmix {
namespace {

Error malformed(NodeId from) {
  KRG_ERROR("node {}: malformed process-management question", from.value);
  return Error(Errc::protocol_error, "malformed process-management question").with_peer(from);
}

Result<Blob> encoded(const Status& status) {
  if (!status) return status.error();
  return Blob{};
}

template <class T>
Result<Blob> encoded(const Result<T>& result) {
  if (!result) return result.error();
  return wire::encode(*result);
}

}  // namespace

Service::Impl::Impl(reactor::Reactor& reactor, Exchange& exchange, ServiceOptions options)
    : reactor_(reactor),
      exchange_(exchange),
      options_(std::move(options)),
      fences_(reactor, options_.self),
      names_(reactor) {}

Service::Impl::~Impl() = default;

Status Service::Impl::start() {
  if (options_.folder.empty() || options_.folder.size() > 80) {
    return Error(Errc::invalid_argument, "the folder's name is empty or longer than 80 characters");
  }
  if (!options_.pmix) return {};
  KRG_TRY_ASSIGN(pmix_, PmixServer::start(*this));
  return {};
}

JobServer::Impl* Service::Impl::job(const std::string& name_space) const {
  const auto found = jobs_.find(name_space);
  return found == jobs_.end() ? nullptr : found->second;
}

ProcessTable Service::Impl::table(const std::string& name_space) const {
  ProcessTable table;
  if (JobServer::Impl* const asked = job(name_space)) {
    for (const auto& [rank, progress] : asked->progress()) {
      table.rows.push_back({rank, progress.pid, progress.running});
    }
  }
  return table;
}

Co<Result<std::unique_ptr<JobServer>>> Service::Impl::create_job(JobDescription description,
                                                                 JobListener& listener) {
  const auto self = shared_from_this();
  KRG_CO_TRY_ASSIGN(Layout layout, lay_out(description, options_.self));
  if (jobs_.contains(description.name_space)) {
    co_return Error(Errc::already_exists, "the name space is in use");
  }
  auto impl =
      std::make_shared<JobServer::Impl>(self, std::move(description), std::move(layout), listener);
  auto job = std::make_unique<JobServer>(impl);
  jobs_.emplace(impl->description().name_space, impl.get());
  if (pmix_) KRG_CO_TRY(co_await pmix_->add_job(impl));
  co_return job;
}

Co<Result<Blob>> Service::Impl::ask(NodeId node, Blob question, Deadline deadline) {
  if (node != options_.self) return exchange_.ask(node, std::move(question), deadline);
  return answer(node, std::move(question));
}

Co<Result<FenceResult>> Service::Impl::gather(std::string tag, std::vector<NodeId> nodes, Blob blob,
                                              Deadline deadline) {
  const auto self = shared_from_this();
  KRG_ASSERT(!nodes.empty());
  FenceArrival arrival{std::move(tag), std::move(nodes), std::move(blob)};
  const NodeId root = arrival.nodes.front();
  if (root == options_.self) {
    co_return co_await fences_.arrive(root, std::move(arrival), deadline);
  }
  KRG_CO_TRY_ASSIGN(const Blob answer,
                    co_await exchange_.ask(root, pack(Ask::fence, arrival), deadline));
  KRG_CO_TRY_ASSIGN(FenceResult result, wire::decode<FenceResult>(answer));
  if (result.blobs.size() != arrival.nodes.size()) {
    co_return Error(Errc::protocol_error, "a fence's result lacks nodes").with_peer(root);
  }
  co_return result;
}

Co<Status> Service::Impl::publish(Published published, Deadline deadline) {
  const auto self = shared_from_this();
  if (options_.home == options_.self) co_return names_.publish(std::move(published));
  KRG_CO_TRY(co_await exchange_.ask(options_.home, pack(Ask::publish, published), deadline));
  co_return Status();
}

Co<Status> Service::Impl::unpublish(NameQuestion question, Deadline deadline) {
  const auto self = shared_from_this();
  if (options_.home == options_.self) co_return names_.unpublish(question);
  KRG_CO_TRY(co_await exchange_.ask(options_.home, pack(Ask::unpublish, question), deadline));
  co_return Status();
}

Co<Result<Names>> Service::Impl::look_up(NameQuestion question, Deadline deadline) {
  const auto self = shared_from_this();
  if (options_.home == options_.self) {
    co_return co_await names_.look_up(std::move(question), deadline);
  }
  KRG_CO_TRY_ASSIGN(const Blob answer,
                    co_await exchange_.ask(options_.home, pack(Ask::look_up, question), deadline));
  co_return wire::decode<Names>(answer);
}

Co<Result<Blob>> Service::Impl::answer(NodeId from, Blob question) {
  const auto self = shared_from_this();
  if (question.empty()) co_return malformed(from);
  const wire::Bytes body = std::span(question).subspan(1);
  // A question's deadline is its asker's: when he gives up, the carrier drops this coroutine.
  switch (static_cast<Ask>(question.front())) {
    case Ask::fence: {
      auto m = wire::decode<FenceArrival>(body);
      if (!m) co_return malformed(from);
      const auto& nodes = m->nodes;
      if (!std::is_sorted(nodes.begin(), nodes.end()) || nodes.empty() ||
          nodes.front() != options_.self) {
        co_return malformed(from);
      }
      co_return encoded(co_await fences_.arrive(from, std::move(*m), Deadline::never()));
    }
    case Ask::modex: {
      const auto m = wire::decode<ModexQuestion>(body);
      if (!m) co_return malformed(from);
      if (!pmix_) co_return Errc::not_supported;
      co_return co_await pmix_->local_modex(*m, Deadline::never());
    }
    case Ask::publish: {
      auto m = wire::decode<Published>(body);
      if (!m) co_return malformed(from);
      co_return encoded(names_.publish(std::move(*m)));
    }
    case Ask::unpublish: {
      const auto m = wire::decode<NameQuestion>(body);
      if (!m) co_return malformed(from);
      co_return encoded(names_.unpublish(*m));
    }
    case Ask::look_up: {
      auto m = wire::decode<NameQuestion>(body);
      if (!m) co_return malformed(from);
      co_return encoded(co_await names_.look_up(std::move(*m), Deadline::never()));
    }
    case Ask::event: {
      const auto m = wire::decode<EventMessage>(body);
      if (!m) co_return malformed(from);
      if (pmix_) pmix_->deliver(*m);
      co_return Blob{};
    }
    case Ask::quiet: {
      const auto m = wire::decode<QuietQuestion>(body);
      if (!m) co_return malformed(from);
      JobServer::Impl* const asked = job(m->name_space);
      co_return wire::encode(QuietAnswer{asked == nullptr || asked->pmi1().quiet(m->epoch)});
    }
    case Ask::table: {
      const auto m = wire::decode<TableQuestion>(body);
      if (!m) co_return malformed(from);
      co_return wire::encode(table(m->name_space));
    }
  }
  co_return malformed(from);
}

void Service::Impl::stop() {
  if (pmix_) pmix_->stop();
}

void Service::Impl::node_lost(NodeId node) { fences_.node_lost(node); }

Service::Service(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Service::~Service() { impl_->stop(); }

Result<std::unique_ptr<Service>> Service::start(reactor::Reactor& reactor, Exchange& exchange,
                                                ServiceOptions options) {
  auto impl = std::make_shared<Impl>(reactor, exchange, std::move(options));
  KRG_TRY(impl->start());
  return std::unique_ptr<Service>(new Service(std::move(impl)));
}

Co<Result<std::unique_ptr<JobServer>>> Service::create_job(JobDescription description,
                                                           JobListener& listener) {
  return impl_->create_job(std::move(description), listener);
}

Co<Result<Blob>> Service::answer(NodeId from, Blob question) {
  return impl_->answer(from, std::move(question));
}

void Service::node_lost(NodeId node) { impl_->node_lost(node); }

}  // namespace krg::pmix

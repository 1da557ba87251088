#include "krg/jobs/pmi.h"

#include "krg/log/log.h"
#include "messages.h"

namespace krg::jobs {

Pmi::Pmi(node::Node& node, std::string folder, std::string topology_file)
    : node_(node), folder_(std::move(folder)), topology_file_(std::move(topology_file)) {
  node_.rpc().serve<PmiAsk>(
      [this](rpc::Incoming& incoming, PmiAsk::Request request) -> Co<Result<PmiAsk::Reply>> {
        if (service_ == nullptr) co_return Error(Errc::no_service, "no job has been prepared here");
        KRG_CO_TRY_ASSIGN(pmix::Blob answer,
                          co_await service_->answer(incoming.from(), std::move(request.question)));
        co_return PmiAsk::Reply{std::move(answer)};
      });
  node_.on_lost([this](NodeId lost, Error) {
    if (service_ != nullptr) service_->node_lost(lost);
  });
}

Pmi::~Pmi() = default;

Result<pmix::Service*> Pmi::service(bool pmix, bool finalize_breaker) {
  if (service_ == nullptr) {
    pmix::ServiceOptions options{.self = node_.self(),
                                 .home = node_.view().coordinator,
                                 .host = node_.options().host,
                                 .folder = folder_,
                                 .topology_file = topology_file_,
                                 .pmix = pmix};
    if (!finalize_breaker) options.finalize_patience = Duration::zero();
    KRG_TRY_ASSIGN(service_, pmix::Service::start(node_.reactor(), *this, std::move(options)));
  }
  return service_.get();
}

Co<Result<pmix::Blob>> Pmi::ask(NodeId node, pmix::Blob question, Deadline deadline) {
  const PmiAsk::Request request{std::move(question)};
  KRG_CO_TRY_ASSIGN(PmiAsk::Reply reply,
                    co_await node_.rpc().call<PmiAsk>(node, request, {.deadline = deadline}));
  co_return std::move(reply.answer);
}

}  // namespace krg::jobs

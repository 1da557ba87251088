// The upcalls that concern ranks as members of jobs: their coming and going, fences, modex, spawn.

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "krg/log/log.h"
#include "pmix_info.h"
#include "pmix_upcalls.h"

namespace krg::pmix {
namespace {

using Server = std::shared_ptr<PmixServer>;

struct Current {
  std::mutex mutex;
  Server server;
};

Current& current() {
  static Current one;
  return one;
}

// A modex call-back and what goes with it.
struct ModexReply {
  pmix_modex_cbfunc_t function;
  void* data;

  void error(pmix_status_t status) const { function(status, nullptr, 0, data, nullptr, nullptr); }
  // libpmix reads the bytes later, and then frees them by our function.
  void bytes(std::size_t size, const std::vector<Blob>& parts) const {
    auto* copy = static_cast<char*>(std::malloc(size + 1));
    if (copy == nullptr) return error(PMIX_ERR_NOMEM);
    std::size_t at = 0;
    for (const Blob& part : parts) {
      if (!part.empty()) std::memcpy(copy + at, part.data(), part.size());
      at += part.size();
    }
    function(
        PMIX_SUCCESS, copy, size, data, [](void* bytes) { std::free(bytes); }, copy);
  }
};

// libpmix has served the job's parents and children alike; the job may be gone all the same.
JobServer::Impl* job_of(PmixServer& server, const ProcessName& process) {
  return server.service().job(process.name_space);
}

pmix_status_t on_client_connected(const pmix_proc_t* proc, void*, pmix_info_t*, std::size_t,
                                  pmix_op_cbfunc_t, void*) {
  (void)shift_at_once([who = to_name(*proc)](PmixServer& server) {
    if (JobServer::Impl* job = job_of(server, who)) job->initialized(who.rank);
  });
  return PMIX_OPERATION_SUCCEEDED;
}

pmix_status_t on_client_finalized(const pmix_proc_t* proc, void*, pmix_op_cbfunc_t, void*) {
  (void)shift_at_once([who = to_name(*proc)](PmixServer& server) {
    if (JobServer::Impl* job = job_of(server, who)) job->finalized(who.rank);
  });
  return PMIX_OPERATION_SUCCEEDED;
}

pmix_status_t on_abort(const pmix_proc_t* proc, void*, int code, const char text[], pmix_proc_t[],
                       std::size_t, pmix_op_cbfunc_t reply, void* data) {
  std::string line(text != nullptr ? text : "");
  for (char& c : line) c = c == '\n' || c == '\r' ? ' ' : c;
  return shift_at_once([who = to_name(*proc), code, line, reply, data](PmixServer& server) {
    if (JobServer::Impl* job = job_of(server, who)) job->abort(who.rank, code, line);
    if (reply != nullptr) reply(PMIX_SUCCESS, data);
  });
}

Co<void> fence(Server server, std::vector<ProcessName> members, Blob blob,
               std::optional<std::chrono::seconds> timeout, ModexReply reply) {
  const auto result =
      co_await server->fence("fence", std::move(members), std::move(blob), server->after(timeout));
  if (server->stopped()) co_return;
  if (!result) co_return reply.error(to_status(result.error()));
  std::size_t size = 0;
  for (const Blob& part : result->blobs) size += part.size();
  reply.bytes(size, result->blobs);
}

pmix_status_t on_fence(const pmix_proc_t procs[], std::size_t count, const pmix_info_t info[],
                       std::size_t infos, char* bytes, std::size_t size, pmix_modex_cbfunc_t reply,
                       void* data) {
  const auto* from = reinterpret_cast<const std::byte*>(bytes);
  Blob blob = bytes == nullptr ? Blob() : Blob(from, from + size);
  std::free(bytes);  // Unlike every other argument, the data belong to the host.
  return shift([members = to_names(procs, count), blob = std::move(blob),
                timeout = timeout_of(info, infos), reply = ModexReply{reply, data}](Server s) {
    return fence(std::move(s), members, blob, timeout, reply);
  });
}

Co<void> modex(Server server, ModexQuestion question, std::optional<std::chrono::seconds> timeout,
               ModexReply reply) {
  auto bytes = co_await server->modex(std::move(question), server->after(timeout));
  if (server->stopped()) co_return;
  if (!bytes) co_return reply.error(to_status(bytes.error()));
  const std::size_t size = bytes->size();
  std::vector<Blob> parts(1, std::move(*bytes));
  reply.bytes(size, parts);
}

pmix_status_t on_modex(const pmix_proc_t* proc, const pmix_info_t info[], std::size_t infos,
                       pmix_modex_cbfunc_t reply, void* data) {
  ModexQuestion question;
  question.process = to_name(*proc);
  const pmix_value_t* key = find(info, infos, PMIX_REQUIRED_KEY);
  if (key != nullptr && key->type == PMIX_STRING && key->data.string != nullptr) {
    question.key = key->data.string;
  }
  const auto timeout = timeout_of(info, infos);
  question.patient = timeout.has_value();
  return shift([question, timeout, reply = ModexReply{reply, data}](Server s) {
    return modex(std::move(s), question, timeout, reply);
  });
}

// Connect and disconnect: a fence whose end is all that matters.
Co<void> meet(Server server, const char* operation, std::vector<ProcessName> members,
              std::optional<std::chrono::seconds> timeout, pmix_op_cbfunc_t reply, void* data) {
  const auto result =
      co_await server->fence(operation, std::move(members), Blob(), server->after(timeout));
  if (server->stopped()) co_return;
  reply(result ? PMIX_SUCCESS : to_status(result.error()), data);
}

pmix_status_t on_connect(const pmix_proc_t procs[], std::size_t count, const pmix_info_t info[],
                         std::size_t infos, pmix_op_cbfunc_t reply, void* data) {
  return shift(
      [members = to_names(procs, count), timeout = timeout_of(info, infos), reply, data](Server s) {
        return meet(std::move(s), "connect", members, timeout, reply, data);
      });
}

pmix_status_t on_disconnect(const pmix_proc_t procs[], std::size_t count, const pmix_info_t info[],
                            std::size_t infos, pmix_op_cbfunc_t reply, void* data) {
  return shift(
      [members = to_names(procs, count), timeout = timeout_of(info, infos), reply, data](Server s) {
        return meet(std::move(s), "disconnect", members, timeout, reply, data);
      });
}

struct GroupRequest {
  std::string operation;
  std::vector<ProcessName> members;
  Blob endpoints;
  bool construct = false, context = false;
  std::optional<std::chrono::seconds> timeout;
};

Co<void> group(Server server, GroupRequest request, pmix_info_cbfunc_t reply, void* data) {
  const auto members = request.members;
  const auto result =
      co_await server->fence(std::move(request.operation), std::move(request.members),
                             std::move(request.endpoints), server->after(request.timeout));
  if (server->stopped()) co_return;
  if (!result) co_return reply(to_status(result.error()), nullptr, 0, data, nullptr, nullptr);
  InfoList list;
  if (request.context) list.size(PMIX_GROUP_CONTEXT_ID, result->id);
  if (request.construct) {
    std::vector<pmix_proc_t> procs;
    for (const ProcessName& member : members) procs.push_back(to_proc(member));
    const pmix_data_array_t array{PMIX_PROC, procs.size(), procs.data()};
    list.add(PMIX_GROUP_MEMBERSHIP, &array, PMIX_DATA_ARRAY);
    Blob all;
    for (const Blob& part : result->blobs) all.insert(all.end(), part.begin(), part.end());
    if (!all.empty()) {
      const pmix_byte_object_t object{reinterpret_cast<char*>(all.data()), all.size()};
      list.add(PMIX_GROUP_ENDPT_DATA, &object, PMIX_BYTE_OBJECT);
    }
  }
  auto infos = std::make_unique<Infos>(list.take());
  Infos* const kept = infos.release();  // Until libpmix calls back.
  reply(
      PMIX_SUCCESS, kept->data(), kept->size(), data,
      [](void* done) { delete static_cast<Infos*>(done); }, kept);
}

pmix_status_t on_group(pmix_group_operation_t operation, char name[], const pmix_proc_t procs[],
                       std::size_t count, const pmix_info_t info[], std::size_t infos,
                       pmix_info_cbfunc_t reply, void* data) {
  GroupRequest request;
  request.construct = operation == PMIX_GROUP_CONSTRUCT;
  request.operation = std::string(request.construct ? "group " : "ungroup ") + name;
  request.members = to_names(procs, count);
  request.context = is_true(info, infos, PMIX_GROUP_ASSIGN_CONTEXT_ID);
  request.timeout = timeout_of(info, infos);
  const pmix_value_t* endpoints = find(info, infos, PMIX_GROUP_ENDPT_DATA);
  if (endpoints != nullptr && endpoints->type == PMIX_BYTE_OBJECT) {
    const auto* from = reinterpret_cast<const std::byte*>(endpoints->data.bo.bytes);
    request.endpoints.assign(from, from + endpoints->data.bo.size);
  }
  return shift(
      [request, reply, data](Server s) { return group(std::move(s), request, reply, data); });
}

Co<void> spawn(Server server, SpawnRequest request, pmix_spawn_cbfunc_t reply, void* data) {
  JobServer::Impl* const parent = job_of(*server, request.parent);
  Result<std::string> child(Errc::not_supported);  // Of a tool: no launcher hears it.
  if (parent != nullptr) child = co_await parent->listener().on_spawn(std::move(request));
  if (server->stopped()) co_return;
  pmix_nspace_t name{};
  if (child) child->copy(name, sizeof name - 1);
  reply(child ? PMIX_SUCCESS : to_status(child.error()), name, data);
}

SpawnApp to_app(const pmix_app_t& app) {
  SpawnApp made;
  for (char** word = app.argv; word != nullptr && *word != nullptr; ++word) {
    made.argv.emplace_back(*word);
  }
  if (app.cmd != nullptr) {
    if (made.argv.empty()) made.argv.emplace_back();
    made.argv.front() = app.cmd;
  }
  for (char** entry = app.env; entry != nullptr && *entry != nullptr; ++entry) {
    made.environment.emplace_back(*entry);
  }
  if (app.cwd != nullptr) made.working_folder = app.cwd;
  made.processes = app.maxprocs > 0 ? static_cast<std::uint32_t>(app.maxprocs) : 0;
  made.info = to_texts(app.info, app.ninfo);
  return made;
}

pmix_status_t on_spawn(const pmix_proc_t* proc, const pmix_info_t info[], std::size_t infos,
                       const pmix_app_t apps[], std::size_t count, pmix_spawn_cbfunc_t reply,
                       void* data) {
  SpawnRequest request;
  request.parent = to_name(*proc);
  request.info = to_texts(info, infos);
  for (std::size_t i = 0; i < count; ++i) {
    request.apps.push_back(to_app(apps[i]));
    if (request.apps.back().argv.empty() || request.apps.back().processes == 0) {
      return PMIX_ERR_BAD_PARAM;
    }
  }
  return shift(
      [request, reply, data](Server s) { return spawn(std::move(s), request, reply, data); });
}

}  // namespace

void set_current_server(std::shared_ptr<PmixServer> server) {
  const std::lock_guard lock(current().mutex);
  current().server = std::move(server);
}

std::shared_ptr<PmixServer> current_server() {
  const std::lock_guard lock(current().mutex);
  return current().server;
}

void set_job_upcalls(pmix_server_module_t& module) {
  module.client_connected2 = on_client_connected;
  module.client_finalized = on_client_finalized;
  module.abort = on_abort;
  module.fence_nb = on_fence;
  module.direct_modex = on_modex;
  module.connect = on_connect;
  module.disconnect = on_disconnect;
  module.group = on_group;
  module.spawn = on_spawn;
}

}  // namespace krg::pmix

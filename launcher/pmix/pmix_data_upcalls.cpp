// The upcalls that concern data and tools: names, events, queries, logs, job control.

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>

#include "krg/log/log.h"
#include "pmix_info.h"
#include "pmix_upcalls.h"

namespace krg::pmix {
namespace {

using Server = std::shared_ptr<PmixServer>;

// A look-up that names no time of its own.
constexpr std::chrono::seconds kNameTimeout{30};
// Another node's table of processes.
constexpr std::chrono::seconds kTableTimeout{5};

// What is published beside PMIx's own directives.
bool is_directive(const pmix_info_t& info) { return std::strncmp(info.key, "pmix.", 5) == 0; }

bool is_text(const pmix_value_t& value) {
  return value.type == PMIX_STRING && value.data.string != nullptr;
}

Blob bytes_of(const char* text) {
  const auto* from = reinterpret_cast<const std::byte*>(text);
  return Blob(from, from + std::strlen(text));
}

Co<void> publish(Server server, std::vector<Published> names, pmix_op_cbfunc_t reply, void* data) {
  Status status;
  for (Published& name : names) {
    if (!status) break;
    status = co_await server->service().publish(std::move(name), server->after(kNameTimeout));
    if (server->stopped()) co_return;
  }
  reply(to_status(status), data);
}

pmix_status_t on_publish(const pmix_proc_t* proc, const pmix_info_t info[], std::size_t infos,
                         pmix_op_cbfunc_t reply, void* data) {
  const pmix_value_t* persistence = find(info, infos, PMIX_PERSISTENCE);
  const bool first_read = persistence != nullptr && persistence->type == PMIX_PERSIST &&
                          persistence->data.persist == PMIX_PERSIST_FIRST_READ;
  std::vector<Published> names;
  for (std::size_t i = 0; i < infos; ++i) {
    if (is_directive(info[i])) continue;
    const bool text = is_text(info[i].value);
    names.push_back(
        {.name = info[i].key,
         .owner = to_name(*proc),
         .packed = !text,
         .first_read = first_read,
         .value = text ? bytes_of(info[i].value.data.string) : pack_value(info[i].value)});
  }
  if (names.empty()) return PMIX_ERR_BAD_PARAM;
  return shift(
      [names, reply, data](Server s) { return publish(std::move(s), names, reply, data); });
}

// libpmix copies the array before the call-back returns.
void reply_names(const Names& names, pmix_lookup_cbfunc_t reply, void* data) {
  std::vector<pmix_pdata_t> found(names.found.size());
  bool ok = true;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Published& name = names.found[i];
    found[i].proc = to_proc(name.owner);
    name.name.copy(found[i].key, sizeof found[i].key - 1);
    if (name.packed) {
      ok = unpack_value(name.value, found[i].value) && ok;
    } else {
      const std::string text(reinterpret_cast<const char*>(name.value.data()), name.value.size());
      ok = PMIx_Value_load(&found[i].value, text.c_str(), PMIX_STRING) == PMIX_SUCCESS && ok;
    }
  }
  reply(ok ? PMIX_SUCCESS : PMIX_ERR_UNPACK_FAILURE, ok ? found.data() : nullptr,
        ok ? found.size() : 0, data);
  for (pmix_pdata_t& one : found) PMIx_Value_destruct(&one.value);
}

Co<void> look_up(Server server, NameQuestion question, std::optional<std::chrono::seconds> timeout,
                 pmix_lookup_cbfunc_t reply, void* data) {
  // Without a time of its own a look-up that waits may wait for ever; one that does not has an
  // answer soon.
  const auto patience = timeout || question.wait_for > 0 ? timeout : kNameTimeout;
  const auto names =
      co_await server->service().look_up(std::move(question), server->after(patience));
  if (server->stopped()) co_return;
  if (!names) co_return reply(to_status(names.error()), nullptr, 0, data);
  reply_names(*names, reply, data);
}

NameQuestion question_of(const pmix_proc_t* proc, char** keys) {
  NameQuestion question;
  question.asker = to_name(*proc);
  for (; keys != nullptr && *keys != nullptr; ++keys) question.names.emplace_back(*keys);
  return question;
}

pmix_status_t on_lookup(const pmix_proc_t* proc, char** keys, const pmix_info_t info[],
                        std::size_t infos, pmix_lookup_cbfunc_t reply, void* data) {
  NameQuestion question = question_of(proc, keys);
  if (const pmix_value_t* wait = find(info, infos, PMIX_WAIT)) {
    // How many to wait for; 0, or a plain flag, means all.
    const auto count = to_integer(*wait).value_or(0);
    const bool all = count <= 0 || static_cast<std::size_t>(count) > question.names.size();
    question.wait_for = static_cast<std::uint32_t>(all ? question.names.size() : count);
    if (wait->type == PMIX_BOOL && !wait->data.flag) question.wait_for = 0;
  }
  return shift([question, timeout = timeout_of(info, infos), reply, data](Server s) {
    return look_up(std::move(s), question, timeout, reply, data);
  });
}

Co<void> unpublish(Server server, NameQuestion question, pmix_op_cbfunc_t reply, void* data) {
  const Status status =
      co_await server->service().unpublish(std::move(question), server->after(kNameTimeout));
  if (!server->stopped()) reply(to_status(status), data);
}

pmix_status_t on_unpublish(const pmix_proc_t* proc, char** keys, const pmix_info_t[], std::size_t,
                           pmix_op_cbfunc_t reply, void* data) {
  return shift([question = question_of(proc, keys), reply, data](Server s) {
    return unpublish(std::move(s), question, reply, data);
  });
}

// libpmix itself keeps who wants which event; every node gets every event.
pmix_status_t on_register_events(pmix_status_t*, std::size_t, const pmix_info_t[], std::size_t,
                                 pmix_op_cbfunc_t, void*) {
  return PMIX_OPERATION_SUCCEEDED;
}

pmix_status_t on_deregister_events(pmix_status_t*, std::size_t, pmix_op_cbfunc_t, void*) {
  return PMIX_OPERATION_SUCCEEDED;
}

// libpmix has told the clients of this node already. It must not be answered later: libpmix 4.2.2
// frees what the call-back needs when this function returns.
pmix_status_t on_notify_event(pmix_status_t code, const pmix_proc_t* source,
                              pmix_data_range_t range, pmix_info_t info[], std::size_t infos,
                              pmix_op_cbfunc_t, void*) {
  if (range == PMIX_RANGE_LOCAL || range == PMIX_RANGE_PROC_LOCAL || range == PMIX_RANGE_RM) {
    return PMIX_OPERATION_SUCCEEDED;
  }
  EventMessage event;
  event.status = code;
  event.range = range;
  event.source = to_name(*source);
  event.info_count = static_cast<std::uint32_t>(infos);
  event.info = pack_infos(info, infos);
  (void)shift_at_once([event](PmixServer& server) { server.send_event(event); });
  return PMIX_OPERATION_SUCCEEDED;
}

// The processes of one job, of this node or of all, by rank. A node that does not answer is left
// out.
Co<ProcessTable> table_of(Server server, std::string name, bool all_nodes) {
  ProcessTable table = server->service().table(name);
  JobServer::Impl* const job = server->service().job(name);
  if (job == nullptr || !all_nodes) co_return table;
  const std::vector<NodeId> nodes = job->layout().nodes;
  const Blob question = pack(Ask::table, TableQuestion{name});
  for (const NodeId node : nodes) {
    if (server->stopped()) co_return table;
    if (node == server->service().options().self) continue;
    const auto answer =
        co_await server->service().ask(node, question, server->after(kTableTimeout));
    const auto theirs = answer ? wire::decode<ProcessTable>(*answer) : answer.error();
    if (theirs) table.rows.insert(table.rows.end(), theirs->rows.begin(), theirs->rows.end());
  }
  std::sort(table.rows.begin(), table.rows.end(),
            [](const auto& a, const auto& b) { return a.rank < b.rank; });
  co_return table;
}

void add_table(InfoList& list, const char* key, const JobServer::Impl& job,
               const ProcessTable& rows) {
  std::vector<pmix_proc_info_t> table;
  std::deque<std::string> names;  // A deque: the table points into it.
  for (const ProcessTable::Row& row : rows.rows) {
    if (row.rank >= job.description().ranks.size()) continue;  // A wrong answer.
    const auto& argv = job.description().apps[job.description().ranks[row.rank].app].argv;
    pmix_proc_info_t one{};
    one.proc = to_proc({job.description().name_space, row.rank});
    one.hostname = names.emplace_back(job.layout().hosts[job.layout().host_of[row.rank]]).data();
    one.executable_name = names.emplace_back(argv.empty() ? "" : argv.front()).data();
    one.pid = row.pid;
    one.state = row.running ? PMIX_PROC_STATE_RUNNING : PMIX_PROC_STATE_TERMINATED;
    table.push_back(one);
  }
  const pmix_data_array_t array{PMIX_PROC_INFO, table.size(), table.data()};
  list.add(key, &array, PMIX_DATA_ARRAY);
}

struct Query {
  std::string key, name_space;
};

// What this node knows without asking others.
bool answer_query(InfoList& list, PmixServer& server, const Query& query) {
  if (query.key == PMIX_QUERY_NAMESPACES) {
    std::string names;
    for (const auto& [name, job] : server.service().jobs())
      names += (names.empty() ? "" : ",") + name;
    list.text(PMIX_QUERY_NAMESPACES, names);
  } else if (query.key == PMIX_QUERY_SPAWN_SUPPORT) {
    list.text(PMIX_QUERY_SPAWN_SUPPORT, PMIX_WDIR "," PMIX_HOST);
  } else if (query.key == PMIX_JOB_SIZE || query.key == PMIX_UNIV_SIZE) {
    JobServer::Impl* const job = server.service().job(query.name_space);
    if (job == nullptr) return false;
    const std::size_t slots = job->description().universe_size;
    const std::size_t size = job->description().ranks.size();
    list.u32(query.key.c_str(), query.key == PMIX_UNIV_SIZE && slots != 0 ? slots : size);
  } else {
    return false;
  }
  return true;
}

Co<void> query(Server server, std::vector<Query> queries, pmix_info_cbfunc_t reply, void* data) {
  InfoList list;
  std::size_t answered = 0;
  for (const Query& one : queries) {
    const bool all_nodes = one.key == PMIX_QUERY_PROC_TABLE;
    if (!all_nodes && one.key != PMIX_QUERY_LOCAL_PROC_TABLE) {
      answered += answer_query(list, *server, one) ? 1 : 0;
      continue;
    }
    const ProcessTable table = co_await table_of(server, one.name_space, all_nodes);
    if (server->stopped()) co_return;
    const JobServer::Impl* const job = server->service().job(one.name_space);
    if (job == nullptr) continue;
    add_table(list, one.key.c_str(), *job, table);
    ++answered;
  }
  if (answered == 0) co_return reply(PMIX_ERR_NOT_FOUND, nullptr, 0, data, nullptr, nullptr);
  auto infos = std::make_unique<Infos>(list.take());
  Infos* const kept = infos.release();  // Until libpmix calls back.
  reply(
      answered == queries.size() ? PMIX_SUCCESS : PMIX_ERR_PARTIAL_SUCCESS, kept->data(),
      kept->size(), data, [](void* done) { delete static_cast<Infos*>(done); }, kept);
}

pmix_status_t on_query(pmix_proc_t* asker, pmix_query_t* queries, std::size_t count,
                       pmix_info_cbfunc_t reply, void* data) {
  std::vector<Query> wanted;
  for (std::size_t i = 0; i < count; ++i) {
    const pmix_value_t* of = find(queries[i].qualifiers, queries[i].nqual, PMIX_NSPACE);
    const std::string name_space =
        of != nullptr && is_text(*of) ? of->data.string : to_name(*asker).name_space;
    for (char** key = queries[i].keys; key != nullptr && *key != nullptr; ++key) {
      wanted.push_back({*key, name_space});
    }
  }
  return shift(
      [wanted, reply, data](Server s) { return query(std::move(s), wanted, reply, data); });
}

Co<void> name_tool(Server server, std::optional<ProcessName> wanted,
                   pmix_tool_connection_cbfunc_t reply, void* data) {
  pmix_proc_t proc = to_proc(wanted ? *wanted : server->next_tool());
  reply(PMIX_SUCCESS, &proc, data);
  co_return;
}

void on_tool_connected(pmix_info_t* info, std::size_t infos, pmix_tool_connection_cbfunc_t reply,
                       void* data) {
  std::optional<ProcessName> wanted;
  const pmix_value_t* name = find(info, infos, PMIX_NSPACE);
  const pmix_value_t* rank = find(info, infos, PMIX_RANK);
  if (name != nullptr && is_text(*name) && rank != nullptr && rank->type == PMIX_PROC_RANK) {
    wanted = ProcessName{name->data.string, rank->data.rank};
  }
  (void)shift(
      [wanted, reply, data](Server s) { return name_tool(std::move(s), wanted, reply, data); });
}

Co<void> log(Server server, ProcessName who, std::vector<std::string> lines, pmix_op_cbfunc_t reply,
             void* data) {
  JobServer::Impl* const job = server->service().job(who.name_space);
  for (const std::string& line : lines) {
    if (job != nullptr) job->listener().on_log(who.rank, line);
  }
  reply(lines.empty() ? PMIX_ERR_NOT_SUPPORTED : PMIX_SUCCESS, data);
  co_return;
}

void on_log(const pmix_proc_t* proc, const pmix_info_t items[], std::size_t count,
            const pmix_info_t[], std::size_t, pmix_op_cbfunc_t reply, void* data) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < count; ++i) {
    if (is_text(items[i].value)) lines.emplace_back(items[i].value.data.string);
  }
  (void)shift([who = to_name(*proc), lines, reply, data](Server s) {
    return log(std::move(s), who, lines, reply, data);
  });
}

// The signal that a directive stands for, or 0.
int signal_of(const pmix_info_t info[], std::size_t count) {
  if (is_true(info, count, PMIX_JOB_CTRL_KILL)) return SIGKILL;
  if (is_true(info, count, PMIX_JOB_CTRL_TERMINATE)) return SIGTERM;
  if (is_true(info, count, PMIX_JOB_CTRL_PAUSE)) return SIGSTOP;
  if (is_true(info, count, PMIX_JOB_CTRL_RESUME)) return SIGCONT;
  const pmix_value_t* value = find(info, count, PMIX_JOB_CTRL_SIGNAL);
  const auto number = value != nullptr ? to_integer(*value) : std::nullopt;
  return number && *number > 0 && *number < NSIG ? static_cast<int>(*number) : 0;
}

Co<void> control(Server server, ProcessName who, std::vector<ProcessName> targets, int signal,
                 pmix_info_cbfunc_t reply, void* data) {
  if (targets.empty()) targets.push_back({who.name_space, kEveryRank});
  // A tool has no job of its own; those of its targets hear it.
  std::map<std::string, std::vector<ProcessName>> by_job;
  for (ProcessName& target : targets) by_job[target.name_space].push_back(std::move(target));
  bool heard = false;
  for (auto& [name, ranks] : by_job) {
    JobServer::Impl* const job = server->service().job(name);
    if (job == nullptr) continue;
    job->listener().on_signal(std::move(ranks), signal);
    heard = true;
  }
  reply(heard ? PMIX_SUCCESS : PMIX_ERR_NOT_FOUND, nullptr, 0, data, nullptr, nullptr);
  co_return;
}

pmix_status_t on_job_control(const pmix_proc_t* who, const pmix_proc_t targets[], std::size_t count,
                             const pmix_info_t info[], std::size_t infos, pmix_info_cbfunc_t reply,
                             void* data) {
  const int signal = signal_of(info, infos);
  if (signal == 0) return PMIX_ERR_NOT_SUPPORTED;
  return shift([who = to_name(*who), names = to_names(targets, count), signal, reply,
                data](Server s) { return control(std::move(s), who, names, signal, reply, data); });
}

}  // namespace

void set_data_upcalls(pmix_server_module_t& module) {
  module.publish = on_publish;
  module.lookup = on_lookup;
  module.unpublish = on_unpublish;
  module.register_events = on_register_events;
  module.deregister_events = on_deregister_events;
  module.notify_event = on_notify_event;
  module.query = on_query;
  module.tool_connected = on_tool_connected;
  module.log = on_log;
  module.job_control = on_job_control;
}

}  // namespace krg::pmix

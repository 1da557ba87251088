#include "krg/pmix/job_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>
#include <memory>
#include <optional>

#include "krg/pmix/service.h"
#include "krg/reactor/event.h"

namespace krg::pmix {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Listener final : public JobListener {
 public:
  void on_abort(Rank rank, int code, const std::string& message) override {
    aborts.push_back(std::to_string(rank) + " " + std::to_string(code) + " " + message);
  }
  Co<Result<std::string>> on_spawn(SpawnRequest request) override {
    spawned.push_back(std::move(request));
    co_return std::string("child");
  }
  void on_signal(std::vector<ProcessName>, int) override {}
  void on_log(Rank, const std::string&) override {}

  std::vector<std::string> aborts;
  std::vector<SpawnRequest> spawned;
};

// Nodes of one process: a question is a call.
class Cluster {
 public:
  class Wire final : public Exchange {
   public:
    Wire(Cluster& cluster, NodeId self) : cluster_(cluster), self_(self) {}
    Co<Result<Blob>> ask(NodeId node, Blob question, Deadline deadline) override {
      ++cluster_.questions;
      if (cluster_.lost.contains(node)) co_return Error(Errc::peer_down).with_peer(node);
      (void)deadline;  // The virtual clock of these tests never reaches one.
      co_return co_await cluster_.services_[node.value]->answer(self_, std::move(question));
    }

   private:
    Cluster& cluster_;
    const NodeId self_;
  };

  // `ranks[i]`: the node of rank i.
  explicit Cluster(std::vector<std::uint32_t> ranks, bool one_host = false) {
    JobDescription job;
    job.name_space = "krg-test-1";
    job.folder = "/tmp";
    job.apps.push_back({{"app"}, "/", {"OF_THE_APP=1"}});
    std::uint32_t nodes = 0;
    for (const std::uint32_t node : ranks) {
      nodes = std::max(nodes, node + 1);
      job.ranks.push_back({node, 0, {}});
    }
    for (std::uint32_t n = 0; n < nodes; ++n) {
      job.nodes.push_back({NodeId{n}, one_host ? "here" : "n" + std::to_string(n)});
    }
    for (std::uint32_t n = 0; n < nodes; ++n) {
      wires_.push_back(std::make_unique<Wire>(*this, NodeId{n}));
      auto service = Service::start(reactor, *wires_.back(),
                                    {.self = NodeId{n},
                                     .home = NodeId{0},
                                     .host = job.nodes[n].host,
                                     .folder = "/tmp",
                                     .topology_file = {},
                                     .pmix = false});
      EXPECT_TRUE(service);
      services_.push_back(std::move(*service));
    }
    for (std::uint32_t n = 0; n < nodes; ++n) jobs_.push_back(create(n, job));
    description = job;
    for (Rank rank = 0; rank < ranks.size(); ++rank) {
      auto launch = jobs_[ranks[rank]]->rank_environment(rank, user);
      EXPECT_TRUE(launch);
      EXPECT_EQ(launch->fds.size(), 1u);
      clients.emplace_back(::dup(launch->fds.front()));
      jobs_[ranks[rank]]->rank_started(rank, 0);
      environments.push_back(std::move(launch->environment));
    }
  }
  ~Cluster() {
    jobs_.clear();
    turns();
  }

  std::unique_ptr<JobServer> create(std::uint32_t node, JobDescription job) {
    std::optional<Result<std::unique_ptr<JobServer>>> made;
    reactor.spawn(store(services_[node]->create_job(std::move(job), listener), made));
    turns();
    return made && *made ? std::move(**made) : nullptr;
  }

  // Enough turns that descriptors, coroutines and mailbox have all had theirs.
  void turns() {
    for (int i = 0; i < 600; ++i) reactor.turn();
  }
  void pass(milliseconds time) {
    clock.advance_to(clock.now() + time);
    turns();
  }
  void say(Rank rank, std::string_view text) {
    EXPECT_EQ(::send(clients[rank].get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
  }
  std::string hear(Rank rank) {
    char bytes[4096];
    const ssize_t n = ::recv(clients[rank].get(), bytes, sizeof bytes, MSG_DONTWAIT);
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : std::string();
  }
  std::string ask(Rank rank, std::string_view text) {
    say(rank, text);
    turns();
    return hear(rank);
  }
  void put(Rank rank, const std::string& key, const std::string& value) {
    EXPECT_THAT(ask(rank, "cmd=put kvsname=krg-test-1 key=" + key + " value=" + value + "\n"),
                HasSubstr("rc=0"));
  }
  std::string get(Rank rank, const std::string& key) {
    return ask(rank, "cmd=get kvsname=krg-test-1 key=" + key + "\n");
  }
  // Everybody in; everybody out.
  void barrier() {
    for (Rank r = 0; r < clients.size(); ++r) say(r, "cmd=barrier_in\n");
    turns();
    for (Rank r = 0; r < clients.size(); ++r) EXPECT_EQ(hear(r), "cmd=barrier_out\n") << r;
  }
  JobServer& job_of(Rank rank) { return *jobs_[description.ranks[rank].node_index]; }
  Service& service(std::uint32_t node) { return *services_[node]; }

  reactor::VirtualClock clock;
  reactor::Reactor reactor{clock, reactor::Reactor::Waiting::poll};
  Listener listener;
  JobDescription description;
  std::vector<UniqueFd> clients;
  std::vector<std::vector<std::string>> environments;
  std::vector<std::string> user;
  std::map<NodeId, bool> lost;
  int questions = 0;

 private:
  template <class T>
  static Co<void> store(Co<T> co, std::optional<T>& into) {
    into.emplace(co_await std::move(co));
  }

  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<std::unique_ptr<Service>> services_;
  std::vector<std::unique_ptr<JobServer>> jobs_;
};

constexpr const char* kInit = "cmd=init pmi_version=1 pmi_subversion=1\n";

TEST(JobServer, ARankIsToldWhoItIs) {
  Cluster cluster({0, 0, 1});
  EXPECT_THAT(cluster.environments[2], Contains("PMI_RANK=2"));
  EXPECT_THAT(cluster.environments[2], Contains("PMI_SIZE=3"));
  EXPECT_THAT(cluster.environments[2], Contains(StartsWith("PMI_FD=")));
  EXPECT_THAT(cluster.environments[1], Contains("MPI_LOCALRANKID=1"));
  EXPECT_THAT(cluster.environments[2], Contains("MPI_LOCALNRANKS=1"));
  EXPECT_THAT(cluster.get(2, "PMI_process_mapping"), HasSubstr("value=(vector,(0,1,2),(1,1,1))"));
}

TEST(JobServer, NodesOfOneHostNameAreOneHostToMpi) {
  Cluster cluster({0, 0, 1, 1}, true);
  EXPECT_THAT(cluster.get(3, "PMI_process_mapping"), HasSubstr("value=(vector,(0,1,4))"));
  EXPECT_THAT(cluster.environments[3], Contains("MPI_LOCALRANKID=3"));
  EXPECT_THAT(cluster.environments[0], Contains("MPI_LOCALNRANKS=4"));
}

TEST(JobServer, TheEnvironmentOfAnOuterLauncherIsTakenOutAndTheUsersSettingsStay) {
  Cluster cluster({0});
  auto launch = cluster.job_of(0).rank_environment(
      0, {"PATH=/bin", "PMI_RANK=7", "PMIX_NAMESPACE=slurm.1", "PMIX_MCA_gds=hash", "PMI_PORT=x",
          "OMPI_COMM_WORLD_RANK=5", "OMPI_MCA_btl=self", "MPIR_CVAR_PMI_VERSION=x",
          "OMPI_MCA_ess_base_jobid=1"});
  ASSERT_TRUE(launch);
  const auto& env = launch->environment;
  EXPECT_THAT(env, Contains("PATH=/bin"));
  EXPECT_THAT(env, Contains("PMI_RANK=0"));
  EXPECT_THAT(env, Not(Contains("PMI_RANK=7")));
  EXPECT_THAT(env, Not(Contains(StartsWith("PMIX_NAMESPACE=slurm"))));
  EXPECT_THAT(env, Not(Contains(StartsWith("PMI_PORT"))));
  EXPECT_THAT(env, Not(Contains(StartsWith("OMPI_MCA_ess"))));
  EXPECT_THAT(env, Contains("PMIX_MCA_gds=hash"));
  EXPECT_THAT(env, Contains("OMPI_MCA_btl=self"));
  EXPECT_THAT(env, Contains("OMPI_COMM_WORLD_RANK=0"));
  EXPECT_THAT(env, Contains("MPIR_CVAR_PMI_VERSION=x"));
}

TEST(JobServer, ABarrierOfOneNodeNeedsNoOtherNode) {
  Cluster cluster({0, 0});
  cluster.say(0, "cmd=barrier_in\n");
  cluster.turns();
  EXPECT_EQ(cluster.hear(0), "");
  EXPECT_EQ(cluster.ask(1, "cmd=barrier_in\n"), "cmd=barrier_out\n");
  EXPECT_EQ(cluster.hear(0), "cmd=barrier_out\n");
  EXPECT_EQ(cluster.questions, 0);
}

// Goal    64 ranks on 4 nodes: a get after the barrier finds every put, and costs no message.
// Method  count the questions between nodes.
TEST(JobServer, PutsTravelWithTheBarrierAndGetsAreLocal) {
  std::vector<std::uint32_t> nodes;
  for (std::uint32_t r = 0; r < 64; ++r) nodes.push_back(r / 16);
  Cluster cluster(nodes);
  for (Rank r = 0; r < 64; ++r) cluster.put(r, "k" + std::to_string(r), "v" + std::to_string(r));
  EXPECT_EQ(cluster.questions, 0);
  cluster.barrier();
  EXPECT_EQ(cluster.questions, 3) << "one for each node but the one that gathers";
  for (const Rank r : {0u, 17u, 63u}) {
    for (const Rank of : {0u, 31u, 63u}) {
      EXPECT_THAT(cluster.get(r, "k" + std::to_string(of)),
                  HasSubstr("value=v" + std::to_string(of) + "\n"));
    }
  }
  cluster.barrier();
  EXPECT_EQ(cluster.questions, 6);
}

TEST(JobServer, ABarrierIsNotReleasedInPartWhileThereArePuts) {
  Cluster cluster({0, 1});
  cluster.put(0, "a", "1");
  cluster.put(1, "b", "2");
  cluster.say(0, "cmd=barrier_in\n");
  cluster.turns();
  cluster.pass(milliseconds(5000));
  EXPECT_EQ(cluster.hear(0), "");
  EXPECT_EQ(cluster.ask(1, "cmd=barrier_in\n"), "cmd=barrier_out\n");
  EXPECT_EQ(cluster.hear(0), "cmd=barrier_out\n");
}

// Goal    MPICH's finalize between hosts does not hang.
// Method  as the hang looks to the server: one rank of each node is in the barrier, the others
// never come
//         while those wait.
TEST(JobServer, AStuckBarrierWithoutPutsIsReleasedAndLaterArrivalsAtOnce) {
  Cluster cluster({0, 0, 1, 1});
  for (Rank r = 0; r < 4; ++r) cluster.put(r, "k" + std::to_string(r), "v");
  cluster.barrier();
  cluster.say(0, "cmd=barrier_in\n");
  cluster.say(2, "cmd=barrier_in\n");
  cluster.turns();
  cluster.pass(milliseconds(250));
  EXPECT_EQ(cluster.hear(0), "");
  cluster.pass(milliseconds(60));
  EXPECT_EQ(cluster.hear(0), "cmd=barrier_out\n");
  EXPECT_EQ(cluster.hear(2), "cmd=barrier_out\n");
  EXPECT_EQ(cluster.ask(1, "cmd=barrier_in\n"), "cmd=barrier_out\n");
  EXPECT_EQ(cluster.ask(3, "cmd=barrier_in\n"), "cmd=barrier_out\n");
  EXPECT_EQ(cluster.ask(0, "cmd=finalize\n"), "cmd=finalize_ack\n");
}

// Goal    a node without puts of its own does not run ahead of a put that it must get.
TEST(JobServer, APutOfAnotherNodeKeepsTheBarrierClosed) {
  Cluster cluster({0, 1});
  cluster.put(0, "a", "1");
  cluster.put(1, "b", "1");
  cluster.barrier();
  cluster.put(1, "c", "2");  // And then rank 1 computes for long before its barrier.
  cluster.say(0, "cmd=barrier_in\n");
  cluster.turns();
  for (int i = 0; i < 10; ++i) cluster.pass(milliseconds(400));
  EXPECT_EQ(cluster.hear(0), "");
  EXPECT_EQ(cluster.ask(1, "cmd=barrier_in\n"), "cmd=barrier_out\n");
  EXPECT_EQ(cluster.hear(0), "cmd=barrier_out\n");
  EXPECT_THAT(cluster.get(0, "c"), HasSubstr("value=2\n"));
}

TEST(JobServer, ALostNodeKeepsItsPeersInTheBarrierUntilTheJobIsEnded) {
  Cluster cluster({0, 1});
  cluster.say(0, "cmd=barrier_in\n");
  cluster.turns();
  cluster.lost[NodeId{1}] = true;
  cluster.service(0).node_lost(NodeId{1});
  cluster.turns();
  EXPECT_EQ(cluster.hear(0), "");
}

TEST(JobServer, NamesAreKeptByTheHomeNodeForAll) {
  Cluster cluster({0, 1});
  EXPECT_THAT(cluster.ask(1, "cmd=lookup_name service=s\n"), HasSubstr("rc=-1"));
  EXPECT_THAT(cluster.ask(1, "cmd=publish_name service=s port=p:1\n"), HasSubstr("rc=0"));
  EXPECT_THAT(cluster.ask(0, "cmd=publish_name service=s port=q\n"), HasSubstr("rc=-1"));
  EXPECT_THAT(cluster.ask(0, "cmd=lookup_name service=s\n"), HasSubstr("port=p:1 "));
  EXPECT_THAT(cluster.ask(0, "cmd=unpublish_name service=s\n"), HasSubstr("rc=0"));
  EXPECT_THAT(cluster.ask(1, "cmd=unpublish_name service=s\n"), HasSubstr("rc=-1"));
}

TEST(JobServer, ASpawnGoesToTheListenerAndItsAnswerBack) {
  Cluster cluster({0});
  EXPECT_EQ(cluster.ask(0, "mcmd=spawn\nnprocs=2\nexecname=a\ntotspawns=1\nendcmd\n"),
            "cmd=spawn_result rc=0 errcodes=0,0\n");
  ASSERT_EQ(cluster.listener.spawned.size(), 1u);
  EXPECT_EQ(cluster.listener.spawned[0].parent, (ProcessName{"krg-test-1", 0}));
}

TEST(JobServer, ASpawnedJobFindsItsParentsKeys) {
  Cluster cluster({0});
  JobDescription child = cluster.description;
  child.name_space = "child";
  child.parent = ProcessName{"krg-test-1", 0};
  child.preput = {{"PARENT_ROOT_PORT_NAME", "port"}};
  const auto job = cluster.create(0, child);
  ASSERT_NE(job, nullptr);
  const auto launch = job->rank_environment(0, {});
  ASSERT_TRUE(launch);
  EXPECT_THAT(launch->environment, Contains("PMI_SPAWNED=1"));
  const std::string get = "cmd=get kvsname=child key=PARENT_ROOT_PORT_NAME\n";
  ASSERT_GT(::send(launch->fds[0], get.data(), get.size(), 0), 0);
  cluster.turns();
  char bytes[256];
  const ssize_t n = ::recv(launch->fds[0], bytes, sizeof bytes, MSG_DONTWAIT);
  ASSERT_GT(n, 0);
  EXPECT_THAT(std::string(bytes, static_cast<std::size_t>(n)), HasSubstr("value=port\n"));
}

TEST(JobServer, AnAbortWrittenBeforeTheExitIsHeardFirst) {
  Cluster cluster({0, 0});
  cluster.say(1, "cmd=abort exitcode=7\n");
  cluster.job_of(1).rank_exited(1, 7 << 8);
  EXPECT_THAT(cluster.listener.aborts, ElementsAre("1 7 "));
}

TEST(JobServer, ARankThatEndsWellBetweenInitAndFinalizeAbortsTheJob) {
  Cluster cluster({0, 0, 0});
  cluster.ask(0, kInit);
  cluster.job_of(0).rank_exited(0, 0);
  cluster.ask(1, kInit);
  cluster.ask(1, "cmd=finalize\n");
  cluster.job_of(1).rank_exited(1, 0);
  cluster.job_of(2).rank_exited(2, 0);  // Never spoke PMI.
  cluster.turns();
  EXPECT_THAT(cluster.listener.aborts, ElementsAre("0 1 ended without MPI_Finalize"));
}

TEST(JobServer, GarbageFromARankAbortsTheJobAndHarmsNobodyElse) {
  Cluster cluster({0, 0});
  cluster.say(0, std::string(2000, 'x'));
  cluster.turns();
  ASSERT_EQ(cluster.listener.aborts.size(), 1u);
  EXPECT_THAT(cluster.listener.aborts[0], StartsWith("0 1 "));
  EXPECT_THAT(cluster.ask(1, kInit), HasSubstr("rc=0"));
}

TEST(JobServer, TheJobMayEndWithRanksInABarrierAndInALookUp) {
  auto cluster = std::make_unique<Cluster>(std::vector<std::uint32_t>{0, 1, 1});
  cluster->say(0, "cmd=barrier_in\n");
  cluster->say(1, "cmd=barrier_in\n");
  cluster->say(2, "cmd=lookup_name service=s\n");
  cluster->turns();
  cluster.reset();
}

TEST(JobServer, BadDescriptionsAreRefused) {
  Cluster cluster({0});
  EXPECT_EQ(cluster.create(0, cluster.description), nullptr) << "its name space is in use";
  JobDescription job = cluster.description;
  job.name_space = "with blank";
  EXPECT_EQ(cluster.create(0, job), nullptr);
  job.name_space = "other";
  job.ranks[0].node_index = 1;
  EXPECT_EQ(cluster.create(0, job), nullptr);
  job.ranks.clear();
  EXPECT_EQ(cluster.create(0, job), nullptr);
}

TEST(Service, MalformedQuestionsAreRefused) {
  Cluster cluster({0, 1});
  for (int kind = 0; kind < 256; ++kind) {
    for (std::size_t size = 0; size < 12; ++size) {
      Blob question(size + 1, std::byte{0xff});
      question[0] = static_cast<std::byte>(kind);
      std::optional<bool> ok;
      cluster.reactor.spawn([](Service& service, Blob q, std::optional<bool>& into) -> Co<void> {
        const auto answer = co_await service.answer(NodeId{1}, std::move(q));
        into = answer.has_value();
      }(cluster.service(0), std::move(question), ok));
      cluster.reactor.turn();
      cluster.reactor.turn();
      ASSERT_TRUE(ok.has_value()) << kind << " " << size;
      EXPECT_FALSE(*ok) << kind << " " << size;
    }
  }
}

}  // namespace
}  // namespace krg::pmix

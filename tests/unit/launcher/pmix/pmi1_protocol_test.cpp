#include "krg/pmix/pmi1_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace krg::pmix {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// A job of which the test is the other side: it records what is asked and answers when told to.
class Job final : public Pmi1Backend {
 public:
  Status put(std::string_view key, std::string_view value) override {
    if (full) return Errc::limit_reached;
    kvs[std::string(key)] = value;
    return {};
  }
  const std::string* get(std::string_view name, std::string_view key) override {
    const auto found = kvs.find(std::string(key));
    return name == "job" && found != kvs.end() ? &found->second : nullptr;
  }
  std::optional<std::pair<std::string, std::string>> entry(std::size_t index) override {
    if (index >= kvs.size()) return {};
    return *std::next(kvs.begin(), static_cast<std::ptrdiff_t>(index));
  }
  void barrier_in() override {
    calls.push_back("barrier");
    if (answer_at_once) session->barrier_out();
  }
  void publish(std::string s, std::string p) override { calls.push_back("publish " + s + " " + p); }
  void unpublish(std::string s) override { calls.push_back("unpublish " + s); }
  void look_up(std::string s) override { calls.push_back("look up " + s); }
  void spawn(SpawnRequest r) override { spawned.push_back(std::move(r)); }
  void initialized() override { calls.push_back("init"); }
  void finalized() override { calls.push_back("finalize"); }
  void abort(int code) override { calls.push_back("abort " + std::to_string(code)); }

  std::map<std::string, std::string> kvs;
  std::vector<std::string> calls;
  std::vector<SpawnRequest> spawned;
  Pmi1Session* session = nullptr;
  bool full = false, answer_at_once = false;
};

class Pmi1Protocol : public testing::Test {
 protected:
  Pmi1Protocol() { job.session = &session; }

  // What comes back for `bytes`.
  std::string say(std::string_view bytes) {
    EXPECT_TRUE(session.receive(bytes));
    return take();
  }
  std::string take() {
    std::string out(session.output());
    session.sent(out.size());
    return out;
  }

  Job job;
  Pmi1Session session{{.kvs_name = "job", .rank = 2, .size = 4, .app = 1, .universe_size = 8}, job};
};

TEST_F(Pmi1Protocol, AnswersWhatMpichAsksAtItsStart) {
  EXPECT_EQ(say("cmd=init pmi_version=1 pmi_subversion=1\n"),
            "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0\n");
  EXPECT_EQ(say("cmd=get_maxes\n"), "cmd=maxes kvsname_max=64 keylen_max=64 vallen_max=800\n");
  EXPECT_EQ(say("cmd=get_appnum\n"), "cmd=appnum appnum=1\n");
  EXPECT_EQ(say("cmd=get_my_kvsname\n"), "cmd=my_kvsname kvsname=job\n");
  EXPECT_EQ(say("cmd=get_universe_size\n"), "cmd=universe_size size=8\n");
  EXPECT_THAT(job.calls, ElementsAre("init"));
}

TEST_F(Pmi1Protocol, RefusesAnotherVersionAndServesSubversionOneToAll) {
  EXPECT_THAT(say("cmd=init pmi_version=2 pmi_subversion=0\n"), HasSubstr("rc=-1"));
  EXPECT_THAT(say("cmd=init pmi_version=1 pmi_subversion=2\n"), HasSubstr("pmi_subversion=1 rc=0"));
}

TEST_F(Pmi1Protocol, PutsAndGets) {
  EXPECT_EQ(say("cmd=put kvsname=job key=k value=a=b\n"), "cmd=put_result rc=0 msg=success\n");
  EXPECT_EQ(say("cmd=get kvsname=job key=k\n"), "cmd=get_result rc=0 msg=success value=a=b\n");
  EXPECT_EQ(say("cmd=get kvsname=job key=x\n"),
            "cmd=get_result rc=-1 msg=key_x_not_found value=unknown\n");
  EXPECT_THAT(say("cmd=get kvsname=other key=k\n"), HasSubstr("rc=-1"));
  EXPECT_THAT(say("cmd=put kvsname=other key=k value=v\n"), HasSubstr("rc=-1"));
  job.full = true;
  EXPECT_THAT(say("cmd=put kvsname=job key=k2 value=v\n"), HasSubstr("rc=-1"));
}

TEST_F(Pmi1Protocol, AValueOfTheGreatestLengthPassesAndOneMoreIsRefused) {
  const std::string value(kPmi1ValueMax, 'v');
  EXPECT_THAT(say("cmd=put kvsname=job key=k value=" + value + "\n"), HasSubstr("rc=0"));
  const std::string reply = say("cmd=get kvsname=job key=k\n");
  EXPECT_THAT(reply, HasSubstr(value));
  EXPECT_LT(reply.size(), kPmi1LineMax);
  EXPECT_THAT(say("cmd=put kvsname=job key=k value=v" + value + "\n"), HasSubstr("rc=-1"));
  const std::string key(kPmi1KeyMax + 1, 'k');
  EXPECT_THAT(say("cmd=put kvsname=job key=" + key + " value=v\n"), HasSubstr("rc=-1"));
}

TEST_F(Pmi1Protocol, APutWithoutAKeyIsRefused) {
  EXPECT_THAT(say("cmd=put kvsname=job value=v\n"), HasSubstr("rc=-1"));
  EXPECT_TRUE(job.kvs.empty());
}

TEST_F(Pmi1Protocol, WalksTheEntriesByIndex) {
  job.kvs = {{"a", "1"}, {"b", "2"}};
  EXPECT_EQ(say("cmd=getbyidx kvsname=job idx=1\n"),
            "cmd=getbyidx_results rc=0 nextidx=2 key=b val=2\n");
  EXPECT_EQ(say("cmd=getbyidx kvsname=job idx=2\n"),
            "cmd=getbyidx_results rc=-2 reason=no_more_keyvals\n");
  EXPECT_THAT(say("cmd=getbyidx kvsname=job idx=x\n"), HasSubstr("rc=-2"));
}

TEST_F(Pmi1Protocol, LinesMayComeInPiecesAndSeveralAtOnce) {
  EXPECT_EQ(say("cmd=get_app"), "");
  EXPECT_EQ(say("num\ncmd=get_my_kvsname\ncmd=fin"),
            "cmd=appnum appnum=1\ncmd=my_kvsname kvsname=job\n");
  EXPECT_EQ(say("alize\n"), "cmd=finalize_ack\n");
}

TEST_F(Pmi1Protocol, NothingIsAnsweredWhileABarrierIsOpen) {
  EXPECT_EQ(say("cmd=barrier_in\ncmd=get_appnum\n"), "");
  EXPECT_THAT(job.calls, ElementsAre("barrier"));
  session.name_done({});
  EXPECT_EQ(take(), "") << "not what was asked";
  session.barrier_out();
  EXPECT_EQ(take(), "cmd=barrier_out\ncmd=appnum appnum=1\n");
  session.barrier_out();
  EXPECT_EQ(take(), "") << "an unsolicited line would be read as the next reply";
}

TEST_F(Pmi1Protocol, ABarrierMayBeAnsweredWithinTheCall) {
  job.answer_at_once = true;
  EXPECT_EQ(say("cmd=barrier_in\ncmd=barrier_in\ncmd=get_appnum\n"),
            "cmd=barrier_out\ncmd=barrier_out\ncmd=appnum appnum=1\n");
}

TEST_F(Pmi1Protocol, PublishesLooksUpAndUnpublishes) {
  EXPECT_EQ(say("cmd=publish_name service=s port=p\n"), "");
  session.name_done({});
  EXPECT_EQ(take(), "cmd=publish_result info=ok rc=0 msg=success\n");
  say("cmd=publish_name service=s port=p\n");
  session.name_done(Errc::already_exists);
  EXPECT_EQ(take(), "cmd=publish_result info=fail rc=-1 msg=duplicate_service\n");
  say("cmd=lookup_name service=s\n");
  session.look_up_done(std::string("p"));
  EXPECT_EQ(take(), "cmd=lookup_result port=p info=ok rc=0 msg=success\n");
  say("cmd=lookup_name service=s\n");
  session.look_up_done(std::string("two words"));
  EXPECT_THAT(take(), HasSubstr("rc=-1")) << "a value with a blank would be cut";
  say("cmd=unpublish_name service=s\n");
  session.name_done(Errc::not_found);
  EXPECT_EQ(take(), "cmd=unpublish_result info=fail rc=-1 msg=service_not_found\n");
  EXPECT_THAT(say("cmd=publish_name port=p\n"), HasSubstr("rc=-1"));
  EXPECT_THAT(job.calls,
              ElementsAre("publish s p", "publish s p", "look up s", "look up s", "unpublish s"));
}

TEST_F(Pmi1Protocol, ReadsASpawnRequestOfTwoSegments) {
  EXPECT_EQ(say("mcmd=spawn\nnprocs=2\nexecname=/bin/a\ntotspawns=2\nspawnssofar=1\narg1=x y\n"
                "arg2=z=1\nargcnt=2\npreput_num=1\npreput_key_0=PARENT_ROOT_PORT_NAME\n"
                "preput_val_0=tag#0$description#\ninfo_num=1\ninfo_key_0=wdir\ninfo_val_0=/tmp\n"
                "endcmd\n"),
            "");
  EXPECT_TRUE(job.spawned.empty());
  EXPECT_EQ(say("mcmd=spawn\nnprocs=1\nexecname=b\ntotspawns=2\nspawnssofar=2\nargcnt=0\n"
                "preput_num=0\ninfo_num=0\nendcmd\n"),
            "");
  ASSERT_EQ(job.spawned.size(), 1u);
  const SpawnRequest& request = job.spawned[0];
  EXPECT_EQ(request.parent, (ProcessName{"job", 2}));
  ASSERT_EQ(request.apps.size(), 2u);
  EXPECT_THAT(request.apps[0].argv, ElementsAre("/bin/a", "x y", "z=1"));
  EXPECT_EQ(request.apps[0].processes, 2u);
  EXPECT_EQ(request.apps[0].working_folder, "/tmp");
  EXPECT_THAT(request.apps[1].argv, ElementsAre("b"));
  EXPECT_THAT(request.preput, ElementsAre(std::pair<std::string, std::string>(
                                  "PARENT_ROOT_PORT_NAME", "tag#0$description#")));
  session.spawn_done({});
  EXPECT_EQ(take(), "cmd=spawn_result rc=0 errcodes=0,0,0\n");
}

TEST_F(Pmi1Protocol, ASpawnReplyFitsTheClientsLineHoweverManyProcesses) {
  for (const int n : {1, 400, 500, 5000}) {
    say("mcmd=spawn\nnprocs=" + std::to_string(n) + "\nexecname=a\ntotspawns=1\nendcmd\n");
    session.spawn_done({});
    const std::string reply = take();
    EXPECT_THAT(reply, StartsWith("cmd=spawn_result rc=0"));
    EXPECT_LT(reply.size(), kPmi1LineMax);
  }
}

TEST_F(Pmi1Protocol, AMalformedSpawnIsRefusedAndTheSessionGoesOn) {
  for (const char* text :
       {"mcmd=spawn\nexecname=a\ntotspawns=1\nendcmd\n",
        "mcmd=spawn\nnprocs=0\nexecname=a\nendcmd\n", "mcmd=spawn\nnprocs=1\ntotspawns=1\nendcmd\n",
        "mcmd=spawn\nnprocs=1\nexecname=a\nargcnt=99\nendcmd\n",
        "mcmd=spawn\nnprocs=1\nexecname=a\nargcnt=1\nendcmd\n",
        "mcmd=spawn\nnprocs=1\nexecname=a\ninfo_num=7\nendcmd\n",
        "mcmd=spawn\nnprocs=99999999999\nexecname=a\nendcmd\n", "mcmd=other\nx=y\nendcmd\n"}) {
    EXPECT_THAT(say(text), StartsWith("cmd=spawn_result rc=-1")) << text;
  }
  EXPECT_TRUE(job.spawned.empty());
  EXPECT_EQ(say("cmd=get_appnum\n"), "cmd=appnum appnum=1\n");
  say("mcmd=spawn\nnprocs=1\nexecname=a\nendcmd\n");
  session.spawn_done(Errc::not_supported);
  EXPECT_THAT(take(), StartsWith("cmd=spawn_result rc=-1"));
}

TEST_F(Pmi1Protocol, ASingletonAndAPortClientAreAnswered) {
  EXPECT_EQ(say("cmd=singinit pmi_version=1 pmi_subversion=1 stdio=yes authtype=none\n"),
            "cmd=singinit_info versionok=yes stdio=no kvsname=job\n");
  EXPECT_EQ(say("cmd=initack pmiid=2\n"),
            "cmd=initack\ncmd=set size=4\ncmd=set rank=2\ncmd=set debug=0\n");
}

TEST_F(Pmi1Protocol, AbortHasNoReply) {
  EXPECT_EQ(say("cmd=abort exitcode=7\n"), "");
  EXPECT_EQ(say("cmd=abort\n"), "");
  EXPECT_THAT(job.calls, ElementsAre("abort 7", "abort 1"));
}

TEST_F(Pmi1Protocol, UnknownCommandsAreRefusedAndUnknownKeysIgnored) {
  EXPECT_EQ(say("cmd=frobnicate a=b\n"), "cmd=frobnicate_result rc=-1 msg=unknown_command\n");
  job.kvs["k"] = "v";
  EXPECT_EQ(say("cmd=get kvsname=job key=k found=TRUE tag=3 stray\n"),
            "cmd=get_result rc=0 msg=success value=v\n");
  EXPECT_THAT(say("cmd=" + std::string(200, 'x') + "\n"), HasSubstr("unknown_result rc=-1"));
}

TEST_F(Pmi1Protocol, ALineOverTheLimitEndsTheSession) {
  EXPECT_EQ(say(std::string(kPmi1LineMax - 1, 'x')), "") << "not yet";
  EXPECT_EQ(session.receive("x").error(), Errc::protocol_error);
  EXPECT_TRUE(session.over());
  EXPECT_FALSE(session.receive("cmd=get_appnum\n"));
  EXPECT_EQ(take(), "");
}

TEST_F(Pmi1Protocol, BytesThatWaitAreBounded) {
  say("cmd=barrier_in\n");
  Status status;
  std::size_t sent = 0;
  while ((status = session.receive("cmd=get_appnum\n")) && sent < Pmi1Session::kWaitingMax * 2) {
    sent += 15;
  }
  EXPECT_EQ(status.error(), Errc::protocol_error);
  session.barrier_out();
  EXPECT_EQ(take(), "");
}

TEST_F(Pmi1Protocol, ASpawnRequestIsBounded) {
  say("mcmd=spawn\n");
  Status status;
  for (std::size_t i = 0; i < 2 * Pmi1Session::kSpawnMax / 1000 && status; ++i) {
    status = session.receive("arg" + std::to_string(i) + "=" + std::string(990, 'x') + "\n");
  }
  EXPECT_EQ(status.error(), Errc::protocol_error);
}

TEST_F(Pmi1Protocol, AByteZeroOrALineWithoutCommandEndsTheSession) {
  EXPECT_EQ(session.receive(std::string_view("cmd=init\0\n", 10)).error(), Errc::protocol_error);
  Pmi1Session other({.kvs_name = "job", .rank = 0, .size = 1, .app = 0}, job);
  EXPECT_EQ(other.receive("hello\n").error(), Errc::protocol_error);
}

TEST_F(Pmi1Protocol, TheSamePiecewiseOrAtOnce) {
  const std::string all =
      "cmd=init pmi_version=1 pmi_subversion=1\ncmd=get_maxes\ncmd=put kvsname=job key=a value=b\n"
      "cmd=barrier_in\nmcmd=spawn\nbad\nendcmd\ncmd=get kvsname=job key=a\ncmd=finalize\n";
  job.answer_at_once = true;
  const std::string expected = say(all);
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Job other;
    other.answer_at_once = true;
    Pmi1Session piecewise({.kvs_name = "job", .rank = 2, .size = 4, .app = 1, .universe_size = 8},
                          other);
    other.session = &piecewise;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t n = 1 + random() % 20;
      ASSERT_TRUE(piecewise.receive(std::string_view(all).substr(at, n)));
      at += n;
    }
    ASSERT_EQ(piecewise.output(), expected);
  }
}

}  // namespace
}  // namespace krg::pmix

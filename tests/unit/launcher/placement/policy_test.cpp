#include "krg/placement/policy.h"

#include <gtest/gtest.h>

namespace krg::placement {
namespace {

std::string map_by(const char* text) {
  Policy policy;
  std::string complaint;
  if (!parse_map_by(text, policy, complaint)) return complaint;
  const MapModifiers& m = policy.modifiers;
  std::string out = policy.map ? to_string(*policy.map) : "-";
  if (policy.map && !policy.map->file.empty()) out += " file=" + policy.map->file;
  if (m.pe > 0) out += " pe=" + std::to_string(m.pe);
  if (m.span) out += " span";
  if (m.nolocal) out += " nolocal";
  if (m.hwtcpus) out += " hwtcpus";
  if (m.inherit) out += " inherit";
  if (m.oversubscribe) out += *m.oversubscribe ? " over" : " noover";
  return out;
}

std::string bind_to(const char* text) {
  Policy policy;
  std::string complaint;
  return parse_bind_to(text, policy, complaint) ? to_string(*policy.bind) : complaint;
}

TEST(MapBy, TakesEveryPlaceInAnyCaseAndShortened) {
  for (const char* place : {"slot", "hwthread", "core", "l1cache", "l2cache", "l3cache", "numa",
                            "package", "node", "seq"}) {
    EXPECT_EQ(map_by(place), place);
  }
  EXPECT_EQ(map_by("socket"), "package");
  EXPECT_EQ(map_by("L3"), "l3cache");
  EXPECT_EQ(map_by("PACK"), "package");
  EXPECT_EQ(map_by("ppr:2:L2cache"), "ppr:2:l2cache");
  EXPECT_EQ(map_by("ppr:4:node"), "ppr:4:node");
  EXPECT_EQ(map_by("rankfile:FILE=/Tmp/Ranks"), "rankfile file=/Tmp/Ranks");
  EXPECT_EQ(map_by("seq:file=hosts"), "seq file=hosts");
  EXPECT_EQ(map_by("pe-list=0,2-4:ORDERED"), "pe-list=0,2-4:ordered");
}

TEST(MapBy, TakesModifiersWithAndWithoutAPlace) {
  EXPECT_EQ(map_by("core:PE=2:SPAN:HWTCPUS"), "core pe=2 span hwtcpus");
  EXPECT_EQ(map_by("slot:OVERSUBSCRIBE:NOLOCAL:INHERIT"), "slot nolocal inherit over");
  EXPECT_EQ(map_by(":nooversubscribe"), "- noover");
  EXPECT_EQ(map_by("ppr:1:numa:pe=4"), "ppr:1:numa pe=4");
  EXPECT_EQ(map_by("core:hwtcpus:corecpus:inherit:noinherit"), "core");
}

TEST(MapBy, IsWrittenWithWhatDecidesOnOneNode) {
  for (const char* text : {"core:pe=2:hwtcpus:oversubscribe", "slot:nooversubscribe", "numa",
                           "pe-list=0,2:ordered:hwtcpus"}) {
    Policy policy;
    std::string complaint;
    ASSERT_TRUE(parse_map_by(text, policy, complaint)) << complaint;
    EXPECT_EQ(to_string(*policy.map, policy.modifiers), text);
  }
}

TEST(MapBy, SaysWhatIsWrong) {
  EXPECT_EQ(map_by("sockets"),
            "--map-by sockets: 'sockets' is no place to map to; use slot, hwthread, core, l1cache, "
            "l2cache, l3cache, numa, package, socket, node, seq, ppr, rankfile, pe-list");
  EXPECT_EQ(map_by("core:PE=0"), "--map-by core:PE=0: PE= wants the number of cpus per rank");
  EXPECT_EQ(map_by("ppr:core"), "--map-by ppr:core: write ppr:N:PLACE, as in ppr:2:package");
  EXPECT_EQ(map_by("ppr:x:core"), "--map-by ppr:x:core: write ppr:N:PLACE, as in ppr:2:package");
  EXPECT_EQ(map_by("slot:span"),
            "--map-by slot:span: SPAN goes with hwthread, core, caches, numa and package only");
  EXPECT_EQ(map_by("pe-list=0:pe=2"),
            "--map-by pe-list=0:pe=2: PE= does not go with a list of cpus");
  EXPECT_EQ(map_by("pe-list=x"), "--map-by pe-list=x: write pe-list=LIST, as in pe-list=0,2,4-7");
  EXPECT_EQ(map_by("rankfile"), "--map-by rankfile: write rankfile:FILE=PATH");
  EXPECT_EQ(map_by("core:over:noover"),
            "--map-by core:over:noover: oversubscription is both allowed and forbidden");
  EXPECT_TRUE(std::string(map_by("core:fast"))
                  .starts_with("--map-by core:fast: unknown modifier 'fast'; use pe=,"));
  EXPECT_TRUE(map_by("n").starts_with("--map-by n: 'n' is no place")) << "numa or node";
}

TEST(RankBy, TakesItsFourWords) {
  Policy policy;
  std::string complaint;
  for (const char* word : {"slot", "node", "fill", "span"}) {
    ASSERT_TRUE(parse_rank_by(word, policy, complaint));
    EXPECT_EQ(to_string(*policy.rank), word);
  }
  EXPECT_FALSE(parse_rank_by("core", policy, complaint));
  EXPECT_EQ(complaint, "--rank-by core: unknown; use slot, node, fill, span");
}

TEST(BindTo, TakesPlacesAndModifiers) {
  EXPECT_EQ(bind_to("none"), "none");
  EXPECT_EQ(bind_to("Core:OVERLOAD-ALLOWED"), "core:overload-allowed");
  EXPECT_EQ(bind_to("core:overload"), "core:overload-allowed");
  EXPECT_EQ(bind_to("l3:if-supported:limit=4:report"), "l3cache:if-supported:limit=4:report");
  EXPECT_EQ(bind_to("socket"), "package");
}

TEST(BindTo, SaysWhatIsWrong) {
  EXPECT_EQ(bind_to("cores"),
            "--bind-to cores: 'cores' can not be bound to; use none, hwthread, core, l1cache, "
            "l2cache, l3cache, numa, package, socket");
  EXPECT_EQ(bind_to("core:limit=0"), "--bind-to core:limit=0: LIMIT= wants a number of ranks");
  EXPECT_TRUE(
      bind_to("core:x").starts_with("--bind-to core:x: unknown modifier 'x'; use overload"));
}

}  // namespace
}  // namespace krg::placement

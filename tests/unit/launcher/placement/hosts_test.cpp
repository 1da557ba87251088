#include "krg/placement/hosts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace krg::placement {
namespace {

std::string text_of(const Result<std::vector<Host>>& hosts, const std::string& complaint) {
  if (!hosts) return complaint;
  std::string out;
  for (const Host& host : *hosts) {
    if (!out.empty()) out += ' ';
    out += host.name + ':' + std::to_string(host.slots);
    if (host.max_slots > 0) out += '/' + std::to_string(host.max_slots);
  }
  return out;
}

std::string file(std::string_view text) {
  std::string complaint;
  return text_of(parse_hostfile(text, "hosts", complaint), complaint);
}

std::string list(std::string_view text, std::vector<Host> known = {}) {
  std::string complaint;
  return text_of(parse_host_list(text, known, complaint), complaint);
}

TEST(Hostfile, TakesEverySpelling) {
  EXPECT_EQ(file("a slots=4\nb:2\n  c  # fast\n\n# none\nd max_slots=8 slots=2\ne max-slots=3\r\n"),
            "a:4 b:2 c:0 d:2/8 e:0/3");
  EXPECT_EQ(file("node[01-03,7] slots=2"), "node01:2 node02:2 node03:2 node7:2");
  EXPECT_EQ(file("r[1-2]n[1-2]-ib"), "r1n1-ib:0 r1n2-ib:0 r2n1-ib:0 r2n2-ib:0");
}

TEST(Hostfile, CountsAHostThatIsThereTwice) {
  EXPECT_EQ(file("a\na\nb\na\n"), "a:3 b:0") << "one line per slot, as batch systems write";
  EXPECT_EQ(file("a slots=2\nb slots=1\na slots=3\n"), "a:5 b:1");
}

TEST(Hostfile, NamesTheLineThatIsWrong) {
  EXPECT_EQ(file("a\nb slots=x\n"), "hosts:2: 'slots=x' wants a number of at least 1");
  EXPECT_EQ(file("a slots\n"), "hosts:1: 'slots' wants a number of at least 1");
  EXPECT_EQ(file("a speed=3\n"), "hosts:1: unknown word 'speed=3'; use slots=N or max_slots=N");
  EXPECT_EQ(file("a:0\n"), "hosts:1: '0' is no number of slots of a");
  EXPECT_EQ(file("a slots=4 max_slots=2\n"), "hosts:1: a has more slots (4) than max_slots (2)");
  EXPECT_EQ(file("n[3-1]\n"), "hosts:1: 'n[3-1]': '3-1' is no range; write [01-04,7]");
  EXPECT_EQ(file("n[1-2\n"), "hosts:1: 'n[1-2' lacks a ']'");
  EXPECT_EQ(file("n[0-99999999]\n"),
            "hosts:1: 'n[0-99999999]': '0-99999999' is no range; write [01-04,7]");
  EXPECT_EQ(file("-oProxyCommand=x\n"), "hosts:1: '-oProxyCommand=x' is no host name");
  EXPECT_EQ(file("a;b\n"), "hosts:1: 'a;b' is no host name");
  EXPECT_EQ(file("# nothing\n"), "hosts: no host in it");
}

TEST(Hostfile, ThatCanNotBeReadSaysWhy) {
  std::string complaint;
  auto hosts = read_hostfile("/nonexistent/hosts", complaint);
  ASSERT_FALSE(hosts);
  EXPECT_EQ(hosts.error().code(), Errc::not_found);
  EXPECT_EQ(complaint, "hostfile /nonexistent/hosts can not be read: No such file or directory");
  EXPECT_FALSE(read_hostfile("/", complaint));
  EXPECT_EQ(complaint, "hostfile / can not be read: Is a directory");
}

TEST(Hostfile, IsReadWhole) {
  const std::string path = "hosts_test." + std::to_string(getpid());
  {
    std::ofstream out(path);
    for (int i = 0; i < 20000; ++i) out << "node" << i << " slots=2\n";
  }
  std::string complaint;
  auto hosts = read_hostfile(path, complaint);
  unlink(path.c_str());
  ASSERT_TRUE(hosts) << complaint;
  EXPECT_EQ(hosts->size(), 20000u);
  EXPECT_EQ(hosts->back(), (Host{"node19999", 2, 0}));
}

TEST(HostList, CountsMentionsAsSlots) {
  EXPECT_EQ(list("a:2,b"), "a:2 b:1");
  EXPECT_EQ(list("a,a,b"), "a:2 b:1");
  EXPECT_EQ(list("n[1-3]:4"), "n1:4 n2:4 n3:4");
  EXPECT_EQ(list("a:*,b:auto"), "a:0 b:0");
}

TEST(HostList, ChoosesFromAHostfile) {
  const std::vector<Host> known{{"a", 4, 8}, {"b", 2, 0}, {"c", 0, 0}};
  EXPECT_EQ(list("b,a", known), "b:2 a:4/8");
  EXPECT_EQ(list("+n0,+n2:3", known), "a:4/8 c:3");
  EXPECT_EQ(list("b,+e1", known), "b:2 a:4/8");
  EXPECT_EQ(list("a:2,a:2", known), "a:4/8");
  EXPECT_EQ(list("d", known), "host d is not in the hostfile");
  EXPECT_EQ(list("+n3", known), "host +n3: there are only 3 hosts, from +n0");
  EXPECT_EQ(list("+e4", known), "host +e4: too few hosts are left for it");
}

TEST(HostList, SaysWhatIsWrong) {
  EXPECT_EQ(list("a,,b"), "host list 'a,,b' has an empty item");
  EXPECT_EQ(list("a:x"), "host a:x: 'x' is no number of slots; use a:4, or a:* for one per core");
  EXPECT_EQ(list("+n0"), "host +n0: there is no hostfile to choose from");
  EXPECT_EQ(list("+q"), "host +q: write +nK for the K-th host or +eN for any N");
  EXPECT_EQ(list("+"), "host +: write +nK for the K-th host or +eN for any N");
}

}  // namespace
}  // namespace krg::placement

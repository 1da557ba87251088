// Goal    system calls read and write regions: by themselves where the kernel waits for pages, by
//         krg_... where it does not, and what can not be done ends with an error.
// Method  every call, into and from pages that are not mapped, or mapped to be read only, through
//         a pipe, a file and sockets; with userfaultfd as it is, and held to the user's faults.
#include "krg/region_io/calls.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <functional>

#include "../region/region_fixture.h"
#include "krg/base/unique_fd.h"

namespace krg {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kBytes = 3 * kPage + 100;  // Of each call: five pages, none of them whole.
constexpr std::size_t kStep = 8 * kPage;

// The calls, plain or ours.
struct Calls {
  decltype(&::read) read;
  decltype(&::write) write;
  decltype(&::pread) pread;
  decltype(&::pwrite) pwrite;
  decltype(&::readv) readv;
  decltype(&::writev) writev;
  decltype(&::preadv) preadv;
  decltype(&::pwritev) pwritev;
  decltype(&::recv) recv;
  decltype(&::send) send;
  decltype(&krg_recvfrom) recvfrom;
  decltype(&krg_sendto) sendto;
  decltype(&::recvmsg) recvmsg;
  decltype(&::sendmsg) sendmsg;
};
const Calls kPlain{::read,
                   ::write,
                   ::pread,
                   ::pwrite,
                   ::readv,
                   ::writev,
                   ::preadv,
                   ::pwritev,
                   ::recv,
                   ::send,
                   [](int fd, void* into, size_t n, int flags, sockaddr* who, socklen_t* size) {
                     return ::recvfrom(fd, into, n, flags, who, size);
                   },
                   [](int fd, const void* from, size_t n, int flags, const sockaddr* to,
                      socklen_t size) { return ::sendto(fd, from, n, flags, to, size); },
                   ::recvmsg,
                   ::sendmsg};
const Calls kOurs{krg_read,     krg_write,  krg_pread,   krg_pwrite, krg_readv,
                  krg_writev,   krg_preadv, krg_pwritev, krg_recv,   krg_send,
                  krg_recvfrom, krg_sendto, krg_recvmsg, krg_sendmsg};

class RegionIo : public RegionTest {
 protected:
  RegionIo() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends_), 0);
    file_.reset(::memfd_create("io", 0));
    for (std::size_t i = 0; i < kBytes; ++i) pattern_[i] = static_cast<char>(i * 7 + i / 251);
  }
  ~RegionIo() override {
    ::unsetenv("KRG_REGION_FAULTS");
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  // The next place in the region, whose pages are not mapped, or mapped to be read.
  char* place(const Region& region, bool mapped) {
    char* const at = reinterpret_cast<char*>(region.data()) + kStep * places_++ + 77;
    for (std::size_t i = 0; mapped && i <= kBytes; i += kPage / 2) {
      static_cast<void>(*static_cast<volatile char*>(at + i));
    }
    return at;
  }
  void expect_pattern(const char* at, ssize_t done, const char* what) const {
    EXPECT_EQ(done, static_cast<ssize_t>(kBytes)) << what << ": " << std::strerror(errno);
    EXPECT_EQ(std::memcmp(at, pattern_, kBytes), 0) << what;
  }
  // What was written is in the socket.
  void expect_sent(ssize_t done, const char* what) const {
    ASSERT_EQ(done, static_cast<ssize_t>(kBytes)) << what << ": " << std::strerror(errno);
    char got[kBytes] = {};
    expect_pattern(got, ::recv(ends_[1], got, kBytes, 0), what);
  }

  using Into = std::function<ssize_t(char*)>;
  // The calls that write memory, by their names.
  std::vector<std::pair<const char*, Into>> into(const Calls& c) const {
    const int fd = ends_[1], file = file_.get();
    const auto two = [](char* at) {
      return std::array<iovec, 2>{iovec{at, 1000}, iovec{at + 1000, kBytes - 1000}};
    };
    return {
        {"read", [=](char* at) { return c.read(fd, at, kBytes); }},
        {"pread", [=](char* at) { return c.pread(file, at, kBytes, 0); }},
        {"readv", [=](char* at) { return c.readv(fd, two(at).data(), 2); }},
        {"preadv", [=](char* at) { return c.preadv(file, two(at).data(), 2, 0); }},
        {"recv", [=](char* at) { return c.recv(fd, at, kBytes, 0); }},
        {"recvfrom", [=](char* at) { return c.recvfrom(fd, at, kBytes, 0, nullptr, nullptr); }},
        {"recvmsg",
         [=](char* at) {
           auto parts = two(at);
           msghdr message{};
           message.msg_iov = parts.data();
           message.msg_iovlen = 2;
           return c.recvmsg(fd, &message, 0);
         }},
    };
  }
  // Those that read it, into the socket.
  std::vector<std::pair<const char*, Into>> from(const Calls& c) const {
    const int fd = ends_[0];
    const auto two = [](char* at) {
      return std::array<iovec, 2>{iovec{at, 1000}, iovec{at + 1000, kBytes - 1000}};
    };
    return {
        {"write", [=](char* at) { return c.write(fd, at, kBytes); }},
        {"writev", [=](char* at) { return c.writev(fd, two(at).data(), 2); }},
        {"send", [=](char* at) { return c.send(fd, at, kBytes, 0); }},
        {"sendto", [=](char* at) { return c.sendto(fd, at, kBytes, 0, nullptr, 0); }},
        {"sendmsg",
         [=](char* at) {
           auto parts = two(at);
           msghdr message{};
           message.msg_iov = parts.data();
           message.msg_iovlen = 2;
           return c.sendmsg(fd, &message, 0);
         }},
    };
  }
  void send_pattern() const {
    ASSERT_EQ(::send(ends_[0], pattern_, kBytes, 0), static_cast<ssize_t>(kBytes));
  }
  bool from_file(const char* name) const { return name[0] == 'p'; }

  void expect_all(const Region& region, const Calls& calls) {
    ASSERT_EQ(::pwrite(file_.get(), pattern_, kBytes, 0), static_cast<ssize_t>(kBytes));
    for (const bool mapped : {false, true}) {
      for (const auto& [name, call] : into(calls)) {
        if (!from_file(name)) send_pattern();
        char* const at = place(region, mapped);
        expect_pattern(at, call(at), name);
      }
      for (const auto& [name, call] : from(calls)) {
        char* const at = place(region, false);
        std::memcpy(at, pattern_, kBytes);
        // Another task's mapping: none of its pages is mapped there.
        RegionOptions elsewhere = here();
        elsewhere.address =
            reinterpret_cast<std::uintptr_t>(region.data()) + (std::uintptr_t{1} << 40);
        const auto other = Region::attach("io", elsewhere);
        ASSERT_TRUE(other);
        char* const same = reinterpret_cast<char*>(other->data()) + (at - begin(region));
        if (mapped) static_cast<void>(*static_cast<volatile char*>(same));
        expect_sent(call(same), name);
      }
    }
    char* const at = place(region, false);
    std::memcpy(at, pattern_, kBytes);
    ASSERT_EQ(::ftruncate(file_.get(), 0), 0);
    EXPECT_EQ(calls.pwrite(file_.get(), at, kBytes, 0), static_cast<ssize_t>(kBytes));
    const iovec part{at, kBytes};
    EXPECT_EQ(calls.pwritev(file_.get(), &part, 1, kBytes), static_cast<ssize_t>(kBytes));
    char* const back = place(region, false);
    expect_pattern(back, calls.pread(file_.get(), back, kBytes, kBytes), "pwritev");
  }
  static char* begin(const Region& region) { return reinterpret_cast<char*>(region.data()); }

  int ends_[2];
  UniqueFd file_;
  char pattern_[kBytes];
  std::size_t places_ = 0;
};

TEST_F(RegionIo, PlainCallsWorkWhereTheKernelWaitsForPages) {
  const Region region = open("io", 4 << 20);
  // Elsewhere they are EFAULT, as the next test says.
  if (region.serves_system_calls()) expect_all(region, kPlain);
  expect_all(region, kOurs);
}

TEST_F(RegionIo, OursWorkWhereItDoesNot) {
  ::setenv("KRG_REGION_FAULTS", "user", 1);
  const Region region = open("io", 4 << 20);
  ASSERT_FALSE(region.serves_system_calls());
  send_pattern();
  char* const at = place(region, false);
  EXPECT_EQ(::recv(ends_[1], at, kBytes, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(::send(ends_[0], at, kBytes, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  expect_all(region, kOurs);
}

TEST_F(RegionIo, TheArgumentsThemselvesMayLieInTheRegion) {
  ::setenv("KRG_REGION_FAULTS", "user", 1);
  const Region region = open("io", 1 << 20);
  struct All {
    msghdr message;
    iovec parts[2];
    sockaddr_in who;
    socklen_t size;
    alignas(cmsghdr) char control[64];
  };
  auto* const all = reinterpret_cast<All*>(region.data() + 5 * kPage - 40);
  const UniqueFd a(::socket(AF_INET, SOCK_DGRAM, 0)), b(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof local;
  ASSERT_EQ(::bind(a.get(), reinterpret_cast<sockaddr*>(&local), size), 0);
  ASSERT_EQ(::bind(b.get(), reinterpret_cast<sockaddr*>(&local), size), 0);
  ASSERT_EQ(::getsockname(b.get(), reinterpret_cast<sockaddr*>(&local), &size), 0);
  const int yes = 1;
  ASSERT_EQ(::setsockopt(b.get(), IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes), 0);
  all->who = local;
  auto* const who = reinterpret_cast<sockaddr*>(&all->who);
  ASSERT_EQ(krg_sendto(a.get(), "hello", 5, 0, who, sizeof all->who), 5) << std::strerror(errno);
  ASSERT_EQ(krg_sendto(a.get(), "again", 5, 0, who, sizeof all->who), 5);
  char* const text = begin(region) + 20 * kPage - 2;
  all->parts[0] = {text, 2};
  all->parts[1] = {text + 2, 10};
  all->message = {&all->who, sizeof all->who, all->parts, 2, all->control, 64, 0};
  all->who = {};
  ASSERT_EQ(krg_recvmsg(b.get(), &all->message, 0), 5) << std::strerror(errno);
  EXPECT_EQ(std::memcmp(text, "hello", 5), 0);
  EXPECT_EQ(all->who.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  const cmsghdr* const control = CMSG_FIRSTHDR(&all->message);
  ASSERT_NE(control, nullptr);
  EXPECT_EQ(control->cmsg_type, IP_PKTINFO);
  all->who = {};
  all->size = sizeof all->who;
  ASSERT_EQ(krg_recvfrom(b.get(), text, 10, 0, who, &all->size), 5);
  EXPECT_EQ(all->size, sizeof(sockaddr_in));
  EXPECT_EQ(all->who.sin_family, AF_INET);
  EXPECT_EQ(std::memcmp(text, "again", 5), 0);
}

TEST_F(RegionIo, WhatCanNotBeDoneIsAnError) {
  ::setenv("KRG_REGION_FAULTS", "user", 1);
  { const Region made = open("io", 1 << 20); }
  const auto region = Region::attach("io", here(true));
  ASSERT_TRUE(region);
  char* const at = begin(*region);
  send_pattern();
  EXPECT_EQ(krg_recv(ends_[1], at, kBytes, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  expect_sent(static_cast<ssize_t>(kBytes), "what was not received");
  EXPECT_EQ(krg_read(-1, at, 5), -1);
  EXPECT_EQ(krg_write(-1, at, 5), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(krg_write(ends_[0], at, 0), 0);
  EXPECT_EQ(krg_readv(ends_[1], nullptr, 0), ::readv(ends_[1], nullptr, 0));
  EXPECT_EQ(krg_writev(ends_[0], nullptr, -1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(krg_sendmsg(ends_[0], nullptr, 0), -1);
}

}  // namespace
}  // namespace krg

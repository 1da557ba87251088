#include "krg/proc/line_buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace krg::proc {
namespace {

struct Fixture {
  std::vector<std::string> out;
  LineBuffer buffer{[this](std::span<const std::byte> text) {
    out.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
  }};
  void add(const std::string& text) { buffer.add(std::as_bytes(std::span(text))); }
};

TEST(LineBuffer, PassesOnWholeLinesOnly) {
  Fixture f;
  f.add("a\nb");
  EXPECT_EQ(f.out, (std::vector<std::string>{"a\n"}));
  f.add("c\nd\ne");
  EXPECT_EQ(f.out, (std::vector<std::string>{"a\n", "bc\nd\n"}));
  f.buffer.flush();
  EXPECT_EQ(f.out.back(), "e");
}

TEST(LineBuffer, FlushOfNothingEmitsNothing) {
  Fixture f;
  f.buffer.flush();
  f.add("x\n");
  f.buffer.flush();
  EXPECT_EQ(f.out.size(), 1u);
}

TEST(LineBuffer, NeverHoldsMoreThanOneLongLine) {
  Fixture f;
  const std::string piece(1000, 'x');
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i) {
    f.add(piece);
    sent += piece.size();
    ASSERT_LT(f.buffer.pending(), LineBuffer::kLineMax);
  }
  f.buffer.flush();
  std::size_t got = 0;
  for (const std::string& text : f.out) got += text.size();
  EXPECT_EQ(got, sent);
}

}  // namespace
}  // namespace krg::proc

#include "krg/config/entry.h"

#include <gtest/gtest.h>

#include <limits>

namespace krg::config {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

Entry entry_of(Kind kind, std::string unit = "", std::int64_t min = 0, std::int64_t max = kMax) {
  Entry entry;
  entry.kind = kind;
  entry.unit = std::move(unit);
  entry.min = min;
  entry.max = max;
  return entry;
}

std::optional<std::int64_t> number(const Entry& entry, std::string_view written) {
  const auto value = parse(entry, written);
  if (!value) return std::nullopt;
  return std::get<std::int64_t>(*value);
}

TEST(ConfigEntry, DurationsTakeUnitsAndFractions) {
  const Entry entry = entry_of(Kind::duration);
  EXPECT_EQ(number(entry, "250ms"), 250'000'000);
  EXPECT_EQ(number(entry, "1.5s"), 1'500'000'000);
  EXPECT_EQ(number(entry, " 2 min "), 120'000'000'000);
  EXPECT_EQ(number(entry, "7ns"), 7);
  EXPECT_EQ(number(entry, "0"), 0);
}

TEST(ConfigEntry, ABareNumberTakesTheUnitOfItsEntryOrIsRefused) {
  EXPECT_EQ(number(entry_of(Kind::duration, "ms"), "250"), 250'000'000);
  EXPECT_EQ(number(entry_of(Kind::size, "KiB"), "4"), 4096);
  EXPECT_FALSE(parse(entry_of(Kind::duration), "250"));
}

TEST(ConfigEntry, SizesAreBinaryOrDecimal) {
  const Entry entry = entry_of(Kind::size);
  EXPECT_EQ(number(entry, "64KiB"), 65536);
  EXPECT_EQ(number(entry, "2MB"), 2'000'000);
  EXPECT_EQ(number(entry, "0.5GiB"), 536'870'912);
}

TEST(ConfigEntry, GarbageAndOverflowAreRefused) {
  for (const char* bad : {"", "ms", "-1s", "1..5s", "5 parsec", "99999999999999999999s",
                          "9223372036854775807h", "1e400s", "nan", "0x10s"}) {
    EXPECT_FALSE(parse(entry_of(Kind::duration, "ms"), bad)) << bad;
  }
  for (const char* bad : {"", "12x", "1.5", "99999999999999999999", "--1"}) {
    EXPECT_FALSE(parse(entry_of(Kind::integer), bad)) << bad;
  }
  EXPECT_FALSE(parse(entry_of(Kind::boolean), "maybe"));
}

TEST(ConfigEntry, LimitsAreInclusive) {
  const Entry entry = entry_of(Kind::integer, "", 1, 64);
  EXPECT_EQ(number(entry, "1"), 1);
  EXPECT_EQ(number(entry, "64"), 64);
  EXPECT_FALSE(parse(entry, "0"));
  EXPECT_FALSE(parse(entry, "65"));
}

TEST(ConfigEntry, FormattingAndParsingAgree) {
  const Entry duration = entry_of(Kind::duration);
  for (const std::int64_t ns : {0ll, 1ll, 1'500'000ll, 90'000'000'000ll, 7'200'000'000'000ll}) {
    EXPECT_EQ(number(duration, format(duration, ns)), ns) << format(duration, ns);
  }
  const Entry size = entry_of(Kind::size);
  for (const std::int64_t bytes : {0ll, 1ll, 4096ll, 3ll << 30, 4097ll}) {
    EXPECT_EQ(number(size, format(size, bytes)), bytes) << format(size, bytes);
  }
  EXPECT_EQ(format(duration, std::int64_t{1'500'000}), "1500us");
  EXPECT_EQ(format(size, std::int64_t{65536}), "64KiB");
}

TEST(ConfigEntry, WantedNamesTheChoicesAndTheRange) {
  Entry choice = entry_of(Kind::choice);
  choice.choices = {"auto", "ucx", "ofi"};
  EXPECT_EQ(wanted(choice), "one of auto, ucx or ofi");
  EXPECT_EQ(wanted(entry_of(Kind::integer, "", 1, 64)), "an integer from 1 to 64");
  EXPECT_EQ(wanted(entry_of(Kind::duration, "", 1'000'000, 3'600'000'000'000)),
            "a duration such as 250ms or 5s, from 1ms to 1h");
}

}  // namespace
}  // namespace krg::config

#include "krg/config/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sample.h"

namespace krg::config {
namespace {

using sample::Options;
using testing::HasSubstr;

Config sample_config() {
  Sources sources;
  sources.environment =
      Environment({{"KRG_TRANSPORT_REACH", "2000"}, {"KRG_TRANSPORT_NAME", "\xff \"quoted\""}});
  return Config({&Options::table()}, sources);
}

TEST(ConfigRender, TheTextTableShowsValueAndOrigin) {
  const std::string text = text_table(sample_config());
  EXPECT_THAT(text, HasSubstr("KRG_TRANSPORT_REACH"));
  EXPECT_THAT(text, testing::ContainsRegex("KRG_TRANSPORT_REACH +2s +KRG_TRANSPORT_REACH +How"));
  EXPECT_THAT(text, testing::ContainsRegex("KRG_TRANSPORT_SHARDS +1 +default +Reactors"));
}

TEST(ConfigRender, JsonParsesBackWhateverTheValuesHold) {
  const auto parsed = nlohmann::json::parse(json(sample_config()));
  const auto& settings = parsed.at("settings");
  ASSERT_EQ(settings.size(), Options::table().entries().size());
  EXPECT_EQ(settings[0].at("variable"), "KRG_TRANSPORT");
  EXPECT_EQ(settings[1].at("key"), "transport.reach");
  EXPECT_EQ(settings[1].at("value"), "2s");
  EXPECT_EQ(settings[1].at("level"), "environment");
  EXPECT_EQ(settings[2].at("default"), "64KiB");
}

TEST(ConfigRender, TheManualHasEveryEntryWithItsDefault) {
  const std::string page = manual({&Options::table()});
  for (const Entry& entry : Options::table().entries()) {
    EXPECT_THAT(page, HasSubstr("In krg.toml: " + entry.key()));
  }
  EXPECT_THAT(page, HasSubstr("*KRG\\_TRANSPORT\\_REACH*"));
  EXPECT_THAT(page, HasSubstr("one of auto, ucx or ofi"));
}

TEST(ConfigRender, TheManualNamesWhatTasksGet) {
  constexpr Given kGiven[] = {{"KRG_RANK", "The task's number."}};
  EXPECT_EQ(manual(kGiven), "*KRG\\_RANK*\n\tThe task's number.\n\n");
}

}  // namespace
}  // namespace krg::config

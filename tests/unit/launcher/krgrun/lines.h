// Command lines of krgrun, read in surroundings of the test's making.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "krg/krgrun/options.h"

namespace krg::krgrun::testing {

// A folder with files that goes away at the end.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/krg_options_XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    const std::string full = path_ + "/" + name;
    std::ofstream(full) << text;
    chmod(full.c_str(), mode);
    return full;
  }

 private:
  std::string path_;
};

class Lines : public ::testing::Test {
 protected:
  Lines() {
    around_.environment = {"PATH=" + folder_.path() + "/bin:/bin", "HOME=/home/me", "FOO_A=1",
                           "FOO_B=2"};
    around_.directory = folder_.path();
    around_.host = "login";
    around_.settings.launch.kill_grace = std::chrono::seconds(2);
    around_.resolves = [](const std::string& host) { return host.starts_with("n"); };
    folder_.file("app", "#!/bin/sh\n", 0755);
    folder_.file("data", "not a program\n");
    std::filesystem::create_directory(folder_.path() + "/sub");
  }

  Parsed line(const std::string& text) const {
    // As the shell would: blanks separate, except inside single quotes.
    std::vector<std::string> words(1);
    bool quoted = false;
    for (const char c : text) {
      if (c == '\'') {
        quoted = !quoted;
      } else if (c == ' ' && !quoted) {
        words.emplace_back();
      } else {
        words.back() += c;
      }
    }
    if (text.empty()) words.clear();
    return parse(std::vector<std::string_view>(words.begin(), words.end()), around_);
  }

  Job job(const std::string& text) const {
    Parsed parsed = line(text);
    EXPECT_TRUE(parsed.job) << parsed.complaint;
    return parsed.job ? *parsed.job : Job{};
  }

  // The complaint of a line that is refused as every wrong line must be.
  std::string refusal(const std::string& text) const {
    const Parsed parsed = line(text);
    EXPECT_FALSE(parsed.job) << text;
    EXPECT_EQ(parsed.exit_code, 2) << text;
    EXPECT_TRUE(parsed.out.empty());
    EXPECT_EQ(parsed.complaint.find('\n'), std::string::npos) << "one line: " << parsed.complaint;
    return parsed.complaint;
  }

  Folder folder_;
  Surroundings around_;
};

}  // namespace krg::krgrun::testing

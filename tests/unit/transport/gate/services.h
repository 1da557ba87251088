// Services and a server in a directory of its own, for the tests of the gate.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "krg/gate/server.h"
#include "krg/reactor/block_on.h"
#include "krg/reactor/event.h"

namespace krg::gate::test {

struct Text {
  std::string text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.text); }
};

struct Echo {
  static constexpr ServiceId kId{7};
  static constexpr const char* kName = "echo";
  using Request = Text;
  using Reply = Text;
};
// Answers when the server's gate event is set.
struct Held {
  static constexpr ServiceId kId{8};
  static constexpr const char* kName = "held";
  using Request = Text;
  using Reply = Text;
};
struct Descriptors {
  static constexpr ServiceId kId{9};
  static constexpr const char* kName = "descriptors";
  using Request = Text;
  using Reply = Text;
};
struct Chat {
  static constexpr ServiceId kId{10};
  static constexpr const char* kName = "chat";
  using Request = Text;
  using Reply = Text;
  using Up = Text;
  using Down = Text;
};

// An empty directory of mode 0700, gone with the object.
class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/krg_gate_XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    name_ = name;
  }
  ~TempDir() {
    unlink((name_ + "/socket").c_str());
    rmdir(name_.c_str());
  }
  std::string socket() const { return name_ + "/socket"; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

}  // namespace krg::gate::test

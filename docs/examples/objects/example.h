// What the three examples share: who this rank is, errors that end the program, and a barrier.
#pragma once

#include <krg/error/must.h>
#include <krg/task/space.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace example {

using krg::kddm::ObjectId;
using krg::kddm::SetId;
using krg::kddm::SetOptions;
using krg::kddm::Space;

// KRG_RANK and KRG_SIZE, which krgrun gives to every rank.
inline unsigned number_from(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) {
    std::fprintf(stderr, "no %s: start this by krgrun\n", variable);
    std::exit(2);
  }
  return static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

// Where all ranks come together: object `round` of a set counts those that have arrived.
class Meeting {
 public:
  Meeting(Space& space, unsigned ranks) : space_(space), ranks_(ranks) {
    SetOptions options;
    options.object_bytes = sizeof(unsigned);
    set_ = must(space.open("example.meeting", options), "the meeting");
  }
  void wait() {
    const ObjectId object{round_++};
    unsigned here = 0;
    {
      auto lease = must(space_.grab(set_, object), "the meeting");
      std::memcpy(&here, lease.bytes().data(), sizeof here);
      ++here;
      std::memcpy(lease.bytes().data(), &here, sizeof here);
    }
    while (here < ranks_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const auto lease = must(space_.get(set_, object), "the meeting");
      std::memcpy(&here, lease.bytes().data(), sizeof here);
    }
  }

 private:
  Space& space_;
  const unsigned ranks_;
  SetId set_;
  std::uint64_t round_ = 0;
};

}  // namespace example

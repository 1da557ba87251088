// A krgd in a process of its own, one of two, for a bench whose processes are tasks.
#pragma once

#include <sys/types.h>

#include <string>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"

namespace krg::bench {

class MmKrgd {
 public:
  MmKrgd() = default;
  MmKrgd(const MmKrgd&) = delete;
  MmKrgd& operator=(const MmKrgd&) = delete;
  // Ends it.
  ~MmKrgd();

  // Node 0 is the client's, node 1 the server's; both call it at the same time.
  // Errors  system_error  it has ended; it has said why
  // `folder`: where its socket is to be; it stays when this ends.
  Status start(const harness::Settings& settings, const std::string& folder, harness::Side side,
               harness::Meeting& meeting);
  const std::string& gate() const noexcept { return gate_; }

 private:
  pid_t pid_ = -1;
  std::string gate_;
};

}  // namespace krg::bench

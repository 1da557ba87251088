// folder.h: the folder of one run of pmi_launch, which goes with it however it ends.
//
// Model    a process of its own, which no signal to the launcher reaches, waits until the launcher
//          and all its nodes have closed a pipe, and then removes what is left of the folder.
// Threads  owned by one thread; to be made before there is another.
// Blocks   its destructor, until the nodes have ended.
// Source   pipe(7): a reader sees the end when the last writer has gone, by SIGKILL even
#pragma once

#include <sys/types.h>

#include <string>

#include "krg/base/unique_fd.h"

namespace krg::pmix::testing {

class Folder {
 public:
  // In $TMPDIR, or in /tmp. An empty path() if that can not be.
  Folder();
  ~Folder();  // Waits until it is gone.
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const noexcept { return path_; }
  // What a node is to keep open for as long as it uses the folder.
  int life() const noexcept { return life_.get(); }

 private:
  std::string path_;
  UniqueFd life_;
  pid_t sweeper_ = -1;
};

}  // namespace krg::pmix::testing

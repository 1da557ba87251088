// linkers/io_thread.h: work that blocks, for coroutines of a reactor.
//
// Model    one thread, started with the first work; work is done in the order in which it comes.
// Threads  owned by the reactor's thread; the work runs in the other one.
// Blocks   never, but for the destructor: until the work that has begun is done.
// Source   docs/design/reactor.md, "Other threads"
#pragma once

#include <functional>
#include <memory>

#include "krg/error/result.h"
#include "krg/reactor/co.h"
#include "krg/reactor/reactor.h"

namespace krg::kddm {

class IoThread {
 public:
  explicit IoThread(reactor::Reactor& reactor);
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;
  // What has not begun is not done.
  ~IoThread();

  // Requires  `work` refers to nothing but what it owns: the caller may be cancelled while it runs.
  // Errors  those of `work`; system_error  no thread can be started
  Co<Status> run(std::function<Status()> work);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::kddm

#include "krg/linkers/io_thread.h"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "krg/reactor/event.h"

namespace krg::kddm {
namespace {

struct Job {
  Job(reactor::Reactor& reactor, std::function<Status()> w) : work(std::move(w)), done(reactor) {}
  const std::function<Status()> work;
  Status result;
  reactor::Event done;
};

}  // namespace

class IoThread::Impl {
 public:
  explicit Impl(reactor::Reactor& reactor) : reactor_(reactor) {}
  ~Impl() {
    if (!started_) return;
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    more_.notify_one();
    ::pthread_join(thread_, nullptr);
  }

  Co<Status> run(std::function<Status()> work) {
    KRG_CO_TRY(start());
    // Shared, for either side may go first: the caller is cancelled, or the thread is slow.
    const auto job = std::make_shared<Job>(reactor_, std::move(work));
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(job);
    }
    more_.notify_one();
    // The system ends it, sooner or later; who can not wait has a deadline of its own.
    KRG_CO_TRY(co_await job->done.wait(Deadline::never()));
    co_return job->result;
  }

 private:
  Status start() {
    if (started_) return {};
    // Signals are for the reactor's thread. SIGXFSZ, which the one that writes gets, stays pending:
    // what has failed is told by the call's result.
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = ::pthread_create(&thread_, nullptr, main, this);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (failed != 0) return Error(Errc::system_error, "a thread for files").with_native(failed);
    started_ = true;
    return {};
  }

  static void* main(void* self) {
    static_cast<Impl*>(self)->serve();
    return nullptr;
  }

  void serve() {
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        more_.wait(lock, [this] { return ends_ || !jobs_.empty(); });
        if (ends_) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job->result = job->work();
      reactor_.mailbox().post([job = std::move(job)] { job->done.set(); });
    }
  }

  reactor::Reactor& reactor_;
  pthread_t thread_{};
  bool started_ = false;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::shared_ptr<Job>> jobs_;
  bool ends_ = false;
};

IoThread::IoThread(reactor::Reactor& reactor) : impl_(std::make_unique<Impl>(reactor)) {}
IoThread::~IoThread() = default;

Co<Status> IoThread::run(std::function<Status()> work) { return impl_->run(std::move(work)); }

}  // namespace krg::kddm

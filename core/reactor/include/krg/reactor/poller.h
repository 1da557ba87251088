// reactor/poller.h: something the reactor polls while it is awake and arms before it sleeps.
//
// Model    the reactor calls poll() once per turn and flush() at the turn's end, when every
//          coroutine that could run has run. Before it sleeps it calls arm(); only if all pollers
//          agree does it wait, and then event_fd() must become readable when there is work again.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/reactor.md, "Waiting"
#pragma once

namespace krg::reactor {

class Poller {
 public:
  virtual ~Poller() = default;
  // Makes progress; true if anything happened.
  virtual bool poll() noexcept = 0;
  // Sends what this turn has gathered; true if anything was sent.
  virtual bool flush() noexcept { return false; }
  // The descriptor that becomes readable when armed and work arrives; -1 if there is none.
  virtual int event_fd() const noexcept { return -1; }
  // Asks for a wake-up by event_fd(); false means "there is work, do not sleep".
  virtual bool arm() noexcept { return true; }
  // Called after the sleep that followed arm().
  virtual void disarm() noexcept {}
};

}  // namespace krg::reactor

// One connected program, tool or task, as the server sees it.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "connection.h"
#include "krg/gate/handler.h"
#include "krg/gate/lane_server.h"

namespace krg::gate {

class Session;

// What a session asks of its server.
class SessionHost : public HandlerTable {
 public:
  virtual reactor::Reactor& reactor() noexcept = 0;
  // The page that says whether we sleep; each task maps it to read.
  virtual int status_fd() noexcept = 0;
  // The session is over and waits to be destroyed, from a place where none of its functions runs.
  virtual void retire(Session& session) noexcept = 0;

 protected:
  ~SessionHost() = default;
};

// A call that came over the socket.
class SocketCall final : public Call {
 public:
  SocketCall(Session& session, std::uint32_t id, std::vector<std::byte> request,
             std::vector<UniqueFd> fds, Deadline deadline);
  ~SocketCall() override;

  // May destroy this.
  void serve(Handler& handler);

  const Caller& caller() const noexcept override;
  Status pass(UniqueFd fd) override;
  Conversation* conversation() noexcept override { return &conversation_; }
  std::span<std::byte> room(std::size_t size) override;
  void complete(std::size_t size) override;
  void fail(const Error& error) override;
  void finished() noexcept override;

 private:
  void answer(const FrameHeader& header, std::span<const std::byte> body);

  Session& session_;
  const std::uint32_t id_;
  std::vector<std::byte> body_;
  std::vector<std::byte> reply_;
  std::vector<UniqueFd> passed_;
  Conversation conversation_;
};

class Session final : private FrameSink, private reactor::FdHandler {
 public:
  // Requires  `host` outlives this.
  Session(SessionHost& host, UniqueFd socket, const Caller& caller);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Watches the socket, and the process behind it.
  Status start();
  // Looks into the lanes; true if a call was found.
  bool poll() noexcept;
  // Whether a lane holds work that poll() would find.
  bool has_work() const noexcept;
  void close(Error why) noexcept { connection_.close(why); }

  const Caller& caller() const noexcept { return caller_; }
  bool closed() const noexcept { return connection_.closed(); }
  std::size_t lanes() const noexcept { return lanes_.size(); }

 private:
  friend class SocketCall;

  // The task rings: nothing to do, the reactor is awake now and poll() comes next.
  struct Doorbell final : reactor::FdHandler {
    void on_fd(std::uint32_t) noexcept override {}
  };

  Status on_frame(const FrameHeader& header, std::span<const std::byte> body,
                  std::vector<UniqueFd> fds) override;
  void on_closed(Error why) override;
  void on_fd(std::uint32_t events) noexcept override;  // The process has ended.
  Status on_hello(const FrameHeader& header);
  Status on_request(const FrameHeader& header, std::span<const std::byte> body,
                    std::vector<UniqueFd> fds);
  Status on_attach(const FrameHeader& header);
  Status make_bell();

  SessionHost& host_;
  Caller caller_;
  Connection connection_;
  UniqueFd process_;  // A pidfd; none if the kernel would not say.
  UniqueFd bell_fd_;  // Written by the task when we sleep.
  Doorbell bell_;
  std::unordered_map<std::uint32_t, std::unique_ptr<SocketCall>> calls_;
  std::vector<std::unique_ptr<LaneServer>> lanes_;
  bool greeted_ = false;
};

}  // namespace krg::gate

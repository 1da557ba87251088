// jobs/session.h: one client of a krgd.
//
// Model    reads a client's frames from its connection and answers them; see client.h. The
//          connection's owner passes the frames on, since on the channel of node 0 they come
//          between others.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/launch.md, "Control connection"
#pragma once

#include <functional>
#include <memory>

#include "krg/control/connection.h"
#include "krg/jobs/desk.h"
#include "krg/jobs/service.h"
#include "krg/jobs/tasks_desk.h"

namespace krg::jobs {

class Session {
 public:
  // `end_cluster` is called when the client asks for it; empty = it may not.
  Session(Service& service, control::Connection& client, Desk::Add add,
          std::function<void()> end_cluster);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  // The client is gone: its job is killed.
  ~Session();

  // False: not a client's frame, or malformed; the connection deserves to be closed.
  bool on_frame(std::uint16_t type, wire::Bytes body);

 private:
  template <class M, class F>
  bool take(wire::Bytes body, F then);
  void run(JobSpec spec);
  // Answers go to the connection only while `alive` is.
  Co<void> tell_nodes(std::weak_ptr<char> alive);
  // What all nodes answer to the question.
  template <class Question, class All>
  Co<void> tell_all(std::weak_ptr<char> alive, typename Question::Request request);
  Co<void> move(std::weak_ptr<char> alive, moves::AskMove ask);

  Service& service_;
  control::Connection& client_;
  const std::function<void()> end_cluster_;
  Desk desk_;
  TasksDesk tasks_desk_;
  std::shared_ptr<HeadJob> job_;  // Shared with the coroutine that runs it.
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // Watched by answers under way.
};

}  // namespace krg::jobs

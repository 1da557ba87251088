// A rank that calls its krgd through the gate.
// usage: gate_client once         calls a few times; ends with 0 if all are answered
//        gate_client storm FILE   makes FILE when calls are on their way, and never stops calling
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "krg/gate/client.h"
#include "krg/gate/one_call.h"
#include "krg/node/status.h"

namespace {

using namespace std::chrono_literals;
using krg::gate::Client;

int once(Client& client) {
  for (int i = 0; i < 100; ++i) {
    const auto reply = client.call<krg::node::Status>({}, 10s);
    if (!reply || reply->pid != static_cast<std::uint32_t>(getppid())) {
      std::fprintf(stderr, "call %d: %s\n", i,
                   reply ? "of another krgd" : reply.error().message().c_str());
      return 1;
    }
  }
  return 0;
}

// Several threads, each with several calls under way: wherever SIGKILL strikes, some are.
void storm(Client& client, const char* file) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&client] {
      for (;;) {
        std::vector<Client::Ticket> under_way;
        for (int n = 0; n < 8; ++n) {
          auto ticket = client.start<krg::node::Stats>({}, 10s);
          if (ticket) under_way.push_back(std::move(*ticket));
        }
        for (auto& ticket : under_way) {
          (void)client.wait<krg::node::Stats>(std::move(ticket), 10s);
        }
      }
    });
  }
  (void)client.call<krg::node::Status>({}, 10s);
  if (FILE* made = std::fopen(file, "w")) std::fclose(made);
  threads.front().join();
}

}  // namespace

int main(int argc, char** argv) {
  const auto path = krg::gate::path_or_own("");
  if (!path || argc < 2) return 2;
  const auto client = Client::connect(*path, {});
  if (!client) {
    std::fprintf(stderr, "no gate at %s\n", path->c_str());
    return 1;
  }
  if (std::strcmp(argv[1], "storm") == 0 && argc == 3) storm(**client, argv[2]);
  return once(**client);
}

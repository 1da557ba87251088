// Uses a little of everything that libkrg has: values, a line of log, the event loop.
#include <cstdio>

#include "krg/base/ids.h"
#include "krg/error/result.h"
#include "krg/log/log.h"
#include "krg/reactor/clock.h"
#include "krg/reactor/reactor.h"

namespace {

krg::Result<int> half(int number) {
  if (number % 2 != 0) return krg::Error(krg::Errc::invalid_argument, "odd");
  return number / 2;
}

krg::reactor::Co<void> stop(krg::reactor::Reactor& reactor, int& answer) {
  const auto result = half(84);
  answer = result ? *result : 0;
  reactor.stop();
  co_return;
}

}  // namespace

int main() {
  krg::reactor::RealClock clock;
  krg::reactor::Reactor reactor(clock);
  int answer = 0;
  reactor.spawn(stop(reactor, answer));
  reactor.run();
  KRG_INFO("node {} says {}", krg::NodeId{3}.value, answer);
  std::printf("%d %d\n", answer, half(3).has_value() ? 1 : 0);
  return answer == 42 ? 0 : 1;
}

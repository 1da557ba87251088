// placement/complain.h: the one line a user gets, and the Error that goes with it.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "krg/error/result.h"

namespace krg::placement {

template <class... Args>
Error complain(std::string& complaint, Errc code, fmt::format_string<Args...> format,
               Args&&... args) {
  complaint = fmt::format(format, std::forward<Args>(args)...);
  return Error(code, "placement refused");
}

template <class... Args>
Error complain(std::string& complaint, fmt::format_string<Args...> format, Args&&... args) {
  return complain(complaint, Errc::invalid_argument, format, std::forward<Args>(args)...);
}

}  // namespace krg::placement

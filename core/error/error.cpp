#include "krg/error/error.h"

#include <cerrno>
#include <system_error>

namespace krg {

std::string_view text(Errc code) noexcept {
  switch (code) {
    case Errc::ok:
      return "ok";
#define KRG_ERRC(name, value, err, text) \
  case Errc::name:                       \
    return text;
#include "krg/error/errc.def"
#undef KRG_ERRC
  }
  return "unknown error";
}

int to_errno(Errc code) noexcept {
  switch (code) {
    case Errc::ok:
      return 0;
#define KRG_ERRC(name, value, err, text) \
  case Errc::name:                       \
    return err;
#include "krg/error/errc.def"
#undef KRG_ERRC
  }
  return EIO;
}

bool is_errc(std::uint16_t value) noexcept {
  return value == 0 || text(static_cast<Errc>(value)) != "unknown error";
}

std::string Error::message() const {
  std::string out;
  if (has_peer()) out += "peer " + std::to_string(peer().value) + ": ";
  if (what_ != nullptr) {
    out += what_;
    out += ": ";
  }
  out += krg::text(code_);
  if (native_ > 0) {
    out += " (" + std::generic_category().message(native_) + ")";
  } else if (native_ < 0) {
    out += " (native " + std::to_string(native_) + ")";
  }
  return out;
}

Error errno_error(Errc code, const char* what) noexcept {
  return Error(code, what).with_native(errno);
}

}  // namespace krg

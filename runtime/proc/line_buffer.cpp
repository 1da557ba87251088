#include "krg/proc/line_buffer.h"

#include <string_view>

namespace krg::proc {

void LineBuffer::add(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t newline = text.rfind('\n');
  const std::size_t whole = newline == std::string_view::npos ? 0 : newline + 1;
  if (whole != 0) {
    if (pending_.empty()) {
      emit_(bytes.first(whole));
    } else {
      pending_.append(text.substr(0, whole));
      flush();
    }
  }
  pending_.append(text.substr(whole));
  if (pending_.size() >= kLineMax) flush();
}

void LineBuffer::flush() {
  if (pending_.empty()) return;
  emit_(std::as_bytes(std::span(pending_)));
  pending_.clear();
}

}  // namespace krg::proc

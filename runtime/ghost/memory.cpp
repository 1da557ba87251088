#include "krg/ghost/sink.h"
#include "krg/ghost/source.h"

namespace krg::ghost {

Sink::~Sink() = default;
Source::~Source() = default;

Status MemorySink::write(Bytes head, Bytes body) {
  bytes_.insert(bytes_.end(), head.begin(), head.end());
  bytes_.insert(bytes_.end(), body.begin(), body.end());
  return {};
}

Result<Bytes> MemorySource::peek(std::size_t size) {
  if (size > left_.size()) return Error(Errc::end_of_stream, "the archive ends too early");
  return left_.first(size);
}

}  // namespace krg::ghost

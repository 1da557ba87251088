// The frames of a proven link: good frames, changed ones and noise, in a stream cut anywhere.
// Whatever the reader hands out, the writer has written, in that order.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "krg/link/frame.h"

namespace {

using krg::link::FrameReader;
using krg::link::FrameType;
using krg::link::FrameWriter;
using krg::link::MacKey;
using Bytes = std::vector<std::byte>;

void check(bool condition) {
  if (!condition) std::abort();
}

// Takes the fuzzer's bytes one after the other.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  std::uint8_t take() {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  Bytes take(std::size_t size) {
    const auto part = std::as_bytes(bytes_.first(std::min(size, bytes_.size())));
    bytes_ = bytes_.subspan(part.size());
    return {part.begin(), part.end()};
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

struct Written {
  FrameType type;
  Bytes payload;
};

// A stream of frames and of what is done to it.
Bytes make_stream(Input& in, const MacKey& key, std::vector<Written>& written) {
  FrameWriter writer(key);
  Bytes stream;
  while (!in.empty() && stream.size() < 150'000) {
    switch (in.take() % 5) {
      case 0: {  // Noise.
        const Bytes noise = in.take(in.take());
        stream.insert(stream.end(), noise.begin(), noise.end());
        break;
      }
      case 1:  // A changed byte.
        if (!stream.empty()) stream[in.take() * 31u % stream.size()] ^= std::byte{in.take()};
        break;
      case 2:  // A frame as large as can be.
        written.push_back(
            {FrameType::message, Bytes(krg::link::kPayloadMax, std::byte{in.take()})});
        writer.append(stream, written.back().type, written.back().payload);
        break;
      default:
        written.push_back({static_cast<FrameType>(1 + in.take() % 4), in.take(in.take())});
        writer.append(stream, written.back().type, written.back().payload);
    }
  }
  return stream;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in({data, size});
  MacKey key;
  key.fill(std::byte{3});
  const std::size_t wanted_step = 1 + in.take() * 16u;
  std::vector<Written> written;
  const Bytes stream = make_stream(in, key, written);
  // A long stream byte by byte would only be slow.
  const std::size_t step = std::max(wanted_step, stream.size() / 1024);
  FrameReader reader(key);
  std::size_t count = 0;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    reader.push(std::span(stream).subspan(at, std::min(step, stream.size() - at)));
    while (true) {
      const auto frame = reader.next();
      if (!frame) {
        check(!reader.next().has_value());  // For good.
        return 0;
      }
      if (!*frame) break;
      check(count < written.size());
      check((*frame)->type == written[count].type);
      check(std::equal((*frame)->payload.begin(), (*frame)->payload.end(),
                       written[count].payload.begin(), written[count].payload.end()));
      ++count;
    }
  }
  return 0;
}

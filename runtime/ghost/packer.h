// packer.h: zstd over one piece at a time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "krg/error/result.h"
#include "krg/ghost/archive.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace krg::ghost {

// Keeps its working memory from piece to piece. What it gives is valid until its next call.
class Packer {
 public:
  Packer();
  ~Packer();

  // `plain` packed; nothing if that would not make it smaller.
  // Requires  at most kPieceBytes.
  std::optional<Bytes> pack(Bytes plain);
  // What was packed to `stored`, which must be `plain` bytes.
  // Requires  plain <= kPieceBytes: never more is written, whatever `stored` says.
  // Errors    corrupt, no_memory
  Result<Bytes> unpack(Bytes stored, std::size_t plain);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const noexcept;
    void operator()(ZSTD_DCtx_s* context) const noexcept;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> packing_;
  std::unique_ptr<ZSTD_DCtx_s, Free> unpacking_;
  std::vector<std::byte> buffer_;
};

}  // namespace krg::ghost

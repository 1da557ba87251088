#include "packer.h"

#include <zstd.h>

namespace krg::ghost {
namespace {

// The fastest that still finds what memory is full of: zeros and repetition.
constexpr int kLevel = 1;

}  // namespace

void Packer::Free::operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }
void Packer::Free::operator()(ZSTD_DCtx_s* context) const noexcept { ZSTD_freeDCtx(context); }

Packer::Packer() = default;
Packer::~Packer() = default;

std::optional<Bytes> Packer::pack(Bytes plain) {
  KRG_ASSERT(plain.size() <= kPieceBytes);
  if (packing_ == nullptr) packing_.reset(ZSTD_createCCtx());
  if (packing_ == nullptr || plain.size() < 2) return std::nullopt;
  if (buffer_.size() < plain.size()) buffer_.resize(plain.size());
  // One byte too few for what would not be smaller.
  const std::size_t size = ZSTD_compressCCtx(packing_.get(), buffer_.data(), plain.size() - 1,
                                             plain.data(), plain.size(), kLevel);
  if (ZSTD_isError(size) != 0) return std::nullopt;
  return Bytes(buffer_).first(size);
}

Result<Bytes> Packer::unpack(Bytes stored, std::size_t plain) {
  KRG_ASSERT(plain <= kPieceBytes);
  if (unpacking_ == nullptr) unpacking_.reset(ZSTD_createDCtx());
  if (unpacking_ == nullptr) return Error(Errc::no_memory, "no memory to unpack an archive");
  if (buffer_.size() < plain) buffer_.resize(plain);
  const std::size_t size =
      ZSTD_decompressDCtx(unpacking_.get(), buffer_.data(), plain, stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != plain) {
    return Error(Errc::corrupt, "a packed part of the archive does not unpack");
  }
  return Bytes(buffer_).first(plain);
}

}  // namespace krg::ghost

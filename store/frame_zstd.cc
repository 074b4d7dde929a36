#include "store/frame_zstd.h"

#include <memory>
#include <zstd.h>

#include "store/codec.h"

namespace twinpost::store {

namespace {

// Mail in frames of 64 KiB takes 54 % of its pages at level 1, 53.6 % at 3, 53.2 % at 5 and 53.1 % at 9, but is
// compressed 1.4, 3.8 and 5 times slower there; the faster levels below 1 leave it at 64 %. (tools/bench/codec.cc)
constexpr int kLevel = 1;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Compressor = std::unique_ptr<ZSTD_CCtx, FreeContext>;
using Decompressor = std::unique_ptr<ZSTD_DCtx, FreeContext>;

// Null where there is no memory.
Compressor make_compressor() {
  Compressor context(ZSTD_createCCtx());
  if (!context) return nullptr;
  const bool set =
      ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel)) == 0 &&
      // A part of a body that is read by itself is verified by this.
      ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1)) == 0;
  return set ? std::move(context) : nullptr;
}

}  // namespace

Result<bool> compress_frame(std::string_view plain, std::size_t worth, std::string& out) {
  if (plain.size() <= worth) return false;
  thread_local Compressor context;
  if (!context) context = make_compressor();
  if (!context) return fail(ErrorCode::kInternal, "no memory to compress a message");
  const std::size_t before = out.size();
  // The whole bound: with less room zstd leaves its faster way of writing.
  out.resize(before + ZSTD_compressBound(plain.size()));
  const std::size_t size = ZSTD_compress2(context.get(), out.data() + before, out.size() - before,
                                          plain.data(), plain.size());
  if (ZSTD_isError(size) != 0) {
    out.resize(before);
    return fail(ErrorCode::kInternal,
                std::string("compressing a message failed: ") + ZSTD_getErrorName(size));
  }
  const bool is_worth_it = size <= plain.size() - worth;
  out.resize(is_worth_it ? before + size : before);
  return is_worth_it;
}

bool decompress_frame(std::string_view compressed, char* out, std::size_t plain_octets) {
  // zstd's own frames only, and one: not the older formats that the library reads too, nor frames to be skipped.
  if (compressed.size() < 4 || Reader(compressed).u32() != ZSTD_MAGICNUMBER) return false;
  if (ZSTD_findFrameCompressedSize(compressed.data(), compressed.size()) != compressed.size()) {
    return false;
  }
  thread_local Decompressor context(ZSTD_createDCtx());
  if (!context) context.reset(ZSTD_createDCtx());
  if (!context) return false;
  return ZSTD_decompressDCtx(context.get(), out, plain_octets, compressed.data(),
                             compressed.size()) == plain_octets;
}

}  // namespace twinpost::store

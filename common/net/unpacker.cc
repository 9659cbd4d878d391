#include "common/net/unpacker.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::net {
namespace {

constexpr int64_t kMaxRatio = 100;
constexpr int64_t kRatioFreeBytes = int64_t{1} << 20;
constexpr int kZlibWindow = 15;
constexpr int kGzipWindow = 15 + 16;  // 16: gzip framing, with its checksum
constexpr int kRawWindow = -15;
// A frame may ask for as much memory as its window is large; RFC 8878 names 8 MiB as what every reader must have.
constexpr int kZstdWindowLog = 23;

absl::Status DamagedError() {
  return Error(absl::StatusCode::kDataLoss, "SOURCE_TRUNCATED", "the compressed stream is damaged");
}

absl::Status WindowError() {
  return Error(
      absl::StatusCode::kFailedPrecondition, "SOURCE_ENCODING",
      "the zstd stream wants to be unpacked with a window of more than 8 MiB; pack it without --long and --ultra");
}

class Inflater final : public Unpacker {
 public:
  Inflater(int window, bool members) : members_(members), ready_(inflateInit2(&stream_, window) == Z_OK) {}
  ~Inflater() override {
    if (ready_) inflateEnd(&stream_);
  }

  absl::StatusOr<size_t> Unpack(absl::string_view& input, char* output, size_t size) override {
    if (!ready_) return DamagedError();
    stream_.next_out = reinterpret_cast<Bytef*>(output);
    stream_.avail_out = static_cast<uInt>(size);
    int code = Z_OK;
    while (code == Z_OK && stream_.avail_out > 0) {
      if (complete_ && !input.empty()) {  // another member follows
        if (!members_ || inflateReset(&stream_) != Z_OK) return DamagedError();
        complete_ = false;
      }
      if (complete_) break;
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
      stream_.avail_in = static_cast<uInt>(input.size());
      code = inflate(&stream_, Z_NO_FLUSH);
      input.remove_prefix(input.size() - stream_.avail_in);
      if (code == Z_STREAM_END) {
        complete_ = true;
        code = Z_OK;
      }
    }
    if (code != Z_OK && code != Z_BUF_ERROR) return DamagedError();
    return size - stream_.avail_out;
  }
  bool complete() const override { return complete_; }

 private:
  z_stream stream_{};
  const bool members_;
  bool ready_;
  bool complete_ = false;
};

// HTTP's deflate means zlib's format, but some servers leave its header of two bytes out.
class DeflateUnpacker final : public Unpacker {
 public:
  absl::StatusOr<size_t> Unpack(absl::string_view& input, char* output, size_t size) override {
    while (!inflater_ && !input.empty()) {
      head_.push_back(input.front());
      input.remove_prefix(1);
      if (head_.size() == 2) inflater_ = std::make_unique<Inflater>(HasZlibHeader() ? kZlibWindow : kRawWindow, false);
    }
    if (!inflater_) return 0;
    size_t written = 0;
    if (!head_.empty()) {
      absl::string_view head = head_;
      ASSIGN_OR_RETURN(written, inflater_->Unpack(head, output, size));
      head_.erase(0, head_.size() - head.size());
      if (written > 0) return written;
    }
    return inflater_->Unpack(input, output, size);
  }
  bool complete() const override { return inflater_ && inflater_->complete(); }

 private:
  bool HasZlibHeader() const {
    unsigned first = static_cast<unsigned char>(head_[0]);
    unsigned second = static_cast<unsigned char>(head_[1]);
    return (first & 0x0f) == 8 && (first << 8 | second) % 31 == 0;
  }

  std::string head_;
  std::unique_ptr<Inflater> inflater_;
};

class BrotliUnpacker final : public Unpacker {
 public:
  BrotliUnpacker() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
  ~BrotliUnpacker() override { BrotliDecoderDestroyInstance(state_); }

  absl::StatusOr<size_t> Unpack(absl::string_view& input, char* output, size_t size) override {
    if (state_ == nullptr || (complete_ && !input.empty())) return DamagedError();
    if (complete_) return 0;
    size_t in_left = input.size();
    const auto* in = reinterpret_cast<const uint8_t*>(input.data());
    size_t out_left = size;
    auto* out = reinterpret_cast<uint8_t*>(output);
    BrotliDecoderResult result = BrotliDecoderDecompressStream(state_, &in_left, &in, &out_left, &out, nullptr);
    if (result == BROTLI_DECODER_RESULT_ERROR) return DamagedError();
    input.remove_prefix(input.size() - in_left);
    complete_ = result == BROTLI_DECODER_RESULT_SUCCESS;
    return size - out_left;
  }
  bool complete() const override { return complete_; }

 private:
  BrotliDecoderState* const state_;
  bool complete_ = false;
};

class ZstdUnpacker final : public Unpacker {
 public:
  ZstdUnpacker() : stream_(ZSTD_createDStream()) {
    if (stream_ != nullptr) ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kZstdWindowLog);
  }
  ~ZstdUnpacker() override { ZSTD_freeDStream(stream_); }

  absl::StatusOr<size_t> Unpack(absl::string_view& input, char* output, size_t size) override {
    if (stream_ == nullptr) return DamagedError();
    ZSTD_outBuffer out{output, size, 0};
    // A frame that has ended needs no call: it would count as the beginning of the next one.
    while (out.pos == 0 && !(complete_ && input.empty())) {
      ZSTD_inBuffer in{input.data(), input.size(), 0};
      size_t hint = ZSTD_decompressStream(stream_, &out, &in);
      if (ZSTD_getErrorCode(hint) == ZSTD_error_frameParameter_windowTooLarge) return WindowError();
      if (ZSTD_isError(hint) != 0) return DamagedError();
      bool stuck = in.pos == 0 && out.pos == 0;
      input.remove_prefix(in.pos);
      complete_ = hint == 0;
      if (stuck) break;
    }
    return out.pos;
  }
  bool complete() const override { return complete_; }

 private:
  ZSTD_DStream* const stream_;
  bool complete_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Unpacker>> Unpacker::Create(absl::string_view encoding) {
  std::string name = absl::AsciiStrToLower(absl::StripAsciiWhitespace(encoding));
  if (name.empty() || name == "identity") return std::unique_ptr<Unpacker>();
  if (name == "gzip" || name == "x-gzip") return std::make_unique<Inflater>(kGzipWindow, true);
  if (name == "deflate") return std::make_unique<DeflateUnpacker>();
  if (name == "br") return std::make_unique<BrotliUnpacker>();
  if (name == "zstd") return std::make_unique<ZstdUnpacker>();
  return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_ENCODING",
               absl::StrCat("the body is compressed as \"", absl::CHexEscape(name),
                            "\", which was not asked for; gzip, deflate, br and zstd are read"));
}

std::unique_ptr<Unpacker> Unpacker::ForRawDeflate() { return std::make_unique<Inflater>(kRawWindow, false); }

absl::Status CheckRatio(int64_t packed, int64_t unpacked) {
  if (unpacked <= kRatioFreeBytes || unpacked <= kMaxRatio * packed) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
               absl::StrCat("this is a compression bomb: it unpacks to more than ", kMaxRatio, " times its size"));
}

}  // namespace chartly::net

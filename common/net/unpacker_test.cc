#include "common/net/unpacker.h"

#include <brotli/encode.h>
#include <zstd.h>

#include <string>

#include "common/status/status.h"
#include "test/support/packing.h"
#include "test/support/test.h"

namespace chartly::net {
namespace {

using chartly::testing::Deflated;

std::string Brotli(const std::string& text) {
  size_t size = BrotliEncoderMaxCompressedSize(text.size());
  std::string out(size, 0);
  REQUIRE(BrotliEncoderCompress(5, 22, BROTLI_MODE_TEXT, text.size(), reinterpret_cast<const uint8_t*>(text.data()),
                                &size, reinterpret_cast<uint8_t*>(out.data())) == BROTLI_TRUE);
  out.resize(size);
  return out;
}

std::string Zstd(const std::string& text, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (window_log > 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::string out(ZSTD_compressBound(text.size()) + 100, 0);
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  ZSTD_inBuffer input{text.data(), text.size(), 0};
  REQUIRE(ZSTD_compressStream2(context, &output, &input, ZSTD_e_continue) < (size_t{1} << 40));
  REQUIRE(ZSTD_compressStream2(context, &output, &input, ZSTD_e_end) == 0);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

struct Packing {
  std::string encoding;
  std::string (*pack)(const std::string&);
};

const Packing kPackings[] = {
    {"gzip", [](const std::string& text) { return Deflated(text, 15 + 16); }},
    {"X-GZip", [](const std::string& text) { return Deflated(text, 15 + 16); }},
    {"deflate", [](const std::string& text) { return Deflated(text, 15); }},
    {" deflate", [](const std::string& text) { return Deflated(text, -15); }},
    {"br", Brotli},
    {"zstd", [](const std::string& text) { return Zstd(text); }},
};

struct Outcome {
  absl::Status status;
  std::string text;
  bool complete = false;
};

Outcome UnpackAll(const std::string& encoding, const std::string& packed, size_t step, size_t room) {
  auto unpacker = Unpacker::Create(encoding);
  REQUIRE_OK(unpacker);
  Outcome outcome;
  std::string output(room, 0);
  for (size_t at = 0; at < packed.size(); at += step) {
    absl::string_view input = absl::string_view(packed).substr(at, step);
    while (true) {
      auto size = (*unpacker)->Unpack(input, output.data(), output.size());
      if (!size.ok()) {
        outcome.status = size.status();
        return outcome;
      }
      outcome.text.append(output.data(), *size);
      if (*size == 0) break;
    }
    CHECK(input.empty());
  }
  outcome.complete = (*unpacker)->complete();
  return outcome;
}

std::string SomeText() {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919 % 10007) + ",";
  return text;
}

TEST_CASE("every encoding is unpacked, whatever the size of the pieces and of the room") {
  const std::string text = SomeText();
  for (const Packing& packing : kPackings) {
    std::string packed = packing.pack(text);
    for (size_t step : {size_t{1}, size_t{2}, size_t{777}, packed.size()}) {
      for (size_t room : {size_t{1}, size_t{100}, size_t{100'000}}) {
        INFO(packing.encoding << " step " << step << " room " << room);
        Outcome outcome = UnpackAll(packing.encoding, packed, step, room);
        CHECK_OK(outcome.status);
        CHECK(outcome.complete);
        CHECK(outcome.text == text);
      }
    }
  }
}

TEST_CASE("a stream that stops anywhere is not complete, an empty text is") {
  for (const Packing& packing : kPackings) {
    INFO(packing.encoding);
    std::string packed = packing.pack("some text that is packed");
    for (size_t size = 0; size < packed.size(); ++size) {
      CHECK_FALSE(UnpackAll(packing.encoding, packed.substr(0, size), 100, 100).complete);
    }
    CHECK(UnpackAll(packing.encoding, packing.pack(""), 1, 100).complete);
  }
}

TEST_CASE("what is damaged or not packed at all is said to be so") {
  for (const Packing& packing : kPackings) {
    INFO(packing.encoding);
    Outcome outcome = UnpackAll(packing.encoding, std::string(1000, '{'), 1000, 100);
    CHECK((Reason(outcome.status) == "SOURCE_TRUNCATED" || !outcome.complete));
    std::string trailing = packing.pack("text") + "and more that is not packed";
    CHECK(Reason(UnpackAll(packing.encoding, trailing, 1000, 100).status) == "SOURCE_TRUNCATED");
  }
}

TEST_CASE("streams of gzip and zstd may follow each other") {
  for (const Packing& packing : {kPackings[0], kPackings[5]}) {
    Outcome outcome = UnpackAll(packing.encoding, packing.pack("one,") + packing.pack("two"), 3, 100);
    CHECK(outcome.text == "one,two");
    CHECK(outcome.complete);
  }
}

TEST_CASE("a zstd frame that asks for a window past 8 MiB is refused") {
  std::string text(100, 'x');
  CHECK_OK(UnpackAll("zstd", Zstd(text, 23), 100, 100).status);
  CHECK_FALSE(UnpackAll("zstd", Zstd(text, 27), 100, 100).status.ok());
}

TEST_CASE("only what is known is unpacked") {
  CHECK(*Unpacker::Create("") == nullptr);
  CHECK(*Unpacker::Create("Identity") == nullptr);
  CHECK(Reason(Unpacker::Create("gzip, br").status()) == "SOURCE_ENCODING");
}

TEST_CASE("a bomb is more than a hundred times its size and more than 1 MiB") {
  CHECK_OK(CheckRatio(10, 1 << 20));
  CHECK_OK(CheckRatio(20'000, 2'000'000));
  CHECK(Reason(CheckRatio(20'000, 2'000'001)) == "SOURCE_TOO_LARGE");
  CHECK(Reason(CheckRatio(10, (1 << 20) + 1)) == "SOURCE_TOO_LARGE");
}

}  // namespace
}  // namespace chartly::net

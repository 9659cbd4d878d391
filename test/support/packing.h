// Packs what tests send or write. No product code in it.
#ifndef CHARTLY_TEST_SUPPORT_PACKING_H_
#define CHARTLY_TEST_SUPPORT_PACKING_H_

#include <zlib.h>

#include <string>

#include "test/support/test.h"

namespace chartly::testing {

// What zlib's deflate makes of `text`; `window` as for deflateInit2: 15 with the zlib header, 31 a gzip, -15 bare.
inline std::string Deflated(const std::string& text, int window) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string Gzip(const std::string& text) { return Deflated(text, 31); }

}  // namespace chartly::testing

#endif  // CHARTLY_TEST_SUPPORT_PACKING_H_

// Decodes JSON, NDJSON and GeoJSON, rows of any shape. A document of up to kMaxWholeJsonBytes is read as a whole and
// checked before its first row is given; a larger one is streamed, and so are lines. Memory is bounded by
// kMaxJsonRowBytes and their tokens, whatever the size of the payload.
#ifndef CHARTLY_DRONE_DECODE_JSON_DECODER_H_
#define CHARTLY_DRONE_DECODE_JSON_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/decode/page_decoder.h"

namespace chartly::drone {

inline constexpr size_t kMaxWholeJsonBytes = size_t{6} << 20;
// A row, a line, or a document of a shape that cannot be streamed (zipped, JSON-stat). Its tokens may take four times
// as much if it is made for that, which is what a drone's memory has room for.
inline constexpr size_t kMaxJsonRowBytes = size_t{6} << 20;

// For tests: documents larger than `whole_bytes` are streamed through windows of `window_bytes`.
struct JsonSizes {
  size_t whole_bytes = kMaxWholeJsonBytes;
  size_t window_bytes = size_t{256} << 10;
};

// InvalidArgument (PATH_INVALID) if records, a pagination path or a field path is wrong.
absl::StatusOr<std::unique_ptr<PageDecoder>> MakeJsonDecoder(Format format, const SourceConfig& source,
                                                             const std::vector<std::string>& paths,
                                                             const JsonSizes& sizes = {});

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_DECODER_H_

// Decodes JSON-stat 1 and 2: every cell of the cube is a row, cells without a value included.
//
// Fields are, for each dimension, its id (the category's id) and id.label (the category's label; its id if it has
// none), and `value` and `status` of the cell. The dataset is the payload itself, what source.records leads to, or the
// only dataset among the members of the payload, as version 1 writes it.
#ifndef CHARTLY_DRONE_DECODE_JSON_STAT_DECODER_H_
#define CHARTLY_DRONE_DECODE_JSON_STAT_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/decode/page_decoder.h"

namespace chartly::drone {

// The most cells of a cube.
inline constexpr size_t kMaxJsonStatCells = size_t{16} << 20;

// InvalidArgument (PATH_INVALID) if source.records is wrong. Pages are read as a whole, up to kMaxJsonRowBytes. Errors
// of a page: PAYLOAD_NOT_JSON_STAT says what is wrong with it, PAYLOAD_NO_RECORDS what came instead of a dataset,
// PAYLOAD_NO_COLUMN which fields there are.
absl::StatusOr<std::unique_ptr<PageDecoder>> MakeJsonStatDecoder(const SourceConfig& source,
                                                                 const std::vector<std::string>& paths);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_STAT_DECODER_H_

// Reads the rows of one payload. One decoder a run; it is given every page in turn. Not thread-safe.
//
// A payload that is not what the profile says (HTML instead of JSON, a truncated body, no array at `records`) is
// InvalidArgument with reason PAYLOAD_NOT_JSON, PAYLOAD_TRUNCATED, PAYLOAD_NO_RECORDS, PAYLOAD_TOO_DEEP, ... and a
// message that says what was found (first bytes, content type), where, and what to do.
#ifndef CHARTLY_DRONE_DECODE_DECODER_H_
#define CHARTLY_DRONE_DECODE_DECODER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/normalize/row.h"
#include "common/normalize/row_block.h"
#include "common/profile/profile.h"
#include "drone/decode/body.h"

namespace chartly::drone {

// Takes rows as they come. A status other than OK stops the decoder, which returns it.
class RowSink {
 public:
  virtual ~RowSink() = default;
  // `row` lives until the call returns; `number` is one-based within the page.
  virtual absl::Status OnRow(const Row& row, uint32_t number) = 0;
  // A row that could not be read at all (a CSV line with too many fields): reason code, message, the raw row.
  virtual absl::Status OnBadRow(absl::string_view reason_code, absl::string_view message, absl::string_view raw,
                                uint32_t number) = 0;
  // Whether rows may come in blocks as well, where a decoder can give them so. All that comes is in the order of rows.
  virtual bool takes_blocks() const { return false; }
  // The first row has this number, and each the next one. The block lives until the call returns. Requires:
  // takes_blocks().
  virtual absl::Status OnBlock(const RowBlock& block, uint32_t first_number) {
    for (size_t row = 0; row < block.rows(); ++row) {
      absl::Status status = OnRow(RowOfBlock(block, row), first_number + static_cast<uint32_t>(row));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
};

// Formats that cannot be read row by row are read as a whole, up to this size.
inline constexpr size_t kMaxDocumentBytes = size_t{64} << 20;

// What pagination needs to know of a page.
struct DecodeResult {
  int64_t rows = 0;                 // good and bad
  std::optional<int64_t> pages;     // pagination.pages, if the profile names it and it is there
  std::optional<std::string> next;  // pagination.next, if it is there and not null or empty
  int64_t replaced_characters = 0;  // could not be read in the charset of the payload and became U+FFFD
};

class Decoder {
 public:
  // `paths` are Normalizer::paths(). InvalidArgument if a path does not parse.
  static absl::StatusOr<std::unique_ptr<Decoder>> Create(const SourceConfig& source,
                                                         const std::vector<std::string>& paths);
  // `content_type` as the server gave it, may be empty; with format auto it decides, then the name's ending, then the
  // first bytes. Holds at most one row, or kMaxDocumentBytes, of it in memory. An error of the body is returned as it
  // is.
  virtual absl::StatusOr<DecodeResult> Decode(Body& body, absl::string_view content_type, absl::string_view uri,
                                              RowSink& sink) = 0;
  virtual ~Decoder() = default;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_DECODER_H_

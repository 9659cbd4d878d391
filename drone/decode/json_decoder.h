// Decodes JSON and NDJSON payloads: rows that are objects (or anything a path can enter), and arrays under a header
// row. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_DECODER_H_
#define CHARTLY_DRONE_DECODE_JSON_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/decode/json_tree.h"
#include "drone/decode/page_decoder.h"
#include "drone/decode/path.h"

namespace chartly::drone {

class JsonDecoder final : public PageDecoder {
 public:
  // InvalidArgument (PATH_INVALID) if records, a pagination path or, for rows that are objects, a field path is wrong.
  static absl::StatusOr<std::unique_ptr<PageDecoder>> Create(const SourceConfig& source,
                                                             const std::vector<std::string>& paths);

  absl::StatusOr<DecodeResult> Decode(Body& body, const PageInfo& page, RowSink& sink) override;

 private:
  JsonDecoder() : tree_(std::make_unique<JsonTree>()) {}
  absl::Status DecodeDocument(absl::string_view text, RowSink& sink, DecodeResult& result);
  // One document a line; source.records is applied to each. A line that is no JSON is a bad row, except a last one
  // without line end: then the payload is truncated.
  absl::Status DecodeLines(absl::string_view text, RowSink& sink, int64_t& rows);
  absl::Status Rows(RowSink& sink, int64_t& rows);
  absl::Status HeaderRows(RowSink& sink, int64_t& rows);
  absl::Status Line(absl::string_view line, bool cut_off, RowSink& sink, int64_t& rows);
  void ReadPagination(DecodeResult& result) const;

  std::unique_ptr<JsonTree> tree_;
  RowShape shape_ = RowShape::kObjects;
  std::vector<std::string> path_texts_;
  std::vector<Path> paths_;  // empty for header rows
  Path records_;
  Path pages_;  // empty: none
  Path next_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_DECODER_H_

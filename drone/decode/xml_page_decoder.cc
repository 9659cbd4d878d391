#include "drone/decode/xml_page_decoder.h"

#include <utility>

#include "common/status/status.h"

namespace chartly::drone {

absl::StatusOr<DecodeResult> XmlPageDecoder::Decode(Body& body, const PageInfo& page, RowSink& sink) {
  sink_ = &sink;
  result_ = {};
  absl::Status status = rows_.Read(body, uris_);
  if (!status.ok()) return DescribePayload(page, status);
  return std::move(result_);
}

absl::Status XmlPageDecoder::SetPagination(const SourceConfig& source) {
  ASSIGN_OR_RETURN(pagination_, XmlPagination::Create(source, uris_));
  return absl::OkStatus();
}

}  // namespace chartly::drone

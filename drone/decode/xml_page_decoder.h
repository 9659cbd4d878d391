// What the formats written in XML have in common: the rows of a page in turn, how they are counted, and where the
// document says how its pages go on. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_XML_PAGE_DECODER_H_
#define CHARTLY_DRONE_DECODE_XML_PAGE_DECODER_H_

#include "drone/decode/page_decoder.h"
#include "drone/decode/xml_pagination.h"
#include "drone/decode/xml_rows.h"

namespace chartly::drone {

// A format says which elements are rows (PlanFor) and shows each to the sink (OnRow, through Give).
class XmlPageDecoder : public PageDecoder, protected XmlRowHandler {
 public:
  absl::StatusOr<DecodeResult> Decode(Body& body, const PageInfo& page, RowSink& sink) override;

 protected:
  XmlPageDecoder() : rows_(*this) {}

  const XmlRows& rows() const { return rows_; }
  XmlUris& uris() { return uris_; }
  // Before the first page: where it says how the pages go on. InvalidArgument (PATH_INVALID).
  absl::Status SetPagination(const SourceConfig& source);
  const XmlPagination& pagination() const { return pagination_; }

  // Hands the next row to the sink.
  absl::Status Give(const Row& row) { return sink_->OnRow(row, static_cast<uint32_t>(++result_.rows)); }
  void LookForPages(const XmlTree& root) { pagination_.Look(root, result_); }
  void OnOuterEnd(const XmlTree& root) override { LookForPages(root); }

 private:
  XmlUris uris_;
  XmlPagination pagination_;
  XmlRows rows_;
  RowSink* sink_ = nullptr;
  DecodeResult result_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_XML_PAGE_DECODER_H_

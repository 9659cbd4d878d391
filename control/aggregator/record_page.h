// Fills a page of records from chunks. Not thread-safe; one a call.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_PAGE_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_PAGE_H_

#include <string>

#include "absl/status/statusor.h"
#include "chartly/v1/aggregator.pb.h"
#include "control/aggregator/record_filter.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

class RecordPage {
 public:
  RecordPage(RecordFilter filter, int limit) : filter_(std::move(filter)), limit_(limit) {}

  // Adds the rows of a chunk that match, from `first_row` on. False if the page is full: then the answer has its
  // next_page_token.
  absl::StatusOr<bool> AddChunk(uint64_t chunk, const ChunkMeta& meta, const std::string& bytes, const RowSet& rows,
                                uint32_t first_row);
  v1::ListRecordsResponse Take() { return std::move(response_); }

 private:
  RecordFilter filter_;
  const int limit_;
  size_t bytes_ = 0;
  v1::ListRecordsResponse response_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_PAGE_H_

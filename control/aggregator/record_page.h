// Fills a page of records from blocks. Not thread-safe; one a call.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_PAGE_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_PAGE_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/aggregator.pb.h"
#include "control/aggregator/record_filter.h"
#include "control/aggregator/record_projection.h"
#include "control/aggregator/record_scan.h"

namespace chartly::aggregator {

class RecordPage {
 public:
  struct Limits {
    int records = 100;
    int64_t scanned = 1000000;  // rows that one call looks at
  };
  // Where a page begins, and what all pages of a question see.
  struct Begin {
    ScanCursor after;
    uint64_t as_of = 0;  // the last batch number; 0 for the first page
  };
  // `question` names what is asked; it goes into the token, so that a token serves its own question alone.
  RecordPage(RecordFilter filter, RecordProjection projection, Limits limits, std::string question);

  // What a token says. InvalidArgument (PAGE_TOKEN_INVALID) if it is not one of the question.
  absl::StatusOr<Begin> ParseToken(absl::string_view token) const;
  // Tokens of this page say that pages see batches up to that number.
  void SetAsOf(uint64_t as_of) { as_of_ = as_of; }
  // False if no row of a sealed chunk matches.
  bool MayBeIn(const PartMeta& part, uint32_t chunk) const { return filter_.MayBeIn(part, chunk); }
  // Adds the rows of a block that match. False if the page is full, or enough was looked at: then the answer has its
  // next_page_token.
  absl::StatusOr<bool> Add(const RecordBlock& block);
  v1::ListRecordsResponse Take();

 private:
  void EndWith(ScanCursor last);
  void NoteFields(const RecordBlock& block);
  void SetIds(const RecordBlock& block, const std::vector<uint32_t>& rows);

  RecordFilter filter_;
  const RecordProjection projection_;
  const Limits limits_;
  const std::string question_;
  uint64_t as_of_ = 0;
  std::set<std::pair<Role, std::string>> unseen_;  // names asked for that no block had
  size_t bytes_ = 0;
  v1::ListRecordsResponse response_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_PAGE_H_

// Says where a record came from, and why one is not there. Thread-safe; store and query must outlive it.
//
// A search by key reads the sealed chunks and unsealed batches in whose ranges the key lies, and one by id those whose
// filter or prints may have it. By place it looks through the whole profile, and so does one by id through
// parts that have no filters: its time grows with the profile, its memory does not. Cancelled once the caller has gone.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_EXPLAINER_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_EXPLAINER_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "chartly/v1/aggregator.pb.h"
#include "control/aggregator/key_match.h"
#include "control/aggregator/record_query.h"
#include "control/aggregator/record_scan.h"
#include "control/aggregator/unsealed_batches.h"

namespace chartly::aggregator {

class RecordExplainer {
 public:
  // `unsealed` spares it batches that are not sealed; without it, it reads all of them.
  RecordExplainer(const RecordStore& store, const RecordQuery& query, const UnsealedBatches* unsealed = nullptr)
      : store_(store), query_(query), unsealed_(unsealed) {}

  // InvalidArgument (PROFILE_REQUIRED, QUESTION_INVALID, RECORD_ID_INVALID, KEY_INVALID) unless the request names a
  // profile and exactly one of id, key, and place at the source.
  absl::StatusOr<v1::ExplainRecordResponse> Explain(const v1::ExplainRecordRequest& request, const Gone& gone) const;

 private:
  struct Question;
  // What identifies the record with the id, or that the row at the place holds; none if it is not there.
  absl::StatusOr<std::optional<KeyMatch>> FindId(const Question& question) const;
  absl::StatusOr<std::optional<KeyMatch>> FindPlace(const Question& question) const;
  absl::Status AddHistories(const Question& question, KeyMatch match) const;
  // Whether it may have been deleted.
  absl::StatusOr<bool> AddDeleted(const Question& question) const;
  absl::Status AddAbsence(const Question& question, const std::optional<KeyMatch>& match) const;
  absl::Status AddQuarantined(const Question& question, const std::optional<KeyMatch>& match) const;
  absl::Status AddRuns(const Question& question) const;

  // False if it is known that a batch has no row for which `may_have` is true.
  RecordScan::BatchGuess Unless(std::function<bool(const UnsealedBatches::Batch&)> may_have) const;

  const RecordStore& store_;
  const RecordQuery& query_;
  const UnsealedBatches* const unsealed_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_EXPLAINER_H_

// Compares the records of a run with those that another revision makes of the same payloads, by the key of the revision
// that runs. Records wait for their counterpart only as long as it takes; more than kMaxDiffBytes of them do not: then
// half of the keys are left out, the same ones on both sides, and so on. Records of one key are paired in their order.
//
// Thread-safe: either side may come from a thread of its own.
#ifndef CHARTLY_DRONE_PIPELINE_RECORD_DIFF_H_
#define CHARTLY_DRONE_PIPELINE_RECORD_DIFF_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/shadow.pb.h"
#include "common/batch/batch.h"

namespace chartly::drone {

inline constexpr size_t kMaxDiffBytes = size_t{8} << 20;

class RecordDiff {
 public:
  enum class Side { kRunning, kTried };

  // `key`: dims without prefix; all dims of a record if empty.
  explicit RecordDiff(std::vector<std::string> key, size_t max_bytes = kMaxDiffBytes)
      : key_(std::move(key)), max_bytes_(max_bytes) {}

  // Takes a packed batch of one side. DataLoss (BATCH_CORRUPT) if it is none.
  absl::Status Add(Side side, absl::string_view batch);
  // What was found, at most 64 KiB. What still waits for its counterpart has none. Call it once, at the end.
  void Describe(v1::ShadowResult& result);

 private:
  // "measures.age" with type and text of its value, in order of name.
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Waiting {
    Side side;
    int64_t number;  // of its arrival
    Fields fields;
  };
  struct Difference {
    int64_t records = 0;
    std::vector<v1::ShadowChange> examples;
  };

  std::string KeyOf(const Fields& fields) const;
  void AddRecord(Side side, Fields fields) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Compare(const std::string& key, const Fields& running, const Fields& tried) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteChange(const std::string& key, const std::string& field, absl::string_view before, absl::string_view after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveOutHalf() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsLeftOut(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DescribeUnpaired(v1::ShadowResult& result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::vector<std::string> key_;
  const size_t max_bytes_;
  absl::Mutex mu_;
  std::unordered_map<std::string, std::deque<Waiting>> waiting_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int halvings_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t arrivals_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t same_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t changed_ ABSL_GUARDED_BY(mu_) = 0;
  std::array<int64_t, 2> left_out_ ABSL_GUARDED_BY(mu_) = {};
  std::array<v1::ShadowCounts, 2> counts_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Difference> differences_ ABSL_GUARDED_BY(mu_);
  std::map<std::pair<std::string, std::string>, v1::ShadowQuarantine> quarantines_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_RECORD_DIFF_H_

// Records for tests of reports, as batches or as the sealed chunks that these become.
#ifndef CHARTLY_CONTROL_REPORTER_FIXED_BATCHES_TEST_H_
#define CHARTLY_CONTROL_REPORTER_FIXED_BATCHES_TEST_H_

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/batch/batch.h"
#include "common/chunk/batch_columns.h"
#include "common/chunk/chunk.h"
#include "common/status/status.h"
#include "control/reporter/batch_source.h"
#include "test/support/test.h"

namespace chartly::reporter {

// A batch with these columns, of rows with a value of each.
inline std::string BatchOf(const std::vector<std::pair<Role, std::string>>& columns,
                           const std::vector<std::vector<Value>>& rows) {
  BatchBuilder builder;
  BatchHeader origin;
  origin.set_profile_id("p");
  origin.set_run_id("r");
  builder.SetOrigin(origin);
  std::vector<size_t> places;
  for (const auto& [role, name] : columns) places.push_back(builder.AddColumn(role, name));
  uint32_t n = 0;
  for (const std::vector<Value>& row : rows) {
    builder.BeginRow(1, ++n);
    for (size_t i = 0; i < places.size(); ++i) builder.Set(places[i], row[i]);
    builder.EndRow();
  }
  absl::StatusOr<std::string> bytes = builder.Finish();
  REQUIRE_OK(bytes);
  return *std::move(bytes);
}

struct StoredBatch {
  std::string bytes;
  std::string current;
};

// Gives batches as they came, or each as the sealed chunk that it would become. Not thread-safe while it changes.
class FixedBatches final : public BatchSource {
 public:
  absl::Status Scan(const std::string& profile_id, const ScanSpan* only, Take take) override {
    auto of_profile = batches.find(profile_id);
    if (of_profile == batches.end()) return absl::OkStatus();
    for (const StoredBatch& batch : of_profile->second) {
      ASSIGN_OR_RETURN(Batch parsed, Batch::Parse(batch.bytes));
      if (only != nullptr && !MayMeet(StretchOf(parsed, only->dim), only->span)) continue;
      if (!sealed) {
        RETURN_IF_ERROR(take({batch.bytes, batch.current}));
        continue;
      }
      ASSIGN_OR_RETURN(const std::string* chunk, ChunkOf(batch.bytes, parsed));
      RETURN_IF_ERROR(take({"", batch.current, *chunk}));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<KeyStretch>> Outline(const std::string& profile_id, const std::string& dim) override {
    std::vector<KeyStretch> stretches;
    for (const StoredBatch& batch : batches[profile_id]) {
      // A damaged one is found when it is read.
      absl::StatusOr<Batch> parsed = Batch::Parse(batch.bytes);
      stretches.push_back(parsed.ok() ? StretchOf(*parsed, dim) : KeyStretch{1, "", ""});
    }
    return stretches;
  }

  bool sealed = false;
  std::map<std::string, std::vector<StoredBatch>> batches;

 private:
  // Sealed once: that takes longer than all that is done with it.
  absl::StatusOr<const std::string*> ChunkOf(const std::string& bytes, const Batch& batch) {
    absl::MutexLock lock(&mutex_);
    auto [chunk, is_new] = chunks_.try_emplace(bytes);
    if (is_new) {
      ASSIGN_OR_RETURN(chunk->second, SealChunk(ColumnsOfBatch(batch, 1), {}));
    }
    return &chunk->second;
  }
  // As the store knows it: nulls do not show.
  static KeyStretch StretchOf(const Batch& batch, const std::string& dim) {
    KeyStretch stretch{batch.rows(), "", ""};
    const ColumnSet columns = ColumnsOfBatch(batch, 1);
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      const Value value = GetValue(columns, Role::kDim, dim, row);
      if (value.is_null()) continue;
      std::string bytes;
      AppendSpanBytes(value, bytes);
      if (stretch.min.empty() || bytes < stretch.min) stretch.min = bytes;
      stretch.max = std::max(stretch.max, bytes);
    }
    return stretch;
  }

  absl::Mutex mutex_;
  std::map<std::string, std::string> chunks_ ABSL_GUARDED_BY(mutex_);  // by the bytes of their batches
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_FIXED_BATCHES_TEST_H_

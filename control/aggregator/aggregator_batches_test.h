// Batches for the tests of this folder.
#ifndef CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_BATCHES_TEST_H_
#define CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_BATCHES_TEST_H_

#include <string>
#include <utility>
#include <vector>

#include "control/aggregator/prepared_batch.h"
#include "control/aggregator/sealer.h"
#include "test/support/test.h"

namespace chartly::aggregator {

struct TestBatch {
  std::string profile_id = "p";
  std::string run_id = "r1";
  std::string drone_id = "d1";
  int64_t observed_us = 1000;
  std::vector<std::pair<int64_t, int64_t>> rows;  // dims.place, measures.value; the key is the place
  int filtered = 0;
  int quarantined = 0;
  std::string tenant = "default";
};

inline std::string Pack(const TestBatch& batch) {
  BatchHeader origin;
  origin.set_tenant(batch.tenant);
  origin.set_profile_id(batch.profile_id);
  origin.set_run_id(batch.run_id);
  origin.set_drone_id(batch.drone_id);
  origin.set_source_uri("https://example.test/data");
  origin.set_observed_us(batch.observed_us);
  origin.add_key("place");
  BatchBuilder builder;
  builder.SetOrigin(origin);
  size_t place = builder.AddColumn(Role::kDim, "place");
  size_t value = builder.AddColumn(Role::kMeasure, "value");
  uint32_t row = 0;
  for (const auto& [where, number] : batch.rows) {
    builder.BeginRow(1, ++row);
    builder.SetInteger(place, where);
    builder.SetInteger(value, number);
    builder.EndRow();
  }
  for (int i = 0; i < batch.filtered; ++i) builder.CountFiltered();
  for (int i = 0; i < batch.quarantined; ++i) {
    builder.Quarantine("mapping.type_coercion_failed", "measures.value", "no number", "{\"value\":\"x\"}", 1, ++row);
  }
  auto bytes = builder.Finish();
  REQUIRE_OK(bytes);
  return *std::move(bytes);
}

inline PreparedBatch Prepare(const TestBatch& batch) {
  auto prepared = PrepareBatch(Pack(batch));
  REQUIRE_OK(prepared);
  return *std::move(prepared);
}

// Parts so small that a few batches give several, of several chunks.
inline SealerOptions SmallParts() {
  SealerOptions options;
  options.merge.chunk_rows = 23;
  options.merge.seal_rows = 120;
  options.merge.part_rows = 3000;
  options.merge.width = 2;
  return options;
}

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_AGGREGATOR_BATCHES_TEST_H_

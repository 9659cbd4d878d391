// A store with records of several types, for the tests of what reads them.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_FIXTURE_TEST_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_FIXTURE_TEST_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/aggregator/aggregator_batches_test.h"
#include "control/aggregator/committer.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/sealer.h"

namespace chartly::aggregator {

struct TestRow {
  int64_t place = 0;                 // dims.place, the key
  std::string city;                  // dims.city
  std::optional<std::string> value;  // measures.value: an integer, or a decimal as written
  std::optional<std::string> note;   // attrs.note
};

class RecordFixture {
 public:
  RecordFixture() {
    auto opened = KvRecordStore::Open(dir_.path(), {.memory_bytes = size_t{8} << 20, .large_values = true});
    REQUIRE_OK(opened);
    store = *std::move(opened);
    auto made = Committer::Open(*store, clock, size_t{64} << 20);
    REQUIRE_OK(made);
    committer = *std::move(made);
    SealerOptions parts;
    parts.merge.chunk_rows = 7;
    parts.merge.seal_rows = 40;
    parts.merge.width = 2;
    sealer = std::make_unique<Sealer>(*store, *committer, parts);
  }

  // Stores the rows as one batch, fetched one second after the batch before.
  CommitResult Send(const std::vector<TestRow>& rows, const std::string& run_id = "r1",
                    const std::string& profile_id = "p") {
    BatchHeader origin;
    origin.set_tenant("default");
    origin.set_profile_id(profile_id);
    origin.set_run_id(run_id);
    origin.set_drone_id("d1");
    origin.set_source_uri("https://example.test/data");
    origin.set_payload_sha256("0f");
    origin.set_captured(captured);
    origin.set_revision("profiles/p@sha256:1");
    origin.set_observed_us(observed_us_ += 1000000);
    origin.add_key("place");
    BatchBuilder builder;
    builder.SetOrigin(origin);
    uint32_t number = 0;
    for (const TestRow& row : rows) {
      builder.BeginRow(2, ++number);
      builder.SetInteger(builder.AddColumn(Role::kDim, "place"), row.place);
      builder.SetText(builder.AddColumn(Role::kDim, "city"), row.city);
      if (row.value.has_value()) {
        auto value = ParseNumber(*row.value);
        REQUIRE_OK(value);
        builder.Set(builder.AddColumn(Role::kMeasure, "value"), *value);
      }
      if (row.note.has_value()) builder.SetText(builder.AddColumn(Role::kAttr, "note"), *row.note);
      builder.EndRow();
    }
    auto bytes = builder.Finish();
    REQUIRE_OK(bytes);
    auto prepared = PrepareBatch(*std::move(bytes));
    REQUIRE_OK(prepared);
    CommitRequest request;
    request.batches.push_back(*std::move(prepared));
    CommitResult result = committer->Commit(std::move(request));
    REQUIRE_OK(result.status);
    if (seals) REQUIRE_OK(sealer->SealNow(1));
    return result;
  }

  FakeClock clock;
  std::unique_ptr<RecordStore> store;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<Sealer> sealer;  // makes small parts
  bool seals = false;              // each batch at once
  bool captured = false;           // whether the drone says that it keeps payloads

 private:
  testing::TempDir dir_;
  int64_t observed_us_ = 0;
};

inline bool NeverGone() { return false; }

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_FIXTURE_TEST_H_

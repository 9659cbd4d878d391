// When batches are sealed; what comes of it is the business of other tests.
#include "control/aggregator/sealer.h"

#include <memory>
#include <string>
#include <utility>

#include "common/clock/clock.h"
#include "control/aggregator/aggregator_batches_test.h"
#include "control/aggregator/kv_record_store.h"
#include "test/support/temp_dir.h"
#include "test/support/test.h"

namespace chartly::aggregator {
namespace {

constexpr uint64_t kFull = 120;  // rows of a part, as SmallParts has it
constexpr int64_t kBatchRows = 60;
constexpr uint64_t kBurstParts = 3;

struct SealingStore {
  explicit SealingStore(absl::Duration burst) {
    auto opened = KvRecordStore::Open(dir.path(), {.memory_bytes = size_t{8} << 20, .large_values = true});
    REQUIRE_OK(opened);
    store = *std::move(opened);
    auto made = Committer::Open(*store, clock, size_t{64} << 20);
    REQUIRE_OK(made);
    committer = *std::move(made);
    SealerOptions options = SmallParts();
    options.burst = burst;
    options.burst_parts = kBurstParts;
    sealer = std::make_unique<Sealer>(*store, *committer, options);
    sealer->Start();
  }
  void Send(const std::string& profile_id, int batches) {
    for (int i = 0; i < batches; ++i) {
      TestBatch batch;
      batch.profile_id = profile_id;
      for (int64_t row = 0; row < kBatchRows; ++row) batch.rows.emplace_back(next++, row);
      CommitRequest request;
      request.batches.push_back(Prepare(batch));
      REQUIRE_OK(committer->Commit(std::move(request)).status);
    }
  }
  uint64_t Unsealed(const std::string& profile_id) const { return committer->unsealed().rows[profile_id]; }

  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<KvRecordStore> store;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<Sealer> sealer;
  int64_t next = 0;
};

}  // namespace

TEST_CASE("while a burst lasts a profile is sealed once it has rows for several parts, and not before") {
  SealingStore records(absl::InfiniteDuration());
  records.Send("few", 3);
  for (int round = 0; round < 4; ++round) {
    records.Send("many", 6);
    CHECK(testing::Eventually([&] { return records.Unsealed("many") < kBurstParts * kFull; }));
  }
  records.sealer->Stop();
  CHECK(records.Unsealed("few") == 3 * kBatchRows);
  CHECK(records.store->Parts("few").empty());
  CHECK(records.store->Parts("many").size() > 1);
}

TEST_CASE("behind a burst a profile is sealed as far as it has rows for a part") {
  SealingStore records(absl::ZeroDuration());
  records.Send("few", 3);
  CHECK(testing::Eventually([&] { return records.Unsealed("few") < kFull; }));
  CHECK(records.store->Parts("few").size() == 1);
}

}  // namespace chartly::aggregator

#include "control/aggregator/kv_record_store.h"

#include "common/status/status.h"
#include "control/aggregator/record_store_battery.h"

namespace chartly::aggregator {
namespace {

using testing::TempDir;

absl::StatusOr<std::unique_ptr<RecordStore>> OpenStore(const std::string& path) {
  return KvRecordStore::Open(path, {.memory_bytes = size_t{8} << 20, .large_values = true});
}

TEST_CASE("the embedded record store passes the battery") {
  RunRecordStoreBattery(OpenStore, "appends to the embedded record store until it is killed");
}

TEST_CASE("appends to the embedded record store until it is killed", "[.writer]") { AppendUntilKilled(OpenStore); }

TEST_CASE("a store of a later format is refused and left as it is") {
  TempDir dir;
  {
    auto kv = OpenKvStore(dir.File("s"), {});
    REQUIRE_OK(kv);
    KvBatch batch;
    batch.Put(StoreKeys(rpc::kDefaultTenant).Format(), "99");
    REQUIRE_OK((*kv)->Write(batch, true));
  }
  for (int i = 0; i < 2; ++i) {
    absl::Status refused = OpenStore(dir.File("s")).status();
    CHECK(Reason(refused) == "STORE_FORMAT_UNKNOWN");
    CHECK(std::string(refused.message()).find("99") != std::string::npos);
  }
}

}  // namespace
}  // namespace chartly::aggregator

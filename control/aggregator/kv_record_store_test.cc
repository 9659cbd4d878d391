#include "control/aggregator/kv_record_store.h"

#include "common/status/status.h"
#include "control/aggregator/record_store_battery.h"

namespace chartly::aggregator {
namespace {

using testing::TempDir;

absl::StatusOr<std::unique_ptr<RecordStore>> OpenStore(const std::string& path) {
  return KvRecordStore::Open(path, {.memory_bytes = size_t{8} << 20, .large_values = true});
}

// What one tenant has of a store that others share: names before and behind, and such that begin alike.
absl::StatusOr<std::unique_ptr<RecordStore>> OpenOfTenant(const std::string& path) {
  ASSIGN_OR_RETURN(std::shared_ptr<KvStore> kv,
                   OpenKvStore(path, {.memory_bytes = size_t{8} << 20, .large_values = true}));
  for (const char* other : {"a", "acm", "acme-2", "default", "zeta"}) {
    ASSIGN_OR_RETURN(std::unique_ptr<KvRecordStore> store, KvRecordStore::Open(kv, other));
    StoreWrite write;
    write.last_batch = 1;
    write.states.profiles["p"].set_records(7);
    RETURN_IF_ERROR(store->Append(std::move(write)));
  }
  return KvRecordStore::Open(kv, "acme");
}

TEST_CASE("the embedded record store passes the battery") {
  RunRecordStoreBattery(OpenStore, "appends to the embedded record store until it is killed");
}

TEST_CASE("appends to the embedded record store until it is killed", "[.writer]") { AppendUntilKilled(OpenStore); }

TEST_CASE("what a tenant has of a record store passes the battery") {
  RunRecordStoreBattery(OpenOfTenant, "appends to what a tenant has of a record store until it is killed");
}

TEST_CASE("appends to what a tenant has of a record store until it is killed", "[.writer]") {
  AppendUntilKilled(OpenOfTenant);
}

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

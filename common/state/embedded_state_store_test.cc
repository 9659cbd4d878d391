#include "common/kv/kv_store.h"
#include "common/state/state_store_battery.h"

namespace chartly {

using testing::PutOne;
using testing::TempDir;

TEST_CASE("the embedded state store passes the battery") {
  testing::RunStateStoreBattery(
      [](const std::string& path, Clock& clock) { return OpenEmbeddedStateStore(path, clock); });
}

TEST_CASE("a second opener of the same folder is refused") {
  TempDir dir;
  FakeClock clock;
  auto first = OpenEmbeddedStateStore(dir.File("s"), clock);
  REQUIRE_OK(first);
  CHECK(absl::IsFailedPrecondition(OpenEmbeddedStateStore(dir.File("s"), clock).status()));
}

TEST_CASE("a store of a later format is not touched") {
  TempDir dir;
  FakeClock clock;
  REQUIRE_OK(OpenEmbeddedStateStore(dir.File("s"), clock));
  {
    auto kv = OpenKvStore(dir.File("s"));
    REQUIRE_OK(kv);
    std::string number;
    AppendBigEndian64(number, 2);
    KvBatch batch;
    batch.Put("m/format", number);
    REQUIRE_OK((*kv)->Write(batch, true));
  }
  CHECK(Reason(OpenEmbeddedStateStore(dir.File("s"), clock).status()) == "STORE_FORMAT");
}

TEST_CASE("a damaged entry is reported by name and others stay readable") {
  TempDir dir;
  FakeClock clock;
  PutOne(**OpenEmbeddedStateStore(dir.File("s"), clock), "good", "1");
  {
    auto kv = OpenKvStore(dir.File("s"));
    REQUIRE_OK(kv);
    KvBatch batch;
    batch.Put("dbad", "short");
    REQUIRE_OK((*kv)->Write(batch, true));
  }
  auto store = OpenEmbeddedStateStore(dir.File("s"), clock);
  REQUIRE_OK(store);
  CHECK(Reason((*store)->Get("bad").status()) == "STATE_DAMAGED");
  CHECK((*store)->Range("").status().code() == absl::StatusCode::kDataLoss);
  CHECK((*store)->Get("good")->value == "1");
}

TEST_CASE("a subscription may outlive its store and end inside its own callback") {
  TempDir dir;
  FakeClock clock;
  auto store = OpenEmbeddedStateStore(dir.File("s"), clock);
  REQUIRE_OK(store);
  std::unique_ptr<StateStore::Subscription> once;
  std::atomic<int> calls{0};
  absl::Notification armed;
  once = (*store)->Watch("", [&](const StateChange&) {
    armed.WaitForNotification();
    ++calls;
    once.reset();
  });
  armed.Notify();
  std::atomic<int> seen{0};
  auto lasting = (*store)->Watch("", [&](const StateChange&) { ++seen; });
  PutOne(**store, "a", "1");
  PutOne(**store, "b", "1");
  CHECK(testing::Eventually([&] { return seen == 2; }));
  CHECK(calls == 1);
  store->reset();
  lasting.reset();
}

TEST_CASE("when watchers fall behind, transactions are refused and nothing is lost") {
  TempDir dir;
  FakeClock clock;
  auto store = OpenEmbeddedStateStore(dir.File("s"), clock);
  REQUIRE_OK(store);
  absl::Notification go_on;
  std::atomic<int> seen{0};
  auto watch = (*store)->Watch("", [&](const StateChange&) {
    go_on.WaitForNotification();
    ++seen;
  });
  int written = 0;
  absl::Status refused;
  for (; written < 100 && refused.ok(); ++written) {
    StateTransaction transaction;
    transaction.puts = {{absl::StrCat("k", written), std::string(4 << 20, 'x')}};
    refused = (*store)->Commit(transaction).status();
  }
  CHECK(Reason(refused) == "STATE_WATCHERS_BEHIND");
  CHECK(written < 30);
  go_on.Notify();
  CHECK(testing::Eventually([&] { return seen == written - 1; }));
  CHECK(absl::IsNotFound((*store)->Get(absl::StrCat("k", written - 1)).status()));
  PutOne(**store, "again", "1");
}

}  // namespace chartly

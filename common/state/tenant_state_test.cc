#include "common/state/tenant_state.h"

#include <memory>
#include <utility>

#include "common/state/state_store_battery.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

void PutOne(StateStore& store, const std::string& key, const std::string& value) {
  StateTransaction transaction;
  transaction.puts = {{key, value}};
  REQUIRE_OK(store.Commit(transaction));
}

// What one tenant has of an embedded store.
class Owning final : public StateStore {
 public:
  Owning(std::unique_ptr<StateStore> shared, const std::string& tenant)
      : shared_(std::move(shared)), own_(MakeTenantState(*shared_, tenant)) {}
  absl::StatusOr<StateEntry> Get(absl::string_view key) const override { return own_->Get(key); }
  absl::StatusOr<std::vector<StateEntry>> Range(absl::string_view prefix, absl::string_view start, size_t limit,
                                                bool reverse) const override {
    return own_->Range(prefix, start, limit, reverse);
  }
  absl::StatusOr<int64_t> Commit(const StateTransaction& transaction) override { return own_->Commit(transaction); }
  std::unique_ptr<Subscription> Watch(std::string prefix, std::function<void(const StateChange&)> callback) override {
    return own_->Watch(std::move(prefix), std::move(callback));
  }
  absl::StatusOr<int64_t> GrantLease(absl::Duration ttl) override { return own_->GrantLease(ttl); }
  absl::Status RenewLease(int64_t lease) override { return own_->RenewLease(lease); }
  absl::Status RevokeLease(int64_t lease) override { return own_->RevokeLease(lease); }
  KvSource& source() override { return own_->source(); }

 private:
  const std::unique_ptr<StateStore> shared_;
  const std::unique_ptr<StateStore> own_;
};

}  // namespace

TEST_CASE("what a tenant has of a store passes the battery of stores") {
  testing::RunStateStoreBattery(
      [](const std::string& path, Clock& clock) -> absl::StatusOr<std::unique_ptr<StateStore>> {
        ASSIGN_OR_RETURN(std::unique_ptr<StateStore> shared, OpenEmbeddedStateStore(path, clock));
        return std::make_unique<Owning>(std::move(shared), "acme");
      });
}

TEST_CASE("tenants use the same keys and meet nothing of each other") {
  testing::TempDir dir;
  FakeClock clock;
  auto shared = OpenEmbeddedStateStore(dir.File("s"), clock);
  REQUIRE_OK(shared);
  std::map<std::string, std::unique_ptr<StateStore>> stores;
  std::map<std::string, testing::ChangeLog> seen;
  // Names of which one begins another.
  const std::vector<std::string> tenants = {"default", "acme", "acme-2", "a", "globex"};
  for (const std::string& tenant : tenants) {
    stores[tenant] = MakeTenantState(**shared, tenant);
    seen[tenant].Watch(*stores[tenant], "thing/");
  }
  for (const std::string& tenant : tenants) {
    PutOne(*stores[tenant], "thing/1", "of " + tenant);
    PutOne(*stores[tenant], "thing/of-" + tenant, "x");
  }
  for (const std::string& tenant : tenants) {
    INFO(tenant);
    StateStore& store = *stores[tenant];
    CHECK(store.Get("thing/1")->value == "of " + tenant);
    CHECK(store.Get("thing/1")->key == "thing/1");
    CHECK(testing::Keys(store.Range("thing/", "", 0, false)) ==
          std::vector<std::string>{"thing/1", "thing/of-" + tenant});
    CHECK(testing::Keys(store.Range("thing/", "", 1, true)) == std::vector<std::string>{"thing/of-" + tenant});
    for (const std::string& other : tenants) {
      if (other != tenant) CHECK(absl::IsNotFound(store.Get("thing/of-" + other).status()));
    }
    CHECK(seen[tenant].Wait(2) == std::vector<std::string>{"thing/1=of " + tenant, "thing/of-" + tenant + "=x"});
  }
  // A condition on a key that only another tenant has.
  StateTransaction transaction;
  transaction.conditions = {{"thing/of-globex", 0}};
  transaction.deletes = {"thing/1"};
  REQUIRE_OK(stores["acme"]->Commit(transaction));
  CHECK(absl::IsNotFound(stores["acme"]->Get("thing/1").status()));
  CHECK(stores["globex"]->Get("thing/1")->value == "of globex");
  CHECK(stores["default"]->Get("thing/1")->value == "of default");
  for (auto& [tenant, log] : seen) log.Stop();
}

TEST_CASE("the tenants of a store are those with entries, and what was there before tenants is the default one's") {
  testing::TempDir dir;
  FakeClock clock;
  auto shared = OpenEmbeddedStateStore(dir.File("s"), clock);
  REQUIRE_OK(shared);
  PutOne(**shared, "profile/old", "1");
  CHECK(TenantsIn(**shared)->empty());
  CHECK(MakeTenantState(**shared, "default")->Get("profile/old")->value == "1");
  for (const char* tenant : {"globex", "a", "acme", "acme-2"}) {
    auto store = MakeTenantState(**shared, tenant);
    for (int i = 0; i < 20; ++i) PutOne(*store, "key/" + std::to_string(i), "v");
  }
  CHECK(*TenantsIn(**shared) == std::vector<std::string>{"a", "acme-2", "acme", "globex"});
}

}  // namespace chartly

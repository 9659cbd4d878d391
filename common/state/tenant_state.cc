#include "common/state/tenant_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr char kTenants[] = "tenants/";
constexpr char kDefaultTenant[] = "default";

class TenantState final : public StateStore {
 public:
  TenantState(StateStore& store, absl::string_view tenant)
      : store_(store), prefix_(tenant == kDefaultTenant ? "" : absl::StrCat(kTenants, tenant, "/")) {}

  absl::StatusOr<StateEntry> Get(absl::string_view key) const override {
    ASSIGN_OR_RETURN(StateEntry entry, store_.Get(Outer(key)));
    entry.key.erase(0, prefix_.size());
    return entry;
  }

  absl::StatusOr<std::vector<StateEntry>> Range(absl::string_view prefix, absl::string_view start, size_t limit,
                                                bool reverse) const override {
    const std::string from = start.empty() ? "" : Outer(start);
    ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store_.Range(Outer(prefix), from, limit, reverse));
    for (StateEntry& entry : entries) entry.key.erase(0, prefix_.size());
    return entries;
  }

  absl::StatusOr<int64_t> Commit(const StateTransaction& transaction) override {
    if (prefix_.empty()) return store_.Commit(transaction);
    StateTransaction outer = transaction;
    bool has_empty = false;
    auto move_in = [&](std::string& key) {
      has_empty = has_empty || key.empty();
      key.insert(0, prefix_);
    };
    for (StateTransaction::Condition& condition : outer.conditions) move_in(condition.key);
    for (StateTransaction::Put& put : outer.puts) move_in(put.key);
    for (std::string& key : outer.deletes) move_in(key);
    // An empty key is refused here as it is there.
    return store_.Commit(has_empty ? transaction : outer);
  }

  std::unique_ptr<Subscription> Watch(std::string prefix, std::function<void(const StateChange&)> callback) override {
    if (prefix_.empty()) return store_.Watch(std::move(prefix), std::move(callback));
    return store_.Watch(Outer(prefix),
                        [size = prefix_.size(), callback = std::move(callback)](const StateChange& seen) {
                          StateChange change = seen;
                          change.entry.key.erase(0, size);
                          callback(change);
                        });
  }

  absl::StatusOr<int64_t> GrantLease(absl::Duration ttl) override { return store_.GrantLease(ttl); }
  absl::Status RenewLease(int64_t lease) override { return store_.RenewLease(lease); }
  absl::Status RevokeLease(int64_t lease) override { return store_.RevokeLease(lease); }
  KvSource& source() override { return store_.source(); }

 private:
  std::string Outer(absl::string_view key) const { return absl::StrCat(prefix_, key); }

  StateStore& store_;
  const std::string prefix_;
};

}  // namespace

std::unique_ptr<StateStore> MakeTenantState(StateStore& store, absl::string_view tenant) {
  return std::make_unique<TenantState>(store, tenant);
}

absl::StatusOr<std::vector<std::string>> TenantsIn(const StateStore& store) {
  std::vector<std::string> tenants;
  std::string start;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<StateEntry> next, store.Range(kTenants, start, 1));
    if (next.empty()) return tenants;
    const absl::string_view rest = absl::string_view(next[0].key).substr(sizeof(kTenants) - 1);
    tenants.emplace_back(rest.substr(0, rest.find('/')));
    start = absl::StrCat(kTenants, tenants.back(), "0");  // '0' is what follows '/'
  }
}

}  // namespace chartly

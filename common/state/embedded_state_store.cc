// Keys in the key-value store (docs/formats/state.md):
//   m/format, m/revision, m/lease   format version, revision of the store, last lease id
//   d{key}                          revision, lease, value of an entry
//   l{lease}                        time to live of a lease
//   k{lease}{key}                   a key that goes with a lease
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/kv/kv_store.h"
#include "common/state/state_store.h"
#include "common/state/watch_hub.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr char kFormatKey[] = "m/format";
constexpr char kRevisionKey[] = "m/revision";
constexpr char kLastLeaseKey[] = "m/lease";
constexpr uint64_t kFormat = 1;
constexpr absl::Duration kLeaseCheckInterval = absl::Seconds(1);
constexpr size_t kStoreMemoryBytes = size_t{8} << 20;

struct Stored {
  int64_t revision = 0;
  int64_t lease = 0;
  std::string value;
};

std::string Number(int64_t number) {
  std::string bytes;
  AppendBigEndian64(bytes, static_cast<uint64_t>(number));
  return bytes;
}
int64_t ReadNumber(absl::string_view bytes) { return static_cast<int64_t>(ReadBigEndian64(bytes)); }
std::string DataKey(absl::string_view key) { return absl::StrCat("d", key); }
std::string LeaseKey(int64_t lease) { return absl::StrCat("l", Number(lease)); }
std::string LeasedPrefix(int64_t lease) { return absl::StrCat("k", Number(lease)); }
std::string LeasedKey(int64_t lease, absl::string_view key) { return absl::StrCat("k", Number(lease), key); }

absl::StatusOr<Stored> Decode(absl::string_view key, absl::string_view bytes) {
  if (bytes.size() < 16) {
    return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
                 absl::StrCat("entry '", key, "' of the state store is damaged; restore the store from a backup"),
                 {{"key", key}});
  }
  return Stored{ReadNumber(bytes.substr(0, 8)), ReadNumber(bytes.substr(8, 8)), std::string(bytes.substr(16))};
}

std::string Encode(const Stored& stored) {
  return absl::StrCat(Number(stored.revision), Number(stored.lease), stored.value);
}

absl::Status LeaseNotFound(int64_t lease) {
  return Error(absl::StatusCode::kNotFound, "LEASE_NOT_FOUND",
               absl::StrCat("lease ", lease, " has ended or never was; grant a new one"),
               {{"lease", absl::StrCat(lease)}});
}

// A key may stand once in a transaction, as in etcd: else the outcome would hang on the order of its parts.
absl::Status Validate(const StateTransaction& transaction) {
  std::set<absl::string_view> keys;
  auto add = [&](const std::string& key) {
    if (!key.empty() && keys.insert(key).second) return absl::OkStatus();
    return Error(absl::StatusCode::kInvalidArgument, "STATE_TRANSACTION_INVALID",
                 absl::StrCat("key '", key, "' is empty or stands twice in one transaction"), {{"key", key}});
  };
  for (const auto& put : transaction.puts) RETURN_IF_ERROR(add(put.key));
  for (const auto& key : transaction.deletes) RETURN_IF_ERROR(add(key));
  return absl::OkStatus();
}

// What one transaction writes, and what its watchers will hear.
struct Staged {
  KvBatch batch;
  std::vector<StateChange> changes;
};

class EmbeddedStateStore final : public StateStore {
 public:
  EmbeddedStateStore(std::unique_ptr<KvStore> kv, Clock& clock)
      : kv_(std::move(kv)), clock_(clock), hub_(WatchHub::Create()) {}
  ~EmbeddedStateStore() override {
    stop_.Notify();
    if (lease_thread_.joinable()) lease_thread_.join();
    hub_->Stop();
  }

  absl::Status Start() {
    {
      absl::MutexLock lock(&mu_);
      RETURN_IF_ERROR(LoadNumbers());
      RETURN_IF_ERROR(LoadLeases());
    }
    lease_thread_ = std::thread([this] {
      while (!stop_.WaitForNotificationWithTimeout(kLeaseCheckInterval)) ExpireLeases();
    });
    return absl::OkStatus();
  }

  absl::StatusOr<StateEntry> Get(absl::string_view key) const override;
  absl::StatusOr<std::vector<StateEntry>> Range(absl::string_view prefix, absl::string_view start, size_t limit,
                                                bool reverse) const override;
  absl::StatusOr<int64_t> Commit(const StateTransaction& transaction) override;
  std::unique_ptr<Subscription> Watch(std::string prefix, std::function<void(const StateChange&)> callback) override {
    absl::MutexLock lock(&mu_);
    return hub_->Subscribe(std::move(prefix), revision_, std::move(callback));
  }
  absl::StatusOr<int64_t> GrantLease(absl::Duration ttl) override;
  absl::Status RenewLease(int64_t lease) override;
  absl::Status RevokeLease(int64_t lease) override;
  KvSource& source() override { return *kv_; }

 private:
  struct Lease {
    absl::Duration ttl;
    absl::Time end;
  };

  absl::Status LoadNumbers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LoadLeases() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ExpireLeases();
  bool IsAlive(int64_t lease) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::optional<Stored>> Read(absl::string_view key) const;
  absl::Status CheckConditions(const StateTransaction& transaction) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status StagePut(const StateTransaction::Put& put, Staged& staged) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status StageDelete(absl::string_view key, Staged& staged) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<int64_t> Apply(Staged staged) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status EndLease(int64_t lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::unique_ptr<KvStore> kv_;
  Clock& clock_;
  const std::shared_ptr<WatchHub> hub_;
  mutable absl::Mutex mu_;  // held over the write: transactions are serial, and watchers hear them in that order
  int64_t revision_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_lease_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int64_t, Lease> leases_ ABSL_GUARDED_BY(mu_);
  absl::Notification stop_;
  std::thread lease_thread_;
};

absl::Status EmbeddedStateStore::LoadNumbers() {
  auto format = kv_->Get(kFormatKey);
  if (absl::IsNotFound(format.status())) {
    KvBatch batch;
    batch.Put(kFormatKey, Number(kFormat));
    return kv_->Write(batch, true);
  }
  RETURN_IF_ERROR(format.status());
  if (format->size() != 8 || ReadBigEndian64(*format) != kFormat) {
    return Error(absl::StatusCode::kFailedPrecondition, "STORE_FORMAT",
                 "the state store has a format this version does not know; start the version that wrote it");
  }
  for (auto [key, number] : {std::pair(kRevisionKey, &revision_), std::pair(kLastLeaseKey, &last_lease_)}) {
    auto bytes = kv_->Get(key);
    if (absl::IsNotFound(bytes.status())) continue;
    RETURN_IF_ERROR(bytes.status());
    if (bytes->size() != 8) return Decode(key, "").status();
    *number = ReadNumber(*bytes);
  }
  return absl::OkStatus();
}

// Nobody could renew while the store was closed, so every lease gets its whole time again.
absl::Status EmbeddedStateStore::LoadLeases() {
  auto it = kv_->NewIterator();
  for (it->Seek("l"); it->Valid() && absl::StartsWith(it->key(), "l"); it->Next()) {
    if (it->key().size() != 9 || it->value().size() != 8) return Decode(it->key(), "").status();
    absl::Duration ttl = absl::Microseconds(ReadNumber(it->value()));
    leases_[ReadNumber(it->key().substr(1))] = {ttl, clock_.Now() + ttl};
  }
  return it->status();
}

absl::StatusOr<std::optional<Stored>> EmbeddedStateStore::Read(absl::string_view key) const {
  auto bytes = kv_->Get(DataKey(key));
  if (absl::IsNotFound(bytes.status())) return std::optional<Stored>();
  RETURN_IF_ERROR(bytes.status());
  ASSIGN_OR_RETURN(Stored stored, Decode(key, *bytes));
  return std::optional<Stored>(std::move(stored));
}

absl::StatusOr<StateEntry> EmbeddedStateStore::Get(absl::string_view key) const {
  ASSIGN_OR_RETURN(std::optional<Stored> stored, Read(key));
  if (stored.has_value()) return StateEntry{std::string(key), std::move(stored->value), stored->revision};
  return Error(absl::StatusCode::kNotFound, "STATE_NOT_FOUND", absl::StrCat("no entry '", key, "'"), {{"key", key}});
}

absl::StatusOr<std::vector<StateEntry>> EmbeddedStateStore::Range(absl::string_view prefix, absl::string_view start,
                                                                  size_t limit, bool reverse) const {
  const std::string low = DataKey(prefix);
  std::string from = start.empty() ? (reverse ? PrefixEnd(low) : low) : DataKey(start);
  if (!reverse && from < low) from = low;
  if (reverse && from > PrefixEnd(low)) from = PrefixEnd(low);
  auto it = kv_->NewIterator();
  if (reverse) {
    it->SeekForPrev(from);
    if (it->Valid() && it->key() == absl::string_view(from)) it->Prev();  // `start` itself is left out
  } else {
    it->Seek(from);
  }
  std::vector<StateEntry> entries;
  while (it->Valid() && absl::StartsWith(it->key(), low) && (limit == 0 || entries.size() < limit)) {
    std::string key(it->key().substr(1));
    ASSIGN_OR_RETURN(Stored stored, Decode(key, it->value()));
    entries.push_back({std::move(key), std::move(stored.value), stored.revision});
    reverse ? it->Prev() : it->Next();
  }
  RETURN_IF_ERROR(it->status());
  return entries;
}

absl::Status EmbeddedStateStore::CheckConditions(const StateTransaction& transaction) const {
  for (const auto& condition : transaction.conditions) {
    ASSIGN_OR_RETURN(std::optional<Stored> stored, Read(condition.key));
    int64_t revision = stored.has_value() ? stored->revision : 0;
    if (revision == condition.revision) continue;
    return Error(absl::StatusCode::kAborted, "STATE_CONFLICT",
                 absl::StrCat("'", condition.key, "' is at revision ", revision, ", not ", condition.revision,
                              "; it was changed meanwhile: read it again"),
                 {{"key", condition.key}});
  }
  return absl::OkStatus();
}

absl::Status EmbeddedStateStore::StagePut(const StateTransaction::Put& put, Staged& staged) const {
  if (put.lease != 0 && !IsAlive(put.lease)) return LeaseNotFound(put.lease);
  ASSIGN_OR_RETURN(std::optional<Stored> old, Read(put.key));
  if (old.has_value() && old->lease != 0 && old->lease != put.lease) {
    staged.batch.Delete(LeasedKey(old->lease, put.key));
  }
  if (put.lease != 0) staged.batch.PutOwned(LeasedKey(put.lease, put.key), "");
  staged.batch.PutOwned(DataKey(put.key), Encode({revision_ + 1, put.lease, put.value}));
  staged.changes.push_back({{put.key, put.value, revision_ + 1}, false});
  return absl::OkStatus();
}

absl::Status EmbeddedStateStore::StageDelete(absl::string_view key, Staged& staged) const {
  ASSIGN_OR_RETURN(std::optional<Stored> old, Read(key));
  if (!old.has_value()) return absl::OkStatus();
  if (old->lease != 0) staged.batch.Delete(LeasedKey(old->lease, key));
  staged.batch.Delete(DataKey(key));
  staged.changes.push_back({{std::string(key), "", revision_ + 1}, true});
  return absl::OkStatus();
}

// A transaction that changes nothing takes no revision.
absl::StatusOr<int64_t> EmbeddedStateStore::Apply(Staged staged) {
  if (!staged.changes.empty()) staged.batch.PutOwned(kRevisionKey, Number(revision_ + 1));
  if (staged.batch.empty()) return revision_;
  RETURN_IF_ERROR(Annotate(kv_->Write(staged.batch, true), "write the state store"));
  if (staged.changes.empty()) return revision_;
  ++revision_;
  hub_->Publish(staged.changes);
  return revision_;
}

absl::StatusOr<int64_t> EmbeddedStateStore::Commit(const StateTransaction& transaction) {
  RETURN_IF_ERROR(Validate(transaction));
  RETURN_IF_ERROR(hub_->WaitForRoom());
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckConditions(transaction));
  Staged staged;
  for (const auto& put : transaction.puts) RETURN_IF_ERROR(StagePut(put, staged));
  for (const auto& key : transaction.deletes) RETURN_IF_ERROR(StageDelete(key, staged));
  return Apply(std::move(staged));
}

bool EmbeddedStateStore::IsAlive(int64_t lease) const {
  auto found = leases_.find(lease);
  return found != leases_.end() && clock_.Now() < found->second.end;
}

absl::StatusOr<int64_t> EmbeddedStateStore::GrantLease(absl::Duration ttl) {
  if (ttl < absl::Microseconds(1) || ttl > absl::Hours(24 * 365)) {
    return Error(absl::StatusCode::kInvalidArgument, "LEASE_TTL",
                 absl::StrCat("a lease lives between a microsecond and a year, not ", absl::FormatDuration(ttl)));
  }
  absl::MutexLock lock(&mu_);
  const int64_t lease = last_lease_ + 1;
  KvBatch batch;
  batch.PutOwned(kLastLeaseKey, Number(lease));
  batch.PutOwned(LeaseKey(lease), Number(absl::ToInt64Microseconds(ttl)));
  RETURN_IF_ERROR(Annotate(kv_->Write(batch, true), "write the state store"));
  last_lease_ = lease;
  leases_[lease] = {ttl, clock_.Now() + ttl};
  return lease;
}

absl::Status EmbeddedStateStore::RenewLease(int64_t lease) {
  absl::MutexLock lock(&mu_);
  if (!IsAlive(lease)) return LeaseNotFound(lease);
  leases_[lease].end = clock_.Now() + leases_[lease].ttl;
  return absl::OkStatus();
}

absl::Status EmbeddedStateStore::RevokeLease(int64_t lease) {
  RETURN_IF_ERROR(hub_->WaitForRoom());
  absl::MutexLock lock(&mu_);
  if (leases_.count(lease) == 0) return LeaseNotFound(lease);
  return EndLease(lease);
}

absl::Status EmbeddedStateStore::EndLease(int64_t lease) {
  Staged staged;
  const std::string prefix = LeasedPrefix(lease);
  auto it = kv_->NewIterator();
  for (it->Seek(prefix); it->Valid() && absl::StartsWith(it->key(), prefix); it->Next()) {
    RETURN_IF_ERROR(StageDelete(it->key().substr(prefix.size()), staged));
  }
  RETURN_IF_ERROR(it->status());
  staged.batch.Delete(LeaseKey(lease));
  RETURN_IF_ERROR(Apply(std::move(staged)).status());
  leases_.erase(lease);
  return absl::OkStatus();
}

// A lease that cannot be ended now (full disk, watchers behind) is dead for its owner already and tried again.
void EmbeddedStateStore::ExpireLeases() {
  std::vector<int64_t> ended;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [id, lease] : leases_) {
      if (lease.end <= clock_.Now()) ended.push_back(id);
    }
  }
  for (int64_t lease : ended) {
    if (!hub_->WaitForRoom().ok()) return;
    absl::MutexLock lock(&mu_);
    if (leases_.count(lease) != 0 && !IsAlive(lease)) EndLease(lease).IgnoreError();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> OpenEmbeddedStateStore(const std::string& path, Clock& clock,
                                                                   size_t keep_log_bytes) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) {
    return Error(absl::StatusCode::kUnavailable, "STORE_FOLDER",
                 absl::StrCat("cannot make the folder ", path, ": ", failed.message()), {{"path", path}});
  }
  ASSIGN_OR_RETURN(
      std::unique_ptr<KvStore> kv,
      OpenKvStore(path, {.memory_bytes = kStoreMemoryBytes, .keep_log_bytes = keep_log_bytes, .clock = &clock}));
  auto store = std::make_unique<EmbeddedStateStore>(std::move(kv), clock);
  RETURN_IF_ERROR(Annotate(store->Start(), absl::StrCat("open the state store in ", path)));
  return absl::StatusOr<std::unique_ptr<StateStore>>(std::move(store));
}

}  // namespace chartly

#include "control/coordinator/webhook_inbox.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "chartly/storage/v1/coordinator.pb.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/text/sha256.h"

namespace chartly::coordinator {
namespace {

constexpr char kWaitingPrefix[] = "webhook/waiting/";
constexpr char kBodyPrefix[] = "webhook/body/";
constexpr char kSeenPrefix[] = "webhook/seen/";
// What a delivery takes beside its body, here and on disk.
constexpr int64_t kOverheadBytes = 512;
// Ids let go of in one transaction.
constexpr size_t kForgetStep = 1000;

std::string KeyOf(absl::string_view prefix, absl::string_view profile_id, int64_t sequence) {
  return absl::StrCat(prefix, profile_id, "/", absl::Hex(sequence, absl::kZeroPad16));
}

std::string SeenKey(absl::string_view profile_id, absl::string_view id) {
  return absl::StrCat(kSeenPrefix, profile_id, "/", id);
}

// "prefix/profile/rest" to profile and rest; an id of a profile has no slash.
std::pair<std::string, std::string> SplitKey(const std::string& key, absl::string_view prefix) {
  absl::string_view tail = absl::StripPrefix(absl::string_view(key), prefix);
  size_t slash = tail.find('/');
  if (slash == tail.npos) return {std::string(tail), ""};
  return {std::string(tail.substr(0, slash)), std::string(tail.substr(slash + 1))};
}

absl::Status Corrupt(const std::string& key) {
  return Error(absl::StatusCode::kDataLoss, "STATE_CORRUPT",
               absl::StrCat("the stored webhook delivery ", key, " cannot be read; restore the coordinator's folder"));
}

StateTransaction::Put WaitingForm(absl::string_view profile_id, int64_t sequence, int64_t bytes,
                                  const std::string& aside_revision) {
  storage::v1::StoredDelivery stored;
  stored.set_bytes(bytes);
  stored.set_aside_revision(aside_revision);
  return {KeyOf(kWaitingPrefix, profile_id, sequence), stored.SerializeAsString()};
}

// A transaction puts or deletes a key once: what comes later holds.
void PutOver(StateTransaction& transaction, StateTransaction::Put put) {
  for (StateTransaction::Put& held : transaction.puts) {
    if (held.key != put.key) continue;
    held = std::move(put);
    return;
  }
  transaction.puts.push_back(std::move(put));
}

void DeleteOver(StateTransaction& transaction, std::string key) {
  auto same = [&key](const StateTransaction::Put& put) { return put.key == key; };
  transaction.puts.erase(std::remove_if(transaction.puts.begin(), transaction.puts.end(), same),
                         transaction.puts.end());
  transaction.deletes.push_back(std::move(key));
}

absl::Status TryLater(absl::string_view reason, absl::string_view message, int64_t seconds) {
  return Error(absl::StatusCode::kResourceExhausted, reason, message, {{"retry_after_seconds", absl::StrCat(seconds)}});
}

}  // namespace

absl::Status WebhookInbox::Load() {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(LoadWaiting());
  return LoadIds();
}

absl::Status WebhookInbox::LoadWaiting() {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store_.Range(kWaitingPrefix));
  for (const StateEntry& entry : entries) {
    auto [profile_id, digits] = SplitKey(entry.key, kWaitingPrefix);
    int64_t sequence = 0;
    storage::v1::StoredDelivery stored;
    if (!absl::SimpleHexAtoi(digits, &sequence) || !stored.ParseFromString(entry.value)) return Corrupt(entry.key);
    Box& box = boxes_[profile_id];
    box.waiting[sequence] = {stored.bytes(), stored.aside_revision()};
    box.bytes += stored.bytes();
    box.aside += stored.aside_revision().empty() ? 0 : 1;
    last_sequence_ = std::max(last_sequence_, sequence);
  }
  return absl::OkStatus();
}

absl::Status WebhookInbox::LoadIds() {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store_.Range(kSeenPrefix));
  for (const StateEntry& entry : entries) {
    auto [profile_id, id] = SplitKey(entry.key, kSeenPrefix);
    storage::v1::StoredWebhookId stored;
    if (!stored.ParseFromString(entry.value)) return Corrupt(entry.key);
    Box& box = boxes_[profile_id];
    absl::Time forget = FromTimestamp(stored.forget_time());
    box.ids[id] = {stored.sha256(), forget};
    box.ids_by_time.insert({forget, id});
  }
  return absl::OkStatus();
}

absl::Status WebhookInbox::CheckRoom(Box& box, int64_t bytes) {
  absl::Time now = clock_.Now();
  double rate = options_.per_minute / 60;
  double added =
      box.tokens_at == absl::InfinitePast() ? options_.per_minute : absl::ToDoubleSeconds(now - box.tokens_at) * rate;
  box.tokens = std::min(options_.per_minute, box.tokens + std::max(0.0, added));
  box.tokens_at = now;
  if (box.tokens < 1) {
    return TryLater("WEBHOOK_RATE_LIMITED",
                    absl::StrCat("more than ", options_.per_minute, " deliveries a minute; send several rows in one"),
                    static_cast<int64_t>(std::ceil((1 - box.tokens) / rate)));
  }
  if (box.bytes + bytes > options_.bytes_max || box.ids.size() >= options_.ids_max) {
    return TryLater("WEBHOOK_BACKLOG_FULL",
                    absl::StrCat(box.bytes, " bytes wait for a run of this profile and ", options_.bytes_max,
                                 " are the most; see with: chartly run list"),
                    60);
  }
  box.tokens -= 1;
  return absl::OkStatus();
}

absl::StatusOr<bool> WebhookInbox::Take(const std::string& profile_id, const v1::WebhookDelivery& delivery,
                                        absl::Duration remember) {
  std::string sha256 = Sha256Hex(delivery.body());
  const std::string& id = delivery.delivery_id();
  // Held over the write: the same delivery twice at one time is stored once.
  absl::MutexLock lock(&mu_);
  Box& box = boxes_[profile_id];
  auto seen = box.ids.find(id);
  if (seen != box.ids.end() && seen->second.forget > clock_.Now()) {
    if (seen->second.sha256 == sha256) return false;
    return Error(absl::StatusCode::kAlreadyExists, "WEBHOOK_ID_REUSED",
                 absl::StrCat("webhook-id ", id, " came before with another body; give each delivery an id of its own"),
                 {{"webhook_id", id}});
  }
  int64_t bytes = static_cast<int64_t>(delivery.body().size()) + kOverheadBytes;
  RETURN_IF_ERROR(CheckRoom(box, bytes));
  // Times make sequences that are not used again after all were dropped and the process restarted.
  int64_t sequence = std::max(last_sequence_ + 1, absl::ToUnixMicros(clock_.Now()));
  absl::Time forget = clock_.Now() + remember;
  storage::v1::StoredWebhookId stored;
  stored.set_sha256(sha256);
  *stored.mutable_forget_time() = ToTimestamp(forget);
  StateTransaction transaction;
  transaction.puts.push_back(WaitingForm(profile_id, sequence, bytes, ""));
  transaction.puts.push_back({KeyOf(kBodyPrefix, profile_id, sequence), delivery.SerializeAsString()});
  transaction.puts.push_back({SeenKey(profile_id, id), stored.SerializeAsString()});
  absl::StatusOr<int64_t> revision = store_.Commit(transaction);
  if (!revision.ok()) return Annotate(revision.status(), "write a webhook delivery");
  last_sequence_ = sequence;
  box.waiting[sequence] = {bytes, ""};
  box.bytes += bytes;
  if (seen != box.ids.end()) box.ids_by_time.erase({seen->second.forget, id});
  box.ids[id] = {sha256, forget};
  box.ids_by_time.insert({forget, id});
  return true;
}

std::vector<int64_t> WebhookInbox::Batch(const std::string& profile_id, absl::string_view revision,
                                         const BatchLimits& limits, const std::set<int64_t>& given) const {
  absl::MutexLock lock(&mu_);
  std::vector<int64_t> batch;
  auto found = boxes_.find(profile_id);
  if (found == boxes_.end()) return batch;
  size_t count = std::min({limits.count, found->second.window, kMaxRunDeliveries});
  int64_t bytes = 0;
  for (const auto& [sequence, waiting] : found->second.waiting) {
    if (given.count(sequence) > 0 || (!waiting.aside_revision.empty() && waiting.aside_revision == revision)) continue;
    bytes += waiting.bytes;
    if (!batch.empty() && (batch.size() >= count || bytes > std::min(limits.bytes, kMaxRunDeliveryBytes))) break;
    batch.push_back(sequence);
  }
  return batch;
}

absl::StatusOr<v1::WebhookDelivery> WebhookInbox::Read(const std::string& profile_id, int64_t sequence) const {
  std::string key = KeyOf(kBodyPrefix, profile_id, sequence);
  ASSIGN_OR_RETURN(StateEntry entry, store_.Get(key));
  v1::WebhookDelivery delivery;
  if (!delivery.ParseFromString(entry.value)) return Corrupt(key);
  return delivery;
}

void WebhookInbox::Remove(const std::string& profile_id, Box& box, int64_t sequence, StateTransaction& transaction) {
  auto found = box.waiting.find(sequence);
  if (found == box.waiting.end()) return;
  box.bytes -= found->second.bytes;
  box.aside -= found->second.aside_revision.empty() ? 0 : 1;
  box.waiting.erase(found);
  DeleteOver(transaction, KeyOf(kWaitingPrefix, profile_id, sequence));
  DeleteOver(transaction, KeyOf(kBodyPrefix, profile_id, sequence));
}

void WebhookInbox::Drop(const std::string& profile_id, const std::vector<int64_t>& sequences,
                        StateTransaction& transaction) {
  absl::MutexLock lock(&mu_);
  Box& box = boxes_[profile_id];
  for (int64_t sequence : sequences) Remove(profile_id, box, sequence, transaction);
  box.window = std::min(2 * box.window, kMaxRunDeliveries);
}

void WebhookInbox::Narrow(const std::string& profile_id, const std::vector<int64_t>& sequences,
                          const std::string& revision, StateTransaction& transaction) {
  absl::MutexLock lock(&mu_);
  Box& box = boxes_[profile_id];
  if (sequences.size() != 1) {
    box.window = std::max<size_t>(1, sequences.size() / 2);
    return;
  }
  auto found = box.waiting.find(sequences[0]);
  if (found == box.waiting.end()) return;
  box.aside += found->second.aside_revision.empty() ? 1 : 0;
  found->second.aside_revision = revision;
  PutOver(transaction, WaitingForm(profile_id, found->first, found->second.bytes, revision));
  LogWarn("webhook delivery set aside until its profile changes", {{"profile", profile_id}, {"revision", revision}});
}

void WebhookInbox::Forget(const std::string& profile_id, StateTransaction& transaction) {
  absl::MutexLock lock(&mu_);
  auto found = boxes_.find(profile_id);
  if (found == boxes_.end()) return;
  Box& box = found->second;
  while (!box.waiting.empty()) Remove(profile_id, box, box.waiting.begin()->first, transaction);
  box.window = kMaxRunDeliveries;
}

absl::Status WebhookInbox::ForgetOldIds() {
  absl::MutexLock lock(&mu_);
  absl::Time now = clock_.Now();
  for (auto& [profile_id, box] : boxes_) {
    StateTransaction transaction;
    auto end = box.ids_by_time.begin();
    for (; end != box.ids_by_time.end() && end->first <= now && transaction.deletes.size() < kForgetStep; ++end) {
      transaction.deletes.push_back(SeenKey(profile_id, end->second));
    }
    if (transaction.deletes.empty()) continue;
    RETURN_IF_ERROR(Annotate(store_.Commit(transaction).status(), "forget webhook ids"));
    for (auto it = box.ids_by_time.begin(); it != end; ++it) box.ids.erase(it->second);
    box.ids_by_time.erase(box.ids_by_time.begin(), end);
  }
  return absl::OkStatus();
}

WebhookInbox::Totals WebhookInbox::totals() const {
  absl::MutexLock lock(&mu_);
  Totals totals;
  for (const auto& [profile_id, box] : boxes_) {
    totals.waiting += static_cast<int64_t>(box.waiting.size());
    totals.bytes += box.bytes;
    totals.aside += box.aside;
  }
  return totals;
}

}  // namespace chartly::coordinator

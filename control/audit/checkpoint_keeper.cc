#include "control/audit/checkpoint_keeper.h"

#include <openssl/rand.h>

#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/audit/audit_keys.h"
#include "common/crypto/key_file.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "control/audit/audit_store.h"

namespace chartly::audit {
namespace {

constexpr size_t kKept = 1000;
// Deleted at once, so that not each checkpoint has to look for what is too old.
constexpr size_t kSurplus = 100;

std::string NewOrigin() {
  std::string bytes(8, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return absl::StrCat("chartly/audit/", absl::BytesToHexString(bytes));
}

absl::Status Put(StateStore& store, const std::string& key, const std::string& value) {
  StateTransaction transaction;
  transaction.puts = {{key, value}};
  return store.Commit(transaction).status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<CheckpointKeeper>> CheckpointKeeper::Open(
    StateStore& store, AuditLog& log, const CheckpointOptions& options,
    std::vector<std::unique_ptr<CheckpointExport>> exports) {
  std::unique_ptr<CheckpointKeeper> keeper(new CheckpointKeeper(store, log, options, std::move(exports)));
  RETURN_IF_ERROR(keeper->Load());
  return keeper;
}

absl::Status CheckpointKeeper::Load() {
  RETURN_IF_ERROR(LoadOrigin());
  RETURN_IF_ERROR(LoadKeys());
  RemoveOldKeys();
  ASSIGN_OR_RETURN(std::vector<StateEntry> newest, store_.Range(kCheckpointPrefix, "", 1, true));
  const uint64_t size = log_.Head().size();
  {
    absl::MutexLock signing(&signing_mu_);
    if (!newest.empty()) {
      ASSIGN_OR_RETURN(std::string text, TextOfNote(newest[0].value));
      ASSIGN_OR_RETURN(latest_.checkpoint, ParseCheckpoint(text));
      latest_.note = newest[0].value;
    }
    absl::MutexLock lock(&mu_);
    appended_ = size;
    signed_ = latest_.checkpoint.size;
  }
  RETURN_IF_ERROR(CompareWithExports());
  log_.OnAppend([this](uint64_t appended) {
    absl::MutexLock lock(&mu_);
    appended_ = appended;
  });
  return absl::OkStatus();
}

absl::Status CheckpointKeeper::LoadOrigin() {
  absl::StatusOr<StateEntry> entry = store_.Get(kOriginKey);
  if (entry.ok()) {
    origin_ = entry->value;
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(entry.status())) return entry.status();
  origin_ = options_.origin.empty() ? NewOrigin() : options_.origin;
  const bool plain = origin_.find_first_of(" +\n\r\t") == origin_.npos;
  if (!plain) {
    return Error(absl::StatusCode::kInvalidArgument, "AUDIT_ORIGIN_INVALID",
                 absl::StrCat("the name '", origin_, "' of the audit log has a blank or a plus; choose another"));
  }
  return Put(store_, kOriginKey, origin_);
}

std::string CheckpointKeeper::KeyFile(const PublicKey& key) const {
  return absl::StrCat(options_.key_dir, "/", key.id(), ".pem");
}

absl::Status CheckpointKeeper::LoadKeys() {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store_.Range(kKeyPrefix));
  if (entries.empty()) return MakeFirstKey();
  std::vector<v1::AuditKey> keys(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) keys[i].ParseFromString(entries[i].value);
  ASSIGN_OR_RETURN(std::vector<NoteKey> known, ReadAuditKeys(origin_, keys));
  absl::StatusOr<PrivateKey> key = ReadPrivateKey(KeyFile(known.back().key()));
  if (!key.ok()) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "AUDIT_KEY_MISSING",
        absl::StrCat("the key that signs the audit log cannot be read: ", key.status().message(),
                     "; restore it from a backup, or move the folder of the audit log away to begin a new one"));
  }
  absl::MutexLock signing(&signing_mu_);
  key_ = std::make_unique<PrivateKey>(*key);
  absl::MutexLock lock(&mu_);
  keys_ = std::move(keys);
  return absl::OkStatus();
}

absl::Status CheckpointKeeper::MakeFirstKey() {
  ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::Generate());
  RETURN_IF_ERROR(WritePrivateKey(KeyFile(key.public_key()), key));
  v1::AuditKey first;
  first.set_verifier(NoteKey(origin_, key.public_key()).Text());
  RETURN_IF_ERROR(Put(store_, AuditKeyKey(0), first.SerializeAsString()));
  absl::MutexLock signing(&signing_mu_);
  key_ = std::make_unique<PrivateKey>(key);
  absl::MutexLock lock(&mu_);
  keys_ = {first};
  return absl::OkStatus();
}

// The first removal may have been cut short.
void CheckpointKeeper::RemoveOldKeys() {
  std::vector<v1::AuditKey> old = keys();
  old.pop_back();
  for (const v1::AuditKey& key : old) {
    absl::StatusOr<NoteKey> parsed = NoteKey::Parse(key.verifier());
    std::error_code ignored;
    if (parsed.ok()) std::filesystem::remove(KeyFile(parsed->key()), ignored);
  }
}

// What went out before must be the beginning of this log: else the log was set back, by a restore or by somebody.
absl::Status CheckpointKeeper::CompareWithExports() {
  for (const auto& each : exports_) {
    ASSIGN_OR_RETURN(std::string note, each->Last());
    if (note.empty()) continue;
    ASSIGN_OR_RETURN(std::string text, TextOfNote(note));
    ASSIGN_OR_RETURN(Checkpoint last, ParseCheckpoint(text));
    const uint64_t size = log_.Head().size();
    absl::StatusOr<MerkleHash> root =
        last.size <= size ? MerkleRoot(last.size, log_.nodes()) : absl::OutOfRangeError("the log is shorter");
    if (last.origin == origin_ && root.ok() && *root == last.root) continue;
    fork_ = Error(absl::StatusCode::kDataLoss, "AUDIT_LOG_SET_BACK",
                  absl::StrCat("the audit log of ", size, " events does not continue the checkpoint of ", last.size,
                               " events that was handed out last; it was restored from an older copy, or changed"));
    LogError("audit log does not continue its checkpoints", {{"error", std::string(fork_.message())}});
  }
  return absl::OkStatus();
}

void CheckpointKeeper::Start() {
  thread_ = std::thread([this, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    Run();
  });
}

void CheckpointKeeper::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void CheckpointKeeper::Run() {
  for (bool last = false; !last;) {
    {
      absl::MutexLock lock(&mu_);
      const auto news = [this] { return stopped_ || appended_ > signed_; };
      const auto enough = [this] { return stopped_ || appended_ >= signed_ + options_.events; };
      mu_.Await(absl::Condition(&news));
      mu_.AwaitWithTimeout(absl::Condition(&enough), options_.interval);
      last = stopped_;
      if (appended_ <= signed_) continue;
    }
    absl::StatusOr<SignedCheckpoint> made = SignNow();
    if (made.ok() || last) continue;
    // A store that cannot be written is tried again with the next interval, not at once.
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&stopped_), options_.interval);
  }
}

absl::StatusOr<SignedCheckpoint> CheckpointKeeper::Latest() {
  {
    absl::MutexLock signing(&signing_mu_);
    if (!latest_.note.empty()) return latest_;
  }
  return SignNow();
}

absl::StatusOr<SignedCheckpoint> CheckpointKeeper::SignNow() {
  absl::MutexLock signing(&signing_mu_);
  if (!latest_.note.empty() && log_.Head().size() == latest_.checkpoint.size) return latest_;
  return Sign({{origin_, *key_}});
}

absl::StatusOr<SignedCheckpoint> CheckpointKeeper::Sign(const std::vector<NoteSigner>& signers) {
  const MerkleFrontier head = log_.Head();
  SignedCheckpoint made;
  made.checkpoint = {origin_, head.size(), head.Root()};
  made.note = SignNote(CheckpointText(made.checkpoint), signers);
  absl::Status kept = Keep(made);
  {
    absl::MutexLock lock(&mu_);
    health_ = kept;
    if (kept.ok()) signed_ = made.checkpoint.size;
  }
  RETURN_IF_ERROR(kept);
  latest_ = made;
  SetGauge("chartly_audit_checkpoint_size", static_cast<double>(made.checkpoint.size));
  HandOut(made);
  return made;
}

absl::Status CheckpointKeeper::Keep(const SignedCheckpoint& checkpoint) {
  StateTransaction transaction;
  transaction.puts = {{CheckpointKey(checkpoint.checkpoint.size), checkpoint.note}};
  ASSIGN_OR_RETURN(std::vector<StateEntry> oldest, store_.Range(kCheckpointPrefix, "", kKept + kSurplus));
  if (oldest.size() == kKept + kSurplus) {
    for (size_t i = 0; i < kSurplus; ++i) transaction.deletes.push_back(oldest[i].key);
  }
  return store_.Commit(transaction).status();
}

void CheckpointKeeper::HandOut(const SignedCheckpoint& checkpoint) {
  for (const auto& each : exports_) {
    absl::Status status = each->Export(checkpoint);
    if (status.ok()) continue;
    Count("chartly_audit_export_failures_total", 1, each->way());
    LogError("checkpoint of the audit log was not handed out",
             {{"way", each->way()}, {"error", std::string(status.message())}});
    absl::MutexLock lock(&mu_);
    health_ = status;
  }
}

absl::StatusOr<v1::AuditKey> CheckpointKeeper::Rotate(const v1::AuditEvent& event) {
  absl::MutexLock signing(&signing_mu_);
  ASSIGN_OR_RETURN(PrivateKey next, PrivateKey::Generate());
  RETURN_IF_ERROR(WritePrivateKey(KeyFile(next.public_key()), next));
  const NoteSigner current{origin_, *key_};
  v1::AuditKey announced;
  RETURN_IF_ERROR(
      log_.Append(event,
                  [&](v1::AuditEvent& appended, StateTransaction& transaction) {
                    announced = AnnounceAuditKey(current, next.public_key(), appended.seq());
                    appended.set_detail(announced.verifier());
                    transaction.puts.push_back({AuditKeyKey(appended.seq()), announced.SerializeAsString()});
                  })
          .status());
  key_ = std::make_unique<PrivateKey>(next);
  {
    absl::MutexLock lock(&mu_);
    keys_.push_back(announced);
  }
  RETURN_IF_ERROR(Sign({current, {origin_, next}}).status());
  RemoveOldKeys();
  return announced;
}

std::vector<v1::AuditKey> CheckpointKeeper::keys() const {
  absl::MutexLock lock(&mu_);
  return keys_;
}

absl::Status CheckpointKeeper::Health() const {
  RETURN_IF_ERROR(fork_);
  for (const auto& each : exports_) RETURN_IF_ERROR(each->Health());
  absl::MutexLock lock(&mu_);
  return health_;
}

}  // namespace chartly::audit

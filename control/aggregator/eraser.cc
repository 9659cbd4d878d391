#include "control/aggregator/eraser.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::aggregator {
namespace {

// A step is one write, during which commits wait.
constexpr size_t kStepBatches = 512;
constexpr size_t kStepQuarantine = 1024;
constexpr size_t kReasonMax = 500;
constexpr char kHoldPrefix[] = "legalHolds/";

absl::Status Invalid(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", message);
}

absl::Status CheckReason(const std::string& reason) {
  if (!reason.empty() && reason.size() <= kReasonMax) return absl::OkStatus();
  return Invalid(absl::StrCat("reason: say why, in at most ", kReasonMax, " characters"));
}

absl::StatusOr<std::string> ProfileIn(absl::string_view name) {
  if (absl::ConsumePrefix(&name, kHoldPrefix) && !name.empty()) return std::string(name);
  return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID", "name must be legalHolds/{profile}");
}

bool Fits(const StoredDeletion& deletion, uint64_t batch, const std::string& run_id, int64_t observed_us) {
  if (batch > deletion.last_batch()) return false;
  if (!deletion.run_id().empty() && run_id != deletion.run_id()) return false;
  return deletion.observed_before_us() == 0 || observed_us < deletion.observed_before_us();
}

// The batch number in the id of a row in quarantine.
uint64_t BatchOf(absl::string_view quarantine_id) { return ReadBigEndian64(quarantine_id.substr(8, 8)); }

}  // namespace

v1::Deletion Describe(const StoredDeletion& deletion) {
  v1::Deletion result;
  result.set_profile_id(deletion.profile_id());
  result.set_run_id(deletion.run_id());
  if (deletion.observed_before_us() != 0) {
    *result.mutable_fetched_before() = ToTimestamp(absl::FromUnixMicros(deletion.observed_before_us()));
  }
  *result.mutable_create_time() = ToTimestamp(absl::FromUnixMicros(deletion.deleted_us()));
  result.set_principal(deletion.principal());
  result.set_reason(deletion.reason());
  result.set_records(deletion.records());
  result.set_batches(deletion.batches());
  result.set_quarantined(deletion.quarantined());
  result.set_finished(deletion.finished());
  return result;
}

v1::LegalHold Describe(const std::string& profile_id, const LegalHold& hold) {
  v1::LegalHold result;
  result.set_name(kHoldPrefix + profile_id);
  result.set_reason(hold.reason());
  result.set_principal(hold.principal());
  *result.mutable_create_time() = ToTimestamp(absl::FromUnixMicros(hold.set_us()));
  return result;
}

absl::Status Eraser::CheckHold(const std::string& profile_id) const {
  ASSIGN_OR_RETURN(std::optional<LegalHold> hold, store_.Hold(profile_id));
  if (!hold.has_value()) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "LEGAL_HOLD",
               absl::StrCat("profile ", profile_id, " is under legal hold since ",
                            absl::FormatTime(absl::FromUnixMicros(hold->set_us()), absl::UTCTimeZone()), " by ",
                            hold->principal(), " (", hold->reason(), "); nothing was deleted"),
               {{"profile", profile_id}});
}

absl::Status Eraser::CheckRun(const StoredDeletion& deletion) const {
  ASSIGN_OR_RETURN(std::optional<RunState> run, store_.Run(deletion.run_id()));
  if (!run.has_value() || run->profile_id() != deletion.profile_id()) {
    return Error(absl::StatusCode::kNotFound, "RUN_NOT_FOUND",
                 absl::StrCat("no run ", deletion.run_id(), " of profile ", deletion.profile_id(), " has arrived"),
                 {{"run", deletion.run_id()}});
  }
  std::set<uint64_t> batches;
  RETURN_IF_ERROR(
      store_.ScanChunks(deletion.profile_id(), 0, [&](uint64_t batch, const ChunkMeta& meta) -> absl::StatusOr<bool> {
        if (Fits(deletion, batch, meta.run_id(), meta.observed_us())) batches.insert(batch);
        return true;
      }));
  if (batches.empty()) return absl::OkStatus();
  const auto replaced_later = [&](uint64_t of, uint64_t by) {
    // Rows of the run that another one replaced; or a row that came late, and may be older than one of the run alone.
    return batches.count(of) > 0 ? batches.count(by) == 0 : of == by && by > *batches.begin();
  };
  ASSIGN_OR_RETURN(bool replaced, store_.AnySuperseded(deletion.profile_id(), replaced_later));
  if (!replaced) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "RUN_REPLACED",
               absl::StrCat("records of run ", deletion.run_id(),
                            " were replaced by later ones, or older ones came after them; delete later runs first"),
               {{"run", deletion.run_id()}});
}

absl::StatusOr<uint64_t> Eraser::NextNumber(const std::string& profile_id) const {
  uint64_t last = 0;
  RETURN_IF_ERROR(store_.ScanDeletions(profile_id, [&](uint64_t number, const StoredDeletion&) -> absl::StatusOr<bool> {
    last = std::max(last, number);
    return true;
  }));
  return last + 1;
}

absl::Status Eraser::TakeBatches(uint64_t after, Erasure& step) const {
  return store_.ScanChunks(step.deletion.profile_id(), after + 1,
                           [&](uint64_t batch, const ChunkMeta& meta) -> absl::StatusOr<bool> {
                             if (batch > step.deletion.last_batch()) return false;
                             if (!Fits(step.deletion, batch, meta.run_id(), meta.observed_us())) return true;
                             step.batches.emplace_back(batch, meta);
                             step.deletion.set_records(step.deletion.records() + meta.stored());
                             step.deletion.set_batches(step.deletion.batches() + 1);
                             // A run is taken back as a whole: its rows may have replaced each other.
                             return !step.deletion.run_id().empty() || step.batches.size() < kStepBatches;
                           });
}

absl::Status Eraser::TakeQuarantine(const std::string& after, Erasure& step, std::string* last) const {
  size_t scanned = 0;
  last->clear();
  return store_.ScanQuarantine(step.deletion.profile_id(), step.deletion.run_id(), after,
                               [&](absl::string_view id, const StoredQuarantine& row) -> absl::StatusOr<bool> {
                                 *last = std::string(id);
                                 if (Fits(step.deletion, BatchOf(id), row.run_id(), row.observed_us())) {
                                   step.quarantine.push_back(std::string(id));
                                   step.deletion.set_quarantined(step.deletion.quarantined() + 1);
                                 }
                                 return ++scanned < kStepQuarantine;
                               });
}

absl::StatusOr<StoredDeletion> Eraser::Run(uint64_t number, StoredDeletion deletion, bool dry) {
  uint64_t last_batch = 0;
  auto erase = [&](const Erasure& step) -> absl::Status {
    if (!dry && (!step.batches.empty() || !step.quarantine.empty())) RETURN_IF_ERROR(committer_.Erase(step));
    deletion = step.deletion;
    return absl::OkStatus();
  };
  for (bool more = true; more;) {
    Erasure step{{}, {}, deletion, number};
    RETURN_IF_ERROR(TakeBatches(last_batch, step));
    more = !step.batches.empty();
    if (more) last_batch = step.batches.back().first;
    RETURN_IF_ERROR(erase(step));
  }
  for (std::string after, last = "first"; !last.empty(); after = last) {
    Erasure step{{}, {}, deletion, number};
    RETURN_IF_ERROR(TakeQuarantine(after, step, &last));
    RETURN_IF_ERROR(erase(step));
  }
  if (dry) return deletion;
  deletion.set_finished(true);
  RETURN_IF_ERROR(store_.PutDeletion(number, deletion));
  Count("chartly_deleted_records_total", static_cast<double>(deletion.records()),
        deletion.principal() == kRetentionPrincipal ? "retention" : "request");
  LogInfo("records deleted", {{"profile", deletion.profile_id()},
                              {"run", deletion.run_id()},
                              {"records", absl::StrCat(deletion.records())},
                              {"by", deletion.principal()}});
  return deletion;
}

absl::Status Eraser::Resume() {
  std::vector<std::pair<uint64_t, StoredDeletion>> unfinished;
  RETURN_IF_ERROR(
      store_.ScanDeletions("", [&](uint64_t number, const StoredDeletion& deletion) -> absl::StatusOr<bool> {
        if (!deletion.finished()) unfinished.emplace_back(number, deletion);
        return true;
      }));
  absl::MutexLock lock(&mu_);
  for (const auto& [number, deletion] : unfinished) RETURN_IF_ERROR(Run(number, deletion, false).status());
  return absl::OkStatus();
}

absl::StatusOr<v1::Deletion> Eraser::Delete(const v1::DeleteRecordsRequest& request, const std::string& principal) {
  if (request.profile_id().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_REQUIRED", "profile_id is empty; say which profile");
  }
  if (!request.run_id().empty() && request.has_fetched_before()) {
    return Invalid("run_id and fetched_before: set one of them");
  }
  RETURN_IF_ERROR(CheckReason(request.reason()));
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckHold(request.profile_id()));
  StoredDeletion deletion;
  deletion.set_profile_id(request.profile_id());
  deletion.set_run_id(request.run_id());
  if (request.has_fetched_before()) {
    deletion.set_observed_before_us(absl::ToUnixMicros(FromTimestamp(request.fetched_before())));
  }
  ASSIGN_OR_RETURN(const uint64_t last_batch, store_.LastBatch());
  deletion.set_last_batch(last_batch);
  deletion.set_deleted_us(absl::ToUnixMicros(clock_.Now()));
  deletion.set_principal(principal);
  deletion.set_reason(request.reason());
  if (!deletion.run_id().empty()) RETURN_IF_ERROR(CheckRun(deletion));
  ASSIGN_OR_RETURN(const uint64_t number, NextNumber(deletion.profile_id()));
  if (!request.validate_only()) RETURN_IF_ERROR(store_.PutDeletion(number, deletion));
  ASSIGN_OR_RETURN(deletion, Run(number, deletion, request.validate_only()));
  return Describe(deletion);
}

absl::StatusOr<v1::Deletion> Eraser::Expire(const std::string& profile_id, absl::Time before) {
  absl::MutexLock lock(&mu_);
  StoredDeletion deletion;
  deletion.set_profile_id(profile_id);
  deletion.set_observed_before_us(absl::ToUnixMicros(before));
  ASSIGN_OR_RETURN(const uint64_t last_batch, store_.LastBatch());
  deletion.set_last_batch(last_batch);
  deletion.set_deleted_us(absl::ToUnixMicros(clock_.Now()));
  deletion.set_principal(kRetentionPrincipal);
  deletion.set_reason("the retention of the profile");
  const absl::Status held = CheckHold(profile_id);
  if (Reason(held) == "LEGAL_HOLD") return Describe(deletion);
  RETURN_IF_ERROR(held);
  ASSIGN_OR_RETURN(const StoredDeletion found, Run(0, deletion, true));
  if (found.batches() == 0 && found.quarantined() == 0) return Describe(deletion);
  ASSIGN_OR_RETURN(const uint64_t number, NextNumber(profile_id));
  RETURN_IF_ERROR(store_.PutDeletion(number, deletion));
  ASSIGN_OR_RETURN(deletion, Run(number, deletion, false));
  return Describe(deletion);
}

absl::StatusOr<v1::LegalHold> Eraser::SetHold(const v1::SetLegalHoldRequest& request, const std::string& principal) {
  ASSIGN_OR_RETURN(const std::string profile_id, ProfileIn(request.name()));
  RETURN_IF_ERROR(CheckName("profile of a legal hold", profile_id));
  RETURN_IF_ERROR(CheckReason(request.reason()));
  absl::MutexLock lock(&mu_);
  LegalHold hold;
  hold.set_reason(request.reason());
  hold.set_principal(principal);
  hold.set_set_us(absl::ToUnixMicros(clock_.Now()));
  RETURN_IF_ERROR(store_.PutHold(profile_id, hold));
  return Describe(profile_id, hold);
}

absl::StatusOr<v1::ClearLegalHoldResponse> Eraser::ClearHold(const v1::ClearLegalHoldRequest& request) {
  ASSIGN_OR_RETURN(const std::string profile_id, ProfileIn(request.name()));
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(std::optional<LegalHold> hold, store_.Hold(profile_id));
  if (!hold.has_value()) {
    return Error(absl::StatusCode::kNotFound, "LEGAL_HOLD_NOT_FOUND",
                 absl::StrCat("profile ", profile_id, " is under no legal hold"), {{"profile", profile_id}});
  }
  RETURN_IF_ERROR(store_.PutHold(profile_id, std::nullopt));
  return v1::ClearLegalHoldResponse();
}

}  // namespace chartly::aggregator

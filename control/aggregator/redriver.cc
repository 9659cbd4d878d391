#include "control/aggregator/redriver.h"

#include <random>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/clock/proto_time.h"
#include "common/normalize/normalizer.h"
#include "common/normalize/validate.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/aggregator/page_token.h"
#include "control/aggregator/prepared_batch.h"
#include "control/aggregator/raw_row.h"
#include "control/aggregator/store_keys.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kMaxRows = 10000;
constexpr size_t kMaxRawBytes = size_t{8} << 20;
constexpr int kMaxFailures = 100;
// Unpacked, so that a packed batch always fits its bound.
constexpr size_t kTargetBatchBytes = size_t{2} << 20;

std::string NewRedriveId() {
  std::random_device random;
  return absl::StrCat("redrive-", absl::Hex(random(), absl::kZeroPad8), absl::Hex(random(), absl::kZeroPad8));
}

// What the rows of one batch have in common.
auto OriginOf(const StoredQuarantine& row) {
  return std::make_tuple(row.observed_us(), row.drone_id(), row.origin().source_uri(), row.origin().payload_sha256());
}

// Builds batches of rows that keep their contract now.
class Rebuilder {
 public:
  static absl::StatusOr<std::unique_ptr<Rebuilder>> Create(const ProfileRevision& revision, std::string run_id,
                                                           const std::string& tenant) {
    ASSIGN_OR_RETURN(Profile profile, ValidateProfileOrError(revision.name, revision.content));
    std::unique_ptr<Rebuilder> rebuilder(new Rebuilder(std::move(profile), revision.name, std::move(run_id), tenant));
    ASSIGN_OR_RETURN(rebuilder->normalizer_, Normalizer::Create(rebuilder->profile_));
    ASSIGN_OR_RETURN(rebuilder->row_, RawRow::Create(rebuilder->profile_, rebuilder->normalizer_->paths()));
    rebuilder->normalizer_->Bind(rebuilder->builder_);
    rebuilder->normalizer_->Bind(rebuilder->refused_);
    return rebuilder;
  }

  // True if the row is in a batch now, or was filtered; false if it stays where it is.
  absl::StatusOr<bool> Add(const StoredQuarantine& stored, v1::RedriveFailure& failure) {
    const storage::v1::Quarantined& row = stored.row();
    absl::Status read = row_->Read(row.raw());
    if (!read.ok()) {
      failure.set_reason_code("redrive.unreadable");
      failure.set_message(std::string(read.message()));
      return false;
    }
    // Tried apart first: a batch must not hold rows that stay in quarantine.
    if (normalizer_->Add(*row_, row.page(), row.row(), refused_) == Normalizer::Outcome::kQuarantined) {
      failure.set_reason_code(normalizer_->last_reason());
      failure.set_message(normalizer_->last_message());
      if (refused_.bytes() >= kTargetBatchBytes) RETURN_IF_ERROR(refused_.Finish().status());
      return false;
    }
    RETURN_IF_ERROR(SetOrigin(stored));
    if (normalizer_->Add(*row_, row.page(), row.row(), builder_) == Normalizer::Outcome::kFiltered) {
      ++filtered_;
    } else {
      ++kept_;
    }
    if (builder_.rows() == kMaxBatchRows || builder_.bytes() >= kTargetBatchBytes) RETURN_IF_ERROR(Flush());
    if (refused_.bytes() >= kTargetBatchBytes) RETURN_IF_ERROR(refused_.Finish().status());
    return true;
  }

  absl::Status Flush() {
    if (builder_.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(std::string bytes, builder_.Finish());
    ASSIGN_OR_RETURN(PreparedBatch prepared, PrepareBatch(std::move(bytes), tenant_));
    batches.push_back(std::move(prepared));
    return absl::OkStatus();
  }

  int64_t kept() const { return kept_; }
  int64_t filtered() const { return filtered_; }
  std::vector<PreparedBatch> batches;

 private:
  Rebuilder(Profile profile, std::string revision, std::string run_id, std::string tenant)
      : profile_(std::move(profile)),
        revision_(std::move(revision)),
        run_id_(std::move(run_id)),
        tenant_(std::move(tenant)) {
    BatchHeader origin;
    refused_.SetOrigin(origin);
  }

  absl::Status SetOrigin(const StoredQuarantine& stored) {
    if (has_origin_ && OriginOf(stored) == OriginOf(last_)) return absl::OkStatus();
    RETURN_IF_ERROR(Flush());
    BatchHeader origin;
    origin.set_tenant(tenant_);
    origin.set_profile_id(profile_.id);
    origin.set_revision(revision_);
    origin.set_run_id(run_id_);
    origin.set_drone_id(stored.drone_id());
    origin.set_source_uri(stored.origin().source_uri());
    origin.set_payload_sha256(stored.origin().payload_sha256());
    origin.set_captured(stored.origin().captured());
    origin.set_observed_us(stored.observed_us());
    for (const std::string& dim : profile_.key) origin.add_key(dim);
    builder_.SetOrigin(origin);
    last_ = stored;
    has_origin_ = true;
    return absl::OkStatus();
  }

  const Profile profile_;
  const std::string revision_;
  const std::string run_id_;
  const std::string tenant_;
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<RawRow> row_;
  BatchBuilder builder_;
  BatchBuilder refused_;  // takes what is tried; never stored
  StoredQuarantine last_;
  bool has_origin_ = false;
  int64_t kept_ = 0;
  int64_t filtered_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Redriver::Taken>> Redriver::TakeRows(const v1::RedriveQuarantineRequest& request,
                                                                v1::RedriveQuarantineResponse& answer) const {
  ASSIGN_OR_RETURN(std::string after, FromPageToken(request.page_token(), StoreKeys::kQuarantineIdBytes));
  std::set<std::string> wanted(request.ids().begin(), request.ids().end());
  std::vector<Taken> taken;
  size_t bytes = 0;
  auto visit = [&](absl::string_view id, const StoredQuarantine& row) -> absl::StatusOr<bool> {
    bool full = taken.size() >= kMaxRows || bytes >= kMaxRawBytes;
    if (full) {
      answer.set_next_page_token(ToHex(taken.back().id));
      return false;
    }
    bool asked = wanted.empty() || wanted.count(ToHex(id)) > 0;
    if (!asked || !row.redriven_run_id().empty()) return true;
    taken.push_back({std::string(id), row});
    bytes += row.ByteSizeLong();
    return true;
  };
  RETURN_IF_ERROR(store_.ScanQuarantine(request.profile_id(), request.run_id(), after, visit));
  return taken;
}

absl::StatusOr<v1::RedriveQuarantineResponse> Redriver::Redrive(const v1::RedriveQuarantineRequest& request) {
  if (request.profile_id().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_REQUIRED", "profile_id is empty; say which profile");
  }
  absl::MutexLock lock(&mu_);
  v1::RedriveQuarantineResponse answer;
  ASSIGN_OR_RETURN(ProfileRevision revision, find_revision_(request.profile_id()));
  answer.set_revision(revision.name);
  std::string run_id = NewRedriveId();
  ASSIGN_OR_RETURN(std::unique_ptr<Rebuilder> rebuilder, Rebuilder::Create(revision, run_id, tenant_));
  ASSIGN_OR_RETURN(std::vector<Taken> rows, TakeRows(request, answer));
  answer.set_tried(static_cast<int64_t>(rows.size()));
  CommitRequest commit;
  for (Taken& taken : rows) {
    v1::RedriveFailure failure;
    ASSIGN_OR_RETURN(bool left, rebuilder->Add(taken.row, failure));
    if (left) {
      taken.row.set_redriven_run_id(run_id);
      commit.redriven.push_back({std::move(taken.id), std::move(taken.row)});
      continue;
    }
    answer.set_kept_back(answer.kept_back() + 1);
    if (answer.failures_size() >= kMaxFailures) continue;
    failure.set_id(ToHex(taken.id));
    *answer.add_failures() = std::move(failure);
  }
  RETURN_IF_ERROR(rebuilder->Flush());
  v1::Balance& balance = *answer.mutable_balance();
  balance.set_fetched(rebuilder->kept() + rebuilder->filtered());
  balance.set_stored(rebuilder->kept());
  balance.set_filtered(rebuilder->filtered());
  balance.set_closed(true);
  if (request.dry_run() || commit.redriven.empty()) return answer;
  commit.batches = std::move(rebuilder->batches);
  v1::RunEnd end;
  end.set_run_id(run_id);
  end.set_profile_id(request.profile_id());
  end.set_fetched(balance.fetched());
  end.set_revision(revision.name);
  *end.mutable_started_at() = ToTimestamp(clock_.Now());
  *end.mutable_finished_at() = end.started_at();
  commit.run_end = std::move(end);
  answer.set_run_id(run_id);
  RETURN_IF_ERROR(CommitRun(std::move(commit), answer));
  return answer;
}

absl::Status Redriver::CommitRun(CommitRequest commit, v1::RedriveQuarantineResponse& answer) {
  CommitResult result = committer_.Commit(std::move(commit));
  RETURN_IF_ERROR(result.status);
  v1::Balance& balance = *answer.mutable_balance();
  balance.set_stored(result.stored);
  balance.set_duplicate(result.duplicate);
  balance.set_closed(balance.fetched() == result.stored + result.duplicate + balance.filtered());
  Count("chartly_redriven_rows_total", static_cast<double>(balance.fetched()), "left");
  Count("chartly_redriven_rows_total", static_cast<double>(answer.kept_back()), "stayed");
  return absl::OkStatus();
}

}  // namespace chartly::aggregator

#include "control/aggregator/record_explainer.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/batch/record_id.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/aggregator/page_token.h"
#include "control/aggregator/record_view.h"

namespace chartly::aggregator {
namespace {

constexpr int kMaxVersions = 100;
constexpr int kMaxRuns = 10;
constexpr int kMaxQuarantined = 10;
constexpr int kMaxQuarantineScanned = 100000;

absl::Status Invalid(absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::StatusOr<Hash128> ParseId(const std::string& text) {
  std::string lower = absl::AsciiStrToLower(text);
  absl::StatusOr<std::string> bytes = FromPageToken(lower, 16);
  if (!bytes.ok()) {
    return Invalid("RECORD_ID_INVALID", absl::StrCat("\"", text, "\" is no record id; one has 32 hex digits"));
  }
  return Hash128{ReadBigEndian64(*bytes), ReadBigEndian64(absl::string_view(*bytes).substr(8))};
}

// The hash of a payload that was too large to be hashed before its first rows were sent on stands in the end of its
// run.
void FillLatePayload(const RecordStore& store, absl::string_view profile_id, v1::Provenance& origin) {
  if (!origin.payload_sha256().empty()) return;
  absl::StatusOr<std::optional<RunState>> run = store.Run(origin.run_id());
  if (!run.ok() || !run->has_value()) return;
  for (const v1::RunPayload& payload : (*run)->end().payloads()) {
    if (payload.page() != origin.page()) continue;
    origin.set_payload_sha256(payload.sha256());
    if (payload.captured()) SetRawRef(profile_id, origin);
  }
}

std::string Ended(const v1::RunLedger& run) {
  if (!run.has_end()) return "has not ended";
  if (!run.end().error_reason().empty()) return absl::StrCat("ended with ", run.end().error_reason());
  return "ended well";
}

}  // namespace

// What is asked, and the answer as far as it is known.
struct RecordExplainer::Question {
  const v1::ExplainRecordRequest& request;
  const Gone& gone;
  v1::ExplainRecordResponse& answer;
  uint64_t as_of = 0;
  RecordSelection selection() const { return {request.profile_id(), "", true, as_of}; }
  bool by_place() const { return request.page() > 0 || request.row() > 0; }
};

RecordScan::BatchGuess RecordExplainer::Unless(std::function<bool(const UnsealedBatches::Batch&)> may_have) const {
  return [this, may_have = std::move(may_have)](uint64_t number) {
    const UnsealedBatches::BatchPtr batch = unsealed_ == nullptr ? nullptr : unsealed_->Find(number);
    return batch == nullptr || may_have(*batch);
  };
}

absl::StatusOr<std::optional<KeyMatch>> RecordExplainer::FindId(const Question& question) const {
  ASSIGN_OR_RETURN(Hash128 id, ParseId(question.request.record_id()));
  ASSIGN_OR_RETURN(RecordScan scan, RecordScan::Create(store_, question.selection()));
  scan.SkipUnless(
      [&id](const Part& part, uint32_t chunk) { return part.ids == nullptr || part.ids->MayContain(chunk, id); });
  scan.SkipUnsealedUnless(Unless([&id](const UnsealedBatches::Batch& batch) { return batch.Has(id); }));
  std::optional<KeyMatch> found;
  RETURN_IF_ERROR(scan.Run(ScanCursor(), question.gone, [&](const RecordBlock& block) -> absl::StatusOr<bool> {
    const RecordIds ids = block.Ids();
    question.answer.set_scanned(question.answer.scanned() + block.size());
    // Rows that were duplicates or are deleted are not stored here.
    block.rows().ForEach(0, [&](uint32_t row) {
      if (row < block.size() && ids.ids[row] == id) found = KeyMatch::OfRow(block, row);
      return row < block.size() && !found.has_value();
    });
    return !found.has_value();
  }));
  return found;
}

absl::StatusOr<std::optional<KeyMatch>> RecordExplainer::FindPlace(const Question& question) const {
  const v1::ExplainRecordRequest& request = question.request;
  RecordSelection selection = question.selection();
  selection.run_id = request.run_id();  // parts without a row of the run are passed over
  ASSIGN_OR_RETURN(RecordScan scan, RecordScan::Create(store_, std::move(selection)));
  std::optional<KeyMatch> found;
  auto is_there = [&](const RecordBlock& block, uint32_t row) {
    if (block.SourcePage(row) != request.page() || block.SourceRow(row) != request.row()) return false;
    const ChunkMeta& meta = block.Meta(row);
    if (!request.run_id().empty() && meta.run_id() != request.run_id()) return false;
    return request.payload_sha256().empty() || meta.origin().payload_sha256() == request.payload_sha256();
  };
  RETURN_IF_ERROR(scan.Run(ScanCursor(), question.gone, [&](const RecordBlock& block) -> absl::StatusOr<bool> {
    question.answer.set_scanned(question.answer.scanned() + block.size());
    for (uint32_t row = 0; row < block.size(); ++row) {
      // A batch has its duplicates, a sealed chunk has none, but may have rows of later batches.
      if (block.source().sealed && !block.rows().Contains(row)) continue;
      if (!is_there(block, row)) continue;
      found = KeyMatch::OfRow(block, row);
      if (!block.rows().Contains(row)) {
        question.answer.set_absence(v1::ABSENCE_DUPLICATE);
        question.answer.set_explanation(
            absl::StrCat("row ", request.row(), " of page ", request.page(), " of run ", block.Meta(row).run_id(),
                         " has the content of a record that was stored before; it was counted as a duplicate"));
      }
      return false;
    }
    return true;
  }));
  return found;
}

absl::Status RecordExplainer::AddHistories(const Question& question, KeyMatch match) const {
  ASSIGN_OR_RETURN(int limit, PageLimit(question.request.limit(), 10, 100));
  ASSIGN_OR_RETURN(RecordScan scan, RecordScan::Create(store_, question.selection()));
  std::map<Hash128, v1::RecordHistory*> histories;
  auto add = [&](const RecordBlock& block, uint32_t row, const Hash128& key, const Hash128& id) -> absl::Status {
    auto known = histories.find(key);
    if (known == histories.end()) {
      if (question.answer.records_size() >= limit) return absl::OkStatus();
      v1::RecordHistory* history = question.answer.add_records();
      history->set_key_id(key.ToHex());
      known = histories.emplace(key, history).first;
    }
    auto& versions = *known->second->mutable_versions();
    if (versions.size() == kMaxVersions) versions.DeleteSubrange(0, 1);
    v1::RecordVersion& version = *versions.Add();
    ASSIGN_OR_RETURN(bool newest, scan.IsNewest(question.request.profile_id(), block.Location(row)));
    version.set_newest(newest);
    FillRecord(block, row, RecordProjection(), *version.mutable_record());
    version.mutable_record()->set_id(id.ToHex());
    FillLatePayload(store_, question.request.profile_id(), *version.mutable_record()->mutable_provenance());
    return absl::OkStatus();
  };
  scan.SkipUnless([&match](const Part& part, uint32_t chunk) { return match.MayBeIn(part.meta, chunk); });
  scan.SkipUnsealedUnless(
      Unless([&match](const UnsealedBatches::Batch& batch) { return match.MayBeIn(batch.ranges()); }));
  return scan.Run(ScanCursor(), question.gone, [&](const RecordBlock& block) -> absl::StatusOr<bool> {
    match.Bind(block.columns());
    question.answer.set_scanned(question.answer.scanned() + block.size());
    std::vector<uint32_t> rows;
    block.rows().ForEach(0, [&](uint32_t row) {
      if (row < block.size() && match.Matches(row)) rows.push_back(row);
      return row < block.size();
    });
    const RecordIds ids = block.Ids(rows);
    for (size_t i = 0; i < rows.size(); ++i) RETURN_IF_ERROR(add(block, rows[i], ids.keys[i], ids.ids[i]));
    return true;
  });
}

absl::Status RecordExplainer::AddQuarantined(const Question& question, const std::optional<KeyMatch>& match) const {
  const v1::ExplainRecordRequest& request = question.request;
  std::vector<std::string> texts = match.has_value() ? match->texts() : std::vector<std::string>();
  if (!question.by_place() && texts.empty()) return absl::OkStatus();
  int scanned = 0;
  auto fits = [&](const StoredQuarantine& stored) {
    if (!stored.redriven_run_id().empty()) return false;
    if (question.by_place()) {
      return stored.row().page() == request.page() && stored.row().row() == request.row();
    }
    return std::all_of(texts.begin(), texts.end(),
                       [&](const std::string& text) { return absl::StrContains(stored.row().raw(), text); });
  };
  auto visit = [&](absl::string_view id, const StoredQuarantine& stored) -> absl::StatusOr<bool> {
    if (question.gone()) return absl::CancelledError("the caller has gone");
    if (fits(stored)) FillQuarantineRow(id, stored, *question.answer.add_quarantined());
    return ++scanned < kMaxQuarantineScanned && question.answer.quarantined_size() < kMaxQuarantined;
  };
  return store_.ScanQuarantine(request.profile_id(), request.run_id(), "", visit);
}

absl::Status RecordExplainer::AddRuns(const Question& question) const {
  // The newest runs: those whose first entry came last. One that had no entry but its end may share its number.
  std::set<std::tuple<uint64_t, int64_t, std::string>> newest;
  auto visit = [&](const std::string& run_id, const RunState& run) -> absl::StatusOr<bool> {
    const v1::ExplainRecordRequest& request = question.request;
    if (run.profile_id() != request.profile_id()) return true;
    if (!request.run_id().empty() && run_id != request.run_id()) return true;
    newest.emplace(run.ordinal(), run.end().finished_at().seconds(), run_id);
    if (newest.size() > kMaxRuns) newest.erase(newest.begin());
    return true;
  };
  RETURN_IF_ERROR(store_.ScanRuns(visit));
  for (auto run = newest.rbegin(); run != newest.rend(); ++run) {
    ASSIGN_OR_RETURN(*question.answer.add_runs(), query_.Ledger(absl::StrCat("runs/", std::get<std::string>(*run))));
  }
  return absl::OkStatus();
}

// What is deleted is not known any more, so it may be any record that was stored before.
absl::StatusOr<bool> RecordExplainer::AddDeleted(const Question& question) const {
  const v1::ExplainRecordRequest& request = question.request;
  std::optional<StoredDeletion> newest;
  RETURN_IF_ERROR(
      store_.ScanDeletions(request.profile_id(), [&](uint64_t, const StoredDeletion& deletion) -> absl::StatusOr<bool> {
        if (deletion.records() > 0) newest = deletion;
        return true;
      }));
  if (!newest.has_value()) return false;
  if (!request.run_id().empty()) {
    ASSIGN_OR_RETURN(std::optional<RunState> run, store_.Run(request.run_id()));
    if (!run.has_value() || run->profile_id() != request.profile_id() || run->deleted() == 0) return false;
  }
  question.answer.set_absence(v1::ABSENCE_MAYBE_DELETED);
  question.answer.set_explanation(absl::StrCat(
      "records of the profile were deleted, it may be one of them: the last time ", newest->records(), " by ",
      newest->principal(), " at ", absl::FormatTime(absl::FromUnixMicros(newest->deleted_us()), absl::UTCTimeZone()),
      " (", newest->reason(), ")"));
  return true;
}

absl::Status RecordExplainer::AddAbsence(const Question& question, const std::optional<KeyMatch>& match) const {
  v1::ExplainRecordResponse& answer = question.answer;
  RETURN_IF_ERROR(AddQuarantined(question, match));
  RETURN_IF_ERROR(AddRuns(question));
  if (answer.quarantined_size() > 0) {
    const v1::QuarantineRow& row = answer.quarantined(0);
    answer.set_absence(v1::ABSENCE_QUARANTINED);
    answer.set_explanation(absl::StrCat(question.by_place() ? "the row is" : "a row with all these values is",
                                        " in quarantine: ", row.reason_code(), " ", row.field(), ": ", row.message(),
                                        "; mend the profile, then: chartly quarantine redrive ", row.profile_id()));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool deleted, AddDeleted(question));
  if (deleted) return absl::OkStatus();
  if (answer.runs().empty()) {
    answer.set_absence(v1::ABSENCE_NO_RUN);
    answer.set_explanation("no such run of this profile has reached the store");
    return absl::OkStatus();
  }
  const v1::RunLedger& last = answer.runs(0);
  int64_t filtered = 0;
  int64_t duplicate = 0;
  for (const v1::RunLedger& run : answer.runs()) {
    filtered += run.balance().filtered();
    duplicate += run.balance().duplicate();
  }
  std::string looked = absl::StrCat("the newest run, ", last.run_id(), ", ", Ended(last), " and fetched ",
                                    last.balance().fetched(), " rows");
  if (last.has_end() && !last.end().error_reason().empty() && !last.end().truncated()) {
    answer.set_absence(v1::ABSENCE_RUN_FAILED);
    answer.set_explanation(absl::StrCat(looked, ": ", last.end().error()));
  } else if (filtered > 0) {
    answer.set_absence(v1::ABSENCE_MAYBE_FILTERED);
    answer.set_explanation(absl::StrCat(looked, "; the filter of the profile left out ", filtered,
                                        " rows of the runs shown. Those are counted and not kept, so it may be one"));
  } else {
    answer.set_absence(v1::ABSENCE_NEVER_FETCHED);
    answer.set_explanation(
        absl::StrCat(looked, "; none of them was it, none was filtered, and none in quarantine has it"));
  }
  if (question.by_place() && duplicate > 0) {
    answer.set_explanation(absl::StrCat(
        answer.explanation(), ". Duplicates are counted, and not kept once their batch is merged: ", duplicate,
        " rows were duplicates, it may be one of them"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ExplainRecordResponse> RecordExplainer::Explain(const v1::ExplainRecordRequest& request,
                                                                   const Gone& gone) const {
  v1::ExplainRecordResponse answer;
  ASSIGN_OR_RETURN(uint64_t as_of, store_.LastBatch());
  Question question{request, gone, answer, as_of};
  if (request.profile_id().empty()) return Invalid("PROFILE_REQUIRED", "profile_id is empty; say which profile");
  int ways = (request.record_id().empty() ? 0 : 1) + (request.key().empty() ? 0 : 1) + (question.by_place() ? 1 : 0);
  if (ways != 1)
    return Invalid("QUESTION_INVALID", "ask by record_id, or by key, or by page and row, and by one alone");
  bool whole_place =
      request.page() > 0 && request.row() > 0 && !(request.run_id().empty() && request.payload_sha256().empty());
  if (question.by_place() && !whole_place) {
    return Invalid("QUESTION_INVALID", "a place needs page and row, and run_id or payload_sha256");
  }
  std::optional<KeyMatch> match;
  bool known = true;  // whether there is something to look for
  if (!request.key().empty()) {
    ASSIGN_OR_RETURN(match, KeyMatch::Parse({request.key().begin(), request.key().end()}));
  } else {
    ASSIGN_OR_RETURN(match, question.by_place() ? FindPlace(question) : FindId(question));
    known = match.has_value();
  }
  if (known) RETURN_IF_ERROR(AddHistories(question, *match));
  Count("chartly_records_scanned_total", static_cast<double>(answer.scanned()), "why");
  if (answer.records().empty()) RETURN_IF_ERROR(AddAbsence(question, match));
  return answer;
}

}  // namespace chartly::aggregator

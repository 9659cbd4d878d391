#include "common/audit/audit_verifier.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/audit/audit_entry.h"
#include "common/audit/audit_keys.h"
#include "common/audit/audit_lines.h"
#include "common/status/status.h"

namespace chartly {
namespace {

// More would let a short text stand for a list without end.
constexpr size_t kMaxSeqs = 1'000'000;

absl::Status Tampered(int64_t seq, int64_t last_seq, absl::string_view why) {
  const std::string where =
      seq == last_seq ? absl::StrCat("entry ", seq) : absl::StrCat("one of the entries ", seq, " to ", last_seq);
  return Error(absl::StatusCode::kDataLoss, "AUDIT_TAMPERED", absl::StrCat(where, ": ", why),
               {{"seq", absl::StrCat(seq)}, {"last_seq", absl::StrCat(last_seq)}});
}

absl::Status Missing(int64_t first, int64_t last) {
  return Tampered(first, last, first == last ? "it is missing" : "they are missing");
}

absl::Status HeaderWrong(absl::string_view why) {
  return Error(absl::StatusCode::kDataLoss, "AUDIT_TAMPERED", absl::StrCat("first line of the file: ", why),
               {{"seq", "0"}, {"last_seq", "0"}});
}

}  // namespace

absl::Status AuditVerifier::TakeLine(absl::string_view line) {
  return has_header_ ? TakeEvent(line) : TakeHeader(line);
}

absl::Status AuditVerifier::ExpectCheckpoint(const Checkpoint& checkpoint) {
  if (checkpoint.origin != header_.origin()) {
    return Error(
        absl::StatusCode::kInvalidArgument, "CHECKPOINT_OF_ANOTHER_LOG",
        absl::StrCat("the checkpoint is of the log '", checkpoint.origin, "', the file of '", header_.origin(), "'"));
  }
  auto [found, added] = expected_.emplace(checkpoint.size, checkpoint.root);
  if (added || found->second == checkpoint.root) return absl::OkStatus();
  return Tampered(1, static_cast<int64_t>(checkpoint.size),
                  "two signed checkpoints of this size have different roots; the log was forked");
}

absl::Status AuditVerifier::TakeHeader(absl::string_view line) {
  absl::StatusOr<v1::AuditExportHeader> header = ParseAuditHeaderLine(line);
  if (!header.ok()) return HeaderWrong(header.status().message());
  header_ = *std::move(header);
  has_header_ = true;
  const std::vector<v1::AuditKey> log_keys(header_.keys().begin(), header_.keys().end());
  absl::StatusOr<std::vector<NoteKey>> all_keys = ReadAuditKeys(header_.origin(), log_keys);
  if (!all_keys.ok()) return HeaderWrong(all_keys.status().message());
  ASSIGN_OR_RETURN(std::vector<NoteKey> keys, TrustedAuditKeys(*all_keys, trust_.keys));
  for (const v1::AuditKey& key : log_keys) {
    if (key.seq() > 0) announced_[key.seq()] = key.verifier();
  }
  std::vector<MerkleHash> subtrees;
  for (const std::string& hex : header_.subtrees()) {
    absl::StatusOr<MerkleHash> hash = MerkleHashFromHex(hex);
    if (!hash.ok()) return HeaderWrong(hash.status().message());
    subtrees.push_back(*hash);
  }
  if (header_.first_seq() < 1) return HeaderWrong("it names no first event");
  absl::StatusOr<MerkleFrontier> frontier =
      MerkleFrontier::Of(static_cast<uint64_t>(header_.first_seq() - 1), std::move(subtrees));
  if (!frontier.ok()) return HeaderWrong(frontier.status().message());
  frontier_ = *std::move(frontier);
  verdict_.origin = header_.origin();
  verdict_.first_seq = header_.first_seq();
  absl::StatusOr<Checkpoint> end = OpenCheckpoint(header_.checkpoint(), keys);
  if (!end.ok()) return Annotate(end.status(), "checkpoint of the file");
  end_ = *end;
  RETURN_IF_ERROR(ExpectCheckpoint(end_));
  for (const std::string& note : trust_.checkpoints) {
    ASSIGN_OR_RETURN(Checkpoint kept, OpenCheckpoint(note, keys));
    const bool comparable = kept.size >= frontier_.size();
    (comparable ? verdict_.checkpoints : verdict_.not_comparable).push_back(static_cast<int64_t>(kept.size));
    if (comparable) RETURN_IF_ERROR(ExpectCheckpoint(kept));
  }
  return CheckRoot();
}

absl::Status AuditVerifier::CheckRoot() {
  auto expected = expected_.find(frontier_.size());
  if (expected == expected_.end()) return absl::OkStatus();
  if (expected->second != frontier_.Root()) {
    return Tampered(static_cast<int64_t>(last_known_size_) + 1, static_cast<int64_t>(frontier_.size()),
                    "the log was written anew; its root is not that of the signed checkpoint of this size");
  }
  last_known_size_ = frontier_.size();
  return absl::OkStatus();
}

absl::Status AuditVerifier::CheckPlace(const v1::AuditEvent& event) const {
  if (event.seq() == next_seq()) return absl::OkStatus();
  if (event.seq() > next_seq()) return Missing(next_seq(), event.seq() - 1);
  return Tampered(next_seq(), next_seq(), absl::StrCat("entry ", event.seq(), " stands in its place"));
}

// What an entry says of the log before it shows a change there even if all hashes were made anew.
absl::Status AuditVerifier::CheckLink(const v1::AuditEvent& event) const {
  const bool first = frontier_.size() == 0;
  if (event.form() == 0) {
    // The hash of an event before the first of the file is not known.
    if (!first && last_hash_.empty()) return absl::OkStatus();
    if (event.prev_hash() == (first ? "" : last_hash_)) return absl::OkStatus();
  } else if (event.prev_hash() == (first ? "" : HexOf(frontier_.Root()))) {
    return absl::OkStatus();
  }
  if (first) return Tampered(1, 1, "it does not begin a log");
  return Tampered(event.seq() - 1, event.seq() - 1,
                  absl::StrCat("it is not the one that entry ", event.seq(), " was written after"));
}

absl::Status AuditVerifier::CheckOwnActions(const v1::AuditEvent& event) {
  auto announced = announced_.find(event.seq());
  if (announced != announced_.end() && (event.action() != kRotateAction || event.detail() != announced->second)) {
    return Tampered(event.seq(), event.seq(), "it does not announce the key that the first line says it does");
  }
  if (event.form() == 0 || event.outcome() != "OK" || event.detail().empty()) return absl::OkStatus();
  if (event.action() == kEraseAction) {
    absl::StatusOr<std::vector<int64_t>> seqs = ReadSeqList(event.detail());
    if (!seqs.ok()) return Tampered(event.seq(), event.seq(), seqs.status().message());
    permitted_.insert(permitted_.end(), seqs->begin(), seqs->end());
  } else if (event.action() == kRetentionAction) {
    if (!absl::SimpleAtoi(event.detail(), &retained_)) return Tampered(event.seq(), event.seq(), "it names no entry");
  }
  return absl::OkStatus();
}

absl::Status AuditVerifier::TakeEvent(absl::string_view line) {
  absl::StatusOr<v1::AuditEvent> event = ParseAuditEventLine(line);
  if (!event.ok()) return Tampered(next_seq(), next_seq(), event.status().message());
  RETURN_IF_ERROR(CheckPlace(*event));
  absl::Status content = CheckAuditEvent(*event);
  if (!content.ok()) return Tampered(event->seq(), event->seq(), content.message());
  RETURN_IF_ERROR(CheckLink(*event));
  RETURN_IF_ERROR(CheckOwnActions(*event));
  if (IsErased(*event)) erased_.push_back(event->seq());
  last_hash_ = event->hash();
  frontier_.Append(AuditLeaf(*event));
  return CheckRoot();
}

absl::Status AuditVerifier::CheckErasures() const {
  std::vector<int64_t> permitted = permitted_;
  std::sort(permitted.begin(), permitted.end());
  for (int64_t seq : erased_) {
    if (!std::binary_search(permitted.begin(), permitted.end(), seq)) {
      return Tampered(seq, seq, "who did it is gone, and no later entry says that it was erased");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<AuditVerdict> AuditVerifier::Finish() {
  if (!has_header_) return HeaderWrong("it is missing");
  const uint64_t wanted = expected_.rbegin()->first;
  if (frontier_.size() < wanted) return Missing(next_seq(), static_cast<int64_t>(wanted));
  if (frontier_.size() > end_.size) {
    return Tampered(static_cast<int64_t>(end_.size) + 1, static_cast<int64_t>(frontier_.size()),
                    "the signed checkpoint of the file does not cover it");
  }
  RETURN_IF_ERROR(CheckErasures());
  if (header_.first_seq() > 1 && retained_ < header_.first_seq() - 1) {
    return Tampered(1, header_.first_seq() - 1, "they are missing, and no entry says that their time was over");
  }
  if (verdict_.checkpoints.empty() && !verdict_.not_comparable.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "CHECKPOINT_NOT_COMPARABLE",
                 absl::StrCat("every checkpoint given is older than the first entry of the file (", header_.first_seq(),
                              "); give a newer one"));
  }
  verdict_.size = static_cast<int64_t>(frontier_.size());
  verdict_.root = frontier_.Root();
  verdict_.erased = static_cast<int64_t>(erased_.size());
  return verdict_;
}

std::string WriteSeqList(const std::vector<int64_t>& seqs) {
  std::string text;
  for (size_t begin = 0; begin < seqs.size();) {
    size_t end = begin + 1;
    while (end < seqs.size() && seqs[end] == seqs[end - 1] + 1) ++end;
    absl::StrAppend(&text, text.empty() ? "" : ",", seqs[begin]);
    if (end - begin > 1) absl::StrAppend(&text, "-", seqs[end - 1]);
    begin = end;
  }
  return text;
}

absl::StatusOr<std::vector<int64_t>> ReadSeqList(absl::string_view text) {
  std::vector<int64_t> seqs;
  for (absl::string_view range : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> ends = absl::StrSplit(range, '-');
    int64_t first = 0;
    int64_t last = 0;
    const bool numbers =
        ends.size() <= 2 && absl::SimpleAtoi(ends.front(), &first) && absl::SimpleAtoi(ends.back(), &last);
    const int64_t previous = seqs.empty() ? 0 : seqs.back();
    if (!numbers || first <= previous || last < first ||
        static_cast<uint64_t>(last - first) >= kMaxSeqs - seqs.size()) {
      return Error(absl::StatusCode::kInvalidArgument, "SEQ_LIST_INVALID", "it names no list of entries");
    }
    for (int64_t seq = first; seq <= last; ++seq) seqs.push_back(seq);
  }
  return seqs;
}

}  // namespace chartly

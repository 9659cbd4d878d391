#include "control/aggregator/record_page.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/batch/record_id.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "control/aggregator/page_token.h"
#include "control/aggregator/record_view.h"

namespace chartly::aggregator {
namespace {

// A page stays well below the limit of one message.
constexpr size_t kMaxPageBytes = size_t{4} << 20;
constexpr size_t kQuestionDigits = 8;
constexpr size_t kPlaceBytes = 16;

}  // namespace

RecordPage::RecordPage(RecordFilter filter, RecordProjection projection, Limits limits, std::string question)
    : filter_(std::move(filter)),
      projection_(std::move(projection)),
      limits_(limits),
      question_(Sha256Hex(question).substr(0, kQuestionDigits)) {
  for (auto& name : filter_.names()) unseen_.insert(std::move(name));
  for (const RecordProjection::Entry& entry : projection_.entries()) {
    if (entry.kind == RecordProjection::Entry::Kind::kField) unseen_.emplace(entry.role, entry.name);
  }
}

absl::StatusOr<RecordPage::Begin> RecordPage::ParseToken(absl::string_view token) const {
  if (token.empty()) return Begin();
  size_t place_digits = token.size() - std::min(token.size(), kQuestionDigits);
  ASSIGN_OR_RETURN(std::string place, FromPageToken(token.substr(0, place_digits), kPlaceBytes));
  if (!place.empty() && token.substr(place_digits) == question_) {
    return Begin{ReadBigEndian64(place), ReadBigEndian64(absl::string_view(place).substr(8))};
  }
  return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
               "page_token belongs to another question; ask the same one that gave it, or leave it out");
}

void RecordPage::EndWith(RowLocation last) {
  std::string place;
  AppendBigEndian64(place, last);
  AppendBigEndian64(place, as_of_);
  response_.set_next_page_token(absl::StrCat(ToHex(place), question_));
}

void RecordPage::NoteFields(const Batch& batch) {
  if (unseen_.empty()) return;
  for (const BatchColumn& column : batch.columns()) unseen_.erase({column.role(), column.name()});
}

absl::StatusOr<bool> RecordPage::Add(const RecordBlock& block) {
  filter_.Bind(block.batch);
  NoteFields(block.batch);
  RecordIds ids;  // made when the first row matches
  int64_t scanned = response_.scanned();
  bool full = false;
  block.rows.ForEach(block.first_row, [&](uint32_t row) {
    if (row >= block.batch.rows()) return false;
    ++scanned;
    bool matches = filter_.Matches(row);
    if (matches && ids.ids.empty()) ids = ComputeRecordIds(block.batch);
    if (matches) {
      v1::Record& record = *response_.add_records();
      FillRecord(block, row, ids.ids[row], projection_, record);
      bytes_ += record.ByteSizeLong();
    }
    full = response_.records_size() >= limits_.records || bytes_ >= kMaxPageBytes || scanned >= limits_.scanned;
    if (full) EndWith(MakeLocation(block.chunk, row));
    return !full;
  });
  response_.set_scanned(scanned);
  return !full;
}

v1::ListRecordsResponse RecordPage::Take() {
  if (response_.scanned() > 0) {
    for (const auto& [role, name] : unseen_) response_.add_unknown_fields(absl::StrCat(RoleName(role), ".", name));
  }
  return std::move(response_);
}

}  // namespace chartly::aggregator

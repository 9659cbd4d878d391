#include "control/aggregator/record_page.h"

#include <algorithm>
#include <iterator>

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
// What the id adds to a record in a message.
constexpr size_t kIdBytes = 34;

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
  ASSIGN_OR_RETURN(ScanCursor place, ParseCursorToken(token.substr(0, place_digits)));
  if (place.as_of() != 0 && token.substr(place_digits) == question_) return Begin{place, place.as_of()};
  return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
               "page_token belongs to another question; ask the same one that gave it, or leave it out");
}

void RecordPage::EndWith(ScanCursor last) {
  last.set_as_of(as_of_);
  response_.set_next_page_token(absl::StrCat(CursorToken(last), question_));
}

void RecordPage::NoteFields(const RecordBlock& block) {
  for (auto name = unseen_.begin(); name != unseen_.end();) {
    name = block.HasField(name->first, name->second) ? unseen_.erase(name) : std::next(name);
  }
}

// Of the last records, which these rows are.
void RecordPage::SetIds(const RecordBlock& block, const std::vector<uint32_t>& rows) {
  const RecordIds ids = block.Ids(rows);
  const int first = response_.records_size() - static_cast<int>(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    response_.mutable_records(first + static_cast<int>(i))->set_id(ids.ids[i].ToHex());
  }
}

absl::StatusOr<bool> RecordPage::Add(const RecordBlock& block) {
  NoteFields(block);
  // Of a chunk without a match only the columns of the filter are decoded.
  ColumnSet of_filter;
  if (!block.loaded()) {
    ASSIGN_OR_RETURN(of_filter, block.Decode(filter_.names()));
  }
  filter_.Bind(block.loaded() ? block.columns() : of_filter);
  std::vector<uint32_t> taken;
  int64_t scanned = response_.scanned();
  bool full = false;
  block.rows().ForEach(0, [&](uint32_t row) {
    if (row >= block.size()) return false;
    ++scanned;
    if (filter_.Matches(row)) {
      if (!block.Load().ok()) return false;
      v1::Record& record = *response_.add_records();
      FillRecord(block, row, projection_, record);
      bytes_ += record.ByteSizeLong() + kIdBytes;
      taken.push_back(row);
    }
    full = response_.records_size() >= limits_.records || bytes_ >= kMaxPageBytes || scanned >= limits_.scanned;
    if (full && block.Load().ok()) EndWith(CursorAt(block, row));
    return !full;
  });
  RETURN_IF_ERROR(block.status());
  SetIds(block, taken);
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

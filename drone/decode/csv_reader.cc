#include "drone/decode/csv_reader.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/columns.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxFieldBytes = 1 << 20;

}  // namespace

absl::string_view CsvReader::field(size_t i) const {
  const Cell& cell = cells_[i];
  return cell.unescaped ? absl::string_view(scratch_).substr(cell.offset, cell.size)
                        : text_.substr(cell.offset, cell.size);
}

bool CsvReader::AtLineEnd() const {
  if (position_ >= text_.size() || text_[position_] == '\n') return true;
  return text_[position_] == '\r' && (position_ + 1 == text_.size() || text_[position_ + 1] == '\n');
}

void CsvReader::SkipLineEnd() {
  if (position_ < text_.size() && text_[position_] == '\r') ++position_;
  if (position_ < text_.size() && text_[position_] == '\n') ++position_;
  ++line_;
}

absl::StatusOr<bool> CsvReader::Next() {
  cells_.clear();
  scratch_.clear();
  fault_.clear();
  row_line_ = line_;
  if (position_ >= text_.size()) return false;
  const size_t start = position_;
  while (true) {
    RETURN_IF_ERROR(ReadField());
    if (AtLineEnd()) break;
    ++position_;  // the delimiter
  }
  raw_ = text_.substr(start, position_ - start);
  SkipLineEnd();
  return true;
}

absl::Status CsvReader::ReadField() {
  // A row of a hundred million delimiters must not cost a cell each; it can match no header anyway.
  if (cells_.size() <= kMaxColumns) cells_.emplace_back();
  const size_t start = position_;
  if (position_ < text_.size() && text_[position_] == '"') {
    RETURN_IF_ERROR(ReadQuoted());
  } else {
    cells_.back() = {false, position_, 0};
    ReadPlain();
    cells_.back().size = position_ - cells_.back().offset;
  }
  if (position_ - start <= kMaxFieldBytes + 2) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_FIELD_TOO_LARGE",
               absl::StrCat("a field of the row at line ", row_line_,
                            " is larger than 1 MiB; a quote may be open that should be doubled"));
}

void CsvReader::ReadPlain() {
  while (position_ < text_.size() && text_[position_] != delimiter_ && !AtLineEnd()) ++position_;
}

absl::Status CsvReader::ReadQuoted() {
  const size_t quote_line = line_;
  size_t from = ++position_;
  const size_t scratch_start = scratch_.size();
  bool doubled = false;
  while (true) {
    size_t quote = text_.find('"', position_);
    if (quote == absl::string_view::npos) {
      return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_TRUNCATED",
                   absl::StrCat("the quote opened in line ", quote_line,
                                " is never closed; the text was cut off, or a quote in it is not doubled"));
    }
    for (size_t i = position_; i < quote; ++i) line_ += text_[i] == '\n';
    position_ = quote + 1;
    if (position_ >= text_.size() || text_[position_] != '"') break;
    doubled = true;
    scratch_.append(text_.data() + from, position_ - from);  // up to and with one of the two quotes
    from = ++position_;
  }
  const size_t end = position_ - 1;
  if (doubled) {
    scratch_.append(text_.data() + from, end - from);
    cells_.back() = {true, scratch_start, scratch_.size() - scratch_start};
  } else {
    cells_.back() = {false, from, end - from};
  }
  if (position_ < text_.size() && text_[position_] != delimiter_ && !AtLineEnd()) {
    fault_ = absl::StrCat("field ", cells_.size(), " goes on after its closing quote");
    ReadPlain();
  }
  return absl::OkStatus();
}

}  // namespace chartly::drone

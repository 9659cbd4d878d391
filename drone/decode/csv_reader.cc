#include "drone/decode/csv_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/columns.h"

namespace chartly::drone {
namespace {

constexpr size_t kWindowBytes = size_t{256} << 10;
constexpr size_t kMaxRowBytes = size_t{16} << 20;
constexpr size_t kMaxFieldBytes = size_t{1} << 20;
// How far ahead special bytes are found: what is found of it stays in the nearest cache.
constexpr size_t kSearchedBlocks = 32;
constexpr size_t kSearchedBytes = kSearchedBlocks * ByteFinder::kBlockBytes;

}  // namespace

CsvReader::CsvReader(Body& body, const CsvDialect& dialect, BeforeMove before_move)
    : body_(body),
      dialect_(dialect),
      before_move_(std::move(before_move)),
      quote_(dialect.quote.value_or(dialect.delimiter)),
      buffer_(new char[kWindowBytes + ByteFinder::kBlockBytes]),
      capacity_(kWindowBytes),
      finder_(dialect.delimiter, quote_, line_end_),
      found_(new uint32_t[kSearchedBytes + ByteFinder::kBlockBytes]),
      // A row of a hundred million delimiters must not cost a cell each; it can match no header anyway.
      cells_(kMaxColumns + 1) {}

absl::Status CsvReader::Fill() {
  if (before_move_) RETURN_IF_ERROR(before_move_());
  scratch_.clear();
  const bool first = end_ == 0 && next_ == 0;
  std::memmove(buffer_.get(), buffer_.get() + next_, end_ - next_);
  end_ -= next_;
  next_ = 0;
  if (end_ == capacity_) Grow();
  while (end_ < capacity_ && !at_end_) {
    if (piece_.empty()) {
      ASSIGN_OR_RETURN(piece_, body_.Read());
    }
    at_end_ = piece_.empty();
    if (at_end_) break;
    size_t taken = std::min(piece_.size(), capacity_ - end_);
    piece_.copy(buffer_.get() + end_, taken);
    piece_.remove_prefix(taken);
    end_ += taken;
  }
  // The last block is read whole.
  std::memset(buffer_.get() + end_, 0, ByteFinder::kBlockBytes);
  if (first) ChooseLineEnd();
  RestartSpecials();
  return absl::OkStatus();
}

void CsvReader::Grow() {
  capacity_ *= 2;
  std::unique_ptr<char[]> larger(new char[capacity_ + ByteFinder::kBlockBytes]);
  std::memcpy(larger.get(), buffer_.get(), end_);
  buffer_ = std::move(larger);
}

void CsvReader::ChooseLineEnd() {
  bool only_cr = std::memchr(buffer_.get(), '\n', end_) == nullptr && std::memchr(buffer_.get(), '\r', end_) != nullptr;
  line_end_ = only_cr ? '\r' : '\n';
  finder_ = ByteFinder(dialect_.delimiter, quote_, line_end_);
}

absl::Status CsvReader::SkipLines(int64_t lines) {
  for (; lines > 0; --lines) {
    ASSIGN_OR_RETURN(bool more, SkipLine());
    if (!more) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> CsvReader::SkipLine() {
  while (true) {
    if (next_ == end_) {
      if (at_end_) return false;
      RETURN_IF_ERROR(Fill());
    }
    const void* found = std::memchr(buffer_.get() + next_, line_end_, end_ - next_);
    next_ = found == nullptr ? end_ : static_cast<size_t>(static_cast<const char*>(found) - buffer_.get()) + 1;
    RestartSpecials();
    if (found != nullptr) {
      ++line_;
      return true;
    }
  }
}

// Goes to the next line that is no comment; false at the end.
absl::StatusOr<bool> CsvReader::BeginRow() {
  while (true) {
    if (next_ == end_) {
      if (!at_end_) RETURN_IF_ERROR(Fill());
      if (next_ == end_) return false;
    }
    if (!dialect_.comment.has_value() || buffer_[next_] != *dialect_.comment) return true;
    RETURN_IF_ERROR(SkipLine().status());
  }
}

absl::StatusOr<bool> CsvReader::Next() {
  if (next_ == end_ || dialect_.comment.has_value()) {
    count_ = 0;
    ASSIGN_OR_RETURN(bool more, BeginRow());
    if (!more) return false;
  }
  row_line_ = line_;
  while (!Scan()) {
    line_ = row_line_;
    if (at_end_) {
      return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_TRUNCATED",
                   absl::StrCat("the quote opened in line ", quote_line_,
                                " is never closed; the text was cut off, or a quote in it is not doubled"));
    }
    RETURN_IF_ERROR(TooLarge());
    RETURN_IF_ERROR(Fill());
  }
  return largest_ <= kMaxFieldBytes ? absl::StatusOr<bool>(true) : FieldTooLarge();
}

absl::Status CsvReader::FieldTooLarge() const {
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_FIELD_TOO_LARGE",
               absl::StrCat("a field of the row at line ", row_line_,
                            " is larger than 1 MiB; a quote may be open that should be doubled"));
}

absl::Status CsvReader::TooLarge() const {
  if (end_ - open_field_ > kMaxFieldBytes + 2) return FieldTooLarge();
  if (end_ - next_ < kMaxRowBytes) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_ROW_TOO_LARGE",
               absl::StrCat("the row at line ", row_line_, " is larger than 16 MiB"));
}

// Special bytes before next_ are of no more use.
void CsvReader::RestartSpecials() {
  special_ = found_end_ = found_.get();
  searched_ = next_;
}

// Finds further delimiters, quotes and line ends, and gives the first of them; end_ if there is none.
const uint32_t* CsvReader::FindSpecials() {
  size_t found = 0;
  while (found == 0 && searched_ < end_) {
    const size_t left = end_ - searched_;
    const size_t blocks = std::min(kSearchedBlocks, (left + ByteFinder::kBlockBytes - 1) / ByteFinder::kBlockBytes);
    found = finder_.Find(buffer_.get() + searched_, blocks, static_cast<uint32_t>(searched_), found_.get());
    searched_ += blocks * ByteFinder::kBlockBytes;
    // What stands behind the text may look like one.
    while (found > 0 && found_[found - 1] >= end_) --found;
  }
  if (found == 0) found_[found++] = static_cast<uint32_t>(end_);
  found_end_ = found_.get() + found;
  return found_.get();
}

// What a quoted field that ends at `end`, the number of which it is, holds.
absl::string_view CsvReader::TextOf(const Quoted& quoted, size_t end, size_t number) {
  if (quoted.end + 1 != end) fault_ = absl::StrCat("field ", number, " goes on after its closing quote");
  const absl::string_view text(buffer_.get() + quoted.begin, quoted.end - quoted.begin);
  return quoted.doubled ? Unescaped(text) : text;
}

// Puts the text into scratch_ with one quote for two.
absl::string_view CsvReader::Unescaped(absl::string_view text) {
  if (scratch_.empty()) scratch_.reserve(capacity_);  // for all texts of the buffer
  const size_t begin = scratch_.size();
  while (true) {
    size_t quote = text.find(quote_);
    if (quote == absl::string_view::npos) break;
    scratch_.append(text.data(), quote + 1);
    text.remove_prefix(std::min(quote + 2, text.size()));
  }
  scratch_.append(text.data(), text.size());
  return absl::string_view(scratch_).substr(begin);
}

// Where the line ends that the line end at `position` belongs to: a CR before an LF is part of it.
inline size_t CsvReader::LineEndAt(size_t position) const {
  bool after_cr = position > next_ && buffer_[position - 1] == '\r' && line_end_ == '\n';
  return after_cr ? position - 1 : position;
}

// Scans the row at next_; false if the text in the buffer ends before it.
bool CsvReader::Scan() {
  fault_.clear();
  row_begin_ = next_;
  const char* const text = buffer_.get();
  const uint32_t* special = special_;
  size_t count = 0, largest = 0, field = next_;
  Quoted quoted;
  while (true) {
    special = Ready(special);
    const size_t at = *special++;
    if (at == end_ && !at_end_) break;
    const char c = at < end_ ? text[at] : line_end_;
    const bool last = c != dialect_.delimiter;
    if (last && c != line_end_) {
      if (at != field) continue;  // a quote inside a field
      quoted = ScanQuoted(at + 1, special);
      if (!quoted.is) break;
      special = quoted.after;
      continue;
    }
    const size_t end = last ? std::max(field, LineEndAt(at)) : at;
    absl::string_view inside(text + field, end - field);
    if (quoted.is) {
      largest = std::max(largest, quoted.end - quoted.begin);
      inside = TextOf(quoted, end, count + 1);
      quoted.is = false;
    }
    largest = std::max(largest, inside.size());
    if (count <= kMaxColumns) {
      // Members are written one by one: a copy of a whole text would wait for them.
      Field& cell = cells_[count++];
      cell.kind = inside.empty() ? Field::Kind::kNull : Field::Kind::kText;
      cell.text = absl::string_view(inside.data(), inside.size());
    }
    field = at + 1;
    if (!last) continue;
    count_ = count;
    largest_ = largest;
    row_end_ = end;
    next_ = std::min(field, end_);
    special_ = special;
    ++line_;
    return true;
  }
  open_field_ = field;
  return false;
}

// Goes behind the closing quote; no quoted text if the text in the buffer ends before it.
CsvReader::Quoted CsvReader::ScanQuoted(size_t begin, const uint32_t* special) {
  quote_line_ = line_;
  bool doubled = false;
  while (true) {
    special = Ready(special);
    const size_t at = *special++;
    if (at == end_ || (at + 1 == end_ && !at_end_)) return {};
    if (buffer_[at] == line_end_) ++line_;
    if (buffer_[at] != quote_) continue;
    if (at + 1 == end_ || buffer_[at + 1] != quote_) return {true, doubled, begin, at, special};
    doubled = true;
    special = Ready(special) + 1;
  }
}

}  // namespace chartly::drone

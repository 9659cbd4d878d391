#include "drone/decode/csv_reader.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/columns.h"

namespace chartly::drone {
namespace {

constexpr size_t kWindowBytes = size_t{256} << 10;
constexpr size_t kMaxRowBytes = size_t{16} << 20;
constexpr size_t kMaxFieldBytes = size_t{1} << 20;

}  // namespace

CsvReader::CsvReader(Body& body, const CsvDialect& dialect)
    : body_(body),
      dialect_(dialect),
      quote_(dialect.quote.value_or(dialect.delimiter)),
      buffer_(new char[kWindowBytes + ByteMask::kBlockBytes]),
      capacity_(kWindowBytes),
      mask_(dialect.delimiter, quote_, line_end_),
      // A row of a hundred million delimiters must not cost a cell each; it can match no header anyway.
      cells_(kMaxColumns + 1) {}

absl::Status CsvReader::Fill() {
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
    size_t taken = std::min(piece_.size(), capacity_ - end_);
    piece_.copy(buffer_.get() + end_, taken);
    piece_.remove_prefix(taken);
    end_ += taken;
  }
  // The last block is read whole.
  std::memset(buffer_.get() + end_, 0, ByteMask::kBlockBytes);
  if (first) ChooseLineEnd();
  return absl::OkStatus();
}

void CsvReader::Grow() {
  capacity_ *= 2;
  std::unique_ptr<char[]> larger(new char[capacity_ + ByteMask::kBlockBytes]);
  std::memcpy(larger.get(), buffer_.get(), end_);
  buffer_ = std::move(larger);
}

void CsvReader::ChooseLineEnd() {
  bool only_cr = std::memchr(buffer_.get(), '\n', end_) == nullptr && std::memchr(buffer_.get(), '\r', end_) != nullptr;
  line_end_ = only_cr ? '\r' : '\n';
  mask_ = ByteMask(dialect_.delimiter, quote_, line_end_);
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
    if (found != nullptr) {
      next_ = static_cast<size_t>(static_cast<const char*>(found) - buffer_.get()) + 1;
      ++line_;
      return true;
    }
    next_ = end_;
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
  ASSIGN_OR_RETURN(bool more, BeginRow());
  count_ = 0;
  if (!more) return false;
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

void CsvReader::Seek(size_t position) {
  block_ = position & ~(ByteMask::kBlockBytes - 1);
  bits_ = mask_.Of(buffer_.get() + block_) & (~uint64_t{0} << (position & (ByteMask::kBlockBytes - 1)));
}

// Where the next delimiter, quote or line end stands; end_ if there is none.
inline size_t CsvReader::NextSpecial() {
  while (bits_ == 0) {
    block_ += ByteMask::kBlockBytes;
    if (block_ >= end_) return end_;
    bits_ = mask_.Of(buffer_.get() + block_);
  }
  size_t position = block_ + static_cast<size_t>(__builtin_ctzll(bits_));
  bits_ &= bits_ - 1;
  return std::min(position, end_);
}

inline void CsvReader::EndField(size_t begin, size_t end, Quoted& quoted) {
  bool doubled = false;
  if (quoted.is) {
    if (quoted.end + 1 != end) fault_ = absl::StrCat("field ", count_ + 1, " goes on after its closing quote");
    begin = quoted.begin;
    end = quoted.end;
    doubled = quoted.doubled;
    quoted.is = false;
  }
  largest_ = std::max(largest_, end - begin);
  if (count_ > kMaxColumns) return;
  Cell& cell = cells_[count_++];
  cell = {static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin), false};
  if (doubled) Unescape(cell);
}

// Puts the field into scratch_ with one quote for two.
void CsvReader::Unescape(Cell& cell) {
  absl::string_view text(buffer_.get() + cell.offset, cell.size);
  const size_t begin = scratch_.size();
  while (true) {
    size_t quote = text.find(quote_);
    if (quote == absl::string_view::npos) break;
    scratch_.append(text.data(), quote + 1);
    text.remove_prefix(std::min(quote + 2, text.size()));
  }
  scratch_.append(text.data(), text.size());
  cell = {static_cast<uint32_t>(begin), static_cast<uint32_t>(scratch_.size() - begin), true};
}

// Where the line ends that the line end at `position` belongs to: a CR before an LF is part of it.
inline size_t CsvReader::LineEndAt(size_t position) const {
  bool after_cr = position > next_ && buffer_[position - 1] == '\r' && line_end_ == '\n';
  return after_cr ? position - 1 : position;
}

// Scans the row at next_; false if the text in the buffer ends before it.
bool CsvReader::Scan() {
  count_ = 0;
  largest_ = 0;
  scratch_.clear();
  fault_.clear();
  row_begin_ = next_;
  size_t field = next_;
  Quoted quoted;
  Seek(next_);
  while (true) {
    const size_t at = NextSpecial();
    if (at == end_ && !at_end_) break;
    const char special = at < end_ ? buffer_[at] : line_end_;
    if (special == dialect_.delimiter) {
      EndField(field, at, quoted);
      field = at + 1;
    } else if (special == line_end_) {
      row_end_ = std::max(field, LineEndAt(at));
      EndField(field, row_end_, quoted);
      next_ = std::min(at + 1, end_);
      ++line_;
      return true;
    } else if (at == field && !ScanQuoted(at + 1, quoted)) {
      break;
    }
  }
  open_field_ = field;
  return false;
}

// Goes behind the closing quote; false if the text in the buffer ends before it.
bool CsvReader::ScanQuoted(size_t begin, Quoted& quoted) {
  quote_line_ = line_;
  bool doubled = false;
  while (true) {
    const size_t at = NextSpecial();
    if (at == end_ || (at + 1 == end_ && !at_end_)) return false;
    if (buffer_[at] == line_end_) ++line_;
    if (buffer_[at] != quote_) continue;
    if (at + 1 == end_ || buffer_[at + 1] != quote_) {
      quoted = {true, doubled, begin, at};
      return true;
    }
    doubled = true;
    NextSpecial();
  }
}

}  // namespace chartly::drone

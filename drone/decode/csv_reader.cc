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

}  // namespace

CsvReader::CsvReader(Body& body, const CsvDialect& dialect, BeforeMove before_move)
    : body_(body),
      dialect_(dialect),
      before_move_(std::move(before_move)),
      quote_(dialect.quote.value_or(dialect.delimiter)),
      buffer_(new char[kWindowBytes + ByteMask::kBlockBytes]),
      capacity_(kWindowBytes),
      mask_(dialect.delimiter, quote_, line_end_),
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
  std::memset(buffer_.get() + end_, 0, ByteMask::kBlockBytes);
  if (first) ChooseLineEnd();
  const size_t blocks = end_ / ByteMask::kBlockBytes + 1;
  masks_.resize(std::max(masks_.size(), blocks));
  mask_.Of(buffer_.get(), blocks, masks_.data());
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

// Where the next delimiter, quote or line end stands; end_ if there is none.
inline size_t CsvReader::NextSpecial(Specials& specials) const {
  while (specials.bits == 0) {
    specials.block += ByteMask::kBlockBytes;
    if (specials.block >= end_) return end_;
    specials.bits = masks_[specials.block / ByteMask::kBlockBytes];
  }
  const size_t position = specials.block + static_cast<size_t>(std::countr_zero(specials.bits));
  specials.bits &= specials.bits - 1;
  return std::min(position, end_);
}

inline void CsvReader::AddField(absl::string_view text) {
  largest_ = std::max(largest_, text.size());
  if (count_ > kMaxColumns) return;
  Field& cell = cells_[count_++];
  cell.kind = text.empty() ? Field::Kind::kNull : Field::Kind::kText;
  cell.text = text;
}

inline void CsvReader::EndField(size_t begin, size_t end) { AddField({buffer_.get() + begin, end - begin}); }

void CsvReader::EndQuotedField(size_t end, const Quoted& quoted) {
  if (quoted.end + 1 != end) fault_ = absl::StrCat("field ", count_ + 1, " goes on after its closing quote");
  const absl::string_view text(buffer_.get() + quoted.begin, quoted.end - quoted.begin);
  largest_ = std::max(largest_, text.size());
  AddField(quoted.doubled ? Unescaped(text) : text);
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
  count_ = 0;
  largest_ = 0;
  fault_.clear();
  row_begin_ = next_;
  size_t field = next_;
  const size_t block = next_ / ByteMask::kBlockBytes;
  const uint64_t before = (uint64_t{1} << (next_ % ByteMask::kBlockBytes)) - 1;
  Specials specials{block * ByteMask::kBlockBytes, masks_[block] & ~before};
  Quoted quoted;
  while (true) {
    const size_t at = NextSpecial(specials);
    if (at == end_ && !at_end_) break;
    const char special = at < end_ ? buffer_[at] : line_end_;
    if (special == dialect_.delimiter || special == line_end_) {
      const bool last = special != dialect_.delimiter;
      const size_t end = last ? std::max(field, LineEndAt(at)) : at;
      if (quoted.is) {
        EndQuotedField(end, quoted);
        quoted.is = false;
      } else {
        EndField(field, end);
      }
      field = at + 1;
      if (!last) continue;
      row_end_ = end;
      next_ = std::min(at + 1, end_);
      ++line_;
      return true;
    }
    if (at != field) continue;  // a quote inside a field
    quoted = ScanQuoted(at + 1, specials);
    if (!quoted.is) break;
    specials = quoted.after;
  }
  open_field_ = field;
  return false;
}

// Goes behind the closing quote; no quoted text if the text in the buffer ends before it.
CsvReader::Quoted CsvReader::ScanQuoted(size_t begin, Specials specials) {
  quote_line_ = line_;
  bool doubled = false;
  while (true) {
    const size_t at = NextSpecial(specials);
    if (at == end_ || (at + 1 == end_ && !at_end_)) return {};
    if (buffer_[at] == line_end_) ++line_;
    if (buffer_[at] != quote_) continue;
    if (at + 1 == end_ || buffer_[at + 1] != quote_) return {true, doubled, begin, at, specials};
    doubled = true;
    NextSpecial(specials);
  }
}

}  // namespace chartly::drone

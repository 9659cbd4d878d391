#include "common/batch/column_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/batch/batch.h"
#include "common/batch/batch_layout.h"
#include "common/text/short_text.h"

namespace chartly {
namespace {

// Bytes of the narrowest two's complement integer that holds both.
uint32_t NarrowestWidth(int64_t smallest, int64_t largest) {
  for (uint32_t width : {1, 2, 4}) {
    int64_t limit = int64_t{1} << (8 * width - 1);
    if (smallest >= -limit && largest < limit) return width;
  }
  return 8;
}

// Whether values repeat is seen in the first rows of a batch.
constexpr uint32_t kSampleRows = 1024;
constexpr uint32_t kMostDistinctOfSample = kSampleRows * 3 / 4;
// Where values lie this close together, a table by value takes the place of one by hash.
constexpr uint64_t kMostPlacesByValue = 8;
constexpr uint32_t kMostShortIndexes = 256;

}  // namespace

size_t ColumnBuilder::MaxRowBytes(ValueType type) {
  switch (type) {
    case ValueType::kText:
      return 3;  // an index of 2 bytes; the texts themselves count by heap_bytes
    case ValueType::kDecimal:
      return 18;
    case ValueType::kTimestamp:
      return 11;
    case ValueType::kInteger:
    case ValueType::kFloat:
      return 9;
    default:
      return 5;
  }
}

size_t ColumnBuilder::AppendRun(uint32_t row, const ColumnValue* values, size_t count, size_t& bytes) {
  if (row != slots()) SkipTo(row);
  if (type_ != ValueType::kText && AppendEven(values, count)) return count;
  size_t run = 0;
  while (run < count && values[run].type == type_) ++run;
  if (type_ == ValueType::kText) {
    for (size_t i = 0; i < run;) {
      if (!looks_up_) {
        bytes += AppendUnseen(values + i, run - i);
        break;
      }
      i += AppendExpected(values + i, run - i);
      if (i < run) bytes += AppendOtherText(values[i++].text());
    }
  } else if (run == count || !AppendEven(values, run)) {
    for (size_t i = 0; i < run; ++i) bytes += Append(row + static_cast<uint32_t>(i), values[i]);
  }
  return run;
}

// Takes them if all are of the type, and low_ says all of them: high_ and extra_ have nothing to add.
bool ColumnBuilder::AppendEven(const ColumnValue* values, size_t count) {
  if (!high_.empty() || !extra_.empty()) return false;
  if (empty()) one_extra_ = values[0].extra;
  const size_t begin = low_.size();
  low_.resize(begin + count);
  uint64_t* const low = low_.data() + begin;
  uint64_t difference = 0;
  for (size_t i = 0; i < count; ++i) {
    low[i] = values[i].low;
    difference |= static_cast<uint64_t>(values[i].type != type_);
    difference |= static_cast<uint64_t>(values[i].extra ^ one_extra_);
    if (type_ == ValueType::kDecimal) difference |= values[i].high ^ SignOf(values[i].low);
  }
  if (difference != 0) low_.resize(begin);
  return difference == 0;
}

// Texts often come in the order in which they came before, equal neighbours first of all, and comparing is cheaper than
// hashing. Takes those from the first on that do, and returns how many.
size_t ColumnBuilder::AppendExpected(const ColumnValue* values, size_t count) {
  if (low_.empty() || texts_.size() == 0) return 0;
  auto index = static_cast<uint32_t>(low_.back());  // that of a null is that of the first text
  size_t taken = 0;
  for (; taken < count; ++taken) {
    const absl::string_view text = values[taken].text();
    const uint32_t after = texts_.After(index);
    const uint32_t likely = repeats_ ? index : after;
    if (IsSameText(texts_.At(likely), text)) {
      index = likely;
    } else {
      const uint32_t other = repeats_ ? after : index;
      if (!IsSameText(texts_.At(other), text)) break;
      repeats_ = !repeats_;
      index = other;
    }
    low_.push_back(index);
    text_bytes_ += text.size();
  }
  return taken;
}

// Where most texts are new, only the same one twice in a row is kept once. Each row counts by its text nevertheless,
// because a column that looks none up is encoded plain.
size_t ColumnBuilder::AppendUnseen(const ColumnValue* values, size_t count) {
  const size_t text_bytes_before = text_bytes_;
  auto index = static_cast<uint32_t>(low_.back());
  for (size_t i = 0; i < count; ++i) {
    const absl::string_view text = values[i].text();
    const bool same = IsSameText(texts_.At(index), text);
    if (!same) index = texts_.AddUnseen(text);
    low_.push_back(index);
    if (!same) last_new_text_row_ = slots();
    text_bytes_ += texts_.At(index).size();  // mended, it may be longer
  }
  return text_bytes_ - text_bytes_before + count * sizeof(uint32_t);
}

void ColumnBuilder::AppendSeries(uint64_t first, uint64_t step, size_t count) {
  const size_t begin = low_.size();
  low_.resize(begin + count);
  for (size_t i = 0; i < count; ++i, first += step) low_[begin + i] = first;
}

void ColumnBuilder::SkipTo(uint32_t row) {
  const uint32_t first = slots();
  low_.resize(row, 0);
  if (!high_.empty()) high_.resize(row, 0);
  if (!extra_.empty()) extra_.resize(row, 0);
  null_bits_.resize((size_t{row} + 63) / 64, 0);
  for (uint32_t null = first; null < row; ++null) null_bits_[null / 64] |= uint64_t{1} << (null % 64);
  nulls_ += row - first;
}

void ColumnBuilder::AddExtra(int16_t extra) {
  if (extra_.empty() && empty()) {
    one_extra_ = extra;
    return;
  }
  if (extra_.empty()) FillExtra(extra_);
  extra_.push_back(extra);
}

void ColumnBuilder::AddHigh(uint64_t high) {
  if (high_.empty()) {
    for (uint64_t low : low_) high_.push_back(SignOf(low));
  }
  high_.push_back(high);
}

size_t ColumnBuilder::AppendText(absl::string_view text) {
  const ColumnValue value = ColumnValue::Text(text);
  if (!looks_up_) return AppendUnseen(&value, 1);
  return AppendExpected(&value, 1) == 1 ? 0 : AppendOtherText(text);
}

size_t ColumnBuilder::AppendOtherText(absl::string_view text) {
  const uint32_t size_before = texts_.size();
  const uint32_t index = texts_.Add(text);
  if (slots() == kSampleRows) looks_up_ = texts_.size() <= kMostDistinctOfSample || LongTextsRepeat();
  if (looks_up_ && !low_.empty()) texts_.SetAfter(static_cast<uint32_t>(low_.back()), index);
  low_.push_back(index);
  const size_t size = texts_.At(index).size();
  text_bytes_ += size;  // mended, it may be longer
  const bool is_new = texts_.size() != size_before;
  if (is_new) last_new_text_row_ = slots();
  // Those that came before one by one count by row from now on.
  if (!looks_up_) return PlainTextBytes(slots()) - (texts_.bytes() - (is_new ? size + sizeof(uint32_t) : 0));
  return is_new ? size + sizeof(uint32_t) : 0;
}

void ColumnBuilder::Undo(uint32_t row) {
  if (slots() != row + 1 || IsNull(row)) return;
  if (type_ == ValueType::kText) {
    text_bytes_ -= texts_.At(static_cast<uint32_t>(low_.back())).size();
    if (last_new_text_row_ == row + 1) {
      texts_.RemoveLast();
      last_new_text_row_ = 0;
    }
  }
  low_.pop_back();
  if (!high_.empty()) high_.pop_back();
  if (!extra_.empty()) extra_.pop_back();
}

void ColumnBuilder::Clear() {
  nulls_ = 0;
  null_bits_.clear();
  low_.clear();
  high_.clear();
  extra_.clear();
  one_extra_ = 0;
  texts_.Clear();
  text_bytes_ = 0;
  last_new_text_row_ = 0;
  looks_up_ = true;
  repeats_ = false;
}

Value ColumnBuilder::ValueAt(uint32_t row) const {
  if (type_ == ValueType::kText) return Value::Text(texts_.At(static_cast<uint32_t>(low_[row])));
  return ColumnValue{type_, ExtraAt(row), low_[row], {HighAt(row)}}.ToValue();
}

Value ColumnBuilder::Largest() const {
  // Most rows are settled by their slots alone; a Value is made only where that does not tell.
  const bool by_slot = type_ == ValueType::kInteger || type_ == ValueType::kTimestamp || type_ == ValueType::kDate;
  Value largest;
  uint32_t at = 0;
  for (uint32_t row = 0; row < slots(); ++row) {
    if (IsNull(row)) continue;
    bool larger = largest.is_null();
    if (!larger && low_[row] != low_[at]) {
      larger = by_slot ? static_cast<int64_t>(low_[row]) > static_cast<int64_t>(low_[at])
                       : CompareValues(ValueAt(row), largest) > 0;
    } else if (!larger && type_ == ValueType::kDecimal) {
      larger = CompareValues(ValueAt(row), largest) > 0;
    }
    if (!larger) continue;
    at = row;
    largest = ValueAt(row);
  }
  return largest;
}

ColumnBuilder::Slot ColumnBuilder::At(uint32_t row) const { return {low_[row], HighAt(row), ExtraAt(row)}; }

void ColumnBuilder::Encode(uint32_t rows, storage::v1::Column& column, std::string& body, Scratch& scratch) const {
  size_t begin = body.size();
  column.set_type(static_cast<storage::v1::Type>(type_));
  EncodeNulls(rows, column, body);
  if (type_ == ValueType::kText) {
    EncodeText(rows, column, body);
  } else {
    EncodeFixed(rows, column, body, scratch);
  }
  column.set_size(static_cast<uint32_t>(body.size() - begin));
}

void ColumnBuilder::EncodeNulls(uint32_t rows, storage::v1::Column& column, std::string& body) const {
  column.set_nulls(nulls_ + (rows - slots()));
  if (column.nulls() == 0) return;
  size_t begin = body.size();
  body.resize(begin + NullBitmapBytes(rows), '\0');
  for (uint32_t row = 0; row < rows; ++row) {
    if (IsNull(row)) body[begin + row / 8] |= static_cast<char>(1 << (row % 8));
  }
}

void ColumnBuilder::EncodeText(uint32_t rows, storage::v1::Column& column, std::string& body) const {
  const size_t plain_bytes = PlainTextBytes(rows);
  size_t dictionary_bytes = texts_.bytes() + size_t{rows} * IndexWidth(texts_.size());
  if (looks_up_ && dictionary_bytes <= plain_bytes) {
    column.set_encoding(storage::v1::ENCODING_DICTIONARY);
    column.set_entries(texts_.size());
    AppendLittleEndian(texts_.offsets().data(), texts_.offsets().size(), 4, body);
    body.append(texts_.heap().data(), texts_.heap().size());
    const size_t width = IndexWidth(texts_.size());
    AppendLittleEndian(low_.data(), low_.size(), width, body);
    body.append((rows - slots()) * width, '\0');
    return;
  }
  column.set_encoding(storage::v1::ENCODING_PLAIN);
  if (texts_.size() == rows) {
    // Every row brought a text of its own.
    AppendLittleEndian(texts_.offsets().data(), texts_.offsets().size(), 4, body);
    body.append(texts_.heap().data(), texts_.heap().size());
    return;
  }
  const size_t begin = body.size();
  body.resize(begin + plain_bytes);
  char* offsets = body.data() + begin;
  char* texts = offsets + 4 * (size_t{rows} + 1);
  uint32_t offset = 0;
  for (uint32_t row = 0; row <= rows; ++row) {
    std::memcpy(offsets + 4 * size_t{row}, &offset, 4);
    if (row == rows || IsNull(row)) continue;
    const absl::string_view text = texts_.At(static_cast<uint32_t>(low_[row]));
    CopyText(text, texts + offset);
    offset += static_cast<uint32_t>(text.size());
  }
}

void ColumnBuilder::EncodeFixed(uint32_t rows, storage::v1::Column& column, std::string& body, Scratch& scratch) const {
  const Range range = ChooseWidth(column);
  size_t value_bytes = column.width() > 0 ? column.width() : FixedWidth(type_);
  if (column.mixed_scales()) value_bytes += 1;
  if (type_ == ValueType::kTimestamp) value_bytes += 2;
  if (!MakeDictionary(rows, value_bytes, range, scratch)) {
    column.set_encoding(storage::v1::ENCODING_PLAIN);
    const int16_t* extra = extra_.data();
    if (extra_.empty() && has_extra()) {
      FillExtra(scratch.extra);
      extra = scratch.extra.data();
    }
    return AppendPadded(low_.data(), high_.data(), extra, slots(), rows - slots(), column, body);
  }
  const size_t entries = scratch.firsts.size();
  column.set_encoding(storage::v1::ENCODING_DICTIONARY);
  column.set_entries(static_cast<uint32_t>(entries));
  scratch.low.clear();
  scratch.high.clear();
  scratch.extra.clear();
  for (uint32_t row : scratch.firsts) {
    scratch.low.push_back(low_[row]);
    if (column.width() == 16) scratch.high.push_back(HighAt(row));
    if (has_extra()) scratch.extra.push_back(ExtraAt(row));
  }
  AppendPadded(scratch.low.data(), scratch.high.data(), scratch.extra.data(), entries, 0, column, body);
  AppendLittleEndian(scratch.indexes.data(), rows, IndexWidth(column.entries()), body);
}

void ColumnBuilder::FillExtra(std::vector<int16_t>& extra) const {
  extra.assign(slots(), one_extra_);
  for (uint32_t row = 0; nulls_ > 0 && row < slots(); ++row) {
    if (IsNull(row)) extra[row] = 0;
  }
}

ColumnBuilder::Range ColumnBuilder::ChooseWidth(storage::v1::Column& column) const {
  if (type_ != ValueType::kInteger && type_ != ValueType::kDecimal) return {};
  int64_t smallest = 0;
  int64_t largest = 0;
  for (uint64_t low : low_) {
    smallest = std::min(smallest, static_cast<int64_t>(low));
    largest = std::max(largest, static_cast<int64_t>(low));
  }
  bool wide = false;
  for (size_t row = 0; row < high_.size(); ++row) wide = wide || high_[row] != SignOf(low_[row]);
  const bool mixed = HasMixedExtras();
  column.set_width(wide ? 16 : NarrowestWidth(smallest, largest));
  column.set_mixed_scales(mixed);
  if (!mixed && one_extra_ > 0) column.set_scale(static_cast<uint32_t>(one_extra_));
  return {smallest, largest};
}

// What extra_ holds may all be one_extra_ again, when a row was taken back.
bool ColumnBuilder::HasMixedExtras() const {
  for (uint32_t row = 0; row < extra_.size(); ++row) {
    if (extra_[row] != one_extra_ && !IsNull(row)) return true;
  }
  return false;
}

bool ColumnBuilder::MakeDictionary(uint32_t rows, size_t value_bytes, const Range& range, Scratch& scratch) const {
  // Past a quarter of the rows, the smaller indexes do not make up for looking at every value.
  if (value_bytes < 2 || rows < 8) return false;
  // Of values of two bytes, only indexes of one byte make less.
  const size_t most = std::min<size_t>(rows / 4, value_bytes == 2 ? kMostShortIndexes : kMaxBatchRows);
  const bool by_low = high_.empty() && extra_.empty();
  const auto span = static_cast<uint64_t>(range.largest) - static_cast<uint64_t>(range.smallest);
  bool few = false;
  if (by_low && span > 0 && span < kMostPlacesByValue * most) {
    scratch.places.assign(span + 1, 0);
    const auto smallest = static_cast<uint64_t>(range.smallest);
    few = CollectDistinct(rows, most, scratch, [&](uint32_t row) { return low_[row] - smallest; });
  } else {
    const size_t mask = std::bit_ceil(2 * (most + 2)) - 1;
    scratch.places.assign(mask + 1, 0);
    few = CollectDistinct(rows, most, scratch, [&](uint32_t row) {
      size_t at = SlotHash(row) & mask;
      for (; scratch.places[at] != 0; at = (at + 1) & mask) {
        const uint32_t first = scratch.firsts[scratch.places[at] - 1];
        if (low_[first] == low_[row] && (by_low || At(first) == At(row))) break;
      }
      return at;
    });
  }
  if (!few) return false;
  size_t entries = scratch.firsts.size();
  return entries * value_bytes + size_t{rows} * IndexWidth(static_cast<uint32_t>(entries)) < rows * value_bytes;
}

// False as soon as there are more than `most`. place_of(row) is where scratch.places has, or will have, the
// index of the row's value + 1.
template <typename PlaceOf>
bool ColumnBuilder::CollectDistinct(uint32_t rows, size_t most, Scratch& scratch, const PlaceOf& place_of) const {
  scratch.firsts.clear();
  scratch.indexes.assign(rows, 0);
  const bool by_low = high_.empty() && extra_.empty();
  uint32_t last = kMaxBatchRows;  // the row before that is not null
  for (uint32_t row = 0; row < slots(); ++row) {
    if (nulls_ > 0 && IsNull(row)) continue;
    if (last < row && low_[row] == low_[last] && (by_low || At(row) == At(last))) {
      scratch.indexes[row] = scratch.indexes[last];
      last = row;
      continue;
    }
    last = row;
    uint32_t& place = scratch.places[place_of(row)];
    if (place == 0) {
      scratch.firsts.push_back(row);
      place = static_cast<uint32_t>(scratch.firsts.size());
      if (place > most || (row <= kSampleRows && place > kSampleRows / 2)) return false;
    }
    scratch.indexes[row] = place - 1;
  }
  return true;
}

size_t ColumnBuilder::SlotHash(uint32_t row) const {
  constexpr uint64_t kSpread = 0x9E3779B97F4A7C15u;  // odd, and no simple fraction of 2^64
  uint64_t mixed = low_[row];
  if (!high_.empty()) mixed ^= high_[row] * kSpread;
  if (!extra_.empty()) mixed += static_cast<uint64_t>(static_cast<uint16_t>(extra_[row])) << 48;
  mixed *= kSpread;
  return mixed ^ (mixed >> 32);
}

void ColumnBuilder::AppendPadded(const uint64_t* low, const uint64_t* high, const int16_t* extra, size_t count,
                                 size_t padding, const storage::v1::Column& column, std::string& body) const {
  const size_t width = column.width() > 0 ? column.width() : FixedWidth(type_);
  if (width == 16) {
    for (size_t i = 0; i < count; ++i) {
      AppendLittleEndian(low[i], 8, body);
      AppendLittleEndian(high[i], 8, body);
    }
  } else {
    AppendLittleEndian(low, count, width, body);
  }
  body.append(padding * width, '\0');
  const size_t extra_width = column.mixed_scales() ? 1 : type_ == ValueType::kTimestamp ? 2 : 0;
  if (extra_width == 0) return;
  AppendLittleEndian(extra, count, extra_width, body);
  body.append(padding * extra_width, '\0');
}

}  // namespace chartly

#include "common/chunk/column_codec.h"

#include <algorithm>
#include <bit>
#include <type_traits>

#include "common/chunk/byte_io.h"
#include "common/chunk/decimal_stream.h"
#include "common/chunk/float_stream.h"
#include "common/chunk/integer_stream.h"
#include "common/chunk/text_entries.h"
#include "common/chunk/text_stream.h"

namespace chartly {
namespace {

// The orders are stored; never change them.
enum class NullEncoding : uint8_t { kRuns = 0, kBits = 1 };
enum class DecimalLayout : uint8_t { kOneScale = 0, kMixed = 1, kWide = 2 };
enum class TextLayout : uint8_t { kEach = 0, kCodes = 1 };

// Lengths of the runs of equal null bits; the first run is of rows that are not null and may be empty.
std::vector<int64_t> NullRuns(const ColumnData& column) {
  std::vector<int64_t> runs = {0};
  bool is_null = false;
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (column.IsNull(row) != is_null) {
      is_null = !is_null;
      runs.push_back(0);
    }
    ++runs.back();
  }
  return runs;
}

void EncodeNulls(const ColumnData& column, std::string& out) {
  const std::vector<int64_t> lengths = NullRuns(column);
  std::string runs(1, static_cast<char>(NullEncoding::kRuns));
  AppendVarint(lengths.size(), runs);
  EncodeIntegers(lengths, runs);
  std::string bits(1, static_cast<char>(NullEncoding::kBits));
  AppendBlock(absl::string_view(reinterpret_cast<const char*>(column.nulls.data()), (column.rows + 7) / 8), bits);
  out += runs.size() <= bits.size() ? runs : bits;
}

void SetNulls(uint32_t begin, uint32_t end, std::vector<uint64_t>& nulls) {
  for (; begin < end && begin % 64 != 0; ++begin) nulls[begin / 64] |= uint64_t{1} << (begin % 64);
  for (; begin + 64 <= end; begin += 64) nulls[begin / 64] = ~uint64_t{0};
  for (; begin < end; ++begin) nulls[begin / 64] |= uint64_t{1} << (begin % 64);
}

bool DecodeNullRuns(ByteReader& in, ColumnData& column, ChunkScratch& scratch) {
  size_t count = 0;
  if (!in.Count(uint64_t{column.rows} + 1, count)) return false;
  auto runs = scratch.TakeIntegers();
  runs->resize(count);
  if (!DecodeIntegers(in, count, runs->data(), scratch)) return false;
  uint64_t row = 0;
  bool is_null = false;
  for (int64_t length : *runs) {
    if (length < 0 || static_cast<uint64_t>(length) > column.rows - row) return false;
    const uint64_t end = row + static_cast<uint64_t>(length);
    if (is_null) SetNulls(static_cast<uint32_t>(row), static_cast<uint32_t>(end), column.nulls);
    is_null = !is_null;
    row = end;
  }
  return row == column.rows;
}

bool DecodeNulls(ByteReader& in, uint32_t nulls, ColumnData& column, ChunkScratch& scratch) {
  if (nulls == 0) return true;
  column.nulls.assign((size_t{column.rows} + 63) / 64, 0);
  if (nulls == column.rows) {
    SetNulls(0, column.rows, column.nulls);
    return true;
  }
  uint8_t encoding = 0;
  if (!in.Byte(encoding)) return false;
  if (encoding == static_cast<uint8_t>(NullEncoding::kRuns)) {
    if (!DecodeNullRuns(in, column, scratch)) return false;
  } else {
    auto bits = scratch.TakeBytes();
    bits->clear();
    if (encoding != static_cast<uint8_t>(NullEncoding::kBits) || !ReadBlock(in, (column.rows + 7) / 8, *bits)) {
      return false;
    }
    std::memcpy(column.nulls.data(), bits->data(), bits->size());
    if (column.rows % 64 != 0 && column.nulls.back() >> (column.rows % 64) != 0) return false;
  }
  return column.NullCount() == nulls;
}

// The values of the rows that are not null.
template <typename From, typename To>
std::vector<To> Dense(const ColumnData& column, const std::vector<From>& values) {
  if (column.nulls.empty()) return std::vector<To>(values.begin(), values.end());
  std::vector<To> dense;
  dense.reserve(values.size());
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (!column.IsNull(row)) dense.push_back(static_cast<To>(values[row]));
  }
  return dense;
}

// Moves the first values to the rows that are not null; null rows get zeros.
template <typename T>
void Spread(const std::vector<uint64_t>& nulls, size_t present, std::vector<T>& values) {
  if (nulls.empty()) return;
  for (size_t row = values.size(); row-- > 0;) {
    const bool is_null = (nulls[row / 64] >> (row % 64) & 1) != 0;
    present -= is_null ? 0 : 1;
    values[row] = is_null ? T(0) : values[present];
  }
}

template <typename T>
void EncodeDense(const ColumnData& column, const std::vector<T>& values, std::string& out) {
  if constexpr (std::is_same_v<T, int64_t>) {
    if (column.nulls.empty()) return EncodeIntegers(values, out);
  }
  EncodeIntegers(Dense<T, int64_t>(column, values), out);
}

// Small numbers that are mostly the same: one for all rows, or one a row.
template <typename T>
void EncodeSmall(const ColumnData& column, int64_t all, const std::vector<T>& each, std::string& out) {
  out.push_back(each.empty() ? 1 : 0);
  if (each.empty()) {
    AppendSigned(all, out);
  } else {
    EncodeDense(column, each, out);
  }
}

void EncodeWide(const ColumnData& column, std::string& out) {
  std::vector<int64_t> low;
  std::vector<int64_t> high;
  for (const absl::int128& unscaled : Dense<absl::int128, absl::int128>(column, column.wide)) {
    low.push_back(static_cast<int64_t>(absl::Int128Low64(unscaled)));
    high.push_back(absl::Int128High64(unscaled));
  }
  EncodeIntegers(low, out);
  EncodeIntegers(high, out);
  EncodeSmall(column, int64_t{column.scale}, column.scales, out);
}

void EncodeDecimalColumn(const ColumnData& column, std::string& out) {
  if (!column.wide.empty()) {
    out.push_back(static_cast<char>(DecimalLayout::kWide));
    return EncodeWide(column, out);
  }
  if (!column.scales.empty()) {
    out.push_back(static_cast<char>(DecimalLayout::kMixed));
    return EncodeDecimals(Dense<int64_t, int64_t>(column, column.integers),
                          Dense<uint8_t, uint8_t>(column, column.scales), out);
  }
  out.push_back(static_cast<char>(DecimalLayout::kOneScale));
  out.push_back(static_cast<char>(column.scale));
  EncodeDense(column, column.integers, out);
}

std::string EncodeEachText(const ColumnData& column) {
  std::vector<absl::string_view> texts;
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (!column.IsNull(row)) texts.push_back(column.Text(row));
  }
  std::string out(1, static_cast<char>(TextLayout::kEach));
  EncodeTexts(texts, out);
  return out;
}

std::string EncodeCodedTexts(const ColumnData& column) {
  std::vector<absl::string_view> texts;
  for (uint32_t i = 0; i < column.text_ends.size(); ++i) texts.push_back(column.Entry(i));
  std::string out(1, static_cast<char>(TextLayout::kCodes));
  AppendVarint(texts.size(), out);
  EncodeTexts(texts, out);
  EncodeDense(column, column.codes, out);
  return out;
}

bool UsesAllEntries(const ColumnData& column) {
  std::vector<uint8_t> used(column.text_ends.size(), 0);
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (!column.IsNull(row)) used[column.codes[row]] = 1;
  }
  return std::find(used.begin(), used.end(), 0) == used.end();
}

// Columns with few distinct texts get codes, those with many do not; in between both are tried.
void EncodeTextColumn(const ColumnData& column, uint32_t present, std::string& out) {
  ColumnData made;
  if (column.codes.empty()) {
    made = column;
    if (!MakeEntries(made, present / 2)) {
      out += EncodeEachText(column);
      return;
    }
  } else if (!UsesAllEntries(column)) {
    made = column;
    SortEntries(made);
  }
  const ColumnData& coded = made.rows > 0 ? made : column;
  std::string best = EncodeCodedTexts(coded);
  if (coded.text_ends.size() > present / 16) {
    const std::string each = EncodeEachText(column);
    if (each.size() < best.size()) best = each;
  }
  out += best;
}

void EncodeValues(const ColumnData& column, uint32_t present, std::string& out) {
  switch (column.type) {
    case ValueType::kText:
      return EncodeTextColumn(column, present, out);
    case ValueType::kDecimal:
      return EncodeDecimalColumn(column, out);
    case ValueType::kFloat:
      return EncodeFloats(Dense<double, double>(column, column.floats), out);
    case ValueType::kTimestamp:
      EncodeDense(column, column.integers, out);
      return EncodeSmall(column, int64_t{column.offset_minutes}, column.offsets_minutes, out);
    default:
      return EncodeDense(column, column.integers, out);
  }
}

// Reads the values of `present` rows that are not null, by type.
class ValueDecoder {
 public:
  ValueDecoder(ByteReader& in, size_t present, ColumnData& column, ChunkScratch& scratch)
      : in_(in), present_(present), column_(column), scratch_(scratch) {}

  bool Decode() {
    switch (column_.type) {
      case ValueType::kText:
        return Texts();
      case ValueType::kDecimal:
        return Decimals();
      case ValueType::kFloat:
        return Floats();
      case ValueType::kTimestamp:
        return Timestamps();
      case ValueType::kBoolean:
        return Integers(0, 1);
      case ValueType::kDate:
        return Integers(INT32_MIN, INT32_MAX);
      default:
        return Integers(INT64_MIN, INT64_MAX);
    }
  }

 private:
  bool Integers(int64_t min, int64_t max) {
    column_.integers.resize(column_.rows);
    if (!DecodeIntegers(in_, present_, column_.integers.data(), scratch_)) return false;
    bool good = true;
    for (size_t i = 0; i < present_; ++i) good &= column_.integers[i] >= min && column_.integers[i] <= max;
    Spread(column_.nulls, present_, column_.integers);
    return good;
  }

  bool Timestamps() {
    return Integers(INT64_MIN, INT64_MAX) &&
           Small(INT16_MIN, INT16_MAX, column_.offset_minutes, column_.offsets_minutes);
  }

  bool Floats() {
    column_.floats.resize(column_.rows);
    if (!DecodeFloats(in_, present_, column_.floats.data(), scratch_)) return false;
    Spread(column_.nulls, present_, column_.floats);
    return true;
  }

  bool Decimals() {
    uint8_t layout = 0;
    if (!in_.Byte(layout)) return false;
    switch (static_cast<DecimalLayout>(layout)) {
      case DecimalLayout::kOneScale:
        return in_.Byte(column_.scale) && column_.scale <= kMaxDecimalScale && Integers(INT64_MIN, INT64_MAX);
      case DecimalLayout::kMixed:
        return Mixed();
      case DecimalLayout::kWide:
        return Wide() && Small(0, kMaxDecimalScale, column_.scale, column_.scales);
    }
    return false;
  }

  bool Texts() {
    uint8_t layout = 0;
    if (!in_.Byte(layout)) return false;
    if (layout == static_cast<uint8_t>(TextLayout::kEach)) return EachText();
    size_t entries = 0;
    if (layout != static_cast<uint8_t>(TextLayout::kCodes) || !in_.Count(present_, entries)) return false;
    if (!DecodeTexts(in_, entries, column_.text_ends, column_.heap, scratch_)) return false;
    auto codes = scratch_.TakeIntegers();
    codes->resize(present_);
    if (!DecodeIntegers(in_, present_, codes->data(), scratch_)) return false;
    column_.codes.resize(column_.rows);
    uint64_t largest = 0;
    for (size_t i = 0; i < present_; ++i) {
      const auto code = static_cast<uint64_t>((*codes)[i]);
      largest = std::max(largest, code);
      column_.codes[i] = static_cast<uint32_t>(code);
    }
    Spread(column_.nulls, present_, column_.codes);
    return largest < entries;
  }

  bool EachText() {
    column_.codes.clear();
    if (!DecodeTexts(in_, present_, column_.text_ends, column_.heap, scratch_)) return false;
    if (column_.nulls.empty()) return true;
    // An empty text in a null row ends where the one before it does.
    column_.text_ends.resize(column_.rows);
    size_t present = present_;
    for (size_t row = column_.rows; row-- > 0;) {
      column_.text_ends[row] = present == 0 ? 0 : column_.text_ends[present - 1];
      present -= column_.IsNull(static_cast<uint32_t>(row)) ? 0 : 1;
    }
    return true;
  }

  bool Mixed() {
    column_.integers.resize(column_.rows);
    column_.scales.resize(column_.rows);
    if (!DecodeDecimals(in_, present_, column_.integers.data(), column_.scales.data(), scratch_)) return false;
    Spread(column_.nulls, present_, column_.integers);
    Spread(column_.nulls, present_, column_.scales);
    return true;
  }

  bool Wide() {
    auto low = scratch_.TakeIntegers();
    auto high = scratch_.TakeIntegers();
    low->resize(present_);
    high->resize(present_);
    if (!DecodeIntegers(in_, present_, low->data(), scratch_)) return false;
    if (!DecodeIntegers(in_, present_, high->data(), scratch_)) return false;
    column_.integers.clear();
    column_.wide.resize(column_.rows);
    for (size_t i = 0; i < present_; ++i) {
      column_.wide[i] = absl::MakeInt128((*high)[i], static_cast<uint64_t>((*low)[i]));
    }
    Spread(column_.nulls, present_, column_.wide);
    return true;
  }

  // What EncodeSmall wrote.
  template <typename T>
  bool Small(int64_t min, int64_t max, T& all, std::vector<T>& each) {
    uint8_t shared = 0;
    int64_t one = 0;
    if (!in_.Byte(shared) || shared > 1) return false;
    if (shared == 1) {
      if (!in_.Signed(one) || one < min || one > max) return false;
      all = static_cast<T>(one);
      return true;
    }
    auto values = scratch_.TakeIntegers();
    values->resize(present_);
    if (!DecodeIntegers(in_, present_, values->data(), scratch_)) return false;
    each.resize(column_.rows);
    bool good = true;
    for (size_t i = 0; i < present_; ++i) {
      good &= (*values)[i] >= min && (*values)[i] <= max;
      each[i] = static_cast<T>((*values)[i]);
    }
    Spread(column_.nulls, present_, each);
    return good;
  }

  ByteReader& in_;
  size_t present_;
  ColumnData& column_;
  ChunkScratch& scratch_;
};

// Zeros and empty texts, where all rows are null.
void FillWithNothing(ColumnData& column) {
  if (column.type == ValueType::kText) {
    column.codes.clear();
    column.text_ends.assign(column.rows, 0);
  } else if (column.type == ValueType::kFloat) {
    column.floats.assign(column.rows, 0);
  } else {
    column.integers.assign(column.rows, 0);
  }
}

}  // namespace

std::string EncodeColumn(const ColumnData& column) {
  std::string out;
  const uint32_t nulls = column.NullCount();
  if (nulls == column.rows) return out;
  if (nulls > 0) EncodeNulls(column, out);
  EncodeValues(column, column.rows - nulls, out);
  return out;
}

bool DecodeColumn(absl::string_view bytes, uint32_t nulls, ColumnData& out, ChunkScratch& scratch) {
  ByteReader in(bytes);
  if (!DecodeNulls(in, nulls, out, scratch)) return false;
  if (nulls == out.rows) {
    FillWithNothing(out);
  } else if (!ValueDecoder(in, out.rows - nulls, out, scratch).Decode()) {
    return false;
  }
  return in.left() == 0;
}

}  // namespace chartly

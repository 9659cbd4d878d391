// What the values of one column look like. Internal to this folder. Not thread-safe.
#ifndef CHARTLY_DRONE_SUGGEST_COLUMN_SURVEY_H_
#define CHARTLY_DRONE_SUGGEST_COLUMN_SURVEY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/normalize/row.h"

namespace chartly::drone {

class ColumnSurvey {
 public:
  void Add(const Field& field);

  int64_t rows() const { return rows_; }
  // Values that are there: not missing, null, empty, or a word for "not known".
  int64_t values() const { return values_; }
  int64_t distinct() const { return static_cast<int64_t>(distinct_.size()); }
  // Hash of the value of every row, 0 where there is none; empty past kMaxHashes rows.
  const std::vector<uint64_t>& hashes() const { return hashes_; }

  // Whether at least 19 of 20 values are of that kind.
  bool Mostly(int64_t count) const { return values_ > 0 && count * 20 >= values_ * 19; }
  bool IsNumber() const { return Mostly(integers_ + decimals_); }
  bool IsInteger() const { return Mostly(integers_) && decimals_ == 0; }
  bool IsBoolean() const { return Mostly(booleans_); }
  bool IsDate() const { return Mostly(dates_); }
  bool IsTimestamp() const { return Mostly(timestamps_ + dates_) && timestamps_ > 0; }
  bool IsYearMonth() const { return Mostly(year_months_); }
  bool IsRfc822() const { return Mostly(rfc822_); }
  bool IsYear() const { return IsInteger() && least_ >= 1000 && most_ <= 2500; }
  bool IsMonthNumber() const { return IsInteger() && least_ >= 1 && most_ <= 13; }
  bool IsPeriod() const { return Mostly(periods_); }  // M01
  bool IsEpochSeconds() const { return IsInteger() && least_ > 3e8 && most_ < 5e9; }
  bool IsEpochMilliseconds() const { return IsInteger() && least_ > 3e11 && most_ < 5e12; }
  bool IsUrl() const { return Mostly(urls_); }
  bool IsComposite() const { return composites_ > 0; }
  // Digits that begin with a zero, or codes of one length: text, though it reads as a number.
  bool IsDigitCode() const { return leading_zeros_ > 0 && Mostly(digits_); }
  double mean_bytes() const { return values_ == 0 ? 0 : static_cast<double>(bytes_) / static_cast<double>(values_); }
  double least() const { return least_; }
  double most() const { return most_; }
  // Words that stand for "not known" in this column.
  const std::map<std::string, int64_t>& null_words() const { return null_words_; }
  const std::string& example() const { return example_; }

  static constexpr size_t kMaxHashes = 200'000;

 private:
  void AddText(absl::string_view text);

  int64_t rows_ = 0;
  int64_t values_ = 0;
  int64_t integers_ = 0;
  int64_t decimals_ = 0;
  int64_t booleans_ = 0;
  int64_t dates_ = 0;
  int64_t timestamps_ = 0;
  int64_t year_months_ = 0;
  int64_t rfc822_ = 0;
  int64_t periods_ = 0;
  int64_t urls_ = 0;
  int64_t composites_ = 0;
  int64_t leading_zeros_ = 0;
  int64_t digits_ = 0;
  int64_t bytes_ = 0;
  double least_ = 0;
  double most_ = 0;
  bool has_number_ = false;
  std::map<std::string, int64_t> null_words_;
  absl::flat_hash_set<uint64_t> distinct_;
  std::vector<uint64_t> hashes_;
  std::string example_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SUGGEST_COLUMN_SURVEY_H_

#include "drone/suggest/column_survey.h"

#include <algorithm>
#include <cstdlib>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/value/value.h"

namespace chartly::drone {
namespace {

// What publishers write for "not known". A column in which nothing else is no number keeps being one of numbers.
constexpr absl::string_view kNullWords[] = {"NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", ":",
                                            ".",  "..",  "-",   "--",  "...", "*",    "(NA)", "#N/A", "n.a."};
constexpr absl::string_view kWeekdays[] = {"Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"};

bool AllDigits(absl::string_view text) { return text.find_first_not_of("0123456789") == text.npos; }

bool IsYearMonthText(absl::string_view text) {
  if (text.size() != 7 || !AllDigits(text.substr(0, 4)) || !AllDigits(text.substr(5))) return false;
  return text[4] == '-' || text[4] == 'M';
}

}  // namespace

void ColumnSurvey::Add(const Field& field) {
  ++rows_;
  absl::string_view text = absl::StripAsciiWhitespace(field.text);
  bool absent = field.kind == Field::Kind::kMissing || field.kind == Field::Kind::kNull || text.empty();
  composites_ += field.kind == Field::Kind::kComposite;
  bool null_word = !absent && field.kind == Field::Kind::kText &&
                   std::find(std::begin(kNullWords), std::end(kNullWords), text) != std::end(kNullWords);
  if (null_word) ++null_words_[std::string(text)];
  if (absent || null_word || field.kind == Field::Kind::kComposite) {
    if (hashes_.size() < kMaxHashes) hashes_.push_back(0);
    return;
  }
  ++values_;
  if (example_.empty()) example_ = std::string(text.substr(0, 60));
  uint64_t hash = absl::HashOf(text) | 1;
  if (distinct_.size() < kMaxHashes) distinct_.insert(hash);
  if (hashes_.size() < kMaxHashes) hashes_.push_back(hash);
  bytes_ += static_cast<int64_t>(text.size());
  if (field.kind == Field::Kind::kBoolean) {
    ++booleans_;
  } else {
    AddText(text);
  }
}

void ColumnSurvey::AddText(absl::string_view text) {
  if (AllDigits(text)) {
    ++digits_;
    leading_zeros_ += text.size() > 1 && text[0] == '0';
  }
  absl::StatusOr<Value> number = ParseNumber(text);
  if (number.ok()) {
    (number->type() == ValueType::kInteger ? integers_ : decimals_) += 1;
    double value = number->ToDouble();
    least_ = has_number_ ? std::min(least_, value) : value;
    most_ = has_number_ ? std::max(most_, value) : value;
    has_number_ = true;
    return;
  }
  if (text == "true" || text == "false") {
    ++booleans_;
  } else if (IsYearMonthText(text)) {
    ++year_months_;
  } else if (ParseDate(text).ok()) {
    ++dates_;
  } else if (ParseTimestamp(text).ok()) {
    ++timestamps_;
  } else if (text.size() == 3 && text[0] == 'M' && AllDigits(text.substr(1))) {
    ++periods_;
  } else if (absl::StartsWith(text, "http://") || absl::StartsWith(text, "https://")) {
    ++urls_;
  } else if (text.size() > 20 &&
             std::find(std::begin(kWeekdays), std::end(kWeekdays), text.substr(0, 4)) != std::end(kWeekdays)) {
    ++rfc822_;
  }
}

}  // namespace chartly::drone

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status/status.h"
#include "control/reporter/step.h"
#include "control/reporter/table.h"

namespace chartly::reporter {
namespace {

constexpr size_t kMaxStepBytes = 4096;
constexpr int64_t kMaxTop = 1'000'000;

using WindowFunction = WindowStep::Function;
constexpr std::pair<const char*, WindowFunction> kWindowFunctions[] = {
    {"lag", WindowFunction::kLag},
    {"change", WindowFunction::kChange},
    {"percent_change", WindowFunction::kPercentChange},
    {"share", WindowFunction::kShare},
    {"rank", WindowFunction::kRank},
    {"running_sum", WindowFunction::kRunningSum},
    {"moving_mean", WindowFunction::kMovingMean}};

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) { Advance(); }

  absl::StatusOr<Step> Parse() {
    if (text_.size() > kMaxStepBytes) return Wrong(absl::StrCat("more than ", kMaxStepBytes, " bytes"));
    std::string verb = word_;
    if (verb == "filter") return ParseFilter();
    if (verb == "derive") return ParseDerive();
    Advance();
    ASSIGN_OR_RETURN(Step step, ParseVerb(verb));
    if (word_.empty() && symbol_ == '\0') return step;
    return Unexpected("the end");
  }

 private:
  absl::StatusOr<Step> ParseVerb(const std::string& verb) {
    if (verb == "group") return ParseGroup();
    if (verb == "window") return ParseWindow();
    if (verb == "sort") return ParseSort();
    if (verb == "top") return ParseTop();
    if (verb == "pivot") return ParsePivot();
    if (verb == "select") return ParseSelect();
    if (verb == "regress") return ParseRegress();
    return Error(absl::StatusCode::kInvalidArgument, "REPORT_STEP_INVALID",
                 absl::StrCat("\"", verb.substr(0, 64),
                              "\" is not the beginning of a step; write filter, derive, group, "
                              "window, sort, top, pivot, select or regress"));
  }

  absl::Status Wrong(absl::string_view message) const {
    return Error(absl::StatusCode::kInvalidArgument, "REPORT_STEP_INVALID",
                 absl::StrCat("column ", begin_ + 1, ": ", message));
  }
  absl::Status Unexpected(absl::string_view expected) const {
    std::string found = symbol_ != '\0' ? std::string(1, symbol_) : word_;
    return Wrong(absl::StrCat("expected ", expected, ", found ",
                              found.empty() ? "the end" : absl::StrCat("\"", found.substr(0, 64), "\"")));
  }

  // The next token: a word (of a name or number), a name in backquotes, or a symbol; neither at the end.
  void Advance() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    begin_ = at_;
    word_.clear();
    quoted_ = false;
    symbol_ = '\0';
    if (at_ == text_.size()) return;
    size_t end = text_[at_] == '`' ? text_.find('`', at_ + 1) : text_.npos;
    if (end != text_.npos) {
      word_ = std::string(text_.substr(at_ + 1, end - at_ - 1));
      quoted_ = true;
      at_ = end + 1;
      return;
    }
    while (at_ < text_.size() && !IsDelimiter(text_[at_])) word_ += text_[at_++];
    if (word_.empty()) symbol_ = text_[at_++];
  }
  static bool IsDelimiter(char c) {
    return absl::ascii_isspace(static_cast<unsigned char>(c)) || absl::StrContains("(),:=`", absl::string_view(&c, 1));
  }

  bool IsWord(absl::string_view word) const { return !quoted_ && word_ == word; }
  bool TakeWord(absl::string_view word) {
    if (!IsWord(word)) return false;
    Advance();
    return true;
  }
  bool Take(char symbol) {
    if (symbol_ != symbol) return false;
    Advance();
    return true;
  }
  absl::Status Expect(char symbol) {
    return Take(symbol) ? absl::OkStatus() : Unexpected(absl::StrCat("\"", std::string(1, symbol), "\""));
  }
  absl::Status ExpectWord(absl::string_view word) {
    return TakeWord(word) ? absl::OkStatus() : Unexpected(absl::StrCat("\"", word, "\""));
  }

  absl::StatusOr<std::string> Name(absl::string_view what = "the name of a column") {
    if (word_.empty()) return Unexpected(what);
    std::string name = quoted_ ? word_ : BareName(word_);
    Advance();
    return name;
  }

  absl::StatusOr<std::vector<std::string>> Names() {
    std::vector<std::string> names;
    do {
      ASSIGN_OR_RETURN(std::string name, Name());
      names.push_back(std::move(name));
    } while (Take(','));
    return names;
  }

  absl::StatusOr<int64_t> Whole(int64_t least, int64_t most) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(word_, &number) || number < least || number > most) {
      return Unexpected(absl::StrCat("a whole number from ", least, " to ", most));
    }
    Advance();
    return number;
  }

  // The rest of the text, which another parser reads.
  absl::string_view Rest() const { return text_.substr(std::min(at_, text_.size())); }

  absl::StatusOr<Step> ParseFilter() {
    ASSIGN_OR_RETURN(Expression condition, Expression::Compile(Rest()));
    return Step(FilterStep{std::move(condition)});
  }

  absl::StatusOr<Step> ParseDerive() {
    Advance();
    ASSIGN_OR_RETURN(std::string name, Name("a name for the new measure"));
    if (symbol_ != '=') return Unexpected("\"=\"");
    ASSIGN_OR_RETURN(Arithmetic arithmetic, Arithmetic::Compile(Rest()));
    return Step(DeriveStep{std::move(name), std::move(arithmetic)});
  }

  absl::StatusOr<Step> ParseGroup() {
    GroupStep step;
    if (TakeWord("by")) {
      do {
        ASSIGN_OR_RETURN(GroupKey key, ParseGroupKey());
        step.keys.push_back(std::move(key));
      } while (Take(','));
    }
    RETURN_IF_ERROR(Expect(':'));
    do {
      ASSIGN_OR_RETURN(AggregateCall call, ParseCall());
      step.calls.push_back(std::move(call));
    } while (Take(','));
    return Step(std::move(step));
  }

  absl::StatusOr<GroupKey> ParseGroupKey() {
    GroupKey key;
    std::string unit = word_;
    ASSIGN_OR_RETURN(key.column, Name("the name of a dim"));
    key.name = key.column;
    if (Take('(')) {
      ASSIGN_OR_RETURN(key.column, Name());
      if (unit == "every") {
        RETURN_IF_ERROR(Expect(','));
        ASSIGN_OR_RETURN(key.bucket, ParseEvery());
      } else {
        key.bucket = TimeBucket::Named(unit);
        if (!key.bucket) {
          return Wrong(absl::StrCat("\"", unit,
                                    "\" is no unit of time; there are year, quarter, month, week, day, "
                                    "hour, and every(COLUMN, 15m)"));
        }
      }
      RETURN_IF_ERROR(Expect(')'));
      key.name = unit == "every" ? key.column : unit;
    }
    if (TakeWord("as")) {
      ASSIGN_OR_RETURN(key.name, Name("a name"));
    }
    return key;
  }

  absl::StatusOr<TimeBucket> ParseEvery() {
    absl::Duration length;
    std::string text = word_;
    if (!absl::ParseDuration(text, &length) || length < absl::Microseconds(1) || length > absl::Hours(24 * 366)) {
      return Unexpected("a length of time such as 15m, 6h or 90s");
    }
    Advance();
    return TimeBucket::Fixed(length);
  }

  absl::StatusOr<AggregateCall> ParseCall() {
    AggregateCall call;
    std::string function = word_;
    if (!ParseAggregateFunction(function, call.function)) {
      return Unexpected(absl::StrCat("one of ", AggregateFunctionNames()));
    }
    Advance();
    RETURN_IF_ERROR(Expect('('));
    bool rows = call.function == AggregateFunction::kCount && symbol_ == ')';
    if (!rows) {
      ASSIGN_OR_RETURN(call.column, Name());
    }
    if (call.function == AggregateFunction::kQuantile) {
      RETURN_IF_ERROR(Expect(','));
      if (!absl::SimpleAtod(word_, &call.quantile) || !(call.quantile >= 0 && call.quantile <= 1)) {
        return Unexpected("a number from 0 to 1");
      }
      Advance();
    }
    if (TakesTwoColumns(call.function)) {
      RETURN_IF_ERROR(Expect(','));
      ASSIGN_OR_RETURN(call.other, Name());
    }
    RETURN_IF_ERROR(Expect(')'));
    call.name = rows ? function : absl::StrCat(function, "_", call.column, call.other.empty() ? "" : "_", call.other);
    if (TakeWord("as")) {
      ASSIGN_OR_RETURN(call.name, Name("a name"));
    }
    return call;
  }

  absl::StatusOr<Step> ParseWindow() {
    WindowStep step;
    ASSIGN_OR_RETURN(step.name, Name("a name for the new measure"));
    RETURN_IF_ERROR(Expect('='));
    RETURN_IF_ERROR(ParseWindowFunction(step));
    if (TakeWord("over")) {
      ASSIGN_OR_RETURN(step.over, Names());
    }
    if (TakeWord("by")) {
      ASSIGN_OR_RETURN(step.by, Names());
    }
    bool ordered = step.function != WindowFunction::kShare && step.function != WindowFunction::kRank;
    if (ordered && step.by.empty()) return Unexpected("\"by\" and the column that gives the order");
    return Step(std::move(step));
  }

  absl::Status ParseWindowFunction(WindowStep& step) {
    const auto* known = std::find_if(std::begin(kWindowFunctions), std::end(kWindowFunctions),
                                     [&](const auto& entry) { return IsWord(entry.first); });
    if (known == std::end(kWindowFunctions)) {
      return Unexpected("one of lag, change, percent_change, share, rank, running_sum, moving_mean");
    }
    step.function = known->second;
    Advance();
    RETURN_IF_ERROR(Expect('('));
    ASSIGN_OR_RETURN(step.column, Name());
    bool moving = step.function == WindowFunction::kMovingMean;
    if (symbol_ == ',' || moving) {
      RETURN_IF_ERROR(Expect(','));
      ASSIGN_OR_RETURN(step.offset, Whole(moving ? 1 : -10000, moving ? 1000 : 10000));
    }
    return Expect(')');
  }

  absl::StatusOr<SortKey> ParseSortKey() {
    SortKey key;
    ASSIGN_OR_RETURN(key.column, Name());
    key.descending = IsWord("desc");
    if (key.descending || IsWord("asc")) Advance();
    return key;
  }

  absl::StatusOr<Step> ParseSort() {
    SortStep step;
    do {
      ASSIGN_OR_RETURN(SortKey key, ParseSortKey());
      step.keys.push_back(std::move(key));
    } while (Take(','));
    return Step(std::move(step));
  }

  absl::StatusOr<Step> ParseTop() {
    TopStep step;
    ASSIGN_OR_RETURN(step.count, Whole(1, kMaxTop));
    RETURN_IF_ERROR(ExpectWord("by"));
    ASSIGN_OR_RETURN(step.by.column, Name());
    step.by.descending = !TakeWord("asc");
    TakeWord("desc");
    if (TakeWord("per")) {
      ASSIGN_OR_RETURN(step.per, Names());
    }
    return Step(std::move(step));
  }

  absl::StatusOr<Step> ParsePivot() {
    PivotStep step;
    ASSIGN_OR_RETURN(step.column, Name());
    RETURN_IF_ERROR(Expect(':'));
    ASSIGN_OR_RETURN(step.call, ParseCall());
    return Step(std::move(step));
  }

  absl::StatusOr<Step> ParseSelect() {
    SelectStep step;
    do {
      SelectStep::Item item;
      ASSIGN_OR_RETURN(item.column, Name());
      item.name = item.column;
      if (TakeWord("as")) {
        ASSIGN_OR_RETURN(item.name, Name("a name"));
      }
      step.items.push_back(std::move(item));
    } while (Take(','));
    return Step(std::move(step));
  }

  absl::StatusOr<Step> ParseRegress() {
    RegressStep step;
    ASSIGN_OR_RETURN(step.y, Name());
    RETURN_IF_ERROR(ExpectWord("on"));
    ASSIGN_OR_RETURN(step.x, Name());
    return Step(std::move(step));
  }

  absl::string_view text_;
  size_t at_ = 0;
  size_t begin_ = 0;  // of the token
  std::string word_;
  bool quoted_ = false;
  char symbol_ = '\0';
};

}  // namespace

absl::StatusOr<Step> ParseStep(absl::string_view text) { return Parser(absl::StripAsciiWhitespace(text)).Parse(); }

}  // namespace chartly::reporter

#include "common/normalize/time_format.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/function.h"
#include "common/status/status.h"

namespace chartly {

struct TimeFormat::Step {
  enum class Kind {
    kLiteral,
    kBlank,
    kYear,
    kShortYear,
    kMonth,
    kMonthName,
    kDay,
    kDayOfYear,
    kDayName,
    kHour,
    kHalfDayHour,
    kMinute,
    kSecond,
    kFraction,
    kHalfDay,
    kZone,
    kOptional,  // `length` steps that follow may be missing together
  };
  Kind kind = Kind::kLiteral;
  char literal = 0;
  size_t length = 0;
  bool exact = false;  // a number beside a number has all its digits
};

namespace {

using Step = TimeFormat::Step;
using StepKind = TimeFormat::Step::Kind;

constexpr size_t kMaxFormatBytes = 128;

constexpr absl::string_view kMonths[] = {"january", "february", "march",     "april",   "may",      "june",
                                         "july",    "august",   "september", "october", "november", "december"};
constexpr absl::string_view kDays[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};

struct Zone {
  absl::string_view name;
  int hours;
};
// Those of RFC 822, which stand for fixed offsets. Other names have several meanings.
constexpr Zone kZones[] = {{"utc", 0},  {"gmt", 0},  {"ut", 0},   {"est", -5}, {"edt", -4}, {"cst", -6},
                           {"cdt", -5}, {"mst", -7}, {"mdt", -6}, {"pst", -8}, {"pdt", -7}, {"z", 0}};

bool IsNumber(StepKind kind) {
  switch (kind) {
    case StepKind::kYear:
    case StepKind::kShortYear:
    case StepKind::kMonth:
    case StepKind::kDay:
    case StepKind::kDayOfYear:
    case StepKind::kHour:
    case StepKind::kHalfDayHour:
    case StepKind::kMinute:
    case StepKind::kSecond:
      return true;
    default:
      return false;
  }
}

// Takes one of the names off the text, whole or its first three letters; its index from 1, or 0.
template <size_t kCount>
int TakeName(const absl::string_view (&names)[kCount], absl::string_view& text) {
  for (size_t i = 0; i < kCount; ++i) {
    for (size_t length : {names[i].size(), size_t{4}, size_t{3}}) {
      bool short_form = length < names[i].size();
      if (short_form && length == 4 && names[i] != "september") continue;
      if (length > names[i].size() || !absl::StartsWithIgnoreCase(text, names[i].substr(0, length))) continue;
      if (text.size() > length && absl::ascii_isalpha(static_cast<unsigned char>(text[length]))) continue;
      text.remove_prefix(length);
      return static_cast<int>(i) + 1;
    }
  }
  return 0;
}

// The letters of the format as steps.
class FormatCompiler {
 public:
  absl::StatusOr<std::vector<Step>> Compile(absl::string_view format) {
    for (size_t at = 0; at < format.size(); ++at) {
      char c = format[at];
      if (c == '%') {
        if (++at == format.size()) return WrongArguments("the format ends with %");
        if (!Letter(format[at])) return WrongArguments(absl::StrCat("unknown part %", format.substr(at, 1)));
      } else if (c == '[') {
        if (optional_ >= 0) open_.push_back(optional_);
        optional_ = static_cast<int>(steps_.size());
        Push(StepKind::kOptional);
      } else if (c == ']') {
        if (optional_ < 0) return WrongArguments("a ] without its [");
        Close();
      } else if (c == ' ') {
        if (steps_.empty() || steps_.back().kind != StepKind::kBlank) Push(StepKind::kBlank);
      } else {
        steps_.push_back({StepKind::kLiteral, absl::ascii_tolower(static_cast<unsigned char>(c)), 0, false});
      }
    }
    if (optional_ >= 0) return WrongArguments("a [ without its ]");
    bool has_year = std::any_of(steps_.begin(), steps_.end(), [](const Step& step) {
      return step.kind == StepKind::kYear || step.kind == StepKind::kShortYear;
    });
    if (!has_year) return WrongArguments("the format has no year: %Y or %y");
    MarkExact();
    return std::move(steps_);
  }

 private:
  void Push(StepKind kind) { steps_.push_back({kind, 0, 0, false}); }

  void Close() {
    size_t begin = static_cast<size_t>(optional_);
    steps_[begin].length = steps_.size() - begin - 1;
    optional_ = open_.empty() ? -1 : open_.back();
    if (!open_.empty()) open_.pop_back();
  }

  bool Letters(absl::string_view letters) {
    for (char c : letters) {
      if (absl::ascii_isalpha(static_cast<unsigned char>(c))) {
        Letter(c);
      } else {
        steps_.push_back({StepKind::kLiteral, c, 0, false});
      }
    }
    return true;
  }

  bool Letter(char letter) {
    static constexpr struct {
      char letter;
      StepKind kind;
    } kLetters[] = {{'Y', StepKind::kYear},      {'y', StepKind::kShortYear},   {'m', StepKind::kMonth},
                    {'d', StepKind::kDay},       {'e', StepKind::kDay},         {'j', StepKind::kDayOfYear},
                    {'H', StepKind::kHour},      {'I', StepKind::kHalfDayHour}, {'M', StepKind::kMinute},
                    {'S', StepKind::kSecond},    {'f', StepKind::kFraction},    {'p', StepKind::kHalfDay},
                    {'b', StepKind::kMonthName}, {'B', StepKind::kMonthName},   {'h', StepKind::kMonthName},
                    {'a', StepKind::kDayName},   {'A', StepKind::kDayName},     {'z', StepKind::kZone},
                    {'Z', StepKind::kZone}};
    if (letter == 'F') return Letters("Y-m-d");
    if (letter == 'T') return Letters("H:M:S");
    if (letter == 'R') return Letters("H:M");
    if (letter == '%') return Letters("%");
    for (const auto& known : kLetters) {
      if (known.letter != letter) continue;
      Push(known.kind);
      return true;
    }
    return false;
  }

  void MarkExact() {
    for (size_t i = 0; i + 1 < steps_.size(); ++i) {
      if (!IsNumber(steps_[i].kind) || !IsNumber(steps_[i + 1].kind)) continue;
      steps_[i].exact = true;
      steps_[i + 1].exact = true;
    }
  }

  std::vector<Step> steps_;
  int optional_ = -1;      // step of the innermost open [
  std::vector<int> open_;  // those around it
};

// One text against the steps of one format.
class Matcher {
 public:
  explicit Matcher(absl::string_view text) : text_(text) {}

  bool Match(const std::vector<Step>& steps, CivilTime& out) {
    return MatchRange(steps.data(), steps.data() + steps.size()) && text_.empty() && Finish(out);
  }

 private:
  bool MatchRange(const Step* step, const Step* end) {
    while (step != end) {
      if (step->kind == StepKind::kOptional) {
        const Matcher before = *this;
        if (!MatchRange(step + 1, step + 1 + step->length)) *this = before;
        step += step->length;
      } else if (!MatchStep(*step)) {
        return false;
      }
      ++step;
    }
    return true;
  }

  bool MatchStep(const Step& step) {
    switch (step.kind) {
      case StepKind::kLiteral:
        return TakeLiteral(step.literal);
      case StepKind::kBlank:
        return TakeBlanks();
      case StepKind::kYear:
        return TakeNumber(4, 4, year_);
      case StepKind::kShortYear:
        if (!TakeNumber(2, 2, year_)) return false;
        year_ += year_ < 69 ? 2000 : 1900;
        return true;
      case StepKind::kMonth:
        return TakeNumber(step.exact ? 2 : 1, 2, month_);
      case StepKind::kMonthName:
        month_ = TakeName(kMonths, text_);
        return month_ > 0;
      case StepKind::kDay:
        return TakeNumber(step.exact ? 2 : 1, 2, day_);
      case StepKind::kDayOfYear:
        return TakeNumber(step.exact ? 3 : 1, 3, day_of_year_) && day_of_year_ > 0;
      case StepKind::kDayName:
        return TakeName(kDays, text_) > 0;
      case StepKind::kHour:
        return TakeNumber(step.exact ? 2 : 1, 2, hour_);
      case StepKind::kHalfDayHour:
        return TakeNumber(step.exact ? 2 : 1, 2, hour_) && hour_ >= 1 && hour_ <= 12;
      case StepKind::kMinute:
        return TakeNumber(step.exact ? 2 : 1, 2, minute_);
      case StepKind::kSecond:
        return TakeNumber(step.exact ? 2 : 1, 2, second_);
      case StepKind::kFraction:
        return TakeFraction();
      case StepKind::kHalfDay:
        return TakeHalfDay();
      case StepKind::kZone:
        return TakeZone();
      case StepKind::kOptional:
        break;
    }
    return false;
  }

  bool TakeLiteral(char literal) {
    if (text_.empty() || absl::ascii_tolower(static_cast<unsigned char>(text_[0])) != literal) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool TakeBlanks() {
    size_t before = text_.size();
    text_ = absl::StripLeadingAsciiWhitespace(text_);
    return text_.size() < before;
  }

  bool TakeNumber(size_t least, size_t most, int& number) {
    size_t count = 0;
    int value = 0;
    for (; count < most && count < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[count]));
         ++count) {
      value = value * 10 + (text_[count] - '0');
    }
    if (count < least) return false;
    number = value;
    text_.remove_prefix(count);
    return true;
  }

  // To microseconds; further digits are cut off.
  bool TakeFraction() {
    size_t count = 0;
    micros_ = 0;
    for (; count < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[count])); ++count) {
      if (count < 6) micros_ = micros_ * 10 + (text_[count] - '0');
    }
    for (size_t i = count; i < 6; ++i) micros_ *= 10;
    text_.remove_prefix(count);
    return count > 0;
  }

  bool TakeHalfDay() {
    bool morning = absl::StartsWithIgnoreCase(text_, "am") || absl::StartsWithIgnoreCase(text_, "a.m.");
    bool afternoon = absl::StartsWithIgnoreCase(text_, "pm") || absl::StartsWithIgnoreCase(text_, "p.m.");
    if (!morning && !afternoon) return false;
    text_.remove_prefix(text_[1] == '.' ? 4 : 2);
    half_day_ = morning ? HalfDay::kMorning : HalfDay::kAfternoon;
    return true;
  }

  bool TakeZone() {
    for (const Zone& zone : kZones) {
      bool ends = text_.size() == zone.name.size() ||
                  (text_.size() > zone.name.size() &&
                   !absl::ascii_isalnum(static_cast<unsigned char>(text_[zone.name.size()])));
      if (!ends || !absl::StartsWithIgnoreCase(text_, zone.name)) continue;
      text_.remove_prefix(zone.name.size());
      offset_ = zone.hours * 60;
      return true;
    }
    return TakeOffset();
  }

  // +hh, +hhmm or +hh:mm.
  bool TakeOffset() {
    if (text_.empty() || (text_[0] != '+' && text_[0] != '-')) return false;
    int sign = text_[0] == '-' ? -1 : 1;
    text_.remove_prefix(1);
    int hours = 0;
    int minutes = 0;
    if (!TakeNumber(2, 2, hours)) return false;
    if (!text_.empty() && text_[0] == ':') {
      text_.remove_prefix(1);
      if (!TakeNumber(2, 2, minutes)) return false;
    } else if (!text_.empty() && absl::ascii_isdigit(static_cast<unsigned char>(text_[0]))) {
      if (!TakeNumber(2, 2, minutes)) return false;
    }
    if (hours > 23 || minutes > 59) return false;
    offset_ = sign * (hours * 60 + minutes);
    return true;
  }

  // Whether the parts are a date and a time that exist. Civil types would carry the 30th of February on to March.
  bool Finish(CivilTime& out) {
    if (half_day_ != HalfDay::kNone) hour_ = hour_ % 12 + (half_day_ == HalfDay::kAfternoon ? 12 : 0);
    if (year_ < 1 || month_ < 1 || month_ > 12 || hour_ > 23 || minute_ > 59 || second_ > 59) return false;
    absl::CivilDay day(year_, month_, day_);
    if (day.month() != month_ || day.day() != day_) return false;
    if (day_of_year_ > 0) day = absl::CivilDay(year_, 1, 1) + (day_of_year_ - 1);
    if (day.year() != year_) return false;
    out.second = absl::CivilSecond(day.year(), day.month(), day.day(), hour_, minute_, second_);
    out.micros = micros_;
    out.offset_minutes = offset_;
    return true;
  }

  enum class HalfDay { kNone, kMorning, kAfternoon };

  absl::string_view text_;
  int year_ = 0;
  int month_ = 1;
  int day_ = 1;
  int day_of_year_ = 0;
  int hour_ = 0;
  int minute_ = 0;
  int second_ = 0;
  int micros_ = 0;
  HalfDay half_day_ = HalfDay::kNone;
  std::optional<int> offset_;
};

std::vector<std::string> FormsOf(absl::string_view format) {
  if (format == "rfc3339") return {"%Y-%m-%dT%H:%M[:%S[.%f]][%z]", "%Y-%m-%d %H:%M[:%S[.%f]][%z]", "%Y-%m-%d"};
  if (format == "rfc822") return {"[%a, ]%d %b %Y %H:%M[:%S] %z", "[%a, ]%d %b %y %H:%M[:%S] %z"};
  return {std::string(format)};
}

}  // namespace

TimeFormat::TimeFormat() = default;
TimeFormat::~TimeFormat() = default;
TimeFormat::TimeFormat(const TimeFormat&) = default;
TimeFormat::TimeFormat(TimeFormat&&) noexcept = default;

absl::StatusOr<TimeFormat> TimeFormat::Compile(absl::string_view format) {
  if (format.size() > kMaxFormatBytes) return WrongArguments("the format is longer than 128 bytes");
  TimeFormat result;
  for (const std::string& form : FormsOf(format)) {
    absl::StatusOr<std::vector<Step>> steps = FormatCompiler().Compile(form);
    if (!steps.ok()) return steps.status();
    result.alternatives_.push_back(*std::move(steps));
  }
  return result;
}

bool TimeFormat::Parse(absl::string_view text, CivilTime& out) const {
  for (const std::vector<Step>& steps : alternatives_) {
    if (Matcher(text).Match(steps, out)) return true;
  }
  return false;
}

int TakeMonthName(absl::string_view& text) { return TakeName(kMonths, text); }

}  // namespace chartly

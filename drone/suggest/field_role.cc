#include "drone/suggest/field_role.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace chartly::drone {
namespace {

using Words = std::vector<std::string>;

// The words of a name: camelCase, digits and all other characters part them.
Words WordsOf(absl::string_view text) {
  Words words(1);
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    bool breaks = absl::ascii_isupper(c) && i > 0 && absl::ascii_islower(text[i - 1]);
    if (breaks || !absl::ascii_isalnum(c)) words.emplace_back();
    if (absl::ascii_isalnum(c)) words.back().push_back(absl::ascii_tolower(c));
  }
  words.erase(std::remove(words.begin(), words.end(), ""), words.end());
  return words;
}

bool HasAny(const Words& words, const std::set<std::string>& known) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return known.count(word) > 0; });
}

const std::set<std::string>& GeoWords() {
  static const std::set<std::string> words = {"geo",    "fips",     "geoid",  "geoid10",     "country", "state",
                                              "county", "city",     "iso",    "iso2",        "iso3",    "region",
                                              "place",  "iata",     "zip",    "nation",      "area",    "msa",
                                              "tract",  "division", "origin", "destination", "geoname"};
  return words;
}

const std::set<std::string>& IdWords() {
  static const std::set<std::string> words = {"id",  "code",   "key",    "guid",     "uuid",       "symbol",
                                              "nbr", "ticker", "series", "linearid", "identifier", "cik"};
  return words;
}

const std::set<std::string>& TimeWords() {
  static const std::set<std::string> words = {"time",      "date", "day", "month", "year",  "period",    "observed",
                                              "timestamp", "when", "at",  "hour",  "start", "published", "yr"};
  return words;
}

// Times that tell of the record's upkeep, not of what it is about.
const std::set<std::string>& UpkeepWords() {
  static const std::set<std::string> words = {"updated", "update", "modified", "created", "generated",
                                              "end",     "last",   "expires",  "captured"};
  return words;
}

struct KnownUnit {
  absl::string_view word;
  absl::string_view unit;
};
constexpr KnownUnit kUnits[] = {{"pct", "percent"}, {"percent", "percent"}, {"ppm", "ppm"},      {"usd", "USD"},
                                {"eur", "EUR"},     {"km", "km"},           {"mph", "mph"},      {"kph", "km/h"},
                                {"mwh", "MWh"},     {"kwh", "kWh"},         {"celsius", "degC"}, {"fahrenheit", "degF"},
                                {"mm", "mm"},       {"kg", "kg"},           {"miles", "mi"},     {"minutes", "min"}};

std::string UnitOf(absl::string_view path, const Words& words) {
  if (absl::StrContains(path, "%")) return "percent";
  for (const KnownUnit& known : kUnits) {
    if (!words.empty() && words.back() == known.word) return std::string(known.unit);
  }
  return "";
}

void NullWords(const ColumnSurvey& column, SuggestedField& field) {
  std::string words;
  for (const auto& [word, count] : column.null_words()) absl::StrAppend(&words, " \"", word, "\"");
  if (!words.empty()) field.functions.push_back(absl::StrCat("null_if", words));
}

bool AsTime(const Words& words, const ColumnSurvey& column, SuggestedField& field) {
  const bool named = HasAny(words, TimeWords()) || HasAny(words, UpkeepWords());
  const std::string name = words.empty() ? "time" : words.back();
  if (column.IsDate()) {
    field.type = "date";
    field.to = "time.date";
    field.why = "dates";
  } else if (column.IsTimestamp()) {
    field.type = "timestamp";
    field.to = "time.observed";
    field.why = "dates and times";
  } else if (column.IsRfc822()) {
    field.functions.push_back("to_timestamp rfc822");
    field.to = "time.observed";
    field.why = "times as mail writes them";
  } else if (column.IsYearMonth()) {
    field.functions.push_back("to_year_month");
    field.to = "time.month";
    field.why = "months";
  } else if (column.IsPeriod()) {
    field.functions = {"strip_prefix M", "to_integer"};
    field.to = "time.month";
    field.why = "months like M01";
  } else if (named && column.IsYear()) {
    field.type = "integer";
    field.to = "time.year";
    field.why = "years";
  } else if (HasAny(words, {"month"}) && column.IsMonthNumber()) {
    field.type = "integer";
    field.to = "time.month";
    field.why = "numbers of months";
  } else if (named && column.IsEpochMilliseconds()) {
    field.functions.push_back("epoch_ms");
    field.to = "time.observed";
    field.why = "milliseconds since 1970";
  } else if (named && column.IsEpochSeconds()) {
    field.functions.push_back("epoch_s");
    field.to = "time.observed";
    field.why = "seconds since 1970";
  } else {
    return false;
  }
  field.role = FieldRole::kDim;
  field.is_time = true;
  field.confidence = named ? 0.95 : 0.85;
  if (HasAny(words, UpkeepWords())) {
    field.role = FieldRole::kAttr;
    field.to = TargetName(field.from);
    field.is_time = false;
    field.why += ", of the record's upkeep";
  }
  return true;
}

bool AsCode(const Words& words, const ColumnSurvey& column, SuggestedField& field) {
  const bool geo = HasAny(words, GeoWords());
  const bool id = !words.empty() && (IdWords().count(words.back()) > 0 || absl::EndsWith(words.back(), "id"));
  const bool whole = !column.IsNumber() || column.IsInteger();
  if (column.IsDigitCode()) {
    field.why = "digits with leading zeros: a code";
    field.confidence = 0.95;
  } else if (id && whole && column.mean_bytes() <= 64) {
    field.why = "named like an identifier";
    field.confidence = 0.9;
  } else if (geo && whole && column.mean_bytes() <= 64 && !column.IsUrl()) {
    field.why = "named like a place";
    field.confidence = 0.85;
  } else {
    return false;
  }
  field.role = FieldRole::kDim;
  field.is_id = id;
  field.to = geo ? absl::StrCat("geo.", TargetName(field.from)) : TargetName(field.from);
  return true;
}

bool AsMeasure(const Words& words, const ColumnSurvey& column, SuggestedField& field) {
  if (!column.IsNumber()) return false;
  field.role = FieldRole::kMeasure;
  field.to = TargetName(field.from);
  NullWords(column, field);
  field.type = column.IsInteger() ? "integer" : "decimal";
  field.unit = UnitOf(field.from, words);
  field.confidence = 0.85;
  field.why = column.IsInteger() ? "whole numbers" : "numbers";
  return true;
}

void AsText(const ColumnSurvey& column, SuggestedField& field) {
  field.to = TargetName(field.from);
  NullWords(column, field);
  // A few values over many rows say what a row is about; free text tells about it.
  bool groups = column.distinct() * 4 <= column.values() && column.distinct() <= 1000;
  if (!column.IsUrl() && !column.IsBoolean() && column.mean_bytes() <= 64 && groups && column.distinct() > 1) {
    field.role = FieldRole::kDim;
    field.confidence = 0.6;
    field.why = absl::StrCat(column.distinct(), " different texts");
    return;
  }
  field.role = FieldRole::kAttr;
  field.confidence = 0.7;
  field.why = column.IsUrl() ? "addresses" : column.distinct() <= 1 ? "the same text everywhere" : "text";
}

// The part of a path that says what the field is. In XML an attribute called value says nothing, and an element chosen
// by an attribute is what that attribute says: ^.Key.Value[@id="AREA"].@value is about AREA.
absl::string_view MeaningOf(absl::string_view path) {
  if (path != "@value") absl::ConsumeSuffix(&path, ".@value");
  size_t label = path.find("=\"");
  return label != path.npos && absl::ConsumeSuffix(&path, "\"]") ? path.substr(label + 2) : path;
}

}  // namespace

std::string TargetName(absl::string_view full_path) {
  absl::string_view path = MeaningOf(full_path);
  std::vector<std::string> parts;
  // The last two parts tell what it is; what is around them is packaging.
  for (absl::string_view part : absl::StrSplit(path, absl::ByAnyChar(".[]\"^@"), absl::SkipWhitespace())) {
    std::string name = absl::StrJoin(WordsOf(part), "_");
    if (!name.empty() && name != "properties" && name != "attributes") parts.push_back(name);
  }
  if (parts.empty()) return "field";
  size_t first = parts.size() > 2 ? parts.size() - 2 : 0;
  return absl::StrJoin(parts.begin() + static_cast<std::ptrdiff_t>(first), parts.end(), "_");
}

SuggestedField SuggestField(const std::string& from, const ColumnSurvey& column) {
  SuggestedField field;
  field.from = from;
  Words words = WordsOf(MeaningOf(from));
  if (AsTime(words, column, field) || AsCode(words, column, field) || AsMeasure(words, column, field)) return field;
  AsText(column, field);
  return field;
}

}  // namespace chartly::drone

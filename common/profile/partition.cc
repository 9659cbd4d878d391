#include "common/profile/partition.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace chartly {
namespace {

constexpr absl::string_view kBegin = "{partition.";
constexpr char kStart[] = "{partition.start}";
constexpr char kEnd[] = "{partition.end}";
constexpr char kLast[] = "{partition.last}";

using Replacements = std::vector<std::pair<absl::string_view, std::string>>;

// The moment at which a year, month or day begins that `time` is in, or the `ahead`th one after it.
absl::Time BeginOf(const std::string& format, absl::Time time, int ahead) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  if (format == "year") return absl::FromCivil(absl::ToCivilYear(time, utc) + ahead, utc);
  if (format == "month") return absl::FromCivil(absl::ToCivilMonth(time, utc) + ahead, utc);
  if (format == "date") return absl::FromCivil(absl::ToCivilDay(time, utc) + ahead, utc);
  const absl::Duration unit = format == "epoch_ms" ? absl::Milliseconds(1) : absl::Seconds(1);
  return absl::UnixEpoch() + absl::Floor(time - absl::UnixEpoch(), unit) + ahead * unit;
}

std::string Written(const std::string& format, absl::Time time) {
  if (format == "epoch_s") return absl::StrCat(absl::ToUnixSeconds(time));
  if (format == "epoch_ms") return absl::StrCat(absl::ToUnixMillis(time));
  const char* form = format == "year" ? "%E4Y" : format == "month" ? "%E4Y-%m" : "%E4Y-%m-%d";
  return absl::FormatTime(format == "rfc3339" ? "%E4Y-%m-%dT%H:%M:%SZ" : form, time, absl::UTCTimeZone());
}

Replacements ReplacementsOf(const PartitionConfig& config, const TimePart& part) {
  const absl::Time start = BeginOf(config.format, part.start, 0);
  absl::Time end = BeginOf(config.format, part.end, 0);
  if (end < part.end || end <= start) end = BeginOf(config.format, part.end, 1);
  const absl::Duration unit = config.format == "epoch_ms" ? absl::Milliseconds(1) : absl::Seconds(1);
  return {{kStart, Written(config.format, start)},
          {kEnd, Written(config.format, end)},
          {kLast, Written(config.format, end - unit)}};
}

size_t BehindHost(absl::string_view url) {
  size_t host = url.find("://");
  return host == url.npos ? url.size() : std::min(url.find_first_of("/?", host + 3), url.size());
}

void FillBehindHost(std::string& url, const Replacements& places) {
  const size_t begin = BehindHost(url);
  url = absl::StrCat(url.substr(0, begin), absl::StrReplaceAll(url.substr(begin), places));
}

bool Has(absl::string_view text) {
  return absl::StrContains(text, kStart) || absl::StrContains(text, kEnd) || absl::StrContains(text, kLast);
}

}  // namespace

bool UsesPartition(const SourceConfig& source) {
  return Has(source.url) || Has(source.path) || Has(source.body) || Has(source.postgres.query) ||
         std::any_of(source.query.begin(), source.query.end(), [](const auto& entry) { return Has(entry.second); });
}

absl::Duration ShortestPart(const PartitionConfig& config) {
  if (config.format == "year") return absl::Hours(24) * 365;
  if (config.format == "month") return absl::Hours(24) * 28;
  return config.format == "date" ? absl::Hours(24) : absl::Seconds(1);
}

TimePart LivePart(const PartitionConfig& config, absl::Time now) { return {now - config.window, now}; }

SourceConfig ForPart(SourceConfig source, const TimePart& part) {
  const Replacements places = ReplacementsOf(source.partition, part);
  FillBehindHost(source.url, places);
  source.path = absl::StrReplaceAll(source.path, places);
  source.body = absl::StrReplaceAll(source.body, places);
  for (auto& [name, value] : source.query) value = absl::StrReplaceAll(value, places);
  // Digits, and marks of times: nothing in them could end a literal.
  Replacements literals = places;
  for (auto& [place, value] : literals) value = absl::StrCat("'", value, "'");
  source.postgres.query = absl::StrReplaceAll(source.postgres.query, literals);
  return source;
}

std::string WithoutPlaces(absl::string_view url) {
  std::string bare(url);
  FillBehindHost(bare, {{kStart, ""}, {kEnd, ""}, {kLast, ""}});
  return bare;
}

std::string UnknownPlace(absl::string_view text) {
  for (size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin, at + 1)) {
    const absl::string_view rest = text.substr(at);
    const bool known = absl::StartsWith(rest, kStart) || absl::StartsWith(rest, kEnd) || absl::StartsWith(rest, kLast);
    if (!known) return std::string(rest.substr(0, std::min<size_t>(rest.find('}'), 40) + 1));
  }
  return "";
}

}  // namespace chartly

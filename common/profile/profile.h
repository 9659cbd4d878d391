// The profile: where a source is, what its fields mean, how often to look. docs/formats/profile.md is the reference.
//
// Plain data, read from YAML by ParseProfile (profile_parser.h). Every field has its default here.
#ifndef CHARTLY_COMMON_PROFILE_PROFILE_H_
#define CHARTLY_COMMON_PROFILE_PROFILE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/value/value.h"

namespace chartly {

enum class SourceType { kHttpRest, kFile };
enum class Format { kAuto, kJson, kNdjson, kCsv, kTsv };
// How rows lie in a JSON payload: objects; arrays whose first row names the columns.
enum class RowShape { kObjects, kHeaderRow };
enum class PaginationType { kNone, kPage, kNextUrl };

struct PaginationConfig {
  PaginationType type = PaginationType::kNone;
  std::string param = "page";  // page: query parameter that carries the page number
  int64_t start = 1;           // page: first number
  std::string size_param;      // page: query parameter that carries the page size; none if empty
  int64_t size = 0;
  std::string pages;  // page: path of the total number of pages; else pages end at the first empty one
  std::string next;   // next_url: path of the next address; absent, null or empty ends
};

struct SourceConfig {
  SourceType type = SourceType::kHttpRest;
  std::string url;   // http_rest
  std::string path;  // file: one file; relative to the drone's --source-dir, never outside it
  std::string method = "GET";
  std::map<std::string, std::string> headers;
  std::map<std::string, std::string> query;
  std::string body;
  Format format = Format::kAuto;
  RowShape shape = RowShape::kObjects;
  std::string records;  // path of the rows: "data[*]"; the whole payload if empty
  PaginationConfig pagination;
  std::vector<std::string> egress_allow;  // hosts; the url's own host if empty
};

struct ScheduleConfig {
  bool enabled = true;
  absl::Duration interval = absl::Hours(1);  // >= 1s
  absl::Duration jitter = absl::ZeroDuration();
};

struct LimitsConfig {
  int64_t max_records = 1'000'000;
  int64_t max_pages = 1000;
  int64_t max_bytes = int64_t{64} << 20;       // of all payloads of a run, unpacked
  absl::Duration timeout = absl::Seconds(30);  // of one request
};

struct RetryConfig {
  int max_attempts = 4;
  absl::Duration backoff = absl::Milliseconds(500);
};

enum class FieldRole { kDim, kMeasure, kAttr };

// One function of a `using` list with its arguments: {"strip_prefix", {"M"}}.
struct FunctionCall {
  std::string name;
  std::vector<std::string> arguments;
  bool operator==(const FunctionCall&) const = default;
};

// One line of the mapping: a source field, and where it goes.
struct MappingEntry {
  std::string from;  // path in the row; empty for a constant
  FieldRole role = FieldRole::kDim;
  std::string to;                 // dotted name without the role's prefix
  std::optional<ValueType> type;  // none: text stays text, a JSON number stays a number; a measure becomes a number
  std::vector<FunctionCall> functions;
  std::optional<Value> constant;
  std::string unit;
  bool required = false;
  std::optional<double> min;
  std::optional<double> max;
  int line = 0;      // in the YAML text
  std::string path;  // in the YAML text: mapping.value, or mapping.value[1] where a field goes to several places
};

enum class OnInvalid { kQuarantine, kFailRun };

struct Profile {
  std::string id;
  std::string name;
  std::string version;
  std::string description;
  std::map<std::string, std::string> labels;
  SourceConfig source;
  ScheduleConfig schedule;
  LimitsConfig limits;
  RetryConfig retry;
  std::vector<MappingEntry> mapping;
  std::string filter;            // expression; all rows if empty
  std::vector<std::string> key;  // dims without prefix, sorted; all dims if empty
  OnInvalid on_invalid = OnInvalid::kQuarantine;
  absl::Duration freshness = absl::ZeroDuration();  // zero: not stated
  absl::Duration retention = absl::InfiniteDuration();
  std::string revision;  // "sha256:" + hex of the text, as ContentHash() gives it
};

// "30s", "500ms", "5m", "6h", "1d", "40d", "10y" (365 days a year).
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);
std::string DurationText(absl::Duration duration);
// "1MiB", "64KiB", "2GiB", "500" (bytes).
absl::StatusOr<int64_t> ParseByteSize(absl::string_view text);
// ^[a-z0-9][a-z0-9._-]{0,62}$
bool IsValidId(absl::string_view id);
absl::string_view FieldRolePrefix(FieldRole role);  // "dims", "measures", "attrs"

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_PROFILE_H_

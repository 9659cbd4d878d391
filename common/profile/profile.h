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

enum class SourceType { kHttpRest, kFile, kWebhook, kPostgres };
// kGeoJson: the features are the rows. kJsonStat: the cells of a JSON-stat 1 or 2 cube. kRss: RSS and Atom alike.
enum class Format { kAuto, kJson, kNdjson, kCsv, kTsv, kXml, kGeoJson, kJsonStat, kRss };
// How rows lie in a JSON payload. kObjects: one value a row. kHeaderRow: arrays, the first of which names the columns.
// kZipped: an object of arrays of the same length; row i holds element i of each. kKeyed: an object whose members are
// the rows; the path $key is the member's name.
enum class RowShape { kObjects, kHeaderRow, kZipped, kKeyed };
enum class PaginationType { kNone, kPage, kOffset, kCursor, kLinkHeader, kNextUrl };

struct PaginationConfig {
  PaginationType type = PaginationType::kNone;
  // page: query parameter with the number of the page; offset: with the number of rows before it; cursor: with the
  // cursor. The parser's defaults: page, offset, cursor.
  std::string param = "page";
  int64_t start = 1;       // page: first number; offset: first offset (there the parser's default is 0)
  std::string size_param;  // page, offset, cursor: query parameter that carries the size of a page; none if empty
  int64_t size = 0;        // offset: also the step, if given; else the rows that came
  std::string pages;       // page: path of the total number of pages; else pages end at the first empty one
  // next_url: path of the next address; cursor: path of the next cursor. Absent, null or empty ends.
  std::string next;
};

// Where a secret lies: file `key` in folder `name` of a host's secrets, or its environment (common/secrets/secrets.h).
struct SecretRef {
  std::string name;
  std::string key;
  bool empty() const { return name.empty(); }
};

// kMtls needs no more than its certificate. Secrets are references, never values.
enum class AuthType { kNone, kBasic, kBearer, kHeader, kQuery, kOauth2, kMtls };

struct AuthConfig {
  AuthType type = AuthType::kNone;
  SecretRef secret;                 // bearer, header, query: the value; basic: the password; oauth2: the client secret
  std::string username;             // basic; oauth2: the client id
  std::string name;                 // header: its name (default X-API-Key); query: the parameter (default api_key)
  std::string prefix;               // header: goes before the value
  std::string token_url;            // oauth2: client credentials are sent there; its host may be asked, too
  std::vector<std::string> scopes;  // oauth2
  SecretRef certificate;            // mtls: PEM
  SecretRef private_key;            // mtls: PEM
};

// Only what is new since the last run. `field` names a target of the mapping or a field of the source row; its largest
// value of a run that ended well (or, with ascending order, of what is durable) less `lookback` is sent as `param`.
struct IncrementalConfig {
  std::string field;               // dims.time.observed; empty: everything each time
  std::string param;               // query parameter
  std::string format = "rfc3339";  // rfc3339, date, epoch_s, epoch_ms, text
  std::string initial;             // sent by the first run; nothing is sent if empty
  absl::Duration lookback = absl::ZeroDuration();
  bool ascending = false;  // the source gives the oldest first
};

// How a source is told the part of time that a run covers (partition.h).
struct PartitionConfig {
  absl::Duration window = absl::ZeroDuration();  // what a run covers that no backfill asked for, up to now
  std::string format = "date";                   // date, rfc3339, month, year, epoch_s, epoch_ms
};

// How a table is written. All single bytes.
struct CsvConfig {
  std::optional<char> delimiter;  // csv: ',', tsv: tab
  std::optional<char> quote;      // '"'; '\0' (none in the profile): quotes are text
  std::optional<char> comment;    // lines that begin with it are no rows
  int64_t skip_lines = 0;         // lines before the header
  bool header = true;             // false: columns are named by `columns`
  std::vector<std::string> columns;
};

// Makes long rows of wide ones: for every column that is neither in `keep` nor in `skip`, one row with the kept
// columns, the column's name as field `name` and its value as field `value`. Off if `name` is empty.
struct UnpivotConfig {
  std::vector<std::string> keep;
  std::vector<std::string> skip;
  std::string name;
  std::string value;
};

// A query of rows that are read in order of its watermark column; source.incremental works on it, too.
struct PostgresConfig {
  std::string host;
  int64_t port = 5432;
  std::string database;
  std::string user;
  SecretRef password;
  std::string query;                // one SELECT; $1 is the watermark if source.incremental is given
  std::string tls = "verify-full";  // verify-full, require, disable (only to addresses allowed by --egress-allow)
};

// Payloads that the source posts to the gateway, at /api/webhooks/{profile}.
struct WebhookConfig {
  SecretRef key;                                // HMAC-SHA256 over "id.timestamp.body"
  SecretRef previous;                           // accepted beside `key` while keys are rotated
  absl::Duration tolerance = absl::Minutes(5);  // of the timestamp, both ways
};

struct SourceConfig {
  SourceType type = SourceType::kHttpRest;
  std::string url;  // http_rest
  // file: relative to the drone's --source-dir, never outside it. The last parts may hold * and ?, then every file that
  // fits is a page, in order of name; .gz, .zst and members of .zip are unpacked.
  std::string path;
  std::string method = "GET";
  std::map<std::string, std::string> headers;
  std::map<std::string, std::string> query;
  std::string body;
  Format format = Format::kAuto;
  RowShape shape = RowShape::kObjects;
  std::string records;  // path of the rows: "data[*]"; the whole payload if empty
  std::string
      charset;  // utf-8, iso-8859-1, windows-1252, utf-16, ...; empty: byte order mark, content type, XML, UTF-8
  std::map<std::string, std::string> namespaces;  // xml: prefix in paths -> URI; a name without prefix fits any
  CsvConfig csv;
  UnpivotConfig unpivot;
  AuthConfig auth;
  IncrementalConfig incremental;
  PartitionConfig partition;
  PostgresConfig postgres;
  WebhookConfig webhook;
  PaginationConfig pagination;
  std::vector<std::string> egress_allow;  // hosts; the url's own host if empty
};

// What happens when a run is due while the one before still goes on.
enum class Overlap { kSkip, kQueue };

// What happens with the times of a schedule that went by while nothing could run.
enum class CatchUp { kLatest, kAll, kNone };

struct ScheduleConfig {
  bool enabled = true;
  Overlap overlap = Overlap::kSkip;
  CatchUp catch_up = CatchUp::kLatest;
  absl::Duration interval = absl::Hours(1);  // >= 1s
  absl::Duration jitter = absl::ZeroDuration();
  std::string cron;              // as CronSchedule reads it, instead of the interval; empty: none
  std::string timezone = "UTC";  // of cron
};

// Which drones do the profile.
struct PlacementConfig {
  std::map<std::string, std::string> labels;  // that a drone must have
  int64_t redundancy = 1;                     // drones that do each scheduled run
};

// A part of the fleet that takes a new revision before the rest: a share of the drones that hold the profile, or those
// of its drones that have labels.
struct RolloutRing {
  double share = 1;
  std::map<std::string, std::string> labels;
};

// How a new revision takes over. Without rings it does at once.
struct RolloutConfig {
  std::vector<RolloutRing> rings;
  int64_t runs = 1;  // good runs that each ring must show
};

// What all drones together may ask of a source: at most `requests` in any `period`.
struct FleetRate {
  int64_t requests = 0;  // 0: as often as each of them may
  absl::Duration period = absl::ZeroDuration();
  std::string quota;  // profiles that name the same share it; empty: those of the same host and port do
};

struct LimitsConfig {
  int64_t max_records = 1'000'000;
  int64_t max_pages = 1000;
  int64_t max_bytes = int64_t{64} << 20;        // of all payloads of a run, unpacked
  absl::Duration timeout = absl::Seconds(30);   // of one request
  absl::Duration run_timeout = absl::Hours(1);  // of a whole run; past it the run is cut off
  double rate = 0;                              // requests a second to one host; 0: as fast as it answers
  FleetRate fleet;
};

// So many in any period.
struct RequestRate {
  int64_t requests = 0;
  absl::Duration period;
};

struct RetryConfig {
  int max_attempts = 4;
  absl::Duration backoff = absl::Milliseconds(500);
  RequestRate budget = {100, absl::Hours(1)};  // runs that may be begun again, in any such period
};

enum class FieldRole { kDim, kMeasure, kAttr };

// One function of a `using` list with its arguments: {"strip_prefix", {"M"}}.
struct FunctionCall {
  std::string name;
  std::vector<std::string> arguments;
  bool operator==(const FunctionCall&) const = default;
};

// A table of the profile: text of the field -> value. Text without an entry becomes `otherwise`, or stays, or breaks
// the row's contract (mapping.lookup_missing).
enum class LookupMiss { kQuarantine, kNull, kKeep, kDefault };
struct LookupConfig {
  std::map<std::string, std::string> table;
  LookupMiss miss = LookupMiss::kQuarantine;
  std::string otherwise;  // kDefault
};

// One line of the mapping: a source field, and where it goes.
struct MappingEntry {
  std::string from;  // path in the row; empty for a constant
  // Further paths: coalesce takes the first that is neither missing, null nor empty; concat joins all with `separator`
  // (null if one is missing or null).
  std::vector<std::string> coalesce;
  std::vector<std::string> concat;
  std::string separator;
  std::optional<LookupConfig> lookup;  // after the functions, before the type
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

// A rule of every record: `expect` must hold, or the row goes to quarantine with reason quality.<name>.
struct CheckConfig {
  std::string name;
  std::string expect;  // expression
};

// What a whole run must show; otherwise it is partial with EXPECTATION_FAILED.
struct ExpectConfig {
  int64_t min_records = 0;
  double max_quarantined = 1;  // part of the fetched rows
};

// How much of what is fetched the drone keeps as it came, so that it can go through another revision without asking the
// source again.
struct CaptureConfig {
  int64_t max_bytes = int64_t{64} << 20;  // on the drone's disk
  absl::Duration max_age = absl::Hours(24 * 7);
};

struct Profile {
  std::string id;
  std::string name;
  std::string version;
  std::string description;
  std::map<std::string, std::string> labels;
  SourceConfig source;
  ScheduleConfig schedule;
  PlacementConfig placement;
  RolloutConfig rollout;
  LimitsConfig limits;
  RetryConfig retry;
  std::vector<MappingEntry> mapping;
  std::string filter;            // expression; all rows if empty
  std::vector<std::string> key;  // dims without prefix, sorted; all dims if empty
  OnInvalid on_invalid = OnInvalid::kQuarantine;
  std::vector<CheckConfig> checks;
  ExpectConfig expect;
  absl::Duration freshness = absl::ZeroDuration();  // zero: not stated
  absl::Duration retention = absl::InfiniteDuration();
  std::optional<CaptureConfig> capture;  // none: nothing is kept
  std::string revision;                  // "sha256:" + hex of the text, as ContentHash() gives it
};

// "30s", "500ms", "5m", "6h", "1d", "40d", "10y" (365 days a year).
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);
std::string DurationText(absl::Duration duration);
// "1MiB", "64KiB", "2GiB", "500" (bytes).
absl::StatusOr<int64_t> ParseByteSize(absl::string_view text);
// "10/s", "5/m", "100/h", as events a second.
absl::StatusOr<double> ParseRate(absl::string_view text);
// The same as a number in a second, minute or hour.
absl::StatusOr<RequestRate> ParseRequestRate(absl::string_view text);
// ^[a-z0-9][a-z0-9._-]{0,62}$
bool IsValidId(absl::string_view id);
absl::string_view FieldRolePrefix(FieldRole role);  // "dims", "measures", "attrs"

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_PROFILE_H_

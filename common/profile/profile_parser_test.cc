#include "common/profile/profile_parser.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "common/profile/mapping_reader.h"
#include "common/profile/yaml_document.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

namespace fs = std::filesystem;

const fs::path kTestdata = fs::path(CHARTLY_SOURCE_DIR) / "common/profile/testdata";

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> Files(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Profile Good(const std::string& name) {
  absl::StatusOr<Profile> profile = ParseProfileOrError(name, ReadFile(kTestdata / "good" / name));
  REQUIRE_OK(profile);
  return *std::move(profile);
}

}  // namespace

TEST_CASE("every fault is told with its place, its cause and what to do") {
  std::vector<fs::path> files = Files(kTestdata, ".yaml");
  CHECK(files.size() >= 60);
  for (const fs::path& path : files) {
    std::string expected = ReadFile(fs::path(path).replace_extension(".expected"));
    ProfileParseResult result = ParseProfile(ReadFile(path));
    INFO(path.filename().string());
    CHECK_FALSE(result.ok());
    CHECK(FormatFaults(path.filename().string(), result.faults) + "\n" == expected);
    for (const ProfileFault& fault : result.faults) CHECK(fault.reason.compare(0, 8, "PROFILE_") == 0);
  }
}

TEST_CASE("good profiles have no faults") {
  for (const fs::path& path : Files(kTestdata / "good", ".yaml")) Good(path.filename().string());
}

TEST_CASE("every key is read into its field") {
  Profile profile = Good("every_key.yaml");
  CHECK(profile.id == "every-key");
  CHECK(profile.version == "1.2.0-beta.1+build.5");
  CHECK(profile.description == "Two\nlines\n");
  CHECK(profile.labels.at("number") == "5");
  CHECK(profile.source.method == "POST");
  CHECK(profile.source.headers.at("Accept") == "application/json");
  CHECK(profile.source.query.at("b").empty());
  CHECK(profile.source.format == Format::kNdjson);
  CHECK(profile.source.records == "data[*]");
  CHECK(profile.source.pagination.type == PaginationType::kPage);
  CHECK(profile.source.pagination.start == 0);
  CHECK(profile.source.pagination.size == 50);
  CHECK(profile.source.pagination.pages == "meta.pages");
  CHECK(profile.source.egress_allow == std::vector<std::string>{"api.example.gov", "cdn.example.gov"});
  CHECK_FALSE(profile.schedule.enabled);
  CHECK(profile.schedule.interval == absl::Minutes(90));
  CHECK(profile.limits.max_bytes == 2048);
  CHECK(profile.limits.timeout == absl::Milliseconds(500));
  CHECK(profile.retry.max_attempts == 2);
  CHECK(profile.retry.backoff == absl::Milliseconds(250));
  CHECK(profile.filter == "year >= 2000");
  CHECK(profile.key == std::vector<std::string>{"short", "two"});
  CHECK(profile.on_invalid == OnInvalid::kFailRun);
  CHECK(profile.freshness == absl::Hours(40 * 24));
  CHECK(profile.retention == absl::Hours(3650 * 24));
  REQUIRE(profile.capture);
  CHECK(profile.capture->max_bytes == 128 << 10);
  CHECK(profile.capture->max_age == absl::Hours(48));
  CHECK(profile.revision.size() == 7 + 64);
}

TEST_CASE("both forms of the mapping are read") {
  std::vector<MappingEntry> mapping = Good("every_key.yaml").mapping;
  REQUIRE(mapping.size() == 8);
  CHECK(mapping[0].from == "short");
  CHECK(mapping[0].to == "short");
  CHECK(mapping[0].line == 25);
  CHECK(mapping[1].role == FieldRole::kMeasure);
  CHECK(mapping[1].type == ValueType::kDecimal);
  CHECK(mapping[1].required);
  CHECK(mapping[1].min == -1.5);
  CHECK(mapping[1].max == 1000);
  CHECK(mapping[1].unit == "percent");
  std::vector<FunctionCall> functions = {
      {"trim", {}}, {"strip_prefix", {"M"}}, {"replace", {", ", "-"}}, {"scale", {"0.01"}}};
  CHECK(mapping[1].functions == functions);
  CHECK(mapping[3].from == "twice");
  CHECK(mapping[3].to == "two");
  CHECK(mapping[3].path == "mapping.twice[1]");
  CHECK(mapping[4].from.empty());
  CHECK(*mapping[4].constant == Value::Text("BLS"));
  CHECK(*mapping[5].constant == Value::Integer(5));
  CHECK(*mapping[6].constant == Value::Text("5"));
  CHECK(*mapping[7].constant == Value::Boolean(true));
}

TEST_CASE("every key of an http source is read into its field") {
  Profile profile = Good("http_source.yaml");
  const SourceConfig& source = profile.source;
  CHECK(source.format == Format::kXml);
  CHECK(source.charset == "windows-1252");
  CHECK(source.namespaces.at("g") == "http://www.example.org/generic");
  CHECK(source.auth.type == AuthType::kOauth2);
  CHECK(source.auth.token_url == "https://login.example.gov/token");
  CHECK(source.auth.username == "chartly");
  CHECK(source.auth.scopes == std::vector<std::string>{"read", "list"});
  CHECK(source.auth.secret.name == "portal");
  CHECK(source.auth.secret.key == "client_secret");
  CHECK(source.incremental.field == "dims.time.observed");
  CHECK(source.incremental.param == "since");
  CHECK(source.incremental.format == "date");
  CHECK(source.incremental.initial == "2020-01-01");
  CHECK(source.incremental.lookback == absl::Hours(24));
  CHECK(source.incremental.ascending);
  CHECK(source.pagination.type == PaginationType::kCursor);
  CHECK(source.pagination.param == "cursor");
  CHECK(source.pagination.size == 500);
  CHECK(source.pagination.next == "meta.next");
  CHECK(profile.schedule.overlap == Overlap::kQueue);
  CHECK(profile.limits.run_timeout == absl::Hours(2));
  CHECK(profile.limits.rate == 5.0 / 60);
  CHECK(profile.limits.fleet.requests == 100);
  CHECK(profile.limits.fleet.period == absl::Hours(1));
  CHECK(profile.limits.fleet.quota == "portal");
  REQUIRE(profile.checks.size() == 2);
  CHECK(profile.checks[0].name == "positive");
  CHECK(profile.checks[0].expect == "measures.value > 0");
  CHECK(profile.expect.min_records == 100);
  CHECK(profile.expect.max_quarantined == 0.05);
}

TEST_CASE("fields of several columns and lookups are read") {
  std::vector<MappingEntry> mapping = Good("http_source.yaml").mapping;
  REQUIRE(mapping.size() == 8);
  CHECK(mapping[0].from == "TIME");
  CHECK(mapping[0].coalesce == std::vector<std::string>{"DATE", "OLD DATE"});
  CHECK(mapping[1].from == "FREQ");
  CHECK(mapping[1].concat == std::vector<std::string>{"AREA"});
  CHECK(mapping[1].separator == ".");
  CHECK(mapping[2].from == "PLACE");
  CHECK(mapping[2].coalesce == std::vector<std::string>{"CITY"});
  CHECK(mapping[3].lookup->table.at("M") == "Monthly");
  CHECK(mapping[3].lookup->miss == LookupMiss::kQuarantine);
  CHECK(mapping[4].lookup->miss == LookupMiss::kKeep);
  CHECK(mapping[5].lookup->miss == LookupMiss::kNull);
  CHECK(mapping[6].lookup->miss == LookupMiss::kDefault);
  CHECK(mapping[6].lookup->otherwise == "other");
  CHECK_FALSE(mapping[7].lookup);
}

TEST_CASE("every type of source is read") {
  SourceConfig webhook = Good("webhook.yaml").source;
  CHECK(webhook.type == SourceType::kWebhook);
  CHECK(webhook.webhook.key.key == "current");
  CHECK(webhook.webhook.previous.key == "previous");
  CHECK(webhook.webhook.tolerance == absl::Minutes(1));
  SourceConfig postgres = Good("postgres.yaml").source;
  CHECK(postgres.type == SourceType::kPostgres);
  CHECK(postgres.postgres.host == "db.example.gov");
  CHECK(postgres.postgres.port == 5433);
  CHECK(postgres.postgres.database == "statistics");
  CHECK(postgres.postgres.user == "reader");
  CHECK(postgres.postgres.password.name == "pg");
  CHECK(postgres.postgres.query.find("ORDER BY observed") != std::string::npos);
  CHECK(postgres.postgres.tls == "require");
  SourceConfig table = Good("table.yaml").source;
  CHECK(table.path == "in/2024-*/table?.csv.gz");
  CHECK(table.csv.delimiter == '\t');
  CHECK(table.csv.quote == '\0');
  CHECK(table.csv.comment == '#');
  CHECK(table.csv.skip_lines == 3);
  CHECK_FALSE(table.csv.header);
  CHECK(table.csv.columns.size() == 3);
  CHECK(table.unpivot.keep == std::vector<std::string>{"place"});
  CHECK(table.unpivot.skip == std::vector<std::string>{"1961"});
  CHECK(table.unpivot.name == "year");
  CHECK(table.unpivot.value == "population");
}

namespace {

SourceConfig HttpSource(const std::string& more) {
  std::string text = "id: x\nversion: 1.0.0\nsource:\n  type: http_rest\n  url: https://a.example.gov/d\n  " + more +
                     "\nmapping: {a: dims.a}\n";
  absl::StatusOr<Profile> profile = ParseProfileOrError("x.yaml", text);
  REQUIRE_OK(profile);
  return profile->source;
}

}  // namespace

TEST_CASE("each type of auth is read with its defaults") {
  CHECK(HttpSource("auth: none").auth.type == AuthType::kNone);
  AuthConfig basic = HttpSource("auth: {type: basic, username: u, secretRef: {name: n, key: k}}").auth;
  CHECK(basic.type == AuthType::kBasic);
  CHECK(basic.username == "u");
  CHECK(basic.secret.key == "k");
  CHECK(HttpSource("auth: {type: bearer, secretRef: {name: n, key: k}}").auth.type == AuthType::kBearer);
  AuthConfig header = HttpSource("auth: {type: header, prefix: 'Key ', secretRef: {name: n, key: k}}").auth;
  CHECK(header.name == "X-API-Key");
  CHECK(header.prefix == "Key ");
  CHECK(HttpSource("auth: {type: header, name: X-T, secretRef: {name: n, key: k}}").auth.name == "X-T");
  CHECK(HttpSource("auth: {type: query, secretRef: {name: n, key: k}}").auth.name == "api_key");
  AuthConfig mtls =
      HttpSource("auth: {type: mtls, certificate: {name: n, key: c}, private_key: {name: n, key: k}}").auth;
  CHECK(mtls.type == AuthType::kMtls);
  CHECK(mtls.certificate.key == "c");
  CHECK(mtls.private_key.key == "k");
}

TEST_CASE("each type of pagination is read with its defaults") {
  PaginationConfig page = HttpSource("pagination: {type: page}").pagination;
  CHECK(page.param == "page");
  CHECK(page.start == 1);
  PaginationConfig offset = HttpSource("pagination: {type: offset, size: 100}").pagination;
  CHECK(offset.type == PaginationType::kOffset);
  CHECK(offset.param == "offset");
  CHECK(offset.start == 0);
  CHECK(offset.size == 100);
  CHECK(HttpSource("pagination: {type: cursor, param: c, next: n}").pagination.param == "c");
  CHECK(HttpSource("pagination: {type: link_header}").pagination.type == PaginationType::kLinkHeader);
  CHECK(HttpSource("pagination: {type: next_url, next: n}").pagination.next == "n");
}

TEST_CASE("defaults stand where a profile says nothing") {
  Profile profile = Good("json_text.yaml");
  CHECK(profile.name == "json");
  CHECK(profile.schedule.enabled);
  CHECK(profile.schedule.interval == absl::Hours(1));
  CHECK(profile.retention == absl::InfiniteDuration());
  CHECK_FALSE(profile.capture);
  CHECK(profile.key.empty());
  CHECK(profile.source.format == Format::kAuto);
}

TEST_CASE("words of a function call may stand in quotes") {
  CHECK(*ParseFunctionCall("  regex   \"^M(\\d+) \\\"x\\\"$\" ") == FunctionCall{"regex", {"^M(\\d+) \"x\"$"}});
  CHECK(*ParseFunctionCall("null_if '' 'it''s' -") == FunctionCall{"null_if", {"", "it's", "-"}});
  CHECK_FALSE(ParseFunctionCall("trim \"a").ok());
  CHECK_FALSE(ParseFunctionCall("trim \"a\"b").ok());
}

TEST_CASE("texts past the size limit are refused unread") {
  std::string text = "id: x\n" + std::string(kMaxProfileBytes, '#');
  ProfileParseResult result = ParseProfile(text);
  REQUIRE(result.faults.size() == 1);
  CHECK(result.faults[0].reason == "PROFILE_TOO_LARGE");
}

TEST_CASE("hostile texts end soon and are told") {
  for (const char* part : {"[", "{", "? ", "- ", "[{", "a: [", "&a ", "*a\n", "!t ", "\"", "|\n ", ": ", "[,", "a: b\n",
                           "%x\n", "--- \n", "\t", "[],", "a,"}) {
    std::string text;
    while (text.size() < kMaxProfileBytes - 16) text += part;
    auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(ParseProfile(text).ok());
    INFO(part);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    CHECK(ParseProfile(text).faults.size() <= kMaxProfileFaults);
  }
}

TEST_CASE("long keys are refused, for paths would be longer than the text") {
  ProfileParseResult result = ParseProfile("labels:\n  ? " + std::string(1025, 'a') + "\n  : b\n");
  REQUIRE(result.faults.size() == 1);
  CHECK(result.faults[0].reason == "PROFILE_KEY_TOO_LONG");
}

TEST_CASE("cuts and changed bytes of a profile never break the parser") {
  std::string text = ReadFile(kTestdata / "good" / "every_key.yaml");
  for (size_t length = 0; length < text.size(); ++length) ParseProfile(absl::string_view(text).substr(0, length));
  const std::string bytes = ":-[]{}&*!|>'\"%@`#,?\n\t \x80~<0";
  for (size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = bytes[at % bytes.size()];
    ParseProfile(changed);
  }
}

TEST_CASE("the texts of the YAML test suite never break the parser") {
  fs::path suite = fs::path(CHARTLY_SOURCE_DIR) / "../shared/conformance/yaml";
  if (!fs::exists(suite)) {
    std::cout << "skipped: " << suite.string() << " is not there\n";
    return;
  }
  size_t texts = 0;
  for (const auto& entry : fs::recursive_directory_iterator(suite)) {
    if (entry.path().filename() != "in.yaml") continue;
    std::string text = ReadFile(entry.path());
    CHECK_FALSE(ParseProfile(text).ok());  // none of them is a profile
    FlattenProfile(text);
    ++texts;
  }
  CHECK(texts > 300);
}

TEST_CASE("the content hash is that of the bytes") {
  CHECK(ContentHash("") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(ContentHash("a") != ContentHash("a\n"));
}

TEST_CASE("a profile flattens to its paths in order") {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  CHECK(FlattenProfile("b: {c: 1, a: [x, {y: 2}]}\na:\n") ==
        Fields{{"a", ""}, {"b.a[0]", "x"}, {"b.a[1].y", "2"}, {"b.c", "1"}});
}

}  // namespace chartly

#include "common/profile/partition.h"

#include "absl/strings/str_cat.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

absl::Time At(const char* text) {
  absl::Time time;
  std::string error;
  REQUIRE(absl::ParseTime(absl::RFC3339_full, text, &time, &error));
  return time;
}

SourceConfig SourceOf(const std::string& format) {
  SourceConfig source;
  source.url = "https://api.example.gov/{partition.start}/data";
  source.query = {{"from", "{partition.start}"}, {"until", "{partition.end}"}, {"last", "x{partition.last}"}};
  source.partition = {absl::Hours(24), format};
  return source;
}

std::string Filled(const std::string& format, const char* start, const char* end) {
  const SourceConfig source = ForPart(SourceOf(format), {At(start), At(end)});
  return absl::StrCat(source.query.at("from"), " ", source.query.at("until"), " ", source.query.at("last"));
}

}  // namespace

TEST_CASE("a part of time is written as the source wants it") {
  const char* start = "2024-02-01T00:00:00Z";
  const char* end = "2024-03-01T00:00:00Z";
  CHECK(Filled("date", start, end) == "2024-02-01 2024-03-01 x2024-02-29");
  CHECK(Filled("month", start, end) == "2024-02 2024-03 x2024-02");
  CHECK(Filled("year", start, end) == "2024 2025 x2024");
  CHECK(Filled("rfc3339", start, end) == "2024-02-01T00:00:00Z 2024-03-01T00:00:00Z x2024-02-29T23:59:59Z");
  CHECK(Filled("epoch_s", start, end) == "1706745600 1709251200 x1709251199");
  CHECK(Filled("epoch_ms", start, end) == "1706745600000 1709251200000 x1709251199999");
}

TEST_CASE("a part that is not whole is widened, never cut") {
  CHECK(Filled("date", "2024-02-01T10:00:00Z", "2024-02-01T11:00:00Z") == "2024-02-01 2024-02-02 x2024-02-01");
  CHECK(Filled("month", "2024-02-10T00:00:00Z", "2024-12-31T00:00:01Z") == "2024-02 2025-01 x2024-12");
  CHECK(Filled("rfc3339", "2024-02-01T10:00:00.7Z", "2024-02-01T11:00:00.2Z") ==
        "2024-02-01T10:00:00Z 2024-02-01T11:00:01Z x2024-02-01T11:00:00Z");
  CHECK(Filled("date", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z") == "1969-12-31 1970-01-01 x1969-12-31");
}

TEST_CASE("every place is filled, in a query of SQL as a literal") {
  SourceConfig source = SourceOf("date");
  source.path = "in/{partition.start}.csv";
  source.body = "{\"from\": \"{partition.start}\", \"other\": \"{page}\"}";
  source.postgres.query = "SELECT a FROM t WHERE d >= {partition.start} AND d < {partition.end}::date";
  CHECK(UsesPartition(source));
  const SourceConfig filled = ForPart(source, {At("2024-02-01T00:00:00Z"), At("2024-02-02T00:00:00Z")});
  CHECK(filled.url == "https://api.example.gov/2024-02-01/data");
  CHECK(filled.path == "in/2024-02-01.csv");
  CHECK(filled.body == "{\"from\": \"2024-02-01\", \"other\": \"{page}\"}");
  CHECK(filled.postgres.query == "SELECT a FROM t WHERE d >= '2024-02-01' AND d < '2024-02-02'::date");
  CHECK_FALSE(UsesPartition(filled));
}

TEST_CASE("a place in the host stays what it is, so that no part of time leads elsewhere") {
  SourceConfig source;
  source.url = "https://{partition.start}.example.gov/{partition.start}";
  source.partition.format = "year";
  CHECK(ForPart(source, {At("2024-01-01T00:00:00Z"), At("2025-01-01T00:00:00Z")}).url ==
        "https://{partition.start}.example.gov/2024");
  CHECK(WithoutPlaces(source.url) == "https://{partition.start}.example.gov/");
}

TEST_CASE("what nobody asked a part of time for covers the window up to now") {
  const PartitionConfig config{absl::Hours(48), "date"};
  const TimePart part = LivePart(config, At("2024-03-05T09:30:00Z"));
  CHECK(part == TimePart{At("2024-03-03T09:30:00Z"), At("2024-03-05T09:30:00Z")});
  SourceConfig source = SourceOf("date");
  CHECK(ForPart(source, part).query.at("from") == "2024-03-03");
  CHECK(ForPart(source, part).query.at("last") == "x2024-03-05");
}

TEST_CASE("a profile with places says its window and format") {
  absl::StatusOr<Profile> profile =
      ParseProfileOrError("p.yaml",
                          "id: p\nversion: 1.0.0\nsource:\n  type: file\n  path: in/{partition.start}.csv\n"
                          "  partition: {window: 2d, format: year}\nretry: {budget: 7/m}\nmapping: {a: dims.a}\n");
  REQUIRE_OK(profile);
  CHECK(profile->source.partition.window == absl::Hours(48));
  CHECK(profile->source.partition.format == "year");
  CHECK(ShortestPart(profile->source.partition) == absl::Hours(24 * 365));
  CHECK(profile->retry.budget.requests == 7);
  CHECK(profile->retry.budget.period == absl::Minutes(1));
}

}  // namespace chartly

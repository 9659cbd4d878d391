#include "drone/suggest/suggest.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/validate.h"
#include "common/status/status.h"
#include "drone/suggest/profile_text.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

Suggestion Suggest(const std::string& payload, const std::string& address = "https://example.org/data.json",
                   const std::string& content_type = "") {
  SuggestInput input;
  input.address = address;
  input.payload = payload;
  input.content_type = content_type;
  auto suggestion = SuggestProfile(input);
  REQUIRE_OK(suggestion);
  INFO(suggestion->yaml);
  ProfileParseResult parsed = ValidateProfile(suggestion->yaml);
  INFO(FormatFaults("suggestion.yaml", parsed.faults));
  CHECK(parsed.ok());
  return *std::move(suggestion);
}

std::string Target(const Suggestion& suggestion, const std::string& from) {
  for (const SuggestedField& field : suggestion.fields) {
    if (field.from == from) return absl::StrCat(FieldRolePrefix(field.role), ".", field.to);
  }
  return "(none)";
}

using Names = std::vector<std::string>;

TEST_CASE("rows of nested JSON are found with what is around them") {
  Suggestion found = Suggest(R"({"status":"OK","Results":{"series":[{"seriesID":"S1","data":[
      {"year":"2023","period":"M01","value":"17585"},{"year":"2022","period":"M12","value":"16945"}]}]}})");
  CHECK(absl::StrContains(found.yaml, "records: \"Results.series[*].data[*]\""));
  CHECK(found.rows == 2);
  CHECK(Target(found, "^.seriesID") == "dims.series_id");
  CHECK(Target(found, "year") == "dims.time.year");
  CHECK(Target(found, "period") == "dims.time.month");
  CHECK(Target(found, "value") == "measures.value");
  CHECK(found.confidence > 0.5);
}

TEST_CASE("a list of meta data and rows gives the rows") {
  Suggestion found =
      Suggest(R"([{"page":1,"pages":5},[{"country":{"id":"AW","value":"Aruba"},"date":"2014","value":"1"},
      {"country":{"id":"AF","value":"Afghanistan"},"date":"2014","value":null}]])");
  CHECK(absl::StrContains(found.yaml, "records: \"[1][*]\""));
  CHECK(Target(found, "country.id") == "dims.geo.country_id");
  CHECK(Target(found, "date") == "dims.time.year");
  CHECK(found.key == Names{"geo.country_id"});
}

TEST_CASE("shapes: header rows, zipped lists, objects under names, features") {
  Suggestion header = Suggest(R"([["NAME","POP","state"],["Alabama","5024279","01"],["Alaska","733391","02"]])");
  CHECK(absl::StrContains(header.yaml, "shape: header_row"));
  CHECK(header.rows == 2);
  CHECK(Target(header, "state") == "dims.geo.state");
  CHECK(Target(header, "POP") == "measures.pop");
}

TEST_CASE("rows of XML are the elements that repeat, with what stands around them") {
  Suggestion found = Suggest(R"(<g:Data xmlns:g="urn:x"><Header><ID>7</ID></Header><Set>
      <g:Series><g:Key><g:Value id="FREQ" value="M"/><g:Value id="AREA" value="NO"/></g:Key>
        <g:Obs><g:Time value="2024-01"/><g:Amount value="1.5"/></g:Obs>
        <g:Obs><g:Time value="2024-02"/><g:Amount value="1.75"/></g:Obs></g:Series></Set></g:Data>)");
  CHECK(absl::StrContains(found.yaml, "records: \"Set.Series[*].Obs[*]\""));
  CHECK(found.rows == 2);
  CHECK(Target(found, "Time.@value") == "dims.time.month");
  CHECK(Target(found, "Amount.@value") == "measures.amount");
  CHECK(Target(found, "^.Key.Value[@id=\"AREA\"].@value") == "dims.geo.area");
  CHECK(Suggest("<list><item code=\"a\">1.5</item><item code=\"b\">2</item></list>").rows == 2);
}

TEST_CASE("tables: delimiter, lines before the header, words for not known") {
  Suggestion found = Suggest("Source: an office\nExtracted 2024\nfips;rate (%);note\n01001;5,1;a\n01003;4,9;b\n",
                             "https://example.org/t.csv");
  CHECK(absl::StrContains(found.yaml, "delimiter: \";\""));
  CHECK(absl::StrContains(found.yaml, "skip_lines: 2"));
  CHECK(found.rows == 2);
  CHECK(Target(found, "fips") == "dims.geo.fips");
  Suggestion nulls = Suggest("day,mwh\n2024-01-01,5\n2024-01-02,NA\n2024-01-03,7.5\n", "https://example.org/t.csv");
  CHECK(Target(nulls, "day") == "dims.time.date");
  CHECK(Target(nulls, "mwh") == "measures.mwh");
  CHECK(absl::StrContains(nulls.yaml, "null_if"));
  CHECK(absl::StrContains(nulls.yaml, "unit: MWh"));
  CHECK(nulls.key == Names{"time.date"});
}

TEST_CASE("columns are told by their values: epochs, codes, addresses, upkeep") {
  Suggestion found = Suggest(R"([
      {"id":"a1","time":1517966773840,"updated":1517966996303,"zip":"01234","url":"https://example.org/1","mag":2.1},
      {"id":"a2","time":1517966773999,"updated":1517966996305,"zip":"02345","url":"https://example.org/2","mag":-1}])");
  CHECK(Target(found, "time") == "dims.time.observed");
  CHECK(Target(found, "updated") == "attrs.updated");
  CHECK(Target(found, "zip") == "dims.geo.zip");
  CHECK(Target(found, "url") == "attrs.url");
  CHECK(Target(found, "mag") == "measures.mag");
  CHECK(absl::StrContains(found.yaml, "epoch_ms"));
  CHECK(found.key == Names{"id"});
}

TEST_CASE("the key is the smallest set of dims that tells rows apart, and its absence is said") {
  Suggestion two = Suggest("state,year,pop\nA,2020,1\nA,2021,2\nB,2020,3\nB,2021,4\n", "https://example.org/t.csv");
  CHECK(two.key == Names{"geo.state", "time.year"});
  Suggestion none = Suggest("state,pop\nA,1\nA,1\n", "https://example.org/t.csv");
  CHECK(none.key.empty());
  CHECK(absl::StrContains(none.yaml, "# key: no set of dims"));
}

TEST_CASE("cache headers give the schedule") {
  SuggestInput input;
  input.address = "https://example.org/quakes/all_week.json?x=1";
  input.payload = R"([{"place":"a","v":1},{"place":"b","v":2}])";
  input.headers = {{"cache-control", "public, max-age=300"}};
  auto found = SuggestProfile(input);
  REQUIRE_OK(found);
  CHECK(absl::StrContains(found->yaml, "interval: 5m"));
  CHECK(absl::StrContains(found->yaml, "id: all-week\n"));
}

TEST_CASE("what holds no rows is refused with what was found") {
  SuggestInput lonely;
  lonely.payload = "<a><b>1</b><c>2</c></a>";
  CHECK(Reason(SuggestProfile(lonely).status()) == "PAYLOAD_NO_ROWS");
  std::string payload =
      GENERATE(as<std::string>{}, "", "just words", "[]", "[1,2,3]", "<html><body>no</body></html>", "{");
  SuggestInput input;
  input.address = "https://example.org/x";
  input.payload = payload;
  auto found = SuggestProfile(input);
  INFO(payload);
  REQUIRE_FALSE(found.ok());
  CHECK(absl::StartsWith(Reason(found.status()), "PAYLOAD_"));
}

TEST_CASE("odd names and texts stay what they are in YAML") {
  CHECK(YamlScalar("plain name") == "plain name");
  CHECK(YamlScalar("no") == "\"no\"");
  CHECK(YamlScalar("a: b") == "\"a: b\"");
  CHECK(YamlScalar("say \"x\"\\") == "\"say \\\"x\\\"\\\\\"");
  CHECK(YamlScalar("1.5") == "\"1.5\"");
  Suggestion found = Suggest(R"([{"odd key: #1":"x","y z":1},{"odd key: #1":"y","y z":2}])");
  CHECK(found.fields.size() == 2);
}

}  // namespace
}  // namespace chartly::drone

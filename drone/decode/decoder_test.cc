#include "drone/decode/decoder.h"

#include "common/status/status.h"
#include "drone/decode/collector_for_test.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using chartly::testing::Says;

SourceConfig Json(const std::string& records) {
  SourceConfig source;
  source.format = Format::kJson;
  source.records = records;
  return source;
}

using Rows = std::vector<std::string>;

TEST_CASE("rows are the elements the selector names") {
  CHECK(Decode(Json(""), {"a"}, R"([{"a":1},{"a":"x"},{"b":2},{"a":null}])").rows ==
        Rows{"1:#1", "2:x", "3:-", "4:null"});
  CHECK(Decode(Json("[*]"), {"a"}, R"([{"a":true},{"a":[1]}])").rows == Rows{"1:?true", "2:~[1]"});
  CHECK(Decode(Json("data"), {"a"}, R"({"data":[{"a":1}]})").rows == Rows{"1:#1"});
  CHECK(
      Decode(Json("[1][*]"), {"country.id", "value"}, R"([{"page":1},[{"country":{"id":"AW"},"value":1.50}]])").rows ==
      Rows{"1:AW|#1.50"});
  CHECK(Decode(Json("[1][*]"), {"a"}, R"([{"page":1},null])").rows.empty());
  CHECK(Decode(Json("prices[*]"), {"[0]", "[1]"}, R"({"prices":[[1,2.5],[3,4]]})").rows ==
        Rows{"1:#1|#2.5", "2:#3|#4"});
  CHECK(Decode(Json(""), {"a.b[1]", "c[\"d.e\"]"}, R"({"a":{"b":[0,7]},"c":{"d.e":"f"}})").rows == Rows{"1:#7|f"});
  CHECK(Decode(Json(""), {"a"}, R"([{"a":1}])").raws == Rows{"{\"a\":1}"});
}

TEST_CASE("a row may look at the elements around it") {
  std::string body = R"({"status":"OK","Results":{"series":[
      {"seriesID":"S1","data":[{"year":"2020","value":"3.5"},{"year":"2021","value":"4"}]},
      {"seriesID":"S2","data":[{"year":"2020","value":"-"}]}]}})";
  Decoded decoded =
      Decode(Json("Results.series[*].data[*]"), {"^.seriesID", "year", "value", "^^.status", "^^^.x"}, body);
  CHECK_OK(decoded.status);
  CHECK(decoded.rows == Rows{"1:S1|2020|3.5|OK|-", "2:S1|2021|4|OK|-", "3:S2|2020|-|OK|-"});
  CHECK(decoded.result.rows == 3);
}

TEST_CASE("an outer element without rows is a bad row, a payload without them an error") {
  Decoded decoded = Decode(Json("s[*].data[*]"), {"a"}, R"({"s":[{"data":[{"a":1}]},{"id":"broken"}]})");
  CHECK_OK(decoded.status);
  CHECK(decoded.rows == Rows{"1:#1", "!2"});
  CHECK(decoded.raws[1] == R"({"id":"broken"})");
  Decoded none = Decode(Json("Results.series[*]"), {"a"},
                        R"({"status":"REQUEST_NOT_PROCESSED","message":["over quota"]})", "application/json");
  CHECK(Reason(none.status) == "PAYLOAD_NO_RECORDS");
  CHECK(Says(none.status, "Results.series[*]"));
  CHECK(Says(none.status, "over quota"));
  CHECK(Reason(Decode(Json("data[*]"), {"a"}, R"({"data":{"a":1}})").status) == "PAYLOAD_NO_RECORDS");
  CHECK(Reason(Decode(Json(""), {"a"}, "17").status) == "PAYLOAD_NO_RECORDS");
}

TEST_CASE("arrays under a header row are read by column name") {
  SourceConfig source = Json("");
  source.shape = RowShape::kHeaderRow;
  std::string body = R"([["NAME","P1_001N","state"],["Alabama","5024279","01"],["Alaska",733391,"02"],["short"],7])";
  Decoded decoded = Decode(source, {"state", "P1_001N"}, body);
  CHECK_OK(decoded.status);
  CHECK(decoded.rows == Rows{"1:01|5024279", "2:02|#733391", "!3", "!4"});
  CHECK(decoded.raws[0] == R"(["Alabama","5024279","01"])");
  Decoded missing = Decode(source, {"county"}, body);
  CHECK(Reason(missing.status) == "PAYLOAD_NO_COLUMN");
  CHECK(Says(missing.status, "\"county\"; the columns are: NAME, P1_001N, state"));
  CHECK(Reason(Decode(source, {"a"}, R"([["a","a"],[1,2]])").status) == "PAYLOAD_DUPLICATE_COLUMN");
  CHECK(Reason(Decode(source, {"a"}, R"([{"a":1}])").status) == "PAYLOAD_NO_HEADER");
}

TEST_CASE("lines of JSON are rows, a bad one among them is set aside") {
  SourceConfig source;
  source.format = Format::kNdjson;
  Decoded decoded = Decode(source, {"a"}, "{\"a\":1}\r\n\n{\"a\":oops}\n{\"a\":3}");
  CHECK_OK(decoded.status);
  CHECK(decoded.rows == Rows{"1:#1", "!2", "3:#3"});
  CHECK(decoded.raws[1] == "{\"a\":oops}");
  CHECK(Reason(Decode(source, {"a"}, "{\"a\":1}\n{\"a\":").status) == "PAYLOAD_TRUNCATED");
}

TEST_CASE("CSV is read by column name, empty fields are null, rows of another width are bad") {
  SourceConfig source;
  source.format = Format::kCsv;
  std::string body =
      "\xef\xbb\xbf country , year,\"odd, name\"\r\nChad,2014,\"x\"\"y\"\r\n\r\nMali,,\r\nbad,1\r\nOman,2015,z";
  Decoded decoded = Decode(source, {"year", "country", "odd, name", "[\"country\"]"}, body);
  CHECK_OK(decoded.status);
  CHECK(decoded.rows == Rows{"1:2014|Chad|x\"y|Chad", "2:null|Mali|null|Mali", "!3", "4:2015|Oman|z|Oman"});
  CHECK(decoded.raws[2] == "bad,1");
  CHECK(decoded.result.rows == 4);
  CHECK(Reason(Decode(source, {"iso"}, body).status) == "PAYLOAD_NO_COLUMN");
  CHECK(Reason(Decode(source, {"a"}, "a,a\n1,2").status) == "PAYLOAD_DUPLICATE_COLUMN");
  CHECK(Reason(Decode(source, {"a"}, "a,b\n1,\"x").status) == "PAYLOAD_TRUNCATED");
  CHECK(Reason(Decode(source, {"a"}, "a\n\xe9").status) == "PAYLOAD_NOT_UTF8");
  CHECK(Reason(Decode(source, {"a"}, "<!DOCTYPE html><html>").status) == "PAYLOAD_NOT_CSV");
  CHECK(Reason(Decode(source, {"a"}, "a" + std::string(5000, ',')).status) == "PAYLOAD_TOO_MANY_COLUMNS");
  source.format = Format::kTsv;
  CHECK(Decode(source, {"b"}, "a\tb\n1\t2,3\n").rows == Rows{"1:2,3"});
}

TEST_CASE("auto decides by content type, then ending, then first bytes") {
  SourceConfig source;
  std::string csv = "a,b\n1,2\n";
  CHECK(Decode(source, {"a"}, csv, "text/csv; charset=utf-8", "http://h/x.json").rows == Rows{"1:1"});
  CHECK(Decode(source, {"a"}, csv, "application/octet-stream", "http://h/x.CSV?y=.json").rows == Rows{"1:1"});
  CHECK(Decode(source, {"a"}, csv).rows == Rows{"1:1"});
  CHECK(Decode(source, {"a"}, "a\tb\n1\t2\n").rows == Rows{"1:1"});
  CHECK(Decode(source, {"a"}, "{\"a\":1}\n{\"a\":2}", "", "file:x.ndjson").rows == Rows{"1:#1", "2:#2"});
  CHECK(Decode(source, {"a"}, "{\"a\":1}\n{\"a\":2}", "", "file:x.NDJSON.gz").rows == Rows{"1:#1", "2:#2"});
  CHECK(Decode(source, {"a"}, "[{\"a\":1}]", "application/geo+json").rows == Rows{"1:#1"});
  CHECK(Decode(source, {"a b"}, "a b,c\n1,2\n").rows == Rows{"1:1"});
}

TEST_CASE("a web page, an empty body and a cut-off body each say what came") {
  SourceConfig source;
  Decoded html = Decode(source, {"a"}, "\n<!DOCTYPE html><html>Down for maintenance", "text/html; charset=utf-8");
  CHECK(Reason(html.status) == "PAYLOAD_NOT_JSON");
  CHECK(Says(html.status, "text/html"));
  CHECK(Says(html.status, "Down for maintenance"));
  CHECK(Reason(Decode(source, {"a"}, " \n").status) == "PAYLOAD_EMPTY");
  CHECK(Reason(Decode(source, {"a"}, "[{\"a\":1},{\"a\"", "application/json").status) == "PAYLOAD_TRUNCATED");
}

TEST_CASE("pagination reads the number of pages and the next address") {
  SourceConfig source = Json("data[*]");
  source.pagination.pages = "meta.pages";
  source.pagination.next = "meta.next";
  auto both = Decode(source, {"a"}, R"({"meta":{"pages":"5","next":"/p2"},"data":[]})").result;
  CHECK(both.pages == 5);
  CHECK(both.next == "/p2");
  auto none = Decode(source, {"a"}, R"({"meta":{"next":null},"data":[]})").result;
  CHECK_FALSE(none.pages.has_value());
  CHECK_FALSE(none.next.has_value());
  CHECK_FALSE(Decode(source, {"a"}, R"({"meta":{"next":""},"data":[]})").result.next.has_value());
}

TEST_CASE("the sink may stop the decoder") {
  auto decoder = Decoder::Create(Json(""), {"a"});
  REQUIRE_OK(decoder);
  Collector sink(1);
  sink.stop_after = 2;
  TextBody body("[1,2,3]");
  auto result = (*decoder)->Decode(body, "", "", sink);
  CHECK(result.status().code() == absl::StatusCode::kCancelled);
  CHECK(sink.rows.size() == 2);
}

TEST_CASE("a path that does not parse is refused with its column") {
  std::string path = GENERATE(as<std::string>{}, "a.", ".a", "a[", "a[x]", "a[-1]", "a[\"b]", "a]", "a..b", "^",
                              "a[1]b", "a[*]", "a^b", "a[99999999999]");
  auto decoder = Decoder::Create(Json(""), {path});
  REQUIRE_FALSE(decoder.ok());
  CHECK(Reason(decoder.status()) == "PATH_INVALID");
  CHECK(Says(decoder.status(), "path \"" + path + "\""));
}

}  // namespace
}  // namespace chartly::drone

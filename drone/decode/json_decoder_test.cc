#include "drone/decode/json_decoder.h"

#include <simdjson.h>

#include <random>

#include "common/status/status.h"
#include "drone/decode/allocations_for_test.h"
#include "drone/decode/collector_for_test.h"
#include "drone/decode/cut_body_for_test.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using Rows = std::vector<std::string>;

// Every document in this file is read as a whole and, in pieces of random size, streamed through small windows.
enum class Way { kWhole, kStreamed };

struct Source {
  std::string records;
  RowShape shape = RowShape::kObjects;
  Format format = Format::kJson;
  std::string next;
};

Decoded DecodeBy(Way way, const Source& what, const Rows& paths, const std::string& text, size_t window = 16,
                 size_t read_before = 0, unsigned seed = 1) {
  SourceConfig source;
  source.records = what.records;
  source.shape = what.shape;
  source.format = what.format;
  source.pagination.next = what.next;
  JsonSizes sizes;
  sizes.window_bytes = window;
  if (way == Way::kStreamed) sizes.whole_bytes = read_before;
  auto decoder = MakeJsonDecoder(what.format, source, paths, sizes);
  REQUIRE_OK(decoder);
  Collector sink(paths.size());
  CutBody body(text, 40, seed);
  PageInfo page;
  page.format = what.format;
  page.first_bytes = text;
  auto result = (*decoder)->Decode(body, page, sink);
  return {result.status(), result.ok() ? *result : DecodeResult{}, sink.rows, sink.raws};
}

Decoded Whole(const Source& what, const Rows& paths, const std::string& text) {
  return DecodeBy(Way::kWhole, what, paths, text);
}

// The rows, which are the same both ways.
Rows RowsOf(const Source& what, const Rows& paths, const std::string& text) {
  Decoded whole = Whole(what, paths, text);
  CHECK_OK(whole.status);
  for (size_t window : {1, 7, 64, 100000}) {
    INFO("window of " << window);
    Decoded streamed = DecodeBy(Way::kStreamed, what, paths, text, window);
    CHECK_OK(streamed.status);
    CHECK(streamed.rows == whole.rows);
    CHECK(streamed.result.next == whole.result.next);
    if (text.size() > 10'000) continue;  // what lies behind a window is moved with each
    CHECK(DecodeBy(Way::kStreamed, what, paths, text, window, text.size() / 2).rows == whole.rows);
  }
  return whole.rows;
}

// The reason, which is the same both ways.
std::string ReasonOf(const Source& what, const Rows& paths, const std::string& text) {
  std::string reason = Reason(Whole(what, paths, text).status);
  CHECK(Reason(DecodeBy(Way::kStreamed, what, paths, text).status) == reason);
  return reason;
}

bool Says(const absl::Status& status, const std::string& text) {
  return std::string(status.message()).find(text) != std::string::npos;
}

TEST_CASE("numbers keep the digits of the source, strings lose their escapes") {
  CHECK(RowsOf({}, {"big", "d", "e", "huge", "s", "t", "n", "o", "o.x[1]", "o.x[2]", "z", "missing.x"},
               R"([{"big": 123456789012345678901234567890, "d": 1.50, "e": -0E+1 , "huge": 1e400,
                    "s": "a\"\u00e9\ud834\udd1e\n\/", "t": true , "n": null, "o": { "x" : [ 1 , 2 ] } , "z":[]}])") ==
        Rows{"1:#123456789012345678901234567890|#1.50|#-0E+1|#1e400|a\"é𝄞\n/|?true|null|~{ \"x\" : [ 1 , 2 ] "
             "}|#2|-|~[]|-"});
}

TEST_CASE("of duplicate names the last one counts, with all that is inside") {
  CHECK(RowsOf({}, {"a", "a.b", "a.c"}, R"([{"a":{"b":1},"c":2,"a":3},{"a":{"b":1},"a":{"c":2}},{"\u0061":4}])") ==
        Rows{"1:#3|-|-", "2:~{\"c\":2}|-|#2", "3:#4|-|-"});
}

TEST_CASE("rows may have their members in any order, and more or fewer of them") {
  CHECK(RowsOf({}, {"a", "b", "c.d"},
               R"([{"a":1,"b":2,"c":{"d":3}},{"b":2,"x":0,"a":1},{"c":{"e":9,"d":3}},{},{"x":{"a":7},"a":1,"b":2}])") ==
        Rows{"1:#1|#2|#3", "2:#1|#2|-", "3:-|-|#3", "4:-|-|-", "5:#1|#2|-"});
}

TEST_CASE("a cut-off document is told from a wrong one") {
  std::string whole = R"({"a": [1, {"b": "te\\xt\"", "c": [true, null]}], "d": -1.5})";
  REQUIRE_OK(Whole({}, {"d"}, whole).status);
  for (size_t size = 1; size < whole.size(); ++size) {
    INFO(whole.substr(0, size));
    CHECK(ReasonOf({}, {"d"}, whole.substr(0, size)) == "PAYLOAD_TRUNCATED");
    CHECK(ReasonOf({"a"}, {"b"}, whole.substr(0, size)) == "PAYLOAD_TRUNCATED");
  }
  for (const char* wrong :
       {"nope", "{\"a\" 1}", "[1,]", "[1] x", "1],[2", "]", ",", "1,2", "{}}", "[01]", "[1.]", "[tru]", "[1]\f", "'a'",
        "[\"\\x\"]", "[\"\\ud800\"]", "{\"\\x\":1}", "{\"a\":1,}", "[]\"x"}) {
    INFO(wrong);
    CHECK(ReasonOf({}, {"a"}, wrong) == "PAYLOAD_NOT_JSON");
  }
  absl::Status status = Whole({}, {"a"}, "[1, 2, oops, 3]").status;
  CHECK(Says(status, "byte 7: \"oops, 3]\""));
  CHECK(Says(DecodeBy(Way::kStreamed, {}, {"a"}, "[1, 2, oops, 3]", 4).status, "byte 7: \"oops"));
}

TEST_CASE("garbage outside of the rows makes the document wrong") {
  for (const char* wrong : {R"({"x":[1,}],"data":[{"a":1}]})", R"({"data":[{"a":1}],"x":tru})",
                            R"({"data":[{"a":1}]} 1)", R"({"data":[{"a":1,"z":[1}]]})", R"({"data":[{"a":1}}})"}) {
    INFO(wrong);
    CHECK(ReasonOf({"data"}, {"a"}, wrong) == "PAYLOAD_NOT_JSON");
  }
}

TEST_CASE("bytes that are not UTF-8 are named by offset in the payload") {
  for (std::string bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe4\xbd"}) {
    absl::Status status = Whole({}, {"a"}, "[\"é" + bad + "\"]").status;
    CHECK(Reason(status) == "PAYLOAD_NOT_UTF8");
    CHECK(Details(status)["offset"] == "4");
    status = DecodeBy(Way::kStreamed, {}, {"a"}, "[1,2,\"é" + bad + "\"]", 3).status;
    CHECK(Details(status)["offset"] == "8");
  }
}

TEST_CASE("depth is bounded at 64") {
  auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  for (const Source& source : {Source{""}, Source{"[0][0][0][*]"}}) {
    CHECK(ReasonOf(source, {"a"}, nested(64)).empty());
    CHECK(ReasonOf(source, {"a"}, nested(65)) == "PAYLOAD_TOO_DEEP");
    CHECK(ReasonOf(source, {"a"}, nested(5000)) == "PAYLOAD_TOO_DEEP");
  }
  CHECK_FALSE(Whole({}, {"a"}, std::string(100000, '[')).status.ok());
}

TEST_CASE("a row may look at the elements around it, also in a stream") {
  std::string body = R"({"status":"OK","x":{"y":[7,8]},"Results":{"series":[
      {"seriesID":"S\u0031","data":[{"year":"2020","value":"3.5"},{"year":"2021","value":"4"}]},
      {"seriesID":"S2","data":[{"year":"2020","value":"-"}]},{"seriesID":"S3","data":[]}]}})";
  CHECK(RowsOf({"Results.series[*].data[*]"}, {"^.seriesID", "year", "^^.status", "^^.x.y[1]"}, body) ==
        Rows{"1:S1|2020|OK|#8", "2:S1|2021|OK|#8", "3:S2|2020|OK|#8"});
}

TEST_CASE("a stream refuses a field that comes after the rows") {
  std::string body = R"({"data":[{"a":1}],"unit":"m"})";
  CHECK(Whole({"data"}, {"a", "^.unit"}, body).rows == Rows{"1:#1|m"});
  Decoded streamed = DecodeBy(Way::kStreamed, {"data"}, {"a", "^.unit"}, body);
  CHECK(Reason(streamed.status) == "PAYLOAD_FIELD_AFTER_ROWS");
  CHECK(Says(streamed.status, "^.unit"));
  CHECK(streamed.rows.empty());
}

TEST_CASE("pagination is read before and after the rows") {
  Source source{"data", RowShape::kObjects, Format::kJson, "meta.next"};
  CHECK(RowsOf(source, {"a"}, R"({"meta":{"next":"p2"},"data":[{"a":1}]})").size() == 1);
  std::string after = R"({"data":[{"a":1}],"meta":{"total":9,"next":"p\u0033"}})";
  CHECK(RowsOf(source, {"a"}, after).size() == 1);
  CHECK(DecodeBy(Way::kStreamed, source, {"a"}, after).result.next == "p3");
}

TEST_CASE("rows that lead nowhere are told, of an outer element only that one") {
  CHECK(ReasonOf({"data.x"}, {"a"}, R"({"data":{"y":[]}})") == "PAYLOAD_NO_RECORDS");
  CHECK(ReasonOf({"data[*]"}, {"a"}, R"({"data":{"a":1}})") == "PAYLOAD_NO_RECORDS");
  CHECK(ReasonOf({"[1]"}, {"a"}, "[1]") == "PAYLOAD_NO_RECORDS");
  CHECK(ReasonOf({""}, {"a"}, "17") == "PAYLOAD_NO_RECORDS");
  CHECK(ReasonOf({"data"}, {"a"}, R"({"data":{"a":1},"x":[})") == "PAYLOAD_NOT_JSON");
  CHECK(RowsOf({"data"}, {"a"}, R"({"data":null})").empty());
  CHECK(RowsOf({"data[*]"}, {"a"}, R"({"data":null})").empty());
  CHECK(RowsOf({"s[*].data[*]"}, {"a"}, R"({"s":[{"data":[{"a":1}]},{"id":"x"},{"data":7},{"data":[{"a":2}]}]})") ==
        Rows{"1:#1", "!2", "!3", "4:#2"});
  CHECK(RowsOf({"data"}, {"a", "^.b"}, R"({"b":2,"data":{"a":1}})") == Rows{"1:#1|#2"});
}

TEST_CASE("arrays under a header row are rows by column name") {
  Source source{"rows", RowShape::kHeaderRow};
  std::string body = R"({"rows":[["NAME","P1"],["Ala\"bama",5024279],["short"],7,["Alaska","1"]]})";
  CHECK(RowsOf(source, {"P1", "NAME"}, body) == Rows{"1:#5024279|Ala\"bama", "!2", "!3", "4:1|Alaska"});
  CHECK(ReasonOf(source, {"county"}, body) == "PAYLOAD_NO_COLUMN");
  CHECK(ReasonOf(source, {"a"}, R"({"rows":[{"a":1}]})") == "PAYLOAD_NO_HEADER");
}

TEST_CASE("arrays of the same length are zipped into rows") {
  Source source{"hourly", RowShape::kZipped};
  Rows paths = {"time", "temp", "^.latitude", "gone"};
  std::string body =
      R"({"latitude":52.5,"hourly":{"time":["2024-01-01T00:00","2024-01-01T01:00"],"extra":[1],"temp":[-1.5,null]}})";
  Decoded decoded = Whole(source, paths, body);
  CHECK_OK(decoded.status);
  CHECK(decoded.rows == Rows{"1:2024-01-01T00:00|#-1.5|#52.5|-", "2:2024-01-01T01:00|null|#52.5|-"});
  CHECK(decoded.raws[0] == R"({"time":"2024-01-01T00:00","temp":-1.5})");
  CHECK(Whole(source, paths, R"({"latitude":1,"hourly":{"time":[],"temp":[]}})").rows.empty());
  CHECK(Whole({"s[*]", RowShape::kZipped}, {"t", "^.n"}, R"({"s":[{"n":"a","t":[1,2]},{"n":"b","t":[3]}]})").rows ==
        Rows{"1:#1|a", "2:#2|a", "3:#3|b"});
  Decoded longer = Whole(source, paths, R"({"hourly":{"time":[1,2,3],"temp":[1,2]}})");
  CHECK(Reason(longer.status) == "PAYLOAD_NOT_ZIPPED");
  CHECK(Says(longer.status, "\"time\" has 3 elements and \"temp\" has 2"));
  CHECK(Reason(Whole(source, paths, R"({"hourly":{"time":7}})").status) == "PAYLOAD_NOT_ZIPPED");
  CHECK(Reason(Whole(source, paths, R"({"hourly":{"x":[]}})").status) == "PAYLOAD_NO_RECORDS");
  CHECK(Reason(Whole(source, paths, R"({"hourly":[]})").status) == "PAYLOAD_NO_RECORDS");
}

TEST_CASE("members of an object are rows under their keys") {
  Source source{"rates", RowShape::kKeyed};
  CHECK(RowsOf(source, {"$key", "USD", "^.base"},
               R"({"base":"EUR","rates":{"2024-01-02":{"USD":1.09},"2024-\u00301-03":{"USD":1.1}}})") ==
        Rows{"1:2024-01-02|#1.09|EUR", "2:2024-01-03|#1.1|EUR"});
  CHECK(RowsOf(source, {"$value", "$key"}, R"({"rates":{"USD":1.09,"CHF":"x","JPY":null,"o":{"$value":1}}})") ==
        Rows{"1:#1.09|USD", "2:x|CHF", "3:null|JPY", "4:~{\"$value\":1}|o"});
  CHECK(RowsOf(source, {"[\"$value\"]"}, R"({"rates":{"o":{"$value":1}}})") == Rows{"1:#1"});
  CHECK(RowsOf({"s[*]", RowShape::kKeyed}, {"$key", "$value"}, R"({"s":[{"a":1,"b":2},{"a":3}]})") ==
        Rows{"1:a|#1", "2:b|#2", "3:a|#3"});
  CHECK(Whole(source, {"$key", "x"}, R"({"rates":{"a b":{"x":1}}})").raws == Rows{R"({"a b":{"x":1}})"});
  CHECK(ReasonOf(source, {"$key"}, R"({"rates":[1]})") == "PAYLOAD_NO_RECORDS");
}

TEST_CASE("the features of GeoJSON are rows, and one feature alone is a row") {
  Source source{"", RowShape::kObjects, Format::kGeoJson};
  Rows paths = {"id", "properties.mag", "geometry.coordinates[1]", "^.name"};
  std::string feature =
      R"({"type":"Feature","id":"a","properties":{"mag":5.1},"geometry":{"type":"Point","coordinates":[1,2]}})";
  CHECK(RowsOf(source, paths, R"({"type":"FeatureCollection","name":"n","features":[)" + feature + "]}") ==
        Rows{"1:a|#5.1|#2|n"});
  CHECK(Whole(source, {"id", "properties.mag"}, feature).rows == Rows{"1:a|#5.1"});
  Decoded bare = Whole(source, paths, R"({"type":"GeometryCollection","geometries":[]})");
  CHECK(Reason(bare.status) == "PAYLOAD_NO_RECORDS");
  CHECK(Says(bare.status, "GeometryCollection"));
  CHECK(Whole({"", RowShape::kObjects, Format::kNdjson}, {"id"}, feature + "\n" + feature + "\n").rows ==
        Rows{"1:a", "2:a"});
}

TEST_CASE("lines give the same rows whatever the windows, and a bad line harms no other") {
  Source source{"", RowShape::kObjects, Format::kNdjson};
  std::string body =
      "{\"a\":1}\r\n\n{\"a\":oops}\n{\"a\":2} {\"a\":3}\n{\"a\":\n4}\n[{\"a\":5},{\"a\":\"\\u00e9\"}]\n  {\"b\":6}  "
      "\n7\n"
      "{\"a\":\"open}\n{\"a\":8}\n{\"a\":\"x\ty\"}\n{\"a\":9}";
  Rows expected = {"1:#1", "!2", "!3", "!4", "!5", "6:#5", "7:é", "8:-"};
  for (size_t window : {1, 5, 30, 100000}) {
    INFO("window of " << window);
    Decoded decoded = DecodeBy(Way::kStreamed, source, {"a"}, body, window);
    CHECK(Reason(decoded.status) == "PAYLOAD_NO_RECORDS");
    CHECK(decoded.rows == expected);
    std::string without_7 = body;
    without_7.erase(without_7.find("7\n"), 2);
    decoded = DecodeBy(Way::kStreamed, source, {"a"}, without_7, window);
    CHECK_OK(decoded.status);
    Rows all = expected;
    all.insert(all.end(), {"!9", "10:#8", "!11", "12:#9"});
    CHECK(decoded.rows == all);
    CHECK(decoded.raws[1] == "{\"a\":oops}");
    CHECK(decoded.raws[4] == "4}");
    CHECK(Reason(DecodeBy(Way::kStreamed, source, {"a"}, "{\"a\":1}\n{\"a\":", window).status) == "PAYLOAD_TRUNCATED");
    CHECK(Reason(DecodeBy(Way::kStreamed, source, {"a"}, "{\"a\":1}\n{\"a\":\"x", window).status) ==
          "PAYLOAD_TRUNCATED");
  }
  CHECK(DecodeBy(Way::kStreamed, {"d[*]", RowShape::kObjects, Format::kNdjson}, {"a", "^.n"},
                 "{\"d\":[{\"a\":1},{\"a\":2}],\"n\":\"x\"}\n{\"n\":\"y\",\"d\":[{\"a\":3}]}\n")
            .rows == Rows{"1:#1|x", "2:#2|x", "3:#3|y"});
}

TEST_CASE("a row and a line are bounded in bytes") {
  std::string large(kMaxJsonRowBytes + 10, 'x');
  Decoded row = DecodeBy(Way::kStreamed, {}, {"a"}, "[{\"a\":\"" + large + "\"}]", 1 << 20);
  CHECK(Reason(row.status) == "PAYLOAD_ROW_TOO_LARGE");
  Decoded line = DecodeBy(Way::kStreamed, {"", RowShape::kObjects, Format::kNdjson}, {"a"}, large, 1 << 20);
  CHECK(Reason(line.status) == "PAYLOAD_ROW_TOO_LARGE");
  std::string fits(size_t{3} << 20, ',');
  CHECK(DecodeBy(Way::kStreamed, {}, {"b"}, "[{\"a\":\"" + fits + "\",\"b\":1}]", 1 << 16).rows == Rows{"1:#1"});
}

TEST_CASE("reading a row allocates nothing once its members are known") {
  class Counter final : public RowSink {
   public:
    absl::Status OnRow(const Row& row, uint32_t) override {
      seen += row.Get(0).text.size() + row.Get(1).text.size();
      return absl::OkStatus();
    }
    absl::Status OnBadRow(absl::string_view, absl::string_view, absl::string_view, uint32_t) override {
      return absl::InternalError("no row is bad");
    }
    size_t seen = 0;
  };
  Format format = GENERATE(Format::kNdjson, Format::kJson);
  SourceConfig source;
  source.format = format;
  auto decoder = MakeJsonDecoder(format, source, {"name", "place.lat"}, JsonSizes{0, size_t{64} << 10});
  REQUIRE_OK(decoder);
  auto allocations = [&](int rows) {
    std::string text = format == Format::kJson ? "[" : "";
    for (int i = 0; i < rows; ++i) {
      text += R"({"name":"a longer \"name\" than fits","place":{"lat":12.5,"lon":1},"and one more member of a row":0})";
      text += format == Format::kJson ? (i + 1 < rows ? "," : "]") : "\n";
    }
    TextBody body(text);
    PageInfo page;
    page.format = format;
    Counter sink;
    int64_t before = AllocationsForTest();
    CHECK_OK((*decoder)->Decode(body, page, sink).status());
    int64_t made = AllocationsForTest() - before;
    CHECK(sink.seen == static_cast<size_t>(rows) * 29);
    return made;
  };
  allocations(10000);
  int64_t few = allocations(10000);
  CHECK(allocations(20000) == few);
}

}  // namespace
}  // namespace chartly::drone

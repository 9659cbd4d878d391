#include "drone/decode/json_stat_decoder.h"

#include "common/status/status.h"
#include "drone/decode/collector_for_test.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using Rows = std::vector<std::string>;

SourceConfig JsonStat(const std::string& records = "") {
  SourceConfig source;
  source.format = Format::kJsonStat;
  source.records = records;
  return source;
}

// A cube of two regions and three years.
std::string Cube(const std::string& value, const std::string& more = "") {
  return R"({"version":"2.0","class":"dataset","id":["geo","time"],"size":[2,3],"dimension":{
    "geo":{"category":{"index":{"FR":1,"DE":0},"label":{"DE":"Germany","FR":"Fran\u00e7a"}}},
    "time":{"category":{"index":["2020","2021","2022"]}}},"value":)" +
         value + more + "}";
}

const Rows kPaths = {"geo", "geo.label", "time", "time.label", "value", "status"};

TEST_CASE("every cell of a JSON-stat cube is a row, the last dimension runs fastest") {
  Rows expected = {"1:DE|Germany|2020|2020|#1|null",   "2:DE|Germany|2021|2021|#2.50|null",
                   "3:DE|Germany|2022|2022|null|null", "4:FR|França|2020|2020|#4|null",
                   "5:FR|França|2021|2021|x|null",     "6:FR|França|2022|2022|#6|null"};
  Decoded decoded = Decode(JsonStat(), kPaths, Cube(R"([1,2.50,null,4,"x",6])"));
  CHECK_OK(decoded.status);
  CHECK(decoded.rows == expected);
  CHECK(decoded.raws[0] == R"({"geo":"DE","time":"2020","value":1})");
  CHECK(Decode(JsonStat(), kPaths, Cube(R"({"5":6,"0":1,"1":2.50,"3":4,"4":"x"})")).rows == expected);
  CHECK(Decode(JsonStat(), {"[\"geo\"]", "[\"geo\"].label"}, Cube("{}")).rows.back() == "6:FR|França");
}

TEST_CASE("the status of cells is an array, an object, one text, or beside a legend") {
  auto statuses = [](const std::string& status) {
    return Decode(JsonStat(), {"status"}, Cube("[1,2,3,4,5,6]", ",\"status\":" + status)).rows;
  };
  CHECK(statuses(R"(["a",null,"c","d","e","f"])") == Rows{"1:a", "2:null", "3:c", "4:d", "5:e", "6:f"});
  CHECK(statuses(R"({"1":"p"})") == Rows{"1:null", "2:p", "3:null", "4:null", "5:null", "6:null"});
  CHECK(statuses(R"({"value":["a",null,"c","d","e","f"],"category":{"label":{"a":"actual"}}})") ==
        Rows{"1:a", "2:null", "3:c", "4:d", "5:e", "6:f"});
  CHECK(statuses("\"e\"") == Rows{"1:e", "2:e", "3:e", "4:e", "5:e", "6:e"});
}

TEST_CASE("JSON-stat 1 keeps its dataset under a name and its sizes with the dimensions") {
  auto version1 = [](const std::string& name, const std::string& value) {
    return "\"" + name + R"(":{"value":[)" + value + R"(],"dimension":{"id":["area","sex"],"size":[2,1],
      "area":{"category":{"index":{"x":0,"y":1}}},"sex":{"category":{"label":{"T":"Total"}}}}})";
  };
  std::string one = version1("dataset", "5,6");
  Rows paths = {"area", "sex", "sex.label", "value"};
  CHECK(Decode(JsonStat(), paths, "{" + one + "}").rows == Rows{"1:x|T|Total|#5", "2:y|T|Total|#6"});
  std::string two = "{" + one + "," + version1("canada", "7,8") + "}";
  Decoded several = Decode(JsonStat(), paths, two);
  CHECK(Reason(several.status) == "PAYLOAD_NO_RECORDS");
  CHECK(std::string(several.status.message()).find("dataset, canada") != std::string::npos);
  CHECK(Decode(JsonStat("canada"), paths, two).rows == Rows{"1:x|T|Total|#7", "2:y|T|Total|#8"});
}

TEST_CASE("what is no cube says what is wrong with it") {
  std::string text, reason;
  std::tie(text, reason) = GENERATE(table<std::string, std::string>({
      {Cube("[1,2,3]"), "PAYLOAD_NOT_JSON_STAT"},
      {Cube("{\"6\":1}"), "PAYLOAD_NOT_JSON_STAT"},
      {Cube("{\"x\":1}"), "PAYLOAD_NOT_JSON_STAT"},
      {R"({"class":"collection","link":{"item":[]}})", "PAYLOAD_NO_RECORDS"},
      {R"({"class":"dimension","category":{}})", "PAYLOAD_NO_RECORDS"},
      {R"({"class":"dataset"})", "PAYLOAD_NOT_JSON_STAT"},
      {R"({"a":1})", "PAYLOAD_NO_RECORDS"},
      {"[]", "PAYLOAD_NO_RECORDS"},
      {"{} x", "PAYLOAD_NOT_JSON"},
      {R"({"dimension":{"a":{}},"id":["a"],"size":[1],"value":[]})", "PAYLOAD_NOT_JSON_STAT"},
      {R"({"dimension":{"a":{"category":{"index":["x"]}}},"id":["a"],"size":[2],"value":[1,2]})",
       "PAYLOAD_NOT_JSON_STAT"},
      {R"({"dimension":{"a":{"category":{"index":{"x":7}}}},"id":["a"],"size":[1],"value":[1]})",
       "PAYLOAD_NOT_JSON_STAT"},
  }));
  INFO(text);
  CHECK(Reason(Decode(JsonStat(), {"value"}, text).status) == reason);
}

TEST_CASE("a field that the cube has not is named beside those it has") {
  Decoded decoded = Decode(JsonStat(), {"sex"}, Cube("{}"));
  CHECK(Reason(decoded.status) == "PAYLOAD_NO_COLUMN");
  CHECK(std::string(decoded.status.message()).find("geo, geo.label, time, time.label, value, status") !=
        std::string::npos);
}

TEST_CASE("auto knows a cube and a feature collection by their first bytes") {
  SourceConfig source;
  CHECK(Decode(source, {"geo"}, Cube("{}"), "application/json").rows.size() == 6);
  CHECK(Decode(source, {"id"}, R"({ "type" : "FeatureCollection", "features":[{"id":1},{"id":2}]})").rows ==
        Rows{"1:#1", "2:#2"});
  CHECK(Decode(source, {"type"}, R"({"type":"Feature"})").rows == Rows{"1:Feature"});
  CHECK(Decode(source, {"class"}, R"({"class":"dataset","title":"x"})").rows == Rows{"1:dataset"});
}

}  // namespace
}  // namespace chartly::drone

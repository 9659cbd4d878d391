#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "chartly/v1/aggregator.pb.h"
#include "chartly/v1/coordinator.pb.h"
#include "chartly/v1/registry.pb.h"
#include "chartly/v1/reporter.pb.h"
#include "common/status/status.h"
#include "control/gateway/field_text.h"
#include "control/gateway/json_number.h"
#include "control/gateway/json_reader.h"
#include "control/gateway/json_writer.h"
#include "control/gateway/request_builder.h"
#include "control/gateway/route_table.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "test/support/test.h"

namespace chartly::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Fills messages at random, with what JSON can carry.
class Filler {
 public:
  explicit Filler(unsigned seed) : random_(seed) {}

  void Fill(Message& message) {
    if (IsValueType(*message.GetDescriptor())) return FillValue(static_cast<v1::Value&>(message));
    if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(&message)) {
      time->set_seconds(static_cast<int64_t>(Below(4000000000)) - 2000000000);
      return time->set_nanos(static_cast<int>(Below(1000000000)));
    }
    if (auto* duration = dynamic_cast<google::protobuf::Duration*>(&message)) {
      duration->set_seconds(static_cast<int64_t>(Below(1000000)));
      return duration->set_nanos(static_cast<int>(Below(1000)) * 1000000);
    }
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *message.GetDescriptor()->field(i);
      size_t count = field.is_repeated() ? Below(4) : Below(3) > 0;
      std::set<std::string> keys;
      for (size_t n = 0; n < count; ++n) Add(message, field, keys);
    }
  }

 private:
  uint64_t Below(uint64_t limit) { return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random_); }

  template <typename Number>
  Number Extreme() {
    switch (Below(4)) {
      case 0:
        return std::numeric_limits<Number>::max();
      case 1:
        return std::numeric_limits<Number>::lowest();
      case 2:
        return 0;
      default:
        return static_cast<Number>(Below(100000));
    }
  }

  double Floating() {
    return std::ldexp(static_cast<double>(Below(1000000)) - 500000, static_cast<int>(Below(200)) - 100);
  }

  std::string Text() {
    static const char* kPieces[] = {"a",    "B.c", " ", "\"",   "\\", "\n", "\x01", "é",
                                    "日本", "😀",   "/", "null", "1",  "}",  ""};
    std::string out;
    for (size_t i = Below(6); i > 0; --i) out += kPieces[Below(std::size(kPieces))];
    return out;
  }

  void FillValue(v1::Value& value) {
    static const char* kDecimals[] = {"1.50", "-0.001", "9223372036854775808", "123456789012345678901234567890",
                                      "6e23", "0.0"};
    switch (Below(5)) {
      case 0:
        return value.set_text(Text());
      case 1:
        return value.set_integer(Extreme<int64_t>());
      case 2:
        return value.set_decimal(kDecimals[Below(std::size(kDecimals))]);
      case 3:
        return value.set_boolean(Below(2) == 0);
      default:
        return;
    }
  }

  void Add(Message& message, const FieldDescriptor& field, std::set<std::string>& keys) {
    const Reflection& r = *message.GetReflection();
    Message* m = &message;
    const FieldDescriptor* f = &field;
    bool many = field.is_repeated();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32: {
        auto v = Extreme<int32_t>();
        return many ? r.AddInt32(m, f, v) : r.SetInt32(m, f, v);
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        auto v = Extreme<int64_t>();
        return many ? r.AddInt64(m, f, v) : r.SetInt64(m, f, v);
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        auto v = Extreme<uint32_t>();
        return many ? r.AddUInt32(m, f, v) : r.SetUInt32(m, f, v);
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        auto v = Extreme<uint64_t>();
        return many ? r.AddUInt64(m, f, v) : r.SetUInt64(m, f, v);
      }
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return many ? r.AddDouble(m, f, Floating()) : r.SetDouble(m, f, Floating());
      case FieldDescriptor::CPPTYPE_FLOAT:
        return many ? r.AddFloat(m, f, 1.5F) : r.SetFloat(m, f, 1.5F);
      case FieldDescriptor::CPPTYPE_BOOL:
        return many ? r.AddBool(m, f, true) : r.SetBool(m, f, true);
      case FieldDescriptor::CPPTYPE_ENUM: {
        int number = field.enum_type()
                         ->value(static_cast<int>(Below(static_cast<uint64_t>(field.enum_type()->value_count()))))
                         ->number();
        return many ? r.AddEnumValue(m, f, number) : r.SetEnumValue(m, f, number);
      }
      case FieldDescriptor::CPPTYPE_STRING:
        return many ? r.AddString(m, f, Text()) : r.SetString(m, f, Text());
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return AddMessage(message, field, keys);
    }
  }

  void AddMessage(Message& message, const FieldDescriptor& field, std::set<std::string>& keys) {
    const Reflection& r = *message.GetReflection();
    if (!field.is_repeated()) return Fill(*r.MutableMessage(&message, &field));
    Message& added = *r.AddMessage(&message, &field);
    if (!field.is_map()) return Fill(added);
    const FieldDescriptor* key = field.message_type()->map_key();
    std::string text = absl::StrCat(Text(), keys.size());
    keys.insert(text);
    added.GetReflection()->SetString(&added, key, text);
    std::set<std::string> none;
    Add(added, *field.message_type()->map_value(), none);
  }

  std::mt19937_64 random_;
};

TEST_CASE("every request and answer survives JSON unchanged, and its JSON is stable") {
  absl::StatusOr<RouteTable> table = RouteTable::Build();
  REQUIRE_OK(table);
  std::set<const google::protobuf::Descriptor*> types;
  for (const Route& route : table->routes()) {
    types.insert(route.method->input_type());
    types.insert(route.method->output_type());
  }
  unsigned seed = 1;
  for (const google::protobuf::Descriptor* type : types) {
    for (int round = 0; round < 40; ++round) {
      std::unique_ptr<Message> message = NewMessage(*type);
      Filler(seed++).Fill(*message);
      std::string json = WriteJson(*message);
      INFO(type->full_name() << " " << json);
      std::unique_ptr<Message> back = NewMessage(*type);
      REQUIRE_OK(ReadJson(json, *back));
      REQUIRE(google::protobuf::util::MessageDifferencer::Equals(*message, *back));
      REQUIRE(WriteJson(*back) == json);
    }
  }
}

TEST_CASE("a posted record keeps its digits, flat or nested") {
  v1::CreateResultsRequest request;
  REQUIRE_OK(ReadJson(R"({"profile_id":"p","data":[
      {"dims.geo.name":"Peru","dims.time.year":2020,"measures.big":123456789012345678901,"measures.exact":12.50,
       "measures.sci":1.5E6,"measures.flag":true,"measures.none":null,"attrs.note":"x"},
      {"dims":{"geo.name":"Chile"},"measures":{"v":-9223372036854775808}}]})",
                      request));
  const auto& first = request.data(0);
  CHECK(first.dims().at("geo.name").text() == "Peru");
  CHECK(first.dims().at("time.year").integer() == 2020);
  CHECK(first.measures().at("big").decimal() == "123456789012345678901");
  CHECK(first.measures().at("exact").decimal() == "12.50");
  CHECK(first.measures().at("sci").decimal() == "1.5E6");
  CHECK(first.measures().at("flag").boolean());
  CHECK(first.measures().at("none").kind_case() == v1::Value::KIND_NOT_SET);
  CHECK(request.data(1).measures().at("v").integer() == std::numeric_limits<int64_t>::min());
  CHECK(
      WriteJson(first) ==
      R"({"dims":{"geo.name":"Peru","time.year":2020},"measures":{"big":123456789012345678901,"exact":12.50,"flag":true,"none":null,"sci":1.5E6},"attrs":{"note":"x"}})");
}

TEST_CASE("enums, times and durations read and write as people do") {
  v1::CreateRunRequest request;
  auto text = GENERATE("succeeded", "RUN_STATUS_SUCCEEDED", "Succeeded");
  REQUIRE_OK(ReadJson(
      absl::StrCat(R"({"status":")", text, R"(","started_at":"2026-01-31T09:00:00.5Z","durationMs":"7"})"), request));
  CHECK(request.status() == v1::RUN_STATUS_SUCCEEDED);
  CHECK(request.started_at().nanos() == 500000000);
  CHECK(request.duration_ms() == 7);
  std::string json = WriteJson(request);
  CHECK(json.find(R"("status":"succeeded","started_at":"2026-01-31T09:00:00.500Z","rows_out":0)") != std::string::npos);
  v1::Profile profile;
  profile.mutable_interval()->set_seconds(3600);
  CHECK(WriteJson(profile).find(R"("interval":"3600s","content":"","generation":0)") != std::string::npos);
}

TEST_CASE("optional fields that are unset are left out") {
  v1::RunReportResponse response;
  CHECK(WriteJson(response).find("pearson") == std::string::npos);
  response.set_pearson(0.1);
  response.set_spearman(std::numeric_limits<double>::quiet_NaN());
  CHECK(WriteJson(response).find(R"("pearson":0.1,"spearman":null)") != std::string::npos);
}

TEST_CASE("each fault of a body is named with its place") {
  struct Case {
    std::string json, reason, field;
  };
  auto one =
      GENERATE(Case{R"({"profile_idd":"x"})", "FIELD_UNKNOWN", "profile_idd"},
               Case{R"({"data":[{},{"dimz":{}}]})", "FIELD_UNKNOWN", "data[1].dimz"},
               Case{R"({"data":[{"measures":{"a":[1]}}]})", "FIELD_INVALID", "data[0].measures.a"},
               Case{R"({"data":[{"measures.a":{}}]})", "FIELD_INVALID", "data[0].measures.a"},
               Case{R"({"data":{}})", "FIELD_INVALID", "data"}, Case{R"({"data":[1]})", "FIELD_INVALID", "data[0]"},
               Case{R"({"run_id":7})", "FIELD_INVALID", "run_id"},
               Case{R"({"run_id":"a","run_id":"b"})", "FIELD_INVALID", "run_id"},
               Case{R"({"data":[{"dims.a":1,"dims":{"a":2}}]})", "FIELD_INVALID", "data[0].dims.a"},
               Case{R"({"data":[{"dims.a":NaN}]})", "JSON_MALFORMED", ""},
               Case{R"({"data":[{"dims.a":01}]})", "JSON_MALFORMED", "data[0].dims.a"}, Case{"", "JSON_MALFORMED", ""},
               Case{"[]", "JSON_MALFORMED", ""}, Case{"{", "JSON_MALFORMED", ""},
               Case{R"({"run_id":"a"} x)", "JSON_MALFORMED", ""}, Case{R"({"run_id":"a"}})", "JSON_MALFORMED", ""},
               Case{R"({"run_id" "a"})", "JSON_MALFORMED", ""}, Case{R"({"run_id":nul})", "JSON_MALFORMED", ""},
               Case{"{\"run_id\":\"\xFF\"}", "JSON_MALFORMED", ""}, Case{R"({"run_id":"a",})", "JSON_MALFORMED", ""});
  v1::CreateResultsRequest request;
  absl::Status status = ReadJson(one.json, request);
  INFO(one.json << " " << status.ToString());
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(Reason(status) == one.reason);
  if (!one.field.empty()) CHECK(Details(status)["field"] == one.field);
}

TEST_CASE("an unknown field comes with the nearest known one") {
  v1::CreateResultsRequest request;
  absl::Status status = ReadJson(R"({"profil_id":"x"})", request);
  CHECK(Details(status)["nearest"] == "profile_id");
  CHECK(std::string(status.message()) == "unknown field profil_id; did you mean profile_id?");
}

TEST_CASE("the grammar of JSON numbers is kept") {
  for (const char* good : {"0", "-0", "1", "-12.50", "6e23", "6E+23", "1.0e-5", "123456789012345678901234567890"})
    CHECK(IsJsonNumber(good));
  for (const char* bad : {"", "-", "+1", ".5", "5.", "01", "1e", "1e+", "NaN", "inf", "1 ", "0x1", "1.2.3"})
    CHECK_FALSE(IsJsonNumber(bad));
}

TEST_CASE("truncated and scrambled bodies never crash and are always refused or read") {
  std::mt19937 random(7);
  std::string good =
      R"({"profile_id":"p","data":[{"dims.geo":"x\u00e9","measures":{"v":12.5,"w":null}},{"attrs":{"k":"v"}}],"run_id":"r"})";
  for (int i = 0; i < 3000; ++i) {
    std::string text = good.substr(0, random() % (good.size() + 1));
    for (int n = static_cast<int>(random() % 4); n > 0 && !text.empty(); --n) {
      text[random() % text.size()] = "{}[]\",:\\0e-\xFF x"[random() % 15];
    }
    v1::CreateResultsRequest request;
    absl::Status status = ReadJson(text, request);
    CHECK((status.ok() || status.code() == absl::StatusCode::kInvalidArgument));
    if (status.ok()) CHECK(request.SerializeAsString().size() < 1000);
  }
}

}  // namespace
}  // namespace chartly::gateway

#include "common/normalize/normalizer.h"

#include <array>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/normalize/validate.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

Field Text(absl::string_view text) { return {Field::Kind::kText, text}; }
Field Number(absl::string_view digits) { return {Field::Kind::kNumber, digits}; }
Field Null() { return {Field::Kind::kNull, ""}; }
Field True() { return {Field::Kind::kBoolean, "true"}; }
Field Object() { return {Field::Kind::kComposite, "{}"}; }

// A row from a map of fields, as a decoder would bind it.
class MapRow : public Row {
 public:
  MapRow(const Normalizer& normalizer, std::map<std::string, Field> fields)
      : paths_(normalizer.paths()), fields_(std::move(fields)) {}
  Field Get(size_t slot) const override {
    auto found = fields_.find(paths_[slot]);
    return found == fields_.end() ? Field{} : found->second;
  }
  std::string Raw() const override { return "raw"; }

 private:
  const std::vector<std::string>& paths_;
  std::map<std::string, Field> fields_;
};

// Runs rows through the mapping of a profile.
class Run {
 public:
  explicit Run(const std::string& mapping_and_more) {
    std::string text = "id: x\nversion: 1.0.0\nsource: {type: file, path: a.json}\n" + mapping_and_more;
    absl::StatusOr<Profile> profile = ValidateProfileOrError("x.yaml", text);
    REQUIRE_OK(profile);
    normalizer_ = *Normalizer::Create(*profile);
    BatchHeader origin;
    origin.set_profile_id("x");
    origin.set_run_id("run");
    builder_.SetOrigin(origin);
    normalizer_->Bind(builder_);
  }

  Normalizer::Outcome Add(std::map<std::string, Field> fields) {
    return normalizer_->Add(MapRow(*normalizer_, std::move(fields)), 1, ++rows_, builder_);
  }
  // Reason and message of a row that must be quarantined.
  std::string Refused(std::map<std::string, Field> fields) {
    CHECK(Add(std::move(fields)) == Normalizer::Outcome::kQuarantined);
    return normalizer_->last_reason() + ": " + normalizer_->last_message();
  }
  std::string FinishBytes() {
    absl::StatusOr<std::string> bytes = builder_.Finish();
    REQUIRE_OK(bytes);
    return *std::move(bytes);
  }
  Batch Finish() {
    absl::StatusOr<Batch> batch = Batch::Parse(FinishBytes());
    REQUIRE_OK(batch);
    return *std::move(batch);
  }
  const Normalizer& normalizer() const { return *normalizer_; }

 private:
  std::unique_ptr<Normalizer> normalizer_;
  BatchBuilder builder_;
  uint32_t rows_ = 0;
};

constexpr auto kKept = Normalizer::Outcome::kKept;
constexpr auto kFiltered = Normalizer::Outcome::kFiltered;

}  // namespace

TEST_CASE("values without a type stay what they are and measures become numbers") {
  Run run("mapping: {d: dims.d, a: dims.a, b: attrs.b, m: measures.m}\n");
  CHECK(run.Add({{"a", Text("007")}, {"b", True()}, {"m", Text(" 12.50 ")}}) == kKept);
  CHECK(run.Add({{"a", Number("7")}, {"b", Number("1.50")}, {"m", Number("9007199254740993")}}) == kKept);
  CHECK(run.Add({{"d", Text("x")}, {"a", Text("")}, {"b", Null()}, {"m", Text("7")}}) == kKept);
  Batch batch = run.Finish();
  CHECK(batch.Get(Role::kDim, "a", 0) == Value::Text("007"));
  CHECK(batch.Get(Role::kAttr, "b", 0) == Value::Boolean(true));
  CHECK(batch.Get(Role::kMeasure, "m", 0).ToText() == "12.50");
  CHECK(batch.Get(Role::kDim, "a", 1) == Value::Integer(7));
  CHECK(batch.Get(Role::kAttr, "b", 1).ToText() == "1.50");
  CHECK(batch.Get(Role::kMeasure, "m", 1) == Value::Integer(9007199254740993));
  CHECK(batch.Get(Role::kDim, "a", 2) == Value::Text(""));
  CHECK(batch.Get(Role::kAttr, "b", 2).is_null());
  CHECK(batch.Get(Role::kMeasure, "m", 2) == Value::Integer(7));
}

TEST_CASE("typed fields take what is exactly of their type") {
  Run run(
      "mapping:\n  d: dims.d\n  i: {to: measures.i, type: integer}\n  t: {to: dims.t, type: timestamp}\n"
      "  f: {to: measures.f, type: float}\n  x: {to: attrs.x, type: text}\n  y: {to: attrs.y, type: boolean}\n  z: "
      "{to: dims.z, type: date}\n");
  CHECK(run.Add({{"d", Text("a")},
                 {"i", Text("7663783.0")},
                 {"t", Text("2024-02-23T13:00:00-06:00")},
                 {"f", Number("0.1")},
                 {"x", Number("1.50")},
                 {"y", Text("no")},
                 {"z", Text("2024-02-29")}}) == kKept);
  CHECK(run.Add({{"d", Text("a")}, {"i", Text("")}, {"t", Text(" ")}, {"f", Null()}, {"x", True()}, {"y", True()}}) ==
        kKept);
  Batch batch = run.Finish();
  CHECK(batch.Get(Role::kMeasure, "i", 0) == Value::Integer(7663783));
  CHECK(batch.Get(Role::kDim, "t", 0).ToText() == "2024-02-23T13:00:00-06:00");
  CHECK(batch.Get(Role::kMeasure, "f", 0) == Value::Float(0.1));
  CHECK(batch.Get(Role::kAttr, "x", 0) == Value::Text("1.50"));
  CHECK(batch.Get(Role::kAttr, "y", 0) == Value::Boolean(false));
  CHECK(batch.Get(Role::kDim, "z", 0).ToText() == "2024-02-29");
  CHECK(batch.Get(Role::kMeasure, "i", 1).is_null());
  CHECK(batch.Get(Role::kDim, "t", 1).is_null());
  CHECK(batch.Get(Role::kAttr, "x", 1) == Value::Text("true"));
}

TEST_CASE("a row that breaks its contract is quarantined with field, text and reason") {
  Run run(
      "mapping:\n  a: {to: dims.a, required: true}\n  m: {to: measures.m, type: decimal, min: 0.1, max: 100}\n  n: "
      "measures.n\n");
  CHECK(run.Refused({{"a", Text("x")}, {"m", Text("NaN")}})
            .find("mapping.type_coercion_failed: m for measures.m: \"NaN\" is not ") == 0);
  CHECK(run.Refused({{"a", Text("x")}, {"n", Text("1,000")}})
            .find("mapping.type_coercion_failed: n for measures.n: \"1,000\" is not ") == 0);
  CHECK(run.Refused({{"a", Text("x")}, {"n", True()}}).find("give the field a type") != std::string::npos);
  CHECK(run.Refused({{"a", Object()}}) ==
        "mapping.type_coercion_failed: a for dims.a: is a list or an object; map one of its fields instead");
  for (Field missing : {Field{}, Null(), Text("")}) {
    CHECK(run.Refused({{"a", missing}, {"m", Number("5")}}) ==
          "mapping.missing_required_field: a for dims.a: is required and missing, null or empty");
  }
  CHECK(run.Refused({{"a", Text("x")}, {"m", Text("0.09999999999999999999")}}) ==
        "schema.validation_failed: m for measures.m: 0.09999999999999999999 is less than min 0.1");
  CHECK(run.Refused({{"a", Text("x")}, {"m", Number("100.5")}}) ==
        "schema.validation_failed: m for measures.m: 100.5 is greater than max 100");
  CHECK(run.Add({{"a", Text("x")}, {"m", Text("0.1")}}) == kKept);
  Batch batch = run.Finish();
  CHECK(batch.rows() == 1);
  REQUIRE(batch.header().quarantined_size() == 9);
  CHECK(batch.header().quarantined(0).reason_code() == kReasonCoercionFailed);
  CHECK(batch.header().quarantined(0).field() == "m");
  CHECK(batch.header().quarantined(0).raw() == "raw");
  CHECK(batch.fetched() == 10);
}

TEST_CASE("a row without any mapped dim or measure is never a record") {
  Run run("mapping: {a: dims.a, m: measures.m, t: attrs.t, _: {to: dims.c, value: x}}\n");
  CHECK(run.Refused({{"other", Text("x")}}) ==
        "mapping.missing_required_field: none of the mapped dims and measures is there; the row should have some of: "
        "a, m, t");
  run.Refused({{"a", Text("")}, {"t", Text("only an attr")}});
  CHECK(run.Add({{"a", Text("x")}, {"m", Number("0")}}) == kKept);
}

TEST_CASE("a row without any dim of its key is never a record") {
  Run run(
      "mapping: {a: dims.a, b: dims.b, d: dims.d, m: measures.m, _: {to: dims.c, value: x}}\nkey: [dims.a, dims.b, "
      "dims.c]\n");
  CHECK(run.Refused({{"d", Text("x")}, {"b", Null()}, {"a", Text("")}, {"m", Number("1")}}) ==
        "mapping.missing_key: none of the dims of the key is there, so the record could not be told apart; the row "
        "should have some of: a, b");
  CHECK(run.Add({{"b", Number("1")}, {"m", Number("1")}}) == kKept);
  Run constant("mapping: {m: measures.m, _: {to: dims.c, value: x}}\n");
  CHECK(constant.Add({{"m", Number("1")}}) == kKept);
}

TEST_CASE("a field may be the first of several that holds something") {
  Run run("mapping: {a: {to: dims.a, coalesce: [b, \"c d\"]}, _: {to: attrs.x, coalesce: [c d, a]}, m: measures.m}\n");
  CHECK(run.normalizer().paths() == std::vector<std::string>{"a", "b", "c d", "m"});
  CHECK(run.Add({{"a", Text("1")}, {"b", Text("2")}}) == kKept);
  CHECK(run.Add({{"a", Text("")}, {"b", Null()}, {"c d", Number("3")}}) == kKept);
  CHECK(
      run.Refused({{"a", Null()}, {"b", Object()}}) ==
      "mapping.type_coercion_failed: a or b or c d for dims.a: is a list or an object; map one of its fields instead");
  Batch batch = run.Finish();
  CHECK(batch.Get(Role::kDim, "a", 0) == Value::Text("1"));
  CHECK(batch.Get(Role::kAttr, "x", 0) == Value::Text("1"));
  CHECK(batch.Get(Role::kDim, "a", 1) == Value::Integer(3));
  CHECK(batch.Get(Role::kAttr, "x", 1) == Value::Integer(3));
}

TEST_CASE("a field may be several that are joined") {
  Run run(
      "mapping: {y: {to: dims.month, concat: [p], using: to_year_month}, _: {to: attrs.id, concat: [a, b, c], "
      "separator: \"-\"}}\n");
  CHECK(run.Add({{"y", Number("2024")}, {"p", Text("M07")}, {"a", Text("x")}, {"b", True()}, {"c", Text("")}}) ==
        kKept);
  CHECK(run.Add({{"y", Number("2024")}, {"p", Text("M08")}, {"a", Text("x")}, {"b", Null()}, {"c", Text("z")}}) ==
        kKept);
  CHECK(run.Refused({{"y", Number("2024")}, {"p", Text("M13")}})
            .find("mapping.type_coercion_failed: y + p for dims.month: \"2024M13\" is not a month") == 0);
  Batch batch = run.Finish();
  CHECK(batch.Get(Role::kDim, "month", 0) == Value::Text("2024-07"));
  CHECK(batch.Get(Role::kAttr, "id", 0) == Value::Text("x-true-"));
  CHECK(batch.Get(Role::kAttr, "id", 1).is_null());
}

TEST_CASE("texts are looked up in tables after the functions and before the type") {
  Run run(
      "mapping:\n  a: {to: dims.a, using: upper, lookup: {table: {A: Annual, M: Monthly}}}\n"
      "  b: {to: dims.b, type: integer, lookup: {table: {one: 1}, otherwise: keep}}\n"
      "  c: {to: measures.c, lookup: {table: {one: \"1.50\"}, otherwise: {value: 0}}}\n"
      "  d: {to: attrs.d, lookup: {table: {\"1\": one}, otherwise: null}}\n");
  CHECK(run.Add({{"a", Text("m")}, {"b", Text("one")}, {"c", Text("one")}, {"d", Number("1")}}) == kKept);
  CHECK(run.Add({{"a", Null()}, {"b", Text("2")}, {"c", Text("two")}, {"d", Text("2")}}) == kKept);
  CHECK(run.Refused({{"a", Text("q")}}) ==
        "mapping.lookup_missing: a for dims.a: \"Q\" is not in the table; add it, or say otherwise: keep, null or "
        "{value: X}");
  Batch batch = run.Finish();
  CHECK(batch.Get(Role::kDim, "a", 0) == Value::Text("Monthly"));
  CHECK(batch.Get(Role::kDim, "b", 0) == Value::Integer(1));
  CHECK(batch.Get(Role::kMeasure, "c", 0).ToText() == "1.50");
  CHECK(batch.Get(Role::kAttr, "d", 0) == Value::Text("one"));
  CHECK(batch.Get(Role::kDim, "b", 1) == Value::Integer(2));
  CHECK(batch.Get(Role::kMeasure, "c", 1) == Value::Integer(0));
  CHECK(batch.Get(Role::kAttr, "d", 1).is_null());
}

TEST_CASE("a row that a check does not hold for is quarantined under its name") {
  Run run(
      "mapping: {a: dims.a, low: measures.low, high: measures.high}\nfilter: a != \"skip\"\nchecks:\n"
      "  - {name: ordered, expect: measures.low is null or measures.low <= measures.high}\n"
      "  - {name: positive, expect: measures.high > 0 and flag != \"bad\"}\n");
  CHECK(run.Add({{"a", Text("x")}, {"low", Text("9")}, {"high", Text("10")}, {"flag", Text("ok")}}) == kKept);
  CHECK(run.Add({{"a", Text("x")}, {"high", Text("10")}, {"flag", Text("ok")}}) == kKept);
  CHECK(run.Add({{"a", Text("skip")}, {"low", Text("11")}, {"high", Text("10")}}) == kFiltered);
  CHECK(run.Refused({{"a", Text("x")}, {"low", Text("11")}, {"high", Text("10.5")}, {"flag", Text("ok")}}) ==
        "quality.ordered: does not hold: measures.low is null or measures.low <= measures.high (measures.low is 11, "
        "measures.high is 10.5)");
  CHECK(run.Refused({{"a", Text("x")}, {"high", Text("1")}, {"flag", Text("bad")}}) ==
        "quality.positive: does not hold: measures.high > 0 and flag != \"bad\" (measures.high is 1, flag is \"bad\")");
  CHECK(run.Refused({{"a", Text("x")}}).find("quality.positive: ") == 0);
  Batch batch = run.Finish();
  CHECK(batch.header().quarantined(0).reason_code() == "quality.ordered");
  CHECK(batch.fetched() == 6);
}

TEST_CASE("a measure that is no finite number goes to quarantine and leaves the batch whole") {
  Run run("mapping: {a: dims.a, m: measures.m, f: {to: measures.f, type: float}}\n");
  for (const char* text : {"NaN", "nan", "Infinity", "-inf", "1e999"}) {
    INFO(text);
    CHECK(run.Refused({{"a", Text("x")}, {"m", Text(text)}}).find("mapping.type_coercion_failed: m for") == 0);
    CHECK(run.Refused({{"a", Text("x")}, {"f", Number(text)}}).find("mapping.type_coercion_failed: f for") == 0);
  }
  CHECK(run.Add({{"a", Text("x")}, {"m", Text("1")}}) == kKept);
  Batch batch = run.Finish();
  CHECK(batch.rows() == 1);
  CHECK(batch.header().quarantined_size() == 10);
}

TEST_CASE("random rows give what a plain model of the mapping gives, and the same bytes each time") {
  const std::string profile =
      "mapping:\n  id: {to: dims.id, coalesce: [alias]}\n  n: {to: measures.n, type: integer, min: 0}\n"
      "  c: {to: attrs.c, lookup: {table: {A: Annual}, otherwise: keep}}\n"
      "filter: n is not null\nchecks: [{name: small, expect: measures.n < 900}]\n";
  for (unsigned seed = 1; seed <= 5; ++seed) {
    Run first(profile), second(profile);
    std::mt19937 random(seed);
    std::vector<std::array<std::string, 3>> expected;
    int64_t filtered = 0, quarantined = 0;
    for (int i = 0; i < 400; ++i) {
      std::string id = random() % 3 == 0 ? "" : "id" + std::to_string(random() % 50);
      std::string alias = random() % 3 == 0 ? "" : "alias" + std::to_string(random() % 50);
      int number = static_cast<int>(random() % 1200) - 100;
      std::string n = random() % 10 == 0 ? "x" : std::to_string(number);
      std::string c = random() % 2 == 0 ? "A" : "B";
      bool has_n = random() % 5 != 0;
      std::map<std::string, Field> row = {{"id", Text(id)}, {"alias", Text(alias)}, {"c", Text(c)}};
      if (has_n) row["n"] = Text(n);
      Normalizer::Outcome outcome = first.Add(row);
      CHECK(second.Add(row) == outcome);
      bool good = n != "x" && number >= 0 && number < 900 && !(id.empty() && alias.empty());
      CHECK(outcome == (!has_n ? kFiltered : good ? kKept : Normalizer::Outcome::kQuarantined));
      if (!has_n) ++filtered;
      if (has_n && !good) ++quarantined;
      if (has_n && good) expected.push_back({id.empty() ? alias : id, n, c == "A" ? "Annual" : "B"});
    }
    std::string bytes = first.FinishBytes();
    CHECK(second.FinishBytes() == bytes);
    Batch batch = *Batch::Parse(bytes);
    REQUIRE(batch.rows() == expected.size());
    CHECK(batch.header().filtered() == filtered);
    CHECK(batch.header().quarantined_size() == quarantined);
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      CHECK(batch.Get(Role::kDim, "id", row).ToText() == expected[row][0]);
      CHECK(batch.Get(Role::kMeasure, "n", row).ToText() == expected[row][1]);
      CHECK(batch.Get(Role::kAttr, "c", row).ToText() == expected[row][2]);
    }
  }
}

TEST_CASE("constants keep or take their type") {
  Run run(
      "mapping: {a: dims.a, _1: {to: dims.year, value: 2020}, _2: {to: attrs.code, value: \"06\"}, _3: {to: dims.day, "
      "value: 2020-01-31, type: date}, _4: {to: measures.one, value: \"1.0\"}}\n");
  CHECK(run.Add({{"a", Text("x")}}) == kKept);
  Batch batch = run.Finish();
  CHECK(batch.Get(Role::kDim, "year", 0) == Value::Integer(2020));
  CHECK(batch.Get(Role::kAttr, "code", 0) == Value::Text("06"));
  CHECK(batch.Get(Role::kDim, "day", 0).type() == ValueType::kDate);
  CHECK(batch.Get(Role::kMeasure, "one", 0).ToText() == "1.0");
}

TEST_CASE("functions run before the type and one field may go to several places") {
  Run run(
      "mapping:\n  period: [dims.period, {to: dims.month, using: [trim, strip_prefix M, to_integer], min: 1, max: "
      "12}]\n"
      "  rate: {to: measures.rate, using: [strip_suffix '%', scale 0.01]}\n  name: {to: dims.name, using: [lower, "
      "replace ' ' _, upper]}\n");
  CHECK(run.normalizer().paths() == std::vector<std::string>{"period", "rate", "name"});
  CHECK(run.Add({{"period", Text(" M07")}, {"rate", Text("4.70%")}, {"name", Text("New York")}}) == kKept);
  run.Refused({{"period", Text("M13")}});
  Batch batch = run.Finish();
  CHECK(batch.Get(Role::kDim, "period", 0) == Value::Text(" M07"));
  CHECK(batch.Get(Role::kDim, "month", 0) == Value::Integer(7));
  CHECK(batch.Get(Role::kMeasure, "rate", 0).ToText() == "0.0470");
  CHECK(batch.Get(Role::kDim, "name", 0) == Value::Text("NEW_YORK"));
}

TEST_CASE("a filter sees fields of the source and of the record") {
  Run run(
      "mapping: {iso: dims.iso, p: {to: dims.month, using: strip_prefix M, type: integer}, v: {to: measures.v, type: "
      "decimal}}\n"
      "filter: iso matches \"^[A-Z]{3}$\" and dims.month < 13 and year >= 2000\n");
  CHECK(run.normalizer().paths() == std::vector<std::string>{"iso", "p", "v", "year"});
  CHECK(run.Add({{"iso", Text("DEU")}, {"p", Text("M12")}, {"year", Text("2000")}}) == kKept);
  CHECK(run.Add({{"iso", Text("DEU")}, {"p", Text("M13")}, {"year", Text("2000")}}) == kFiltered);
  CHECK(run.Add({{"iso", Text("OWID_EUR")}, {"p", Text("M12")}, {"year", Number("2000")}}) == kFiltered);
  CHECK(run.Add({{"iso", Text("DEU")}, {"p", Text("M12")}, {"year", Number("1999")}, {"v", Text("broken")}}) ==
        kFiltered);
  run.Refused({{"iso", Text("DEU")}, {"p", Text("Mxx")}, {"year", Number("2001")}});
  Batch batch = run.Finish();
  CHECK(batch.rows() == 1);
  CHECK(batch.header().filtered() == 3);
  CHECK(batch.fetched() == 5);
}

TEST_CASE("numbers come through with every digit") {
  Run run("mapping: {id: dims.id, m: {to: measures.m, type: decimal}}\n");
  std::mt19937_64 random(5);
  std::vector<std::pair<std::string, std::string>> rows;
  for (int i = 0; i < 500; ++i) {
    std::string id = std::to_string(static_cast<int64_t>(random()));
    std::string decimal =
        absl::StrCat(random() % 1000000000000, ".", random() % 10, random() % 1000000000, random() % 10);
    rows.emplace_back(id, decimal);
    REQUIRE(run.Add({{"id", Number(id)}, {"m", Text(decimal)}}) == kKept);
  }
  Batch batch = run.Finish();
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    CHECK(batch.Get(Role::kDim, "id", row).ToText() == rows[row].first);
    CHECK(batch.Get(Role::kMeasure, "m", row).ToText() == rows[row].second);
  }
}

TEST_CASE("a profile that was made by hand is refused with its lines") {
  Profile profile;
  MappingEntry entry;
  entry.from = "a";
  entry.to = "a";
  entry.line = 7;
  entry.functions = {{"trimm", {}}};
  profile.mapping = {entry};
  profile.filter = "a =";
  absl::Status status = Normalizer::Create(profile).status();
  CHECK(Reason(status) == "FUNCTION_UNKNOWN");
  CHECK(std::string(status.message()).find("line 7: mapping.a.using[0]: unknown function") == 0);
  CHECK(std::string(status.message()).find("\nfilter: column 4:") != std::string::npos);
}

}  // namespace chartly

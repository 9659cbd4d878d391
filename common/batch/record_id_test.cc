#include "common/batch/record_id.h"

#include <xxhash.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "test/support/test.h"

namespace chartly {
namespace {

using Fields = std::map<std::pair<Role, std::string>, Value>;

struct Layout {
  std::string profile_id = "p";
  std::vector<std::string> key;
  bool reversed = false;  // order in which columns are declared
  int copies = 1;         // how often each row is repeated: more repeats, more dictionaries
  std::string run_id = "r";
};

RecordIds IdsOf(const std::vector<Fields>& rows, const Layout& layout = {}) {
  BatchBuilder builder;
  BatchHeader origin;
  origin.set_profile_id(layout.profile_id);
  origin.set_run_id(layout.run_id);
  for (const std::string& dim : layout.key) origin.add_key(dim);
  builder.SetOrigin(origin);
  std::set<std::pair<Role, std::string>> names;
  for (const Fields& fields : rows) {
    for (const auto& [name, value] : fields) names.insert(name);
  }
  std::vector<std::pair<Role, std::string>> order(names.begin(), names.end());
  if (layout.reversed) std::reverse(order.begin(), order.end());
  for (const auto& name : order) builder.AddColumn(name.first, name.second);
  uint32_t number = 0;
  for (const Fields& fields : rows) {
    for (int copy = 0; copy < layout.copies; ++copy) {
      builder.BeginRow(static_cast<uint32_t>(layout.copies), ++number);
      for (const auto& [name, value] : fields) builder.Set(builder.AddColumn(name.first, name.second), value);
      builder.EndRow();
    }
  }
  auto batch = Batch::Parse(*builder.Finish());
  REQUIRE_OK(batch);
  return ComputeRecordIds(*batch);
}

Fields Row(Value year, Value figure) {
  return {{{Role::kDim, "country"}, Value::Text("Chad")},
          {{Role::kDim, "year"}, year},
          {{Role::kMeasure, "figure"}, figure}};
}

}  // namespace

TEST_CASE("ids and keys are the ones that the specification gives as examples") {
  RecordIds ids = IdsOf({Row(Value::Integer(2014), Value::Of(Decimal{1250, 2}))});
  CHECK(ids.ids[0].ToHex() == "901d4c05128afc22c5efc81e325e576b");
  CHECK(ids.keys[0].ToHex() == "7b7a4b3cbe157fdbff9b47c80a9bd6bd");
}

TEST_CASE("ids do not depend on number types, column order, dictionaries, neighbours or the run") {
  Fields row = Row(Value::Integer(2014), Value::Of(Decimal{1250, 2}));
  Hash128 id = IdsOf({row}).ids[0];
  CHECK(IdsOf({Row(Value::Float(2014), Value::Float(12.5))}).ids[0] == id);
  CHECK(IdsOf({Row(Value::Of(Decimal{20140, 1}), Value::Of(Decimal{125, 1}))}).ids[0] == id);
  Layout other;
  other.reversed = true;
  other.copies = 50;
  other.run_id = "another";
  RecordIds many = IdsOf({Row(Value::Integer(1), Value()), row, Row(Value::Text("2014"), Value::Boolean(true))}, other);
  CHECK(many.ids[75] == id);
  Fields with_null = row;
  with_null[{Role::kAttr, "note"}] = Value();
  CHECK(IdsOf({with_null}).ids[0] == id);
}

TEST_CASE("content, names, roles and the profile make another id") {
  Fields row = Row(Value::Integer(2014), Value::Integer(5));
  Hash128 id = IdsOf({row}).ids[0];
  Layout profile;
  profile.profile_id = "q";
  CHECK(IdsOf({row}, profile).ids[0] != id);
  CHECK(IdsOf({Row(Value::Text("2014"), Value::Integer(5))}).ids[0] != id);
  CHECK(IdsOf({Row(Value::Integer(2014), Value::Integer(50))}).ids[0] != id);
  Fields moved = {{{Role::kDim, "country"}, Value::Text("Chad")},
                  {{Role::kDim, "year"}, Value::Integer(2014)},
                  {{Role::kAttr, "figure"}, Value::Integer(5)}};
  CHECK(IdsOf({moved}).ids[0] != id);
}

TEST_CASE("the key is made of the key dims alone") {
  Fields first = Row(Value::Integer(2014), Value::Integer(5));
  Fields second = Row(Value::Integer(2014), Value::Integer(6));
  Fields third = Row(Value::Integer(2015), Value::Integer(5));
  RecordIds all = IdsOf({first, second, third});
  CHECK(all.keys[0] == all.keys[1]);
  CHECK(all.keys[0] != all.keys[2]);
  CHECK(all.ids[0] != all.ids[1]);
  CHECK(all.keys[0] != all.ids[0]);
  Layout country;
  country.key = {"country"};
  RecordIds by_country = IdsOf({first, second, third}, country);
  CHECK(by_country.keys[0] == by_country.keys[2]);
  CHECK(by_country.ids[0] == all.ids[0]);
}

TEST_CASE("ids are equal exactly when contents are, over random rows") {
  std::mt19937_64 random(31);
  std::vector<Fields> rows;
  for (int i = 0; i < 3000; ++i) {
    Value year = random() % 2 == 0 ? Value::Integer(static_cast<int64_t>(random() % 20))
                                   : Value::Float(static_cast<double>(random() % 20));
    Value figure = random() % 4 == 0
                       ? Value()
                       : Value::Of(Decimal{static_cast<int64_t>(random() % 40), static_cast<uint8_t>(random() % 2)});
    rows.push_back(Row(year, figure));
  }
  RecordIds ids = IdsOf(rows);
  std::map<std::string, Hash128> id_of;
  std::set<std::string> seen;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string content;
    for (const auto& [name, value] : rows[i]) {
      if (!value.is_null()) content += name.second + "=";
      if (!value.is_null()) value.AppendCanonical(content);
    }
    auto [place, is_new] = id_of.try_emplace(content, ids.ids[i]);
    REQUIRE(place->second == ids.ids[i]);
    if (is_new) REQUIRE(seen.insert(ids.ids[i].ToHex()).second);
  }
  CHECK(seen.size() < rows.size());
}

// Ids and keys of one row as the specification says them, byte by byte.
struct SpecifiedIds {
  std::string id;
  std::string key;
};
std::string Digest(const std::string& bytes, uint64_t seed) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  std::string digest;
  for (uint64_t half : {hash.low64, hash.high64}) {
    for (int i = 0; i < 8; ++i) digest.push_back(static_cast<char>(half >> (8 * i)));
  }
  return digest;
}
std::string Hex(const std::string& bytes, uint64_t seed) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  return Hash128{hash.high64, hash.low64}.ToHex();
}
SpecifiedIds IdsBySpecification(const Fields& fields, const Layout& layout) {
  std::string id = Digest(layout.profile_id, 0);
  std::string key = id;
  for (const auto& [name, value] : fields) {
    if (value.is_null()) continue;
    std::string field(1, static_cast<char>(name.first));
    for (int i = 0; i < 4; ++i) field.push_back(static_cast<char>(name.second.size() >> (8 * i)));
    field += name.second;
    value.AppendCanonical(field);
    id += Digest(field, 0);
    const bool listed = std::count(layout.key.begin(), layout.key.end(), name.second) > 0;
    if (name.first == Role::kDim && (layout.key.empty() || listed)) key += Digest(field, 0);
  }
  return {Hex(id, 0), Hex(key, 1)};
}

// Of the type of field number `field`, so that columns are plain and narrow, or nearly always so.
Value SomeValueOf(std::mt19937_64& random, size_t field) {
  const auto number = static_cast<int64_t>(random()) >> random() % 64;
  switch (random() % 50 == 0 ? random() % 9 : field % 9) {
    case 0:
      return Value::Integer(number);
    case 1:
      return Value::Of(Decimal{number, 3});
    case 2:
      return Value::Of(Decimal{number, static_cast<uint8_t>(random() % 39)});
    case 3:
      return Value::Of(Decimal{absl::MakeInt128(number, random()), 7});
    case 4:
      return Value::Float(static_cast<double>(number) / 1024);
    case 5:
      return Value::Of(Timestamp{number, static_cast<int16_t>(random() % 100)});
    case 6:
      return Value::Of(Date{static_cast<int32_t>(number)});
    case 7:
      return Value::Boolean(number % 2 == 0);
    default:
      return Value::Text(std::to_string(number));
  }
}

TEST_CASE("ids and keys are those of the specification, over random rows of all types") {
  std::mt19937_64 random(77);
  for (int round = 0; round < 12; ++round) {
    Layout layout;
    layout.copies = round % 3 == 0 ? 5 : 1;
    if (round % 4 == 1) layout.key = {"f0", "f3", "f10"};
    if (round % 4 == 2) layout.key = {"f12"};
    std::vector<Fields> rows;
    for (int i = 0; i < (round % 2 == 0 ? 300 : 128); ++i) {
      Fields fields;
      for (size_t field = 0; field < 18; ++field) {
        const Role role = field < 12 ? Role::kDim : field < 15 ? Role::kMeasure : Role::kAttr;
        const bool null = round > 3 && random() % 8 == 0;
        fields[{role, "f" + std::to_string(field)}] = null ? Value() : SomeValueOf(random, field);
      }
      rows.push_back(std::move(fields));
    }
    const RecordIds ids = IdsOf(rows, layout);
    REQUIRE(ids.ids.size() == rows.size() * static_cast<size_t>(layout.copies));
    for (size_t i = 0; i < ids.ids.size(); ++i) {
      const SpecifiedIds expected = IdsBySpecification(rows[i / static_cast<size_t>(layout.copies)], layout);
      REQUIRE(ids.ids[i].ToHex() == expected.id);
      REQUIRE(ids.keys[i].ToHex() == expected.key);
    }
  }
}

}  // namespace chartly

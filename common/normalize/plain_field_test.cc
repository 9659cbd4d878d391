// The short way of plain fields against the long way, which a normalizer takes for everything when it is asked to.
#include "common/normalize/plain_field.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/normalize/exact_normalizer_for_test.h"
#include "common/normalize/validate.h"
#include "test/support/test.h"

namespace chartly {
namespace {

constexpr int kProfiles = 400;
constexpr int kRows = 120;
constexpr size_t kSources = 6;

// Plain values and whatever is nearly plain.
const std::vector<std::string>& Texts() {
  static const std::vector<std::string> texts = {"7",
                                                 "-7",
                                                 "+7",
                                                 "007",
                                                 "0",
                                                 "-0",
                                                 "0.0",
                                                 "-0.0",
                                                 "12.50",
                                                 "-90.00",
                                                 ".5",
                                                 "5.",
                                                 "-.5",
                                                 ".",
                                                 "-",
                                                 "--1",
                                                 "1.2.3",
                                                 "5.0",
                                                 "5e2",
                                                 "1E-3",
                                                 "1e400",
                                                 "1,000",
                                                 "0x10",
                                                 "NaN",
                                                 "inf",
                                                 "-inf",
                                                 "2147483648",
                                                 "999999999999999999",
                                                 "-999999999999999999",
                                                 "1000000000000000000",
                                                 "9223372036854775807",
                                                 "9223372036854775808",
                                                 "-9223372036854775808",
                                                 "123456789012345678901234567890",
                                                 "12345678901234567890123456789012345678901",
                                                 "0.1",
                                                 "0.30000000000000004",
                                                 "999999999999999.9",
                                                 "9007199254740993",
                                                 "0.0000000000000001",
                                                 "123456789.123456789",
                                                 " 12.5 ",
                                                 "\t3\n",
                                                 "",
                                                 " ",
                                                 "   ",
                                                 "true",
                                                 "false",
                                                 "TRUE",
                                                 "False",
                                                 "yes",
                                                 "no",
                                                 "1",
                                                 "2024-01-31",
                                                 "2024-02-29",
                                                 "2023-02-29",
                                                 "2024-02-30",
                                                 "2024-13-01",
                                                 "0000-01-01",
                                                 "0001-01-01",
                                                 "9999-12-31",
                                                 "2024-1-31",
                                                 "2024-01-31T09:00:00Z",
                                                 "2024-01-31T09:00:00z",
                                                 "2024-01-31t09:00:00Z",
                                                 "2024-01-31 09:00:00Z",
                                                 "2024-01-31T09:00:00+01:00",
                                                 "2024-01-31T09:00:00.123456789Z",
                                                 "2024-01-31T09:00Z",
                                                 "2024-01-31T09:00:60Z",
                                                 "2024-01-31T24:00:00Z",
                                                 "2024-01-31T09:60:00Z",
                                                 "1969-12-31T23:59:59Z",
                                                 "2024-02-30T09:00:00Z",
                                                 "2024-01-31T09:00:0xZ",
                                                 " 2024-01-31T09:00:00Z",
                                                 "2024-01-31T09:00:00-0530",
                                                 "M07",
                                                 "ST0001",
                                                 "the same station as in the row before, and the one before that",
                                                 "Zürich",
                                                 "caf\xE9",
                                                 "\xFF",
                                                 "a",
                                                 "bc",
                                                 "def"};
  return texts;
}

// Fit for most types.
const std::vector<std::string>& Plain() {
  static const std::vector<std::string> texts = {"1", "0", "1", "0", "7", "12.50", "2024-01-31"};
  return texts;
}

class Random {
 public:
  explicit Random(unsigned seed) : bits_(seed) {}
  size_t Below(size_t count) { return bits_() % count; }
  bool OneIn(size_t count) { return Below(count) == 0; }
  template <typename T>
  const T& Of(const std::vector<T>& choices) {
    return choices[Below(choices.size())];
  }

 private:
  std::mt19937 bits_;
};

std::string Source(Random& random) { return absl::StrCat("f", random.Below(kSources)); }

// Where a field goes and how it gets there.
std::string RandomTarget(Random& random, size_t number) {
  static const std::vector<std::string> roles = {"dims", "measures", "attrs"};
  static const std::vector<std::string> types = {"text", "integer", "decimal", "float", "boolean", "timestamp", "date"};
  static const std::vector<std::string> bounds = {"0", "-5.5", "7", "0.1", "12.50", "1e30", "1000000000000000000"};
  std::string entry = absl::StrCat("{to: ", random.Of(roles), ".t", number);
  const std::string type = random.OneIn(3) ? "" : random.Of(types);
  if (!type.empty()) absl::StrAppend(&entry, ", type: ", type);
  const bool number_type = type.empty() || type == "integer" || type == "decimal" || type == "float";
  if (random.OneIn(6)) absl::StrAppend(&entry, ", required: true");
  if (number_type && random.OneIn(4)) absl::StrAppend(&entry, ", min: ", random.Of(bounds));
  if (number_type && random.OneIn(4)) absl::StrAppend(&entry, ", max: ", random.Of(bounds));
  if (random.OneIn(8)) absl::StrAppend(&entry, ", using: [trim, strip_prefix M]");
  if (random.OneIn(8)) absl::StrAppend(&entry, ", lookup: {table: {M07: 7, a: b}, otherwise: keep}");
  if (random.OneIn(8)) {
    absl::StrAppend(&entry, random.OneIn(2) ? ", coalesce: [" : ", concat: [", Source(random), "]");
  }
  return entry + "}";
}

std::string RandomProfile(Random& random) {
  static const std::vector<std::string> filters = {"f0 != \"a\"", "f1 is not null", "f2 > 5 or f3 is null"};
  static const std::vector<std::string> checks = {"f4 != \"bc\"", "f5 is null or f5 < 100"};
  std::string text = "id: x\nversion: 1.0.0\nsource: {type: file, path: a.json}\nmapping:\n";
  std::vector<std::vector<std::string>> targets(kSources);
  for (size_t left = 1 + random.Below(6); left > 0; --left) {
    targets[random.Below(kSources)].push_back(RandomTarget(random, left));
  }
  for (size_t source = 0; source < kSources; ++source) {
    if (!targets[source].empty())
      absl::StrAppend(&text, "  f", source, ": [", absl::StrJoin(targets[source], ", "), "]\n");
  }
  if (random.OneIn(6)) absl::StrAppend(&text, "  _: {to: dims.constant, value: \"7\"}\n");
  if (random.OneIn(3)) absl::StrAppend(&text, "filter: ", random.Of(filters), "\n");
  if (random.OneIn(3)) absl::StrAppend(&text, "checks: [{name: c, expect: '", random.Of(checks), "'}]\n");
  return text;
}

// With its fields side by side, or without.
class RandomRow final : public Row {
 public:
  RandomRow(const RandomRow&) = delete;
  RandomRow(Random& random, size_t slots) : side_by_side_(random.OneIn(2)), fields_(slots) {
    for (Field& field : fields_) {
      field.kind = static_cast<Field::Kind>(random.OneIn(3) ? random.Below(6) : 2 + random.Below(2));
      if (field.kind == Field::Kind::kBoolean) {
        field.text = random.OneIn(2) ? "true" : "false";
      } else if (field.kind != Field::Kind::kMissing && field.kind != Field::Kind::kNull) {
        field.text = random.OneIn(3) ? random.Of(Texts()) : random.Of(Plain());
      }
      pointers_.push_back(&field);
    }
  }
  Field Get(size_t slot) const override { return fields_[slot]; }
  const Field* const* fields() const override { return side_by_side_ ? pointers_.data() : nullptr; }
  std::string Raw() const override { return "raw"; }
  const Field* const* pointers() const { return pointers_.data(); }

 private:
  const bool side_by_side_;
  std::vector<Field> fields_;
  std::vector<const Field*> pointers_;
};

// A normalizer with its builder.
struct Side {
  explicit Side(std::unique_ptr<Normalizer> made) : normalizer(std::move(made)) {
    BatchHeader origin;
    origin.set_profile_id("x");
    builder.SetOrigin(origin);
    normalizer->Bind(builder);
  }
  // All that can be seen of one row.
  std::string Add(const Row& row, uint32_t number) {
    const auto outcome = normalizer->Add(row, 1, number, builder);
    const bool refused = outcome == Normalizer::Outcome::kQuarantined;
    return absl::StrCat(static_cast<int>(outcome), " ", builder.bytes(), " ", refused ? normalizer->last_reason() : "",
                        " ", refused ? normalizer->last_message() : "");
  }
  std::string Finish() {
    absl::StatusOr<std::string> bytes = builder.Finish();
    REQUIRE_OK(bytes);
    return *std::move(bytes);
  }

  std::unique_ptr<Normalizer> normalizer;
  BatchBuilder builder;
};

}  // namespace

TEST_CASE("the short way of plain fields gives what the long way gives, row by row and in blocks") {
  int64_t kept = 0, refused = 0;
  int profiles = 0;
  for (unsigned seed = 1; profiles < kProfiles; ++seed) {
    REQUIRE(seed < 4 * kProfiles);
    Random random(seed);
    const std::string text = RandomProfile(random);
    INFO(seed << "\n" << text);
    absl::StatusOr<Profile> profile = ValidateProfileOrError("x.yaml", text);
    if (!profile.ok()) continue;  // bounds that contradict each other, for example
    ++profiles;
    Side quick(*Normalizer::Create(*profile)), exact(MakeExactNormalizerForTest(*profile));
    Side by_columns(*Normalizer::Create(*profile));
    RowBlock block(quick.normalizer->paths().size());
    for (uint32_t number = 1; number <= kRows; ++number) {
      RandomRow row(random, block.slots());
      block.Add(row.pointers(), "raw");
      const std::string expected = exact.Add(row, number);
      const std::string got = quick.Add(row, number);
      if (got != expected) REQUIRE(got == expected);
      if (number % 40 != 0) continue;
      kept += quick.builder.rows();
      refused += quick.builder.quarantined();
      const size_t middle = random.Below(block.rows());
      const auto first = static_cast<uint32_t>(number - block.rows() + 1);
      by_columns.normalizer->AddBlock(block, 0, middle, 1, first, by_columns.builder);
      by_columns.normalizer->AddBlock(block, middle, block.rows(), 1, first + static_cast<uint32_t>(middle),
                                      by_columns.builder);
      block.Clear();
      REQUIRE(by_columns.builder.bytes() == exact.builder.bytes());
      const std::string expected_bytes = exact.Finish();
      REQUIRE(quick.Finish() == expected_bytes);
      REQUIRE(by_columns.Finish() == expected_bytes);
    }
  }
  // Enough of both were compared.
  CHECK(kept > kProfiles * kRows / 16);
  CHECK(refused > kProfiles * kRows / 8);
}

TEST_CASE("plain numbers and times are what the parsers make of them") {
  for (const std::string& text : Texts()) {
    INFO(text);
    PlainNumber number;
    if (ReadPlainNumber(text, number)) {
      CHECK(*ParseDecimal(text) == Decimal{number.unscaled, number.scale});
      CHECK(ParseInteger(text).ok() == !number.has_point);
    }
    double real = 0;
    if (ReadPlainFloat(text, real)) CHECK(Value::Float(real) == Value::Float(*ParseFloat(text)));
    Date date;
    if (ReadPlainDate(text, date)) CHECK(date == *ParseDate(text));
    Timestamp time;
    if (ReadPlainTimestamp(text, time)) CHECK(time == *ParseTimestamp(text));
  }
}

TEST_CASE("a plain float is the nearest double of its digits") {
  std::mt19937_64 random(3);
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = std::to_string(random() % (uint64_t{1} << (1 + random() % 50)));
    if (random() % 4 != 0) text.insert(random() % text.size(), ".");
    if (random() % 3 == 0) text.insert(0, "-");
    double number = 0;
    if (!ReadPlainFloat(text, number)) continue;
    ++read;
    if (number != *ParseFloat(text)) FAIL(text);
  }
  CHECK(read > 15'000);
}

}  // namespace chartly

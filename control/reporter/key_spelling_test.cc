#include "control/reporter/key_spelling.h"

#include <random>
#include <vector>

#include "absl/numeric/int128.h"
#include "control/reporter/table_fixture_test.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

Value D(absl::int128 unscaled, uint8_t scale) { return Value::Of(Decimal{unscaled, scale}); }

}  // namespace

TEST_CASE("equal values have one spelling, which is equal to them") {
  const absl::int128 wide = absl::int128(10'000'000'000) * 10'000'000'000;  // 1e20
  const struct {
    Value spelling;
    std::vector<Value> of;
  } kCases[] = {
      {I(5), {I(5), F(5), D(50, 1), Cents(500)}},
      {I(0), {I(0), F(0), F(-0.0), D(0, 38)}},
      {D(125, 1), {D(125, 1), F(12.5), Cents(1250)}},
      {D(-1, 1), {F(-0.1), D(-10, 2)}},
      {D(wide, 0), {F(1e20), D(wide * 100, 2)}},
      {I(4'611'686'018'427'388'000), {F(0x1p62), I(4'611'686'018'427'388'000)}},  // a float is its shortest decimal
      {D(absl::Int128Max(), 0), {D(absl::Int128Max(), 0)}},
      {D(absl::Int128Min(), 38), {D(absl::Int128Min(), 38)}},
      {F(1e300), {F(1e300)}},
      {F(5e-324), {F(5e-324)}},
      {T("5.0"), {T("5.0")}},
      {Value(), {Value()}},
      {Value::Of(Timestamp{7, 0}), {Value::Of(Timestamp{7, 60}), Value::Of(Timestamp{7, -300})}},
      {Value::Of(Date{9}), {Value::Of(Date{9})}},
  };
  for (const auto& [spelling, of] : kCases) {
    for (const Value& value : of) {
      INFO(ValueTypeName(value.type()) << " " << value.ToText());
      CHECK(KeySpelling(value) == spelling);
      CHECK(CompareValues(KeySpelling(value), value) == 0);
    }
  }
}

TEST_CASE("numbers are equal exactly if their spellings are") {
  std::mt19937_64 random(7);
  std::vector<Value> numbers;
  for (int i = 0; i < 400; ++i) {
    const auto number = static_cast<int64_t>(random() % 60) - 30;
    const auto scale = static_cast<uint8_t>(random() % 39);
    numbers.push_back(D(number * (random() % 2 == 0 ? 1 : 1000), scale));
    numbers.push_back(F(static_cast<double>(number) * (random() % 2 == 0 ? 0.25 : 1e17)));
    numbers.push_back(I(number * (random() % 2 == 0 ? 1 : 100'000'000'000'000'000)));
  }
  for (const Value& a : numbers) {
    for (const Value& b : numbers) {
      if ((CompareValues(a, b) == 0) != (KeySpelling(a) == KeySpelling(b))) {
        FAIL_CHECK(ValueTypeName(a.type())
                   << " " << a.ToText() << ", " << ValueTypeName(b.type()) << " " << b.ToText());
      }
    }
  }
}

TEST_CASE("a dictionary keeps its order, and is the same one if nothing changes") {
  const auto plain = std::make_shared<const Dictionary>(Dictionary{I(1), D(15, 1), T("a")});
  CHECK(SpellKeys(plain) == plain);
  const auto mixed = std::make_shared<const Dictionary>(Dictionary{F(1), Cents(150), T("a")});
  CHECK(*SpellKeys(mixed) == *plain);
}

}  // namespace chartly::reporter

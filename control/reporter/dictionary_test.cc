#include "control/reporter/dictionary.h"

#include <random>
#include <vector>

#include "control/reporter/table_fixture_test.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

// Series of times behind each other, with gaps, repeats and numbers of nowhere.
std::vector<int64_t> SeriesLike(std::mt19937_64& random, size_t count) {
  std::vector<int64_t> numbers;
  for (int64_t at = 0; numbers.size() < count; ++at) {
    switch (random() % 12) {
      case 0:
        at = static_cast<int64_t>(random() % 30);
        break;
      case 1:
        at += 2;
        break;
      case 2:
        --at;  // the same once more
        break;
      case 3:
        numbers.push_back(static_cast<int64_t>(random()));
        break;
    }
    numbers.push_back(at);
  }
  numbers.resize(count);
  return numbers;
}

void CheckEqual(DictionaryBuilder& one, BigVector<uint32_t>& one_codes, DictionaryBuilder& other,
                BigVector<uint32_t>& other_codes) {
  DictionaryPtr values = one.Finish(one_codes), expected = other.Finish(other_codes);
  CHECK(*values == *expected);
  CHECK(one_codes == other_codes);
}

}  // namespace

TEST_CASE("many integers at once get the codes that they get one by one, among other spellings of them") {
  std::mt19937_64 random(31);
  for (int round = 0; round < 100; ++round) {
    DictionaryBuilder at_once, one_by_one;
    BigVector<uint32_t> codes, expected;
    for (int piece = 0; piece < 4; ++piece) {
      std::vector<int64_t> numbers = SeriesLike(random, random() % 60);
      const size_t at = codes.size();
      codes.resize(at + numbers.size());
      at_once.InternIntegers(numbers.data(), numbers.size(), codes.data() + at);
      for (int64_t number : numbers) expected.push_back(one_by_one.Intern(I(number)));
      for (int64_t number = 0; number < 5; ++number) {
        Value other = Cents(static_cast<int64_t>(random() % 40) * 100);
        codes.push_back(at_once.Intern(other));
        expected.push_back(one_by_one.Intern(other));
      }
    }
    INFO("round " << round);
    CheckEqual(at_once, codes, one_by_one, expected);
  }
}

TEST_CASE("many times at once get the codes that they get one by one, and the same spelling is kept") {
  std::mt19937_64 random(32);
  for (int round = 0; round < 100; ++round) {
    DictionaryBuilder at_once, one_by_one;
    BigVector<uint32_t> codes, expected;
    for (int piece = 0; piece < 4; ++piece) {
      std::vector<int64_t> micros = SeriesLike(random, random() % 60);
      const int16_t offset = static_cast<int16_t>(60 * static_cast<int>(random() % 3) - 60);
      const size_t at = codes.size();
      codes.resize(at + micros.size());
      at_once.InternTimestamps(micros.data(), offset, micros.size(), codes.data() + at);
      for (int64_t one : micros) expected.push_back(one_by_one.Intern(Value::Of(Timestamp{one, offset})));
    }
    INFO("round " << round);
    CheckEqual(at_once, codes, one_by_one, expected);
  }
}

TEST_CASE("of several spellings the same one is kept whatever order they came in") {
  const std::vector<Value> spellings = {F(5), Cents(500), I(5), Value::Of(Decimal{50, 1})};
  for (size_t first = 0; first < spellings.size(); ++first) {
    DictionaryBuilder builder;
    BigVector<uint32_t> codes;
    for (size_t i = 0; i < spellings.size(); ++i) codes.push_back(builder.Intern(spellings[(first + i) % 4]));
    CHECK(*builder.Finish(codes) == Dictionary{I(5)});
  }
}

}  // namespace chartly::reporter

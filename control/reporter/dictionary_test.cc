#include "control/reporter/dictionary.h"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "control/reporter/dictionary_merges.h"
#include "control/reporter/piece_memory.h"
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

TEST_CASE("a builder that is kept gives the same dictionary until a value is new or better spelled") {
  DictionaryBuilder builder;
  BigVector<uint32_t> codes = {builder.Intern(I(7)), builder.Intern(Cents(300)), kNullCode};
  const DictionaryPtr first = builder.FinishAndKeep(codes);
  CHECK(*first == Dictionary{Cents(300), I(7)});
  CHECK(codes == BigVector<uint32_t>{1, 0, kNullCode});

  codes = {builder.Intern(Cents(300)), builder.Intern(Cents(700)), builder.Intern(I(7))};
  CHECK(builder.FinishAndKeep(codes) == first);
  CHECK(codes == BigVector<uint32_t>{0, 1, 1});

  codes = {builder.Intern(I(3))};
  const DictionaryPtr better = builder.FinishAndKeep(codes);
  CHECK(*better == Dictionary{I(3), I(7)});
  codes = {builder.Intern(I(5)), builder.Intern(I(7))};
  CHECK(*builder.FinishAndKeep(codes) == Dictionary{I(3), I(5), I(7)});
  CHECK(codes == BigVector<uint32_t>{1, 2});
  CHECK(*first == Dictionary{Cents(300), I(7)});
}

TEST_CASE("pieces with the same values, others, and some of both are placed as each alone") {
  std::mt19937_64 random(33);
  for (int round = 0; round < 50; ++round) {
    FieldDictionary kept;
    const int64_t step = round % 3 == 0 ? 0 : round % 3 == 1 ? 1 : 400;
    for (int64_t piece = 0; piece < 6; ++piece) {
      std::vector<Value> values;
      for (int64_t i = 0; i < 300; ++i) values.push_back(I(piece * step + i));
      std::shuffle(values.begin(), values.end(), random);
      BigVector<uint32_t> codes;
      for (const Value& value : values) codes.push_back(kept.builder().Intern(value));
      const DictionaryPtr dictionary = kept.Finish(codes);
      INFO("step " << step << ", piece " << piece);
      REQUIRE(std::is_sorted(dictionary->begin(), dictionary->end(),
                             [](const Value& a, const Value& b) { return CompareValues(a, b) < 0; }));
      for (size_t i = 0; i < values.size(); ++i) REQUIRE((*dictionary)[codes[i]] == values[i]);
      // Values of pieces before stay only where they mostly come again.
      CHECK(dictionary->size() <= (step == 400 && piece > 1 ? 300 : 600));
    }
  }
}

TEST_CASE("a merge of the same dictionaries is remembered, and that of others is not taken for it") {
  DictionaryMerges merges;
  auto of = [](std::vector<Value> values) { return std::make_shared<const Dictionary>(std::move(values)); };
  const DictionaryPtr left = of({I(1), I(3)}), right = of({I(2), I(3)}), alike = of({I(2), I(3)});
  const MergedDictionary merged = merges.Merge(left, right);
  CHECK(*merged.values == Dictionary{I(1), I(2), I(3)});
  CHECK(merges.Merge(left, right).values == merged.values);
  CHECK(merges.Merge(left, alike).values != merged.values);
  CHECK(*merges.Merge(right, left).values == *merged.values);
  CHECK(merges.Merge(right, left).left == merged.right);
  for (int64_t i = 0; i < 20; ++i) CHECK(merges.Merge(of({I(i)}), of({I(i + 1)})).values->size() == 2);
  CHECK(*merges.Merge(left, right).values == *merged.values);
}

}  // namespace chartly::reporter

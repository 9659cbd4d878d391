// Streams of integers, floats, decimals and texts: each encoding forced, the one chosen, and damaged bytes.
#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "common/chunk/decimal_stream.h"
#include "common/chunk/float_stream.h"
#include "common/chunk/integer_stream.h"
#include "common/chunk/rans.h"
#include "common/chunk/text_stream.h"
#include "common/chunk/token_code.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using Random = std::mt19937_64;
using Integers = std::vector<int64_t>;

Integers Generated(size_t count, const std::function<int64_t(size_t)>& at) {
  Integers values;
  for (size_t i = 0; i < count; ++i) values.push_back(at(i));
  return values;
}

// Values as real columns have them, and the worst there can be.
std::vector<Integers> ManyKinds() {
  Random random(5);
  auto walk = [value = int64_t{0}, &random](size_t) mutable { return value += static_cast<int64_t>(random() % 7) - 3; };
  auto wild = [&](size_t) { return static_cast<int64_t>(random()); };
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return {
      {7},
      {kMin, kMax},
      {kMax, kMin, 0, -1, 1},
      Generated(5000, [](size_t) { return -3; }),
      Generated(5000, [](size_t i) { return static_cast<int64_t>(i) * 1000000007; }),
      Generated(5000, [](size_t i) { return static_cast<int64_t>(i % 65 * 1000 + i / 65); }),
      Generated(5000, [](size_t i) { return static_cast<int64_t>(i / 100); }),
      Generated(3000, [&](size_t) { return static_cast<int64_t>(random() % 3); }),
      Generated(3000, [&](size_t) { return static_cast<int64_t>(random() % 600) - 300; }),
      Generated(3000, [&](size_t) { return static_cast<int64_t>(random() >> (random() % 64)); }),
      Generated(2047, walk),
      Generated(2048, walk),
      Generated(2049, walk),
      Generated(3000, wild),
      Generated(10, wild),
      Generated(3000, [&](size_t) { return random() % 2 == 0 ? kMin : kMax; }),
      Generated(3000, [&](size_t i) { return i % 500 == 0 ? kMin : static_cast<int64_t>(i % 4); }),
  };
}

bool Decodes(const std::string& bytes, const Integers& expected) {
  ByteReader in(bytes);
  ChunkScratch scratch;
  Integers decoded(expected.size());
  return DecodeIntegers(in, decoded.size(), decoded.data(), scratch) && in.left() == 0 && decoded == expected;
}

size_t EncodedBytes(const Integers& values) {
  std::string bytes;
  EncodeIntegers(values, bytes);
  CHECK(Decodes(bytes, values));
  return bytes.size();
}

std::vector<std::vector<double>> KindsOfFloats() {
  Random random(6);
  std::vector<std::vector<double>> kinds(8);
  for (size_t i = 0; i < 3000; ++i) {
    kinds[0].push_back(static_cast<double>(random() % 100000) / 100);
    const double any = std::bit_cast<double>(random());
    kinds[1].push_back(std::isnan(any) ? -0.0 : any);
    kinds[2].push_back(static_cast<double>(random()) / 1e19);
    kinds[3].push_back(static_cast<float>(random() % 1000000) / 997.0F);
    kinds[4].push_back(random() % 300 == 0 ? -0.0 : static_cast<double>(random() % 10));
    kinds[5].push_back(0.1 * static_cast<double>(i));
    kinds[6].push_back(random() % 20 == 0 ? 1e300 : 0.25);
    kinds[7].push_back(i % 2 == 0 ? std::numeric_limits<double>::denorm_min() : -std::numeric_limits<double>::max());
  }
  return kinds;
}

bool Decodes(const std::string& bytes, const std::vector<double>& expected) {
  ByteReader in(bytes);
  ChunkScratch scratch;
  std::vector<double> decoded(expected.size());
  if (!DecodeFloats(in, decoded.size(), decoded.data(), scratch) || in.left() != 0) return false;
  return std::equal(decoded.begin(), decoded.end(), expected.begin(),
                    [](double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); });
}

using Texts = std::vector<std::string>;

std::vector<Texts> KindsOfTexts() {
  Random random(8);
  std::vector<Texts> kinds(9);
  for (int i = 0; i < 1000; ++i) {
    kinds[0].push_back("r" + std::to_string(100000000 + i));
    kinds[1].push_back("10." + std::to_string(random() % 256) + "." + std::to_string(random() % 256));
    std::string hex;
    for (int k = 0; k < 40; ++k) hex.push_back("0123456789ABCDEF"[random() % 16]);
    kinds[2].push_back(hex);
    kinds[3].push_back(std::string(random() % 5, 'a') + std::to_string(random() % 10));
    kinds[4].push_back("https://example.org/" + std::to_string(100000 + i) + "/x");
    kinds[5].push_back(random() % 2 == 0 ? "" : std::string("\0\n", 2));
    kinds[6].push_back(std::string(1, static_cast<char>('G' + random() % 20)) + "-" +
                       std::to_string(10 + random() % 90));
    kinds[7].push_back(std::string(i == 500 ? 400 : 3, '7'));
    kinds[8].push_back(i == 999 ? "007" : std::to_string(i));
  }
  kinds.push_back({"one"});
  kinds.push_back({"", ""});
  kinds.push_back({});
  return kinds;
}

bool Decodes(const std::string& bytes, const Texts& expected) {
  ByteReader in(bytes);
  ChunkScratch scratch;
  std::vector<uint32_t> ends;
  std::string heap;
  if (!DecodeTexts(in, expected.size(), ends, heap, scratch) || in.left() != 0) return false;
  std::string joined;
  for (size_t i = 0; i < expected.size(); ++i) {
    joined += expected[i];
    if (ends[i] != joined.size()) return false;
  }
  return heap == joined;
}

}  // namespace

TEST_CASE("integers come out of every encoding as they went in") {
  const std::vector<Integers> kinds = ManyKinds();
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    for (int encoding = 0; encoding <= static_cast<int>(IntegerEncoding::kScaled); ++encoding) {
      INFO("kind " << kind << " as " << encoding);
      auto bytes = EncodeIntegersAs(static_cast<IntegerEncoding>(encoding), kinds[kind]);
      if (encoding > 0) REQUIRE(bytes);
      if (bytes) CHECK(Decodes(*bytes, kinds[kind]));
    }
    INFO("kind " << kind);
    EncodedBytes(kinds[kind]);
  }
}

TEST_CASE("integers take about the bytes that they carry information") {
  Random random(9);
  CHECK(EncodedBytes(Generated(60000, [](size_t i) { return static_cast<int64_t>(i) * 60000000; })) < 20);
  CHECK(EncodedBytes(Generated(60000, [](size_t i) { return static_cast<int64_t>(i / 1000); })) < 30);
  // A sequence of jumps that comes again and again.
  CHECK(EncodedBytes(Generated(60000, [](size_t i) { return static_cast<int64_t>(i % 65 * i % 65 * 1000 + i / 65); })) <
        2000);
  // 0.811 bits each.
  CHECK(EncodedBytes(Generated(60000, [&](size_t) { return random() % 4 == 0 ? 1 : 0; })) < 60000 * 0.83 / 8);
  // 1.371 bits each, summed up.
  int64_t walk = 0;
  CHECK(EncodedBytes(Generated(60000, [&](size_t) {
          const uint64_t step = random() % 10;
          return walk += step < 2 ? -1 : step < 4 ? 1 : 0;
        })) < 60000 * 1.40 / 8);
  // 600 values as likely as each other: 9.23 bits.
  CHECK(EncodedBytes(Generated(60000, [&](size_t) { return static_cast<int64_t>(random() % 600); })) < 60000 * 9.5 / 8);
}

TEST_CASE("floats come out of every encoding as they went in") {
  for (const std::vector<double>& values : KindsOfFloats()) {
    for (int encoding = 0; encoding <= static_cast<int>(FloatEncoding::kSplit); ++encoding) {
      auto bytes = EncodeFloatsAs(static_cast<FloatEncoding>(encoding), values);
      if (bytes) CHECK(Decodes(*bytes, values));
    }
    std::string chosen;
    EncodeFloats(values, chosen);
    CHECK(Decodes(chosen, values));
  }
  std::string tenths;
  EncodeFloats(KindsOfFloats()[0], tenths);
  CHECK(tenths.size() < 3000 * 17.2 / 8);
}

TEST_CASE("decimals keep their scales, which cost nothing where they follow from the values") {
  Random random(10);
  for (int kind = 0; kind < 4; ++kind) {
    std::vector<int64_t> unscaled;
    std::vector<uint8_t> scales;
    for (int i = 0; i < 3000; ++i) {
      int64_t value = static_cast<int64_t>(random() % 10000) - 5000;
      uint8_t scale = static_cast<uint8_t>(kind == 1 ? random() % 39 : kind == 2 ? random() % 3 : 2);
      while (kind == 0 && scale > 0 && value % 10 == 0) {
        value /= 10;
        --scale;
      }
      if (kind == 3 && i % 100 == 0) {
        value *= 10;
        ++scale;
      }
      unscaled.push_back(value);
      scales.push_back(scale);
    }
    std::string bytes;
    EncodeDecimals(unscaled, scales, bytes);
    if (kind == 0) CHECK(bytes.size() < 3000 * 14.1 / 8);
    ByteReader in(bytes);
    ChunkScratch scratch;
    std::vector<int64_t> decoded(unscaled.size());
    std::vector<uint8_t> decoded_scales(scales.size());
    REQUIRE(DecodeDecimals(in, decoded.size(), decoded.data(), decoded_scales.data(), scratch));
    CHECK(in.left() == 0);
    CHECK(decoded == unscaled);
    CHECK(decoded_scales == scales);
  }
}

TEST_CASE("texts come out of every encoding as they went in") {
  const std::vector<Texts> kinds = KindsOfTexts();
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    INFO("kind " << kind);
    const std::vector<absl::string_view> views(kinds[kind].begin(), kinds[kind].end());
    for (int encoding = 0; encoding <= static_cast<int>(TextEncoding::kPattern); ++encoding) {
      auto bytes = EncodeTextsAs(static_cast<TextEncoding>(encoding), views);
      if (bytes) CHECK(Decodes(*bytes, kinds[kind]));
    }
    std::string chosen;
    EncodeTexts(views, chosen);
    CHECK(Decodes(chosen, kinds[kind]));
    if (kind == 0) CHECK(chosen.size() < 40);
    if (kind == 2) CHECK(chosen.size() < 1000 * 20.3);
  }
}

TEST_CASE("damaged streams are refused or give other values, and nothing worse") {
  Random random(11);
  std::vector<std::string> streams;
  for (const Integers& values : ManyKinds()) {
    for (int encoding = 1; encoding <= static_cast<int>(IntegerEncoding::kScaled); ++encoding) {
      streams.push_back(*EncodeIntegersAs(static_cast<IntegerEncoding>(encoding), values));
    }
  }
  ChunkScratch scratch;
  for (const std::string& stream : streams) {
    for (int i = 0; i < 20; ++i) {
      std::string damaged = stream.substr(0, i % 3 == 0 ? random() % stream.size() : stream.size());
      for (int k = 0; k < 3 && !damaged.empty(); ++k) {
        const size_t at = k == 0 ? random() % std::min<size_t>(damaged.size(), 40) : random() % damaged.size();
        damaged[at] = static_cast<char>(random());
      }
      Integers out(1 + random() % 5000);
      ByteReader in(damaged);
      DecodeIntegers(in, out.size(), out.data(), scratch);
      std::vector<double> floats(out.size());
      ByteReader float_in(damaged);
      DecodeFloats(float_in, floats.size(), floats.data(), scratch);
      std::vector<uint8_t> scales(out.size());
      ByteReader decimal_in(damaged);
      DecodeDecimals(decimal_in, out.size(), out.data(), scales.data(), scratch);
    }
  }
  for (const Texts& texts : KindsOfTexts()) {
    const std::vector<absl::string_view> views(texts.begin(), texts.end());
    for (int i = 0; i < 200; ++i) {
      auto bytes = EncodeTextsAs(static_cast<TextEncoding>(i % 3), views);
      if (!bytes) continue;
      (*bytes)[random() % std::min<size_t>(bytes->size(), 60)] = static_cast<char>(random());
      std::vector<uint32_t> ends;
      std::string heap;
      ByteReader in(*bytes);
      if (!DecodeTexts(in, texts.size(), ends, heap, scratch)) continue;
      CHECK(std::is_sorted(ends.begin(), ends.end()));
      CHECK((ends.empty() || ends.back() == heap.size()));
    }
  }
}

TEST_CASE("a logarithm in integers is near to the real one") {
  for (uint64_t number : {1u, 2u, 3u, 10u, 4095u, 4096u, 65535u, 1000000007u}) {
    CHECK(static_cast<double>(FixedLog2(number)) / 65536 ==
          Approx(std::log2(static_cast<double>(number))).margin(0.001));
  }
}

}  // namespace chartly

// Counts what the whole test program allocates, so that a record is proved to cost nothing.
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "common/normalize/normalizer.h"
#include "common/normalize/validate.h"
#include "test/support/test.h"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace chartly {
namespace {

constexpr int kRows = 10'000;
constexpr size_t kFields = 8;

// A row whose fields differ from row to row.
class CountingRow : public Row {
 public:
  void Fill(int number) {
    for (size_t i = 0; i < kFields; ++i) Write(i, number);
  }
  chartly::Field Get(size_t slot) const override { return {chartly::Field::Kind::kText, texts_[slot].data()}; }
  std::string Raw() const override { return ""; }

 private:
  void Write(size_t slot, int number) {
    const char* formats[kFields] = {"station number %d",
                                    "%d.123456789012345678",
                                    "2024/07/%02d 09:05",
                                    "Thu, %02d Jul 2024 00:00:00 EST",
                                    "M%02d",
                                    "1,%03d,567.25",
                                    "%d",
                                    "CODE%d"};
    const int values[kFields] = {number % 100,    number,        number % 28 + 1, number % 28 + 1,
                                 number % 12 + 1, number % 1000, number,          number % 2};
    std::snprintf(texts_[slot].data(), texts_[slot].size(), formats[slot], values[slot]);
  }

  std::array<std::array<char, 64>, kFields> texts_{};
};

}  // namespace

TEST_CASE("a record costs no allocation once the buffers are warm") {
  absl::StatusOr<Profile> profile = ValidateProfileOrError("x.yaml", R"(
id: x
version: 1.0.0
source: {type: file, path: a.csv}
mapping:
  name: {to: dims.name, using: [normalize_space, upper]}
  amount: {to: measures.amount, type: decimal, min: 0}
  local: {to: dims.local, using: to_timestamp "%Y/%m/%d %H:%M" America/New_York}
  published: {to: attrs.published, using: to_timestamp rfc822}
  month: {to: dims.month, using: to_month}
  total: {to: measures.total, using: [to_number, convert mi km]}
  count: {to: measures.count, type: integer, coalesce: [amount]}
  code: {to: attrs.code, lookup: {table: {CODE0: "the first of both codes", CODE1: "the second of both codes"}}}
filter: count >= 0 and name contains "station"
checks: [{name: positive, expect: measures.amount >= 0}]
)");
  REQUIRE_OK(profile);
  std::unique_ptr<Normalizer> normalizer = *Normalizer::Create(*profile);
  REQUIRE(normalizer->paths().size() == kFields);
  BatchBuilder builder;
  BatchHeader origin;
  origin.set_profile_id("x");
  builder.SetOrigin(origin);
  normalizer->Bind(builder);
  CountingRow row;
  auto add_rows = [&] {
    int kept = 0;
    for (int i = 0; i < kRows; ++i) {
      row.Fill(i);
      kept += normalizer->Add(row, 1, static_cast<uint32_t>(i), builder) == Normalizer::Outcome::kKept ? 1 : 0;
    }
    return kept;
  };
  REQUIRE(add_rows() == kRows);
  REQUIRE(allocations.load() > 0);
  REQUIRE_OK(builder.Finish());
  int64_t before = allocations.load();
  int kept = add_rows();
  int64_t spent = allocations.load() - before;
  CHECK(kept == kRows);
  // Columns may grow again after a batch; rows must not add to that.
  CHECK(spent < 32 * static_cast<int64_t>(kFields));
}

}  // namespace chartly

#include "control/coordinator/quota_turns.h"

#include <algorithm>
#include <random>
#include <vector>

#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(24 * 365 * 50);

// The most uses that any window of that length holds; its end is not in it.
size_t MostIn(std::vector<absl::Time> uses, absl::Duration period) {
  std::sort(uses.begin(), uses.end());
  size_t most = 0;
  for (size_t first = 0, last = 0; last < uses.size(); ++last) {
    while (uses[last] - uses[first] >= period) ++first;
    most = std::max(most, last - first + 1);
  }
  return most;
}

TEST_CASE("turns come in even steps and use nearly all of the limit") {
  QuotaTurns turns;
  turns.SetLimit(10, absl::Seconds(1));
  absl::Time begin = kStart;
  for (int i = 0; i < 1000; ++i) {
    begin = turns.Next(kStart);
    turns.Take(begin, begin + absl::Milliseconds(70));
  }
  // 1000 turns of 10 a period of one second and the 70 ms in which the last of each may still be used.
  CHECK(begin - kStart < absl::Seconds(107));
  CHECK(begin - kStart > absl::Seconds(105));
}

TEST_CASE("no period ever holds more uses than the limit, whenever in its turn each comes") {
  const auto seed = GENERATE(range(1, 200));
  std::mt19937 random(static_cast<unsigned>(seed));
  auto roll = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  const int64_t requests = 1 + roll(20);
  const absl::Duration period = absl::Milliseconds(100 + roll(5000));
  QuotaTurns turns;
  turns.SetLimit(requests, period);
  absl::Time now = kStart;
  absl::Time reserved = kStart;
  std::vector<absl::Time> uses;
  std::vector<absl::Time> written_ends;
  absl::Time written = kStart;
  for (int i = 0; i < 400; ++i) {
    now += absl::Milliseconds(roll(roll(10) == 0 ? 3000 : 40));
    if (roll(40) == 0) turns.SetShare(1.0 / (1 + roll(4)));
    if (roll(60) == 0) {  // a restart knows what was written, and how far turns could go
      turns = QuotaTurns();
      turns.SetLimit(requests, period);
      turns.Restore(written_ends);
      turns.AssumeTaken(written, reserved);
    }
    const absl::Time begin = turns.Next(now);
    CHECK(begin >= now);
    const absl::Time end = begin + period * (roll(60) / 100.0);
    if (end > reserved) {
      written_ends.assign(turns.ends().begin(), turns.ends().end());
      written = now;
      reserved = end + period;
    }
    turns.Take(begin, end);
    // Most are used at either end of the turn, and some are lost.
    if (roll(8) > 0) uses.push_back(roll(2) == 0 ? end : begin + (end - begin) * (roll(100) / 100.0));
  }
  CHECK(MostIn(uses, period) <= static_cast<size_t>(requests));
}

TEST_CASE("a smaller share takes longer steps and stays within the limit") {
  QuotaTurns turns;
  turns.SetLimit(4, absl::Seconds(1));
  turns.SetShare(0.5);
  std::vector<absl::Time> begins;
  for (int i = 0; i < 40; ++i) {
    begins.push_back(turns.Next(kStart));
    turns.Take(begins.back(), begins.back());
  }
  CHECK(MostIn(begins, absl::Seconds(2)) == 4);
}

}  // namespace
}  // namespace chartly::coordinator

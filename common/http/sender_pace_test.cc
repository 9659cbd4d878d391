#include "common/http/sender_pace.h"

#include <random>
#include <vector>

#include "test/support/test.h"

namespace chartly::http {
namespace {

using gate::AddressBudgets;
using gate::Budgets;

const absl::Time kStart = absl::FromUnixSeconds(1700000000);
constexpr char kSender[] = "192.0.2.7";

// Requests that make no sense, each on a connection of its own that comes at `now`, until one has to wait.
int UntilOneWaits(AddressBudgets& budgets, const std::string& address, absl::Time now) {
  for (int count = 0; count < 10000; ++count) {
    SenderPace pace(&budgets, address);
    if (pace.Wait(now) > absl::ZeroDuration()) return count;
    pace.Answered(true, address, now);
    pace.End(now);
  }
  return 10000;
}

}  // namespace

TEST_CASE("an address may send some requests that make no sense, then its connections wait, and no other's") {
  AddressBudgets budgets;
  const int count = UntilOneWaits(budgets, kSender, kStart);
  CHECK(count == Budgets().work_at_once / kCostOfRefusal + 1);
  CHECK(SenderPace(&budgets, "192.0.2.8").Wait(kStart) == absl::ZeroDuration());
  CHECK(SenderPace(&budgets, "192.0.2.7").Wait(kStart) > absl::ZeroDuration());
  CHECK(SenderPace(&budgets, "::ffff:192.0.2.7").Wait(kStart) > absl::ZeroDuration());
  CHECK(SenderPace(nullptr, kSender).Wait(kStart) == absl::ZeroDuration());
}

TEST_CASE("however it comes, what makes no sense is answered no more often than its budget pays for") {
  std::mt19937 rng(42);
  for (int round = 0; round < 30; ++round) {
    AddressBudgets budgets;
    constexpr absl::Duration kTime = absl::Seconds(20);
    const int clients = 1 + static_cast<int>(rng() % 300);
    int answered = 0;
    std::vector<std::pair<absl::Time, SenderPace>> waiting;  // as many as there are clients, all of one address
    for (int i = 0; i < clients; ++i) waiting.emplace_back(kStart, SenderPace(&budgets, kSender));
    for (absl::Time now = kStart; now < kStart + kTime; now += absl::Milliseconds(1)) {
      for (auto& [turn, pace] : waiting) {
        if (now < turn) continue;
        const absl::Duration wait = pace.Wait(now);
        if (wait == absl::ZeroDuration()) {
          ++answered;
          pace.Answered(true, kSender, now);
        }
        turn = now + (wait == absl::InfiniteDuration() ? absl::Milliseconds(rng() % 1000) : wait);
      }
    }
    const absl::Duration paid = Budgets().work_at_once + kTime / absl::Seconds(1) * Budgets().work_a_second;
    // All that came at the first moment, and those whose turn was paid for and has not come.
    CHECK(answered * kCostOfRefusal <= paid + (clients + 1) * kCostOfRefusal);
    CHECK(answered > 100);
  }
}

TEST_CASE("a connection whose last request was sound is read at once, whatever others of its address do") {
  AddressBudgets budgets;
  SenderPace sound(&budgets, kSender);
  CHECK(sound.Wait(kStart) == absl::ZeroDuration());
  sound.Answered(false, kSender, kStart);
  UntilOneWaits(budgets, kSender, kStart);
  for (int i = 0; i < 1000; ++i) {
    CHECK(sound.Wait(kStart) == absl::ZeroDuration());
    sound.Answered(false, kSender, kStart);
  }
  sound.Answered(true, kSender, kStart);
  CHECK(sound.Wait(kStart) > absl::ZeroDuration());
}

TEST_CASE("those who wait have turns one after the other, and those for whom it would be too long are refused") {
  AddressBudgets budgets;
  UntilOneWaits(budgets, kSender, kStart);
  std::vector<SenderPace> waiting;
  absl::Duration last;
  while (waiting.size() < 10000) {
    waiting.emplace_back(&budgets, kSender);
    const absl::Duration wait = waiting.back().Wait(kStart);
    if (wait == absl::InfiniteDuration()) break;
    CHECK(wait > last);
    CHECK(wait <= kTurnPatience);
    last = wait;
  }
  CHECK(waiting.size() > 100);
  CHECK(waiting.size() < 500);
  CHECK(waiting[0].Wait(kStart + absl::Seconds(1)) == absl::ZeroDuration());
}

TEST_CASE("who connects for others never waits, and whom it names pays") {
  AddressBudgets budgets;
  SenderPace proxy(&budgets, "");
  int answered = 0;
  for (; answered < 10000 && proxy.Admits(kSender, kStart); ++answered) {
    CHECK(proxy.Wait(kStart) == absl::ZeroDuration());
    proxy.Answered(true, kSender, kStart);
  }
  CHECK(answered < 1000);
  CHECK(proxy.Admits("192.0.2.8", kStart));
  CHECK(proxy.Wait(kStart) == absl::ZeroDuration());
  CHECK(proxy.Admits(kSender, kStart + absl::Seconds(10)));
}

TEST_CASE("connections without a request, failed handshakes and long requests cost what they take") {
  const auto left = [](auto spend) {
    AddressBudgets budgets;
    int count = 0;
    for (; count < 100000 && budgets.HasWork(gate::AddressKeyOf(kSender), kStart); ++count) {
      SenderPace pace(&budgets, kSender);
      spend(pace);
      pace.End(kStart);
      pace.End(kStart);  // costs nothing more
    }
    return count;
  };
  const absl::Duration whole = Budgets().work_at_once;
  CHECK(left([](SenderPace&) {}) == whole / kCostOfOpening + 1);
  CHECK(left([](SenderPace& pace) { pace.Refused(kStart); }) == whole / kCostOfHandshake + 1);
  CHECK(left([](SenderPace& pace) {
          pace.Took(100000);
          pace.Answered(true, kSender, kStart);
        }) == whole / (kCostOfRefusal + 100000 * kCostOfByte) + 1);
  CHECK(left([](SenderPace& pace) {
          pace.Answered(true, kSender, kStart);
          pace.Took(100000);  // what came after the answer
        }) == whole / (kCostOfRefusal + 100000 * kCostOfByte) + 1);
  CHECK(left([](SenderPace& pace) {
          pace.Took(100000);
          pace.Answered(false, kSender, kStart);
        }) == 100000);
}

}  // namespace chartly::http

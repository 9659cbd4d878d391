#include "common/gate/connection_pace.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/gate/frames_for_test.h"
#include "test/support/test.h"

namespace chartly::gate {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(24);

std::string Resets(int count) {
  std::string frames;
  for (int i = 0; i < count; ++i) {
    frames += FrameOf(kHeadersFrame, kEndHeadersFlag, 1, "h") + FrameOf(kResetFrame, 0, 1, "1234");
  }
  return frames;
}

std::string Calls(int count) {
  std::string frames;
  for (int i = 0; i < count; ++i) {
    frames += FrameOf(kHeadersFrame, kEndHeadersFlag, 1, "h") + FrameOf(kDataFrame, kEndStreamFlag, 1, "1234");
  }
  return frames;
}

// A connection whose client sends the same frames over and over, as fast as it is read.
struct Flood {
  ConnectionPace pace;
  std::string frames;
  size_t sent = 0;
  // Sends until `end`, a look a millisecond.
  void Send(absl::Time from, absl::Time end) {
    for (absl::Time now = from; now < end; now += absl::Milliseconds(1)) {
      const absl::string_view rest = absl::string_view(frames).substr(sent % frames.size());
      const absl::string_view piece = rest.substr(0, pace.MayRead(now));
      pace.Took(piece);
      pace.Settle(now);
      sent += piece.size();
    }
  }
};

sockaddr_storage At(const char* text) {
  sockaddr_storage address = {};
  sockaddr_in four = {};
  sockaddr_in6 six = {};
  if (::inet_pton(AF_INET, text, &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    std::memcpy(&address, &four, sizeof four);
  } else {
    REQUIRE(::inet_pton(AF_INET6, text, &six.sin6_addr) == 1);
    six.sin6_family = AF_INET6;
    std::memcpy(&address, &six, sizeof six);
  }
  return address;
}

}  // namespace

TEST_CASE("a connection that makes calls is never paused, however many, whatever others of its address do") {
  AddressBudgets budgets;
  budgets.DrawWork("a", absl::Hours(1), kStart);
  budgets.DrawOpenings("a", 1e9, kStart);
  ConnectionPace pace("a", Opening(), kStart, budgets);
  pace.Took(kPreface);
  for (int i = 0; i < 10000; ++i) {
    CHECK(pace.MayRead(kStart) > 0);
    pace.Took(Calls(10));
    CHECK_FALSE(pace.Settle(kStart));
  }
}

TEST_CASE("connections that take back all they begin share the work that their address may cost") {
  AddressBudgets budgets;
  constexpr int kConnections = 50;
  constexpr int kSeconds = 20;
  const std::string ten = Resets(10);
  std::vector<Flood> floods;
  for (int i = 0; i < kConnections; ++i) {
    floods.push_back({ConnectionPace("a", Opening(), kStart, budgets), ten});
    floods.back().pace.Took(kPreface);
  }
  for (absl::Time now = kStart; now < kStart + absl::Seconds(kSeconds); now += absl::Milliseconds(1)) {
    for (Flood& flood : floods) flood.Send(now, now + absl::Milliseconds(1));
  }
  int64_t resets = 0;
  for (const Flood& flood : floods) resets += static_cast<int64_t>(flood.sent / (ten.size() / 10));
  // The budget, what each may do by itself, and an overdraft of a piece at the end of each pause.
  const Budgets whole;
  constexpr int kPauses = 3;
  const auto overdraft = static_cast<int64_t>(kPieceOfTheOverdrawn / (ten.size() / 10) + 1) * kCostOfReset;
  const absl::Duration bound = whole.work_at_once + kSeconds * whole.work_a_second +
                               kConnections * (kSeconds * kAllowanceASecond + kPauses * overdraft) +
                               static_cast<int64_t>(kPieceOfOthers / (ten.size() / 10)) * kCostOfReset;
  CHECK(resets * kCostOfReset <= bound);
  CHECK(resets * kCostOfReset >= kSeconds * whole.work_a_second / 2);
  CHECK(budgets.HasWork("b", kStart));
}

TEST_CASE("a stream that is taken back now and then costs an old connection nothing, though its address is overdrawn") {
  AddressBudgets budgets;
  ConnectionPace pace("a", Opening(), kStart, budgets);
  pace.Took(kPreface);
  for (int minute = 1; minute < 60; ++minute) {
    const absl::Time now = kStart + absl::Minutes(minute);
    budgets.DrawWork("a", absl::Hours(1), now);
    pace.Took(Resets(20));
    CHECK_FALSE(pace.Settle(now));
  }
}

TEST_CASE("a new connection has no allowance, and is read in small pieces until it has been there for a while") {
  AddressBudgets budgets;
  ConnectionPace pace("a", Opening(), kStart, budgets);
  pace.Took(kPreface);
  CHECK(pace.MayRead(kStart) == kPieceOfOthers);
  CHECK(pace.MayRead(kStart + absl::Minutes(1)) == kPieceOfTheTrusted);
  pace.Took(FrameOf(kDataFrame, 0, 1, std::string(1000, 'd')).substr(0, 509));
  CHECK(pace.MayRead(kStart) == 500 + kPieceOfOthers);
  budgets.DrawWork("a", absl::Seconds(1), kStart);
  CHECK(pace.MayRead(kStart) == 500 + kPieceOfTheOverdrawn);
}

TEST_CASE("pieces grow with calls, whatever others of the address do, and shrink with what is taken back") {
  AddressBudgets budgets;
  budgets.DrawWork("a", absl::Hours(1), kStart);
  ConnectionPace pace("a", Opening(), kStart, budgets);
  pace.Took(kPreface);
  CHECK(pace.MayRead(kStart) == kPieceOfTheOverdrawn);
  pace.Took(Calls(100));
  CHECK(pace.MayRead(kStart) == kPieceOfTheOverdrawn + 100 * kPieceOfACall);
  pace.Took(Resets(30));
  CHECK(pace.MayRead(kStart) == kPieceOfTheOverdrawn + 70 * kPieceOfACall);
  pace.Took(Resets(1000));
  CHECK(pace.MayRead(kStart) == kPieceOfTheOverdrawn);
  pace.Took(Calls(100'000));
  CHECK(pace.MayRead(kStart) == kPieceOfTheOverdrawn + static_cast<size_t>(kEarnedCallsMax) * kPieceOfACall);
}

TEST_CASE("a connection whose calls make no sense is paused, and another one of its address is not") {
  AddressBudgets budgets;
  ConnectionPace senseless("a", Opening(), kStart, budgets);
  ConnectionPace sound("a", Opening(), kStart, budgets);
  for (ConnectionPace* pace : {&senseless, &sound}) pace->Took(kPreface);
  int calls = 0;
  bool paused = false;
  for (; calls < 10000 && !paused; ++calls) {
    for (ConnectionPace* pace : {&senseless, &sound}) pace->Took(Calls(1));
    senseless.Charge(kCostOfFailedCall);
    paused = senseless.Settle(kStart);
    CHECK_FALSE(sound.Settle(kStart));
  }
  CHECK(calls == Budgets().work_at_once / kCostOfFailedCall + 1);
  CHECK(senseless.MayRead(kStart) == 0);
  CHECK(sound.MayRead(kStart) > kPieceOfTheOverdrawn);
  // Its calls have earned it nothing.
  CHECK(senseless.MayRead(senseless.paused_until()) <= kPieceOfOthers);
}

TEST_CASE("the other end of a connection is a whole address and its port, however it is written") {
  CHECK(EndpointOf("192.0.2.7", 80) == EndpointOf("::ffff:192.0.2.7", 80));
  CHECK(EndpointOf("192.0.2.7", 80) != EndpointOf("192.0.2.7", 81));
  CHECK(EndpointOf("2001:db8::1", 80) != EndpointOf("2001:db8::2", 80));
  CHECK(EndpointOf("2001:db8::1", 80) == EndpointOf(At("2001:db8::1")).substr(0, 16) + std::string("\0P", 2));
  CHECK(EndpointOf("nowhere", 80).empty());
  CHECK(AddressKeyOf("192.0.2.7") == AddressKey(At("192.0.2.7")));
  CHECK(AddressKeyOf("2001:db8::7") == AddressKey(At("2001:db8::1")));
}

TEST_CASE("turns are paid for beforehand, one after the other, and none later than patience lasts") {
  AddressBudgets budgets;
  CHECK(budgets.TakeTurn("a", absl::Milliseconds(40), absl::Seconds(5), kStart) == absl::ZeroDuration());
  CHECK(budgets.TakeTurn("a", absl::Milliseconds(10), absl::Seconds(5), kStart) == absl::Seconds(1));
  CHECK(budgets.TakeTurn("a", absl::Milliseconds(50), absl::Seconds(5), kStart) == absl::Seconds(2));
  CHECK(budgets.TakeTurn("a", absl::Milliseconds(1), absl::Seconds(5), kStart) == absl::InfiniteDuration());
  CHECK(budgets.TakeTurn("a", absl::Milliseconds(1), absl::Seconds(5), kStart + absl::Seconds(2)) == absl::Seconds(5));
}

TEST_CASE("what an address overdrew is forgotten after a while, and it has as much as ever") {
  AddressBudgets budgets;
  CHECK(budgets.DrawWork("a", absl::Hours(1), kStart) == Budgets().memory);
  CHECK_FALSE(budgets.HasWork("a", kStart + absl::Seconds(9)));
  CHECK(budgets.HasWork("a", kStart + absl::Seconds(10)));
  CHECK(budgets.DrawWork("a", Budgets().work_at_once, kStart + absl::Minutes(1)) == absl::ZeroDuration());
  CHECK(budgets.DrawWork("a", absl::Milliseconds(10), kStart + absl::Minutes(1)) == absl::Seconds(1));
}

TEST_CASE("connections that end at once draw on the openings of their address, those that stay do not") {
  AddressBudgets budgets;
  for (int i = 0; i < 20000; ++i) {  // a fleet behind one address comes back
    CHECK(budgets.MayOpen("a", kStart));
    ConnectionPace stays("a", Opening(), kStart, budgets);
    stays.Took(kPreface);
    stays.End(kStart + absl::Seconds(3));
  }
  int opened = 0;
  for (; opened < 20000 && budgets.MayOpen("a", kStart); ++opened) {
    ConnectionPace ends("a", Opening(), kStart, budgets);
    ends.Took(kPreface);
    ends.End(kStart + absl::Milliseconds(1));
  }
  CHECK(opened >= Budgets().openings_at_once - 1);
  CHECK(opened <= Budgets().openings_at_once + 1);
  CHECK(budgets.MayOpen("b", kStart));
  CHECK(budgets.MayOpen("a", kStart + absl::Seconds(1)));
}

TEST_CASE("calls that are left behind with their connection cost it as many openings") {
  AddressBudgets budgets;
  ConnectionPace leaves("a", Opening(), kStart, budgets);
  leaves.Took(kPreface);
  leaves.Took(Calls(1500));
  leaves.End(kStart + absl::Milliseconds(100));
  CHECK_FALSE(budgets.MayOpen("a", kStart + absl::Milliseconds(100)));
}

TEST_CASE("an address is a host of IPv4, however it is written, and a network of IPv6") {
  CHECK(AddressKey(At("192.0.2.7")) == AddressKey(At("::ffff:192.0.2.7")));
  CHECK(AddressKey(At("192.0.2.7")) != AddressKey(At("192.0.2.8")));
  CHECK(AddressKey(At("2001:db8::1")) == AddressKey(At("2001:db8::ffff:1")));
  CHECK(AddressKey(At("2001:db8::1")) != AddressKey(At("2001:db8:0:1::1")));
  CHECK(AddressKey(sockaddr_storage{}).empty());
}

TEST_CASE("a bounded number of addresses is remembered, and room is made of those that have all again") {
  AddressBudgets budgets(Budgets{.addresses_max = 1000});
  for (int i = 0; i < 3000; ++i) budgets.DrawWork(absl::StrCat("early ", i), absl::Milliseconds(40), kStart);
  CHECK(budgets.size() == 1000);
  CHECK_FALSE(budgets.HasWork("early 1", kStart));
  const absl::Time later = kStart + absl::Minutes(1);
  budgets.DrawWork("late", absl::Milliseconds(40), later);
  CHECK(budgets.size() == 1);
  CHECK_FALSE(budgets.HasWork("late", later));
}

}  // namespace chartly::gate

#include "common/rpc/refusal_ledger.h"

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly::rpc {
namespace {

AuditEntry Refusal(const std::string& address, const std::string& outcome = "UNAUTHENTICATED") {
  AuditEntry entry;
  entry.actor = "anonymous";
  entry.action = "RegistryService.CreateProfile";
  entry.outcome = outcome;
  entry.address = address;
  entry.request_id = "r-1";
  return entry;
}

}  // namespace

TEST_CASE("the first refusal of a kind is recorded, the others are counted until the minute is over") {
  RefusalLedger ledger;
  const absl::Time start = absl::FromUnixSeconds(1000);
  CHECK(ledger.Take(Refusal("192.0.2.1"), start));
  for (int i = 0; i < 37; ++i) CHECK_FALSE(ledger.Take(Refusal("192.0.2.1"), start + absl::Seconds(i)));
  CHECK(ledger.Take(Refusal("192.0.2.2"), start));
  CHECK(ledger.Take(Refusal("192.0.2.1", "PERMISSION_DENIED"), start));
  CHECK(ledger.Due(start + absl::Seconds(59)).empty());
  const std::vector<AuditEntry> due = ledger.Due(start + absl::Seconds(60));
  REQUIRE(due.size() == 1);
  CHECK(due[0].address == "192.0.2.1");
  CHECK(due[0].detail == "37 more within a minute");
  CHECK(due[0].request_id.empty());
  CHECK(ledger.Due(start + absl::Seconds(61)).empty());
  CHECK(ledger.Take(Refusal("192.0.2.1"), start + absl::Seconds(61)));
}

TEST_CASE("a clock that was set back does not make the minute longer") {
  RefusalLedger ledger;
  const absl::Time start = absl::FromUnixSeconds(1000000);
  CHECK(ledger.Take(Refusal("192.0.2.1"), start));
  CHECK_FALSE(ledger.Take(Refusal("192.0.2.1"), start));
  const std::vector<AuditEntry> due = ledger.Due(start - absl::Hours(1));
  REQUIRE(due.size() == 1);
  CHECK(due[0].detail == "1 more within a minute");
  CHECK(ledger.Take(Refusal("192.0.2.1"), start - absl::Hours(1)));
  CHECK_FALSE(ledger.Take(Refusal("192.0.2.1"), start - absl::Hours(1)));
  CHECK(ledger.Take(Refusal("192.0.2.1"), start - absl::Hours(1) + absl::Minutes(1)));
}

TEST_CASE("a million refusals from as many addresses are a bounded number of entries that count them all") {
  RefusalLedger ledger;
  const absl::Time start = absl::FromUnixSeconds(1000);
  size_t recorded = 0;
  for (int i = 0; i < 1000000; ++i) recorded += ledger.Take(Refusal(absl::StrCat("2001:db8::", i)), start) ? 1 : 0;
  CHECK(recorded == RefusalLedger::kMaxKinds);
  const std::vector<AuditEntry> due = ledger.Due(start, true);
  REQUIRE(due.size() == 1);
  CHECK(due[0].actor == "others");
  CHECK(due[0].detail == absl::StrCat(1000000 - recorded, " more within a minute"));
}

TEST_CASE("who asks for more kinds gets so many, one by one") {
  CHECK(RecordedRefusals() == RefusalLedger::kMaxKinds);
  RefusalLedger ledger(1000);
  CHECK(ledger.max_kinds() == 1000);
  const absl::Time start = absl::FromUnixSeconds(1000);
  for (int i = 0; i < 1000; ++i) CHECK(ledger.Take(Refusal(absl::StrCat("2001:db8::", i)), start));
  CHECK_FALSE(ledger.Take(Refusal("192.0.2.1"), start));
  CHECK(ledger.Due(start, true)[0].detail == "1 more within a minute");
}

}  // namespace chartly::rpc

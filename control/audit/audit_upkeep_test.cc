#include "control/audit/audit_upkeep.h"

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/audit/audit_entry.h"
#include "common/audit/audit_lines.h"
#include "control/audit/audit_fixture_test.h"
#include "control/audit/audit_proofs.h"

namespace chartly::audit {
namespace {

v1::EraseAuditPersonRequest Person(const std::string& actor, const std::string& address = "") {
  v1::EraseAuditPersonRequest request;
  request.set_actor(actor);
  request.set_address(address);
  return request;
}

}  // namespace

TEST_CASE("events whose time is over leave, and what stays is provable as before") {
  AuditFixture fixture;
  fixture.Fill(20);
  const std::string early = fixture.keeper->SignNow()->note;
  fixture.clock.Advance(absl::Hours(48));
  fixture.Fill(10);
  const std::string kept = fixture.keeper->SignNow()->note;
  AuditUpkeep upkeep(*fixture.store, *fixture.log, fixture.clock, absl::Hours(24));
  CHECK(upkeep.Prune().value() == 20);
  CHECK(upkeep.Prune().value() == 0);
  CHECK(Reason(fixture.log->Get(20).status()) == "AUDIT_EVENT_NOT_FOUND");
  CHECK(fixture.log->Get(31)->detail() == "20");
  CHECK_OK(ProveInclusion(*fixture.log, *fixture.keeper, 25));
  CHECK_OK(ProveConsistency(*fixture.log, *fixture.keeper, 7, 31));
  auto verdict = Verify(fixture.Export(), {{early, kept}, {fixture.Key()}});
  REQUIRE_OK(verdict);
  CHECK(verdict->first_seq == 21);
  CHECK(verdict->size == 31);
  CHECK(verdict->checkpoints == std::vector<int64_t>{20, 30});
  fixture.Close();
  fixture.Open();
  fixture.Fill(3);
  CHECK_OK(Verify(fixture.Export(), {{kept}, {}}));
}

TEST_CASE("the newest event stays however old it is") {
  AuditFixture fixture;
  fixture.Fill(5);
  fixture.clock.Advance(absl::Hours(48));
  AuditUpkeep upkeep(*fixture.store, *fixture.log, fixture.clock, absl::Hours(24));
  CHECK(upkeep.Prune().value() == 4);
  CHECK_OK(fixture.log->Get(5));
}

TEST_CASE("events that are missing from the front are found unless an event says that their time was over") {
  AuditFixture fixture;
  fixture.Fill(8);
  StateTransaction transaction;
  for (int64_t seq = 1; seq <= 4; ++seq) transaction.deletes.push_back(EventKey(seq));
  REQUIRE_OK(fixture.store->Commit(transaction));
  absl::Status status = Verify(fixture.Export()).status();
  CHECK(Reason(status) == "AUDIT_TAMPERED");
  CHECK(Details(status)["last_seq"] == "4");
}

TEST_CASE("a checkpoint from before the first event that is left cannot be compared") {
  AuditFixture fixture;
  fixture.Fill(3);
  const std::string early = fixture.keeper->SignNow()->note;
  fixture.Fill(3);
  fixture.clock.Advance(absl::Hours(48));
  fixture.Fill(3);
  AuditUpkeep upkeep(*fixture.store, *fixture.log, fixture.clock, absl::Hours(24));
  CHECK(upkeep.Prune().value() == 6);
  CHECK(Reason(Verify(fixture.Export(), {{early}, {}}).status()) == "CHECKPOINT_NOT_COMPARABLE");
}

TEST_CASE("a person is erased everywhere and the log stays whole") {
  AuditFixture fixture;
  fixture.Fill(23);  // person-0 to person-4 in turn
  const std::string before = fixture.keeper->SignNow()->note;
  AuditUpkeep upkeep(*fixture.store, *fixture.log, fixture.clock, absl::ZeroDuration());
  auto erased = upkeep.Erase(Person("person-2"), EventOf(kEraseAction, "admin"));
  REQUIRE_OK(erased);
  CHECK(erased->erased() == 5);
  const std::vector<std::string> lines = fixture.Export();
  CHECK_FALSE(absl::StrContains(absl::StrJoin(lines, "\n"), "person-2"));
  CHECK(fixture.log->Get(24)->detail() == "3,8,13,18,23");
  auto verdict = Verify(lines, {{before}, {fixture.Key()}});
  REQUIRE_OK(verdict);
  CHECK(verdict->erased == 5);
  CHECK_OK(ProveInclusion(*fixture.log, *fixture.keeper, 8));
  CHECK(upkeep.Erase(Person("", "192.0.2.7"), EventOf(kEraseAction))->erased() == 24);
  CHECK_OK(Verify(fixture.Export(), {{before}, {}}));
  CHECK(Reason(upkeep.Erase({}, EventOf(kEraseAction)).status()) == "AUDIT_PERSON_MISSING");
}

TEST_CASE("an event from which somebody took the person is found") {
  AuditFixture fixture;
  fixture.Fill(6);
  std::vector<std::string> lines = fixture.Export();
  auto event = ParseAuditEventLine(lines[3]);
  REQUIRE_OK(event);
  event->clear_actor();
  event->clear_actor_salt();
  lines[3] = AuditEventLine(*event);
  absl::Status status = Verify(lines).status();
  CHECK(Reason(status) == "AUDIT_TAMPERED");
  CHECK(Details(status)["seq"] == "3");
}

}  // namespace chartly::audit

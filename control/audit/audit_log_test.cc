#include "control/audit/audit_log.h"

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "common/audit/audit_entry.h"
#include "common/text/sha256.h"
#include "control/audit/audit_fixture_test.h"

namespace chartly::audit {
namespace {

// An event as the first version wrote it.
v1::AuditEvent FirstFormEvent(int64_t seq, const std::string& prev_hash) {
  v1::AuditEvent event;
  event.set_seq(seq);
  event.mutable_time()->set_seconds(1767225600 + seq);
  event.set_actor("admin");
  event.set_action("RegistryService.CreateProfile");
  event.set_subject(absl::StrCat("profiles/", seq));
  event.set_outcome("OK");
  event.set_prev_hash(prev_hash);
  event.set_hash(AuditHash(event));
  return event;
}

void PutOne(StateStore& store, const std::string& key, const std::string& value) {
  StateTransaction transaction;
  transaction.puts = {{key, value}};
  REQUIRE_OK(store.Commit(transaction));
}

}  // namespace

TEST_CASE("events are numbered, linked to the root before them, and listed newest first") {
  AuditFixture fixture;
  MerkleFrontier tree;
  for (int i = 1; i <= 5; ++i) {
    fixture.clock.Advance(absl::Seconds(1));
    const v1::AuditEvent event = fixture.Append(absl::StrCat("profile.create.", i));
    CHECK(event.seq() == i);
    CHECK(event.prev_hash() == (i == 1 ? "" : HexOf(tree.Root())));
    CHECK(event.hash() == HexOf(MerkleLeafHash(CanonicalForm(event))));
    tree.Append(AuditLeaf(event));
    CHECK(fixture.log->Head().Root() == tree.Root());
  }
  v1::ListAuditEventsRequest request;
  request.set_limit(2);  // the earlier API's word
  auto page = fixture.log->List(request);
  REQUIRE_OK(page);
  REQUIRE(page->events_size() == 2);
  CHECK(page->events(0).action() == "profile.create.5");
  request.set_page_token(page->next_page_token());
  page = fixture.log->List(request);
  CHECK(page->events(0).action() == "profile.create.3");
  CHECK(fixture.log->Get(1)->action() == "profile.create.1");
  CHECK(Reason(fixture.log->Get(6).status()) == "AUDIT_EVENT_NOT_FOUND");
}

TEST_CASE("an event without an action is refused") {
  AuditFixture fixture;
  CHECK(Reason(fixture.log->Append({}).status()) == "AUDIT_EVENT_INVALID");
  CHECK(fixture.log->Head().size() == 0);
}

TEST_CASE("what a caller says of seq, hashes and salts is not believed") {
  AuditFixture fixture;
  v1::AuditEvent given = EventOf("a");
  given.set_seq(99);
  given.set_hash("x");
  given.set_prev_hash("y");
  given.set_form(0);
  given.set_actor_salt("00");
  given.set_actor_digest("00");
  auto event = fixture.log->Append(given);
  REQUIRE_OK(event);
  CHECK(event->seq() == 1);
  CHECK(event->actor_salt().size() == 32);
  CHECK_OK(CheckAuditEvent(*event));
}

TEST_CASE("the same actor has another digest in each event") {
  AuditFixture fixture;
  const v1::AuditEvent first = fixture.Append("a", "alice");
  const v1::AuditEvent second = fixture.Append("a", "alice");
  CHECK(first.actor_digest() != second.actor_digest());
  CHECK(first.actor_digest() == Sha256Hex(absl::StrCat(first.actor_salt(), ":alice")));
}

TEST_CASE("events that come at once are all in the log, once each") {
  AuditFixture fixture;
  std::atomic<int> appended{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) appended += fixture.log->Append(EventOf(absl::StrCat("a.", t, ".", i))).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(appended == 200);
  v1::ListAuditEventsRequest request;
  request.set_page_size(1000);
  auto page = fixture.log->List(request);
  REQUIRE_OK(page);
  std::set<std::string> actions;
  for (const v1::AuditEvent& event : page->events()) actions.insert(event.action());
  CHECK(actions.size() == 200);
  CHECK(fixture.log->Head().size() == 200);
  CHECK_OK(Verify(fixture.Export()));
}

TEST_CASE("a reopened log goes on where it was") {
  AuditFixture fixture;
  fixture.Fill(40);
  const MerkleHash root = fixture.log->Head().Root();
  fixture.Close();
  fixture.Open();
  CHECK(fixture.log->Head().Root() == root);
  CHECK(fixture.Append("a").prev_hash() == HexOf(root));
  CHECK_OK(Verify(fixture.Export()));
}

TEST_CASE("a field that is too long is cut at a character, bytes that are no text are replaced") {
  AuditFixture fixture;
  v1::AuditEvent given = EventOf("a");
  std::string subject = "x";
  while (subject.size() < 5000) subject += "ü";
  given.set_subject(subject);
  given.set_request_id("\xff");
  auto event = fixture.log->Append(given);
  REQUIRE_OK(event);
  CHECK(event->subject().size() <= AuditLog::kMaxFieldBytes);
  CHECK(absl::EndsWith(event->subject(), "ü..."));
  CHECK(event->request_id() == "\xEF\xBF\xBD");
  CHECK_OK(Verify(fixture.Export()));
}

TEST_CASE("a key that went into a field of a request is not recorded") {
  AuditFixture fixture;
  v1::AuditEvent given = EventOf("a");
  given.set_subject("profiles/" + std::string("AKIA") + "Z7QW3ERT5YUI9OPA");
  CHECK(fixture.log->Append(given)->subject() == "[redacted]");
}

TEST_CASE("a log of the first version gets its tree and goes on, its events as they were") {
  AuditFixture fixture;
  fixture.Close();
  std::filesystem::remove_all(fixture.dir.File("store"));
  {
    auto store = OpenEmbeddedStateStore(fixture.dir.File("store"), fixture.clock).value();
    std::string last;
    for (int64_t seq = 1; seq <= 9; ++seq) {
      const v1::AuditEvent event = FirstFormEvent(seq, last);
      last = event.hash();
      PutOne(*store, EventKey(seq), event.SerializeAsString());
    }
  }
  fixture.Open();
  CHECK(fixture.log->Head().size() == 9);
  CHECK(fixture.log->Get(4)->subject() == "profiles/4");
  fixture.Append("a");
  CHECK(fixture.log->List({})->events_size() == 10);
  auto verdict = Verify(fixture.Export());
  REQUIRE_OK(verdict);
  CHECK(verdict->size == 10);
}

TEST_CASE("a log of the first version that was changed is not taken over") {
  testing::TempDir dir;
  FakeClock clock;
  auto store = OpenEmbeddedStateStore(dir.File("s"), clock).value();
  std::string last;
  for (int64_t seq = 1; seq <= 4; ++seq) {
    v1::AuditEvent event = FirstFormEvent(seq, last);
    last = event.hash();
    if (seq == 3) event.set_subject("profiles/other");
    PutOne(*store, EventKey(seq), event.SerializeAsString());
  }
  absl::Status status = AuditLog::Open(*store, clock).status();
  CHECK(Reason(status) == "AUDIT_CHAIN_BROKEN");
  CHECK(Details(status)["seq"] == "3");
  CHECK(absl::IsNotFound(store->Get(kFormatKey).status()));
}

TEST_CASE("a log of a later version is left alone") {
  testing::TempDir dir;
  FakeClock clock;
  auto store = OpenEmbeddedStateStore(dir.File("s"), clock).value();
  PutOne(*store, kFormatKey, "3");
  CHECK(Reason(AuditLog::Open(*store, clock).status()) == "AUDIT_FORMAT");
}

}  // namespace chartly::audit
